"""Rows of different lengths in one array."""

import numpy as np

from minilm.data.corpus.ragged import Ragged, batches

ROWS = Ragged(np.array([3, 1, 4, 1, 5]), np.array([2, 0, 3]))


def lists(ragged):
    return [row.tolist() for row in ragged.rows()]


def test_rows():
    assert ROWS.bounds.tolist() == [0, 2, 2, 5]
    assert lists(ROWS) == [[3, 1], [], [4, 1, 5]]
    assert lists(Ragged(np.array([]), np.array([], np.int64))) == []


def test_rows_and_values_are_left_out():
    assert lists(ROWS.only(np.array([False, True, True]))) == [[], [4, 1, 5]]
    assert lists(ROWS.where(ROWS.values != 1)) == [[3], [], [4, 5]]
    assert lists(ROWS.where(ROWS.values > 9)) == [[], [], []]


def test_batches_hold_all_texts_in_their_order_and_a_long_one_alone():
    texts = ["ab", "", "c" * 50, "d", "e" * 9, "f"]
    found = list(batches(iter(texts), 10))
    assert [text for batch in found for text in batch] == texts
    assert found == [["ab", ""], ["c" * 50], ["d"], ["e" * 9], ["f"]]
    assert list(batches([], 10)) == []


def test_empty_texts_fill_a_batch_too():
    assert max(map(len, batches([""] * 100, 10))) <= 11
