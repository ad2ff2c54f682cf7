"""Values travel as they are, and what is read is believed in nothing."""

import collections
import enum
import json
import math
import random

import numpy as np
import pytest

import minilm as ml
from minilm.exercises import values
from minilm.exercises.values import LONGEST_REPR, Damaged, Other, decode, encode, plain


def there_and_back(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def alike(a, b):
    """Equal in type, values, dtype; NaN to itself, and the sign of zero counts."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[k], b[k]) for k in a)
    return repr(a) == repr(b) if isinstance(a, float | complex) else a == b


POINT = np.dtype([("x", "<f4"), ("name", "<U3"), ("grid", ">i2", (2, 2))], align=True)
VALUES = [
    None, True, False, 0, -1, 2**53, -(2**200), 0.1, -0.0, 1e-320, math.nan, math.inf, -math.inf, 1 + 2j, complex(math.nan, -0.0),
    "", "ä\n\x00😀", "\ud800", b"\x00\xff", [], [1, [2.5, None]], (), (1, "a"), {}, {"a": [1], 2: (3,), (1, 2): None}, {1, 2},
    frozenset("ab"), range(2, 9, 3), np.arange(6).reshape(2, 3), np.arange(6.0)[::2], np.asfortranarray(np.eye(3)), np.zeros((0, 4)),
    np.float32(1.5), np.float64("nan"), np.int8(-3), np.bool_(True), np.str_("ab"), np.bytes_(b"ab"), np.complex64(1j),
    np.array(5), np.array([True, False]), np.array(["a", "bcd"]), np.array([b"a", b"bc"]), np.array([1], ">i4"),
    np.array(["2020-01-01"], "M8[D]"), np.timedelta64(3, "s"), np.zeros(2, POINT), np.zeros(2, "V3"), np.zeros(2, POINT)[0],
    np.array([1, 2], np.longdouble), np.array([np.nan, np.inf, -0.0], np.float16),
]  # fmt: skip


@pytest.mark.parametrize("value", [pytest.param(v, id=f"{type(v).__name__}-{k}") for k, v in enumerate(VALUES)])
def test_a_value_arrives_as_it_left(value):
    assert alike(there_and_back(value), value)


def test_tensors():
    x = ml.tensor([[1.0, 2.0]], dtype=ml.float32, requires_grad=True)
    (x * x).sum().backward()
    y = there_and_back([x])[0]
    assert isinstance(y, ml.Tensor)
    assert y.requires_grad
    assert alike(y.numpy(), x.numpy())
    assert alike(y.grad.numpy(), x.grad.numpy())


def test_subclasses_arrive_as_what_they_are_underneath():
    class Loud(list):
        def __iter__(self):
            raise RuntimeError

    class Color(enum.IntEnum):
        RED = 3

    Pair = collections.namedtuple("Pair", "a b")
    assert there_and_back([Loud([1]), Color.RED, Pair(1, 2)]) == [[1], 3, (1, 2)]
    assert there_and_back(collections.Counter("aab")) == {"a": 2, "b": 1}
    assert alike(there_and_back(np.eye(2).view(type("Mine", (np.ndarray,), {}))), np.eye(2))


class Strange:
    def __repr__(self):
        raise ZeroDivisionError

    __class__ = property(lambda self: int)
    __eq__ = __len__ = __array__ = __hash__ = __bool__ = __repr__


def test_other_objects_arrive_as_type_and_repr():
    assert there_and_back(object).type == "type"
    assert there_and_back([iter([])])[0].type == "list_iterator"
    assert there_and_back(Strange()) == Other("Strange", "<Strange, whose repr raises ZeroDivisionError>")
    assert there_and_back(np.array([None])) == Other("ndarray", "array([None], dtype=object)")
    assert there_and_back(np.ma.array([1])).type == "MaskedArray"
    assert plain(len) == plain(len)


def test_limits(monkeypatch):
    monkeypatch.setattr(values, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(values, "MOST_PARTS", 20_000)
    endless = [1]
    endless.append(endless)
    x = there_and_back(endless)
    for _ in range(20):
        x = x[1]
    assert there_and_back(np.zeros(1 << 18)) == Other("ndarray", "float64 of shape (262144,): too large to look at")
    assert there_and_back([np.zeros(1 << 16)] * 3)[2].type == "ndarray"
    assert there_and_back(1 << 10**6) == Other("int", "1000001 bits")
    assert there_and_back(list(range(30_000)))[-1].type == "int"
    assert len(there_and_back("a" * (1 << 20)).repr) == LONGEST_REPR


@pytest.mark.parametrize("document", [
    {}, [], [1], {"a": 1}, {"tuple": 1}, {"tuple": [1], "list": []}, {"float": 1}, {"float": "1"}, {"int": 3}, {"int": "x"},
    {"int": "f" * 30_000}, {"complex": [1, 2]}, {"complex": ["1"]}, {"bytes": "?"}, {"bytes": "YQ"}, {"dict": [[1]]},
    {"dict": [[{"list": []}, 1]]}, {"set": [{"list": []}]}, {"range": [1, 2]}, {"range": [0, 1, 0]}, {"range": [0, 1.5, 1]},
    {"array": ["|O", [1], "AAAAAAAAAAA="]}, {"array": ["<f8", [2], "AAAAAAAAAAA="]}, {"array": ["<f8", [-1], "AAAAAAAAAAA="]},
    {"array": ["<f8", [10**30, 0], ""]}, {"array": ["<f8", [1.0], "AAAAAAAAAAA="]}, {"array": ["f8,O", [0], ""]},
    {"array": ["nonsense", [0], ""]}, {"array": [{"names": ["a"], "formats": [["|O", []]], "offsets": [0], "itemsize": 8}, [0], ""]},
    {"array": ["<U1", [1], "////fw=="]}, {"array": ["<f8", [0] * 70, ""]}, {"scalar": ["<f8", [0], ""]}, {"tensor": [1, True, None]},
    {"tensor": [{"array": ["<i8", [0], ""]}, True, None]}, {"other": ["a"]}, {"other": ["a", 1]}, {"__import__": ["os"]},
], ids=lambda d: str(d)[:40])  # fmt: skip
def test_what_is_damaged_is_refused(document):
    with pytest.raises(Damaged):
        decode(document)


def test_depth_is_refused():
    deep = 1
    for _ in range(100):
        deep = {"list": [deep]}
    with pytest.raises(Damaged):
        decode(deep)


def mutated(document, rng):
    """The document with something changed somewhere."""
    if rng.random() < 0.2 or not isinstance(document, list | dict) or not document:
        return rng.choice([None, -1, 10**30, 1.5, "", "<f8", "|O", [], {}, [[]], {"list": []}, "AAAA", True, document])
    if isinstance(document, dict):
        key = rng.choice(list(document))
        renamed = rng.choice(["array", "scalar", "dict", "tuple", "int", "tensor", "set", "names", key, key, key])
        return {(renamed if k == key else k): (mutated(v, rng) if k == key else v) for k, v in document.items()}
    i = rng.randrange(len(document))
    return [*document[:i], *([mutated(document[i], rng)] if rng.random() < 0.8 else []), *document[i + 1 :]]


@pytest.mark.parametrize("rounds", [300, pytest.param(30_000, marks=pytest.mark.slow)])
def test_a_damaged_document_is_a_value_or_damaged(rounds):
    rng, whole = random.Random(0), encode([*VALUES, ml.ones(2, requires_grad=True)])
    for _ in range(rounds):
        document = whole
        for _ in range(rng.choice([1, 1, 3])):
            document = mutated(document, rng)
        try:
            value = decode(document)
        except Damaged:
            continue
        encode(value)


def test_the_name_of_a_dtype_is_not_parsed_as_code():
    for name in ("08", "i4,f8", "(2,)f8", "float64", "<f8 ", "<U999999999999", "<f3"):
        with pytest.raises(Damaged):
            decode({"array": [name, [0], ""]})
