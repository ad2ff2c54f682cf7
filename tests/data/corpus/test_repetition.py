"""Repetition by hand; against counting it is compared with all other measures, in test_quality."""

import numpy as np
import pytest

from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.repetition import n_gram_shares, repeated_parts, repeats, repetition_plain
from minilm.data.corpus.words import lines, raw_codes


def shares(*documents):
    words = [word for document in documents for word in document.split()]
    hashes = np.array([hash(word) % 2**64 for word in words], np.uint64)
    counts = np.array([len(document.split()) for document in documents])
    return n_gram_shares(Ragged(hashes, counts), np.array([len(word) for word in words], np.int64))


def test_lines_by_hand():
    codes = raw_codes(["a\nbb\na\na\nbb\n", "a", ""])
    found, characters = repeated_parts(codes, lines(codes))
    assert found.tolist() == pytest.approx([3 / 5, 0, float("nan")], nan_ok=True)
    assert characters.tolist() == pytest.approx([4 / 7, 0, float("nan")], nan_ok=True)


def test_the_top_n_gram_is_the_one_with_the_most_characters():
    found = shares("a b xxx yyyy a b xxx yyyy a b")
    assert found["top_2_gram"].tolist() == [14 / 20]
    assert found["top_4_gram"].tolist() == [18 / 20]


def test_an_n_gram_that_stands_once_is_no_repetition():
    assert shares("to be", "to be or not", "")["top_2_gram"].tolist() == pytest.approx(
        [0, 0, float("nan")], nan_ok=True
    )


def test_what_overlaps_itself_is_not_more_than_all():
    assert shares("ha ha ha ha")["top_2_gram"].tolist() == [1]


def test_each_covered_word_counts_once_and_the_first_time_not():
    found = shares("a b c d e f a b c d e f x", "a a a a a a a")
    assert found["repeated_5_grams"].tolist() == pytest.approx([6 / 13, 6 / 7])
    assert found["repeated_6_grams"].tolist() == pytest.approx([6 / 13, 6 / 7])
    assert found["repeated_7_grams"].tolist() == [0, 0]


def test_what_another_document_says_is_no_repetition():
    twice = shares("a b c d e f", "a b c d e f")
    assert all(not values.any() for values in twice.values())
    codes = raw_codes(["a", "a"])
    assert repeated_parts(codes, lines(codes))[0].tolist() == [0, 0]


def test_how_often_and_whether_before():
    times, again = repeats(np.array([3, 1, 3, 3, 1, 2], np.uint64))
    assert times.tolist() == [3, 2, 3, 3, 2, 1]
    assert again.tolist() == [False, False, True, True, True, False]
    for some in (np.empty(0, np.uint64), np.array([2**64 - 1], np.uint64)):
        times, again = repeats(some)
        assert (times.tolist(), again.any()) == ([1] * len(some), False)
    keys = np.random.default_rng(0).integers(0, 2**64 - 1, 400, dtype=np.uint64, endpoint=True)[
        [*range(400), *range(50, 150)]
    ]
    times, again = repeats(keys)
    assert times.tolist() == [keys.tolist().count(key) for key in keys.tolist()]
    assert np.flatnonzero(again).tolist() == [*range(400, 500)]


def test_the_plain_one():
    found = repetition_plain("a b\n\na b\n\nc", ["a", "b", "a", "b", "c"])
    assert (found["repeated_lines"], found["repeated_paragraphs"], found["top_2_gram"]) == (1 / 3, 1 / 3, 4 / 5)
