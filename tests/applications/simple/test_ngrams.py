import math

import numpy as np
import pytest

from minilm.applications.application import Split
from minilm.applications.generation import Passage
from minilm.applications.simple.ngrams import BASELINES, KINDS, NGram, counting

TEXT = "the cat sat on the mat, the rat sat on the cat; that hat."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_of_all_characters_and_the_unknown_one_add_up_to_one(kind, order):
    model = NGram(TEXT, order, kind)
    for context in ("", "t", "th", "the ", "at, the", "qqq", "xth", "\N{SNOWMAN}"):
        total = sum(model.probability(c, context) for c in [*model.characters, "\N{SNOWMAN}"])
        assert total == pytest.approx(1)
        assert all(model.probability(c, context) > 0 for c in [*model.characters, "\N{SNOWMAN}"])


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_was_counted_once_something_is_left_for_what_never_came(kind):
    model = NGram("ab" * 9, 3, kind)
    assert model.probability("a", "ba") > 0
    assert sum(model.probability(c, "ba") for c in "ab\N{SNOWMAN}") == pytest.approx(1)


def test_witten_and_bell_by_hand():
    model = NGram("abab", 2, "Witten-Bell")  # a 2, b 2; after a: b 2; after b: a 1
    p = (2 + 2 / 3) / (4 + 2)
    assert model.probability("a", "") == pytest.approx(p)
    assert model.probability("b", "a") == pytest.approx((2 + p) / 3)
    assert model.probability("a", "a") == pytest.approx(p / 3)


def test_kneser_and_ney_by_hand():
    """The follower that came often, but after one context only, is less likely after a new one."""
    text = "xyxyxyxy" + "axbxcx"  # y came after x alone; x after y, a, b, c (and a, b, c after y, x, x)
    model = NGram(text, 2, "Kneser-Ney")
    stood_after = model.tables[0][""]
    assert stood_after == {"y": 1, "x": 4, "a": 1, "b": 1, "c": 1}
    counts = [model.tables[1][h][c] for h in model.tables[1] for c in model.tables[1][h]]
    once, twice = counts.count(1), counts.count(2)
    assert model.discounts[1] == pytest.approx(once / (once + 2 * twice))
    d0 = model.discounts[0]
    p = (4 - d0) / 8 + d0 * 5 / 8 * model.uniform
    d1, after = model.discounts[1], model.tables[1]["y"]
    n = sum(after.values())
    assert model.probability("x", "y") == pytest.approx((after["x"] - d1) / n + d1 * len(after) / n * p)


@pytest.mark.parametrize("kind", KINDS)
def test_it_forgets_what_is_further_back_and_reads_each_character_after_those_before_it(kind):
    model = NGram(TEXT, 3, kind)
    assert model.probability("e", "xxxxth") == model.probability("e", "th")
    losses = model.nats("that")
    assert losses.shape == (4,)
    assert losses[3] == pytest.approx(-math.log(model.probability("t", "ha")))
    assert losses[0] == pytest.approx(-math.log(model.probability("t", "")))
    assert model.nats("").shape == (0,)


def test_it_writes_from_its_own_probabilities():
    model = NGram("abcabcabcabc", 3)
    assert model.write("ab", 6, np.random.default_rng(0), temperature=0) == "cabcab"
    drawn = NGram("aaab", 1, "Witten-Bell").write("", 400, np.random.default_rng(1))
    assert len(drawn) == 400
    assert 60 < drawn.count("b") < 160
    assert model.write("ab", 0, np.random.default_rng(0)) == ""


def test_a_longer_text_repeated_is_known_by_heart_and_a_rare_order_is_not_chosen():
    split = Split([Passage(TEXT * 4)], [Passage(TEXT)], [], "")
    (answer,) = counting(None, "Kneser-Ney", orders=(2, 3, 4))(split)([Passage(TEXT)])
    (short,) = counting(2, "Kneser-Ney")(split)([Passage(TEXT)])
    assert answer["characters"] == len(TEXT)
    assert answer["nats"] < short["nats"]
    assert set(BASELINES) >= {"5-gram, Kneser-Ney", "5-gram, Witten-Bell"}


@pytest.mark.parametrize(("text", "order", "kind"), [("", 2, KINDS[0]), ("a", 0, KINDS[0]), ("a", 2, "Laplace")])
def test_errors(text, order, kind):
    with pytest.raises(ValueError, match="an order of at least 1"):
        NGram(text, order, kind)
