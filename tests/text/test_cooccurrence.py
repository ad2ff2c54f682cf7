"""Counts of neighbors and what they say: by hand, against plain loops, at the edges."""

import math

import numpy as np
import pytest

from minilm.text.cooccurrence import cooccurrences, frequent, positive_information, words_of


def plain(sentences, vocabulary, window):
    table = np.zeros((len(vocabulary), len(vocabulary)))
    for sentence in sentences:
        for i, word in enumerate(sentence):
            for j, other in enumerate(sentence):
                if i != j and abs(i - j) <= window and word in vocabulary and other in vocabulary:
                    table[vocabulary.index(word), vocabulary.index(other)] += 1
    return table


def test_words():
    assert words_of("She's 30; the nurse_s café, NOT it's'!") == ["she's", "the", "nurse", "s", "café", "not", "it's"]
    assert words_of("42 !?") == []


@pytest.mark.parametrize("window", [1, 2, 5])
def test_against_a_loop_over_places(window):
    rng = np.random.default_rng(0)
    sentences = [[str(w) for w in rng.integers(0, 6, rng.integers(0, 9))] for _ in range(20)]
    vocabulary = ["3", "0", "5", "9"]
    found = cooccurrences(sentences, vocabulary, window)
    np.testing.assert_array_equal(found, plain(sentences, vocabulary, window))


def test_by_hand():
    """a and b stand together twice, of four pairs in all; by chance 1.5 * 1 would."""
    counts = np.array([[0.0, 2, 1], [2, 0, 1], [1, 1, 0]])
    found = positive_information(counts)
    assert found[0, 1] == pytest.approx(math.log(2 * 8 / (3 * 3)))
    assert found[0, 2] == pytest.approx(math.log(1 * 8 / (3 * 2)))
    assert found[0, 0] == 0.0


def test_what_is_rarer_than_chance_is_0_and_so_is_a_word_that_never_occurs():
    found = positive_information([[1, 9, 0], [9, 1, 0], [0, 0, 0]])
    assert found[0, 0] == 0.0
    assert found[0, 1] > 0
    assert (found[2] == 0).all()


def test_the_most_frequent_words():
    assert frequent([["b", "a"], ["c", "a", "b"], []], 2) == ["a", "b"]
    assert frequent([], 3) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cooccurrences([["a"]], []), "each word of the vocabulary once"),
        (lambda: cooccurrences([["a"]], ["a", "a"]), "each word of the vocabulary once"),
        (lambda: cooccurrences([["a"]], ["a"], 0), "positive integer, got 0"),
        (lambda: cooccurrences(["a b"], ["a"]), "a sentence is a list of words, got one text: 'a b'"),
        (lambda: positive_information([[1, -1]]), "none of them negative"),
        (lambda: positive_information([1, 2]), r"got an array of shape \(2,\)"),
        (lambda: positive_information([[np.nan]]), "a table of counts"),
    ],
)
def test_what_cannot_be_counted_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_edges():
    assert cooccurrences([], ["a"]).tolist() == [[0]]
    assert cooccurrences([["a"]], ["a", "b"], 5).tolist() == [[0, 0], [0, 0]]
    assert cooccurrences([["a"], ["b"]], ["a", "b"], 9).sum() == 0  # sentences do not see each other
