"""Columns as numbers: by hand, on another table, and what is no table."""

import numpy as np
import pytest

from minilm.data import DataError, Encoding

TABLE = {"age": np.array([20.0, 40.0]), "job": np.array(["nurse", "baker"]), "flag": np.array([1, 1])}


def test_by_hand():
    encoding = Encoding(TABLE)
    assert encoding.names == ["age", "job=baker", "job=nurse", "flag"]
    found = encoding(TABLE)
    assert found.dtype == np.float32
    assert found.tolist() == [[-1, 0, 1, 0], [1, 1, 0, 0]]


def test_another_table_is_measured_by_the_first():
    found = Encoding(TABLE)({"flag": [3], "job": ["poet"], "age": [60]})
    assert found.tolist() == [[3, 0, 0, 2]]


def test_a_column_that_is_left_out_is_not_asked_for():
    encoding = Encoding(TABLE, ["job", "flag"])
    assert encoding.names == ["age"]
    assert encoding({"age": [30.0]}).tolist() == [[0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Encoding({}), "no column to learn from"),
        (lambda: Encoding(TABLE, TABLE), "no column to learn from"),
        (lambda: Encoding(TABLE, ["sex"]), "no column 'sex' to leave out; there are age, job, flag"),
        (lambda: Encoding({"a": [1.0], "b": [1.0, 2.0]}), "columns of one length"),
        (lambda: Encoding({"a": []}), "at least one row"),
        (lambda: Encoding({"a": [1.0, np.nan]}), "'a' has a number that is not finite, in row 1"),
        (lambda: Encoding(TABLE)({"age": [1.0]}), "no column 'flag'"),
        (lambda: Encoding(TABLE)({**TABLE, "age": np.array(["old", "young"])}), "'age' held numbers, and now has"),
    ],
)
def test_what_is_no_table_is_said(call, words):
    with pytest.raises(DataError, match=words):
        call()
