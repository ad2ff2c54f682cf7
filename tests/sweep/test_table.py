"""The table of a sweep: what is typed, every combination, and settings that are equal however they are written."""

import math

import pytest

from minilm.sweep import SweepError
from minilm.sweep.table import check_table, combinations, key_of, parse_table, shown, value_of


def test_a_table_as_it_is_typed():
    assert parse_table(["learning-rate=1e-4,3e-4", "--batch-size=8"]) == {
        "learning-rate": ["1e-4", "3e-4"],
        "batch-size": ["8"],
    }


def test_every_combination_once():
    assert list(combinations({"a": [1, 2], "b": ["x", "y"]})) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_values_are_numbers_where_they_can_be():
    assert [value_of(text) for text in ("8", "1e-3", ".5", "-2", "1e999", "nan", "0x1", "a.txt")] == [
        8,
        0.001,
        0.5,
        -2,
        "1e999",
        "nan",
        "0x1",
        "a.txt",
    ]


def test_equal_settings_have_one_key():
    assert key_of({"rate": 1e-3, "size": 8}) == key_of({"size": 8.0, "rate": 0.001})
    assert key_of({"on": True}) != key_of({"on": 1})
    assert key_of({"size": 8}) != key_of({"size": "8"})


def test_settings_as_a_line():
    assert shown({"learning-rate": 0.001, "batch-size": 8}) == "learning-rate=0.001 batch-size=8"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to sweep"),
        (["rate"], "expected an option with its values"),
        (["=1"], "expected an option"),
        (["Rate=1"], "expected an option"),
        (["rate="], "empty value"),
        (["rate=1,,2"], "empty value"),
        (["rate=1", "rate=2"], "comes twice"),
        (["rate=1e-3,0.001"], "0.001 twice"),
        ([f"a{i}=1,2" for i in "abcdefghijklmn"], "16,384 combinations"),
    ],
)
def test_what_is_no_table_is_refused(words, said):
    with pytest.raises(SweepError, match=said):
        parse_table(words)


@pytest.mark.parametrize("values", ["abc", [], 3, [math.nan], [[1]], [math.inf]])
def test_values_that_cannot_be_kept_are_refused(values):
    with pytest.raises(SweepError, match="x "):
        check_table({"x": values})
