"""Changed copies of sentences: what each operation keeps, how much it changes, and how often."""

from collections import Counter

import numpy as np
import pytest

from minilm.text.augment import OPERATIONS, drop_words, eda, insert_words, replace_words, swap_words

WORDS = ["a", "good", "film", "is", "a", "good", "evening"]
SYNONYMS = {"film": ["movie"], "evening": ["night", "dusk"], "good": []}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_dropping_keeps_the_order_and_leaves_out_the_share():
    words = [str(i) for i in range(4000)]
    kept = drop_words(words, 0.3, rng())
    assert kept == sorted(kept, key=int)
    assert len(kept) == pytest.approx(2800, abs=120)  # four standard deviations
    assert drop_words(words, 0.0, rng()) == words


def test_of_a_sentence_something_stays():
    left = Counter(tuple(drop_words(["x", "y"], 1.0, rng(seed))) for seed in range(40))
    assert set(left) == {("x",), ("y",)}
    assert drop_words([], 0.5, rng()) == []


def test_swapping_keeps_the_words():
    assert sorted(swap_words(WORDS, 3, rng())) == sorted(WORDS)
    assert swap_words(["x", "y"], 1, rng()) == ["y", "x"]
    assert swap_words(["x"], 5, rng()) == ["x"]
    assert swap_words([], 1, rng()) == []
    places = list("abcdef")
    for seed in range(30):
        assert sum(a != b for a, b in zip(places, swap_words(places, 1, rng(seed)), strict=True)) == 2


def test_replacing_takes_n_different_words_wherever_they_stand():
    assert replace_words(["film", "a", "film"], 1, SYNONYMS, rng()) == ["movie", "a", "movie"]
    for seed in range(20):
        found = replace_words(WORDS, 1, SYNONYMS, rng(seed))
        assert sum(a != b for a, b in zip(WORDS, found, strict=True)) == 1
    both = replace_words(WORDS, 9, SYNONYMS, rng())
    assert both[2] == "movie"
    assert both[-1] in ("night", "dusk")
    assert replace_words(["good"], 1, SYNONYMS, rng()) == ["good"]


def test_what_was_replaced_is_not_replaced_again():
    assert replace_words(["x", "y"], 2, {"x": ["y"], "y": ["z"]}, rng()) == ["y", "z"]
    two = {tuple(replace_words(["x", "z"], 2, {"x": ["z"], "z": ["x"]}, rng(seed))) for seed in range(20)}
    assert two == {("z", "x")}


def test_inserting_adds_a_synonym_and_keeps_the_rest():
    places = Counter()
    for seed in range(200):
        found = insert_words(["a", "film"], 1, SYNONYMS, rng(seed))
        places[found.index("movie")] += 1
        found.remove("movie")
        assert found == ["a", "film"]
    assert set(places) == {0, 1, 2}
    assert min(places.values()) > 40
    assert len(insert_words(WORDS, 3, SYNONYMS, rng())) == len(WORDS) + 3
    assert insert_words(["good"], 2, SYNONYMS, rng()) == ["good"]


def test_eda_takes_each_operation_as_often_and_changes_the_share():
    words = [f"w{i}" for i in range(20)]
    synonyms = {word: [word.upper()] for word in words}
    counts = Counter()
    for seed in range(400):
        found = eda(words, 0.1, synonyms, rng(seed))
        upper = sum(word.isupper() for word in found)
        if len(found) > 20:
            assert (len(found), upper) == (22, 2)
            counts["insert"] += 1
        elif upper:
            assert (len(found), upper) == (20, 2)
            counts["replace"] += 1
        else:
            counts["swap or drop"] += 1
    assert counts["insert"] == pytest.approx(100, abs=36)
    assert counts["replace"] == pytest.approx(100, abs=36)
    assert len(OPERATIONS) == 4


def test_eda_changes_at_least_one_word_and_leaves_its_input():
    words = ["film", "evening"]
    found = {tuple(eda(words, 0.0, SYNONYMS, rng(seed))) for seed in range(60)}
    assert ("evening", "film") in found
    assert ("movie", "evening") in found
    assert words == ["film", "evening"]
    assert eda([], 0.1, SYNONYMS, rng()) == []


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_bad_shares(p):
    with pytest.raises(ValueError, match="p is the probability of a word to be left out, from 0 to 1"):
        drop_words(WORDS, p, rng())
    with pytest.raises(ValueError, match="share is that of the words which change, from 0 to 1"):
        eda(WORDS, p, SYNONYMS, rng())
