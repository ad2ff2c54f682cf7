"""Words and pairs as vectors."""

import math
import zlib

import numpy as np
import pytest

from minilm.applications.ngrams import NGrams, dense, hashed, ngrams

TEXTS = ["a b a", "a b!", "c $5", "A"]


def test_words_and_pairs():
    assert list(ngrams("Win $5 NOW!")) == ["win", "$", "5", "now", "!", "win $", "$ 5", "5 now", "now !"]
    assert list(ngrams("")) == list(ngrams(" \n")) == []
    assert list(ngrams("\u4e2d\u6587 \u00e9t\u00e9")) == ["\u4e2d\u6587", "\u00e9t\u00e9", "\u4e2d\u6587 \u00e9t\u00e9"]


def test_those_of_two_texts_are_known_the_most_frequent_first():
    known = NGrams.learn(TEXTS, most=9, longest=100)
    assert list(known.weights) == ["a", "a b", "b"]
    assert known.weights["a"] == pytest.approx(1 + math.log(5 / 4))
    assert known.weights["b"] == pytest.approx(1 + math.log(5 / 3))
    assert list(NGrams.learn(TEXTS, most=2, longest=100).weights) == ["a", "a b"]
    assert NGrams.learn([], 9, 9).weights == {}


def test_a_vector_by_hand():
    known = NGrams({"a": 1.5, "b": 2.0}, 100)
    ((places, x),) = known.vectors(["b a c a"])
    expected = np.array([1.5 * (1 + math.log(2)), 2.0])
    assert places.tolist() == [0, 1]
    assert np.allclose(x, expected / np.linalg.norm(expected))
    (none,) = known.vectors(["c"])
    assert none[0].size == none[1].size == 0
    assert np.array_equal(dense([none, (places, x)], 3), np.array([[0, 0, 0], [*x, 0]], np.float32))
    assert dense([], 3).shape == (0, 3)


def test_what_lies_beyond_the_longest_is_not_read():
    known = NGrams.learn(["a b", "a b"], 9, longest=2)
    assert list(known.weights) == ["a"]
    assert known.vectors(["b a"])[0][0].size == 0


def test_saved_and_loaded(tmp_path):
    known = NGrams.learn(["\u4e2d \u00e9", "\u4e2d \u00e9"], 9, 100)
    (tmp_path / "known.json").write_bytes(known.save())
    assert NGrams.load(tmp_path / "known.json") == known


def test_hashed_rows_by_hand():
    """A place, and a sign from the highest bit; a word that comes twice counts once."""
    assert (zlib.crc32(b"a"), zlib.crc32(b"free")) == (0xE8B7BE43, 0x4D2EC1C8)
    row = hashed(["a Free free"], 64, 100)[0]
    assert row.dtype == np.float32
    wanted = {0xE8B7BE43 % 64: 0.5**0.5, 0x4D2EC1C8 % 64: -(0.5**0.5)}
    assert {int(i): row[i] for i in np.flatnonzero(row)} == pytest.approx(wanted)


def test_hashed_rows_know_nothing_of_each_other():
    texts = ["a free prize", "", "prize a free!!", "\ud800"]
    rows = hashed(texts, 32, 12)
    for row, text in zip(rows, texts, strict=True):
        np.testing.assert_array_equal(row, hashed([text], 32, 12)[0])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 0, 1, 1])
    np.testing.assert_array_equal(rows[0], rows[2])  # what comes after 12 characters is not read
    assert hashed([], 8, 1).shape == (0, 8)


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0)])
def test_hashed_rows_without_a_place(sizes):
    with pytest.raises(ValueError, match="width and longest must be positive"):
        hashed(["a"], *sizes)
