"""What counts as right: numbers, arrays, and all else that an answer may give."""

import numpy as np
import pytest

import minilm as ml
from minilm.exercises.compare import difference, leaves
from minilm.exercises.task import Test

TEST = Test("a test")
OBJECT = np.empty(2, object)
OBJECT[:] = [1.0, [2.0]]


class Value:
    def __init__(self, data: float) -> None:
        self.data = data


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1.0, 1),
        (3, 3.0),
        (1.0, np.float32(1)),
        (np.float32(0.5), 0.5),
        (np.array(2.0), 2.0),
        (float("nan"), np.nan),
        (np.array([np.inf, -np.inf, np.nan]), np.array([np.inf, -np.inf, np.nan])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (1 + 2j, np.complex128(1 + 2j)),
        (True, np.bool_(True)),
        ("a", "a"),
        ([1.0, 2.0], (1.0, 2.0)),
        (np.ones(3), [1.0, 1.0, 1.0]),
        (np.ones((2, 2), np.float32), ([1.0, 1.0], (1, 1.0))),
        (np.ones((2, 2)), [np.ones(2), np.ones(2)]),
        (np.array([1, 2]), (1, np.int64(2))),
        (np.zeros(0, int), []),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        ([[1], [2, 3]], [[1], [2, 3]]),
        ({"a": np.ones(2), "b": [None]}, {"b": [None], "a": np.ones(2)}),
        (2**100, 2**100),
        (1e308, 1e308 * (1 + 1e-9)),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        ({1, 2}, {2, 1}),
        (np.arange(3), np.arange(3, dtype=np.int32)),
    ],
)
def test_right(expected: object, got: object) -> None:
    assert difference(TEST, expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "kind"),
    [
        (np.ones(2), ["1.0", "1.0"], "type"),
        (np.ones((2, 2)), [[1.0, 1.0], [1.0]], "type"),
        (np.ones(2), [1.0, None], "type"),
        (np.ones(2), [1, 1], "dtype"),
        (np.ones(2), [1.0, 2.0], "values"),
        (np.ones(2), [[1.0, 1.0]], "shape"),
        (1.0, [1.0], "type"),
        (np.ones(3), None, "type"),
        (np.ones(3), np.ones((3, 1)), "shape"),
        (np.ones(3), np.ones(3, np.longdouble) if np.dtype(np.longdouble).itemsize > 8 else np.ones(3, int), "dtype"),
        (np.ones(3, np.float32), np.ones(3), "dtype"),
        (np.float32(1), np.float64(1), "dtype"),
        (np.ones(3), np.ones(3, int), "dtype"),
        (np.ones(2), OBJECT, "dtype"),
        (np.array([True, False]), np.array([1.0, 0.0]), "dtype"),
        (np.ones(2), np.ones(2, complex), "dtype"),
        (np.ones(3), np.array([1.0, np.nan, 1.0]), "values"),
        (np.array([1.0, np.inf]), np.array([1.0, -np.inf]), "values"),
        (2**100, 2**100 + 1, "values"),
        (2**62, 2**62 + 1, "values"),
        ([1, 2], [1, 2, 3], "length"),
        ([[1], [2, 3]], [[1], [2, 4]], "values"),
        ({"a": 1}, {"b": 1}, "keys"),
        ({"a": 1}, [1], "type"),
        ("a", "b", "values"),
        ("1", 1, "type"),
        (None, 0, "type"),
        (1.0, lambda: 1.0, "type"),
        ([1.0], (x for x in [1.0]), "type"),
        (1e308, -1e308, "values"),
    ],
)
def test_wrong(expected: object, got: object, kind: str) -> None:
    found = difference(TEST, expected, got)
    assert found is not None
    assert found.kind == kind


def test_a_tensor_is_compared_by_its_type_and_its_array() -> None:
    right = ml.tensor(np.ones(2))
    assert difference(TEST, right, ml.tensor(np.ones(2))) is None
    assert difference(TEST, right, np.ones(2)).kind == "type"
    assert difference(TEST, np.ones(2), right).kind == "type"
    assert difference(TEST, right, ml.tensor(np.zeros(2))).kind == "values"


def test_objects_of_two_classes_of_one_name_are_compared_by_what_they_hold() -> None:
    other = type("Value", (), {"__init__": lambda self, data: setattr(self, "data", data)})
    assert difference(TEST, Value(1.0), other(1.0)) is None
    found = difference(TEST, Value(1.0), other(2.0))
    assert (found.kind, found.part) == ("values", "['data']")


def test_the_place_and_the_elements_are_named() -> None:
    found = difference(TEST, (1.0, [np.zeros(3), np.zeros(2)]), (1.0, [np.zeros(3), np.array([0.0, 1.0])]))
    assert found.part == "[1][1]"
    assert found.wrong.tolist() == [False, True]


def test_the_tolerance_is_that_of_the_less_precise_or_the_tests_own() -> None:
    close = np.float64(1 + 1e-5)
    assert difference(TEST, np.float64(1), close) is not None
    assert difference(TEST, np.float64(1), np.float32(close)) is None
    assert difference(Test("own", rtol=1e-4), np.float64(1), close) is None


def test_an_object_that_raises_when_compared_is_wrong() -> None:
    class Bad:
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    assert difference(TEST, Bad(), Bad()).kind == "values"


def test_leaves_are_the_numbers_in_pairs() -> None:
    found = list(leaves((1.0, {"a": np.ones(2)}), [2.0, {"a": np.zeros(2)}]))
    assert [part for part, _, _ in found] == ["[0]", "[1]['a']"]


def test_what_stands_for_an_object_of_another_process_is_compared_by_what_it_shows() -> None:
    other = type("Other", (), {})()
    other.type, other.repr = "slice", "slice(0, 2, None)"
    assert difference(TEST, slice(0, 2), other) is None
    assert difference(TEST, slice(0, 3), other).kind == "type"
