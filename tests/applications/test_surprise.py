import math

import numpy as np
import pytest

from minilm.applications.surprise import PLACES, surprise, surprise_scores

TEXT = "The (caf\u00e9) 3x\n"  # T h e _ ( c a f e' ) _ 3 x \n


def test_places_by_hand():
    nats = 2.0 ** np.arange(len(TEXT))
    assert surprise(TEXT, nats) == {
        "nats": 2.0**14 - 1,
        "characters": 14,
        "places": {
            "first letter of a word": [1.0 + 2**5 + 2**12, 3],
            "later letter": [2.0 + 2**2 + 2**6 + 2**7 + 2**8, 5],
            "closing bracket": [2.0**9, 1],
            "line end": [2.0**13, 1],
        },
    }


def test_what_was_not_foretold_is_not_counted():
    found = surprise("ab", np.array([np.nan, 3.0]))
    assert (found["nats"], found["characters"]) == (3.0, 1)
    assert found["places"]["first letter of a word"] == [0.0, 0]
    assert surprise("", np.zeros(0))["places"] == {name: [0.0, 0] for name in PLACES}


def test_scores_are_nats_by_characters_over_all_texts():
    answers = [surprise("a)", np.array([1.0, 2.0])), surprise("))b\n", np.array([4.0, 3.0, 5.0, 7.0]))]
    scores = {score.name: score for score in surprise_scores(answers)}
    assert scores["nats per character"].value == pytest.approx(22 / 6)
    assert scores["bits per character"].value == pytest.approx(22 / 6 / math.log(2))
    assert scores["nats per closing bracket"].value == pytest.approx(9 / 3)
    assert scores["nats per line end"].value == 7
    assert math.isnan(scores["nats per later letter"].value)
    assert not any(score.higher_is_better for score in scores.values())


def test_without_places_there_are_two_numbers():
    answers = [{"nats": 2.0, "characters": 2}, {"nats": 0.0, "characters": 0}, surprise("a", np.ones(1))]
    assert [score.name for score in surprise_scores(answers)] == ["nats per character", "bits per character"]
    assert math.isnan(surprise_scores(answers[1:2])[0].value)
