"""Records to JSON and back: every field, of its type, and anything else is told by its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from minilm.data import DataError
from minilm.data.corpus.records import json_of, record_of


class Point(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Shape:
    name: str
    closed: bool
    points: tuple[Point, ...]
    size: tuple[int, int]
    counts: Mapping[str, int]
    other: Any = None
    first: Point | None = None


SHAPE = Shape(
    "\ud800\0é", True, (Point(1, 0.1), Point(2, 3.0)), (4, 5), {"b": 2, "a": 1}, {"any": [1, None]}, Point(0, 1e300)
)


def test_there_and_back():
    content = json_of(SHAPE)
    assert record_of(Shape, content) == SHAPE
    assert content.isascii()
    assert json_of(Shape(*[getattr(SHAPE, name) for name in Shape.__annotations__])) == content
    assert record_of(Shape, json_of(Shape("", False, (), (0, 0), {}))) == Shape("", False, (), (0, 0), {})


def test_equal_records_are_equal_bytes():
    turned = Shape(SHAPE.name, True, SHAPE.points, SHAPE.size, {"a": 1, "b": 2}, SHAPE.other, SHAPE.first)
    assert json_of(turned) == json_of(SHAPE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": 1}, "shape.name must be a string, found 1"),
        ({"closed": 1}, "shape.closed must be true or false, found 1"),
        ({"points": {}}, r"shape.points must be a list, found \{\}"),
        ({"points": [{"x": True, "y": 0}]}, r"shape.points\[0\].x must be a whole number, found True"),
        ({"points": [{"x": 1, "z": 0}]}, r"shape.points\[0\] must have the fields x, y; missing or too many: y, z"),
        ({"size": [1]}, "shape.size must have 2 values, it has 1"),
        ({"counts": {"a": "1"}}, "shape.counts.a must be a whole number, found '1'"),
        ({"more": 1}, "missing or too many: more"),
    ],
)
def test_what_is_wrong_is_named(change, told):
    with pytest.raises(DataError, match=told):
        record_of(Shape, json.dumps({**json.loads(json_of(SHAPE)), **change}).encode())


def test_what_is_no_json():
    with pytest.raises(DataError, match="what should be a shape is not valid JSON"):
        record_of(Shape, b'{"name": ')
    with pytest.raises(ValueError, match="Out of range float"):
        json_of(Point(1, float("nan")))
