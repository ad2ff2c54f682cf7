"""Every op where positions have 32 bits, as in a web page: on a NumPy that acts so. The same numbers, of the same types.

A page's NumPy makes int32 of Python's integers, of positions and of sums of integers, and refuses int64 where it wants positions.
Here its functions do, not its methods (``x.argsort()``); ``python -m tests.wasm`` runs the ops on the real one.
"""

import numpy as np
import pytest

import minilm as ml
from minilm.indices import TAKEN_BY
from tests.ops.test_registry import CASES, outputs

pytestmark = pytest.mark.host  # it is about NumPy

MAKE_POSITIONS = ("argmax", "argmin", "argsort", "flatnonzero", "nonzero", "searchsorted", "lexsort")
MAKE_INTEGERS = ("arange", "array", "asarray", "sum", "prod", "cumsum", "full")


def narrowed(result):
    """int64 as int32, in a tuple too."""
    if isinstance(result, tuple):
        return tuple(map(narrowed, result))
    return result.astype(np.int32) if getattr(result, "dtype", None) == np.int64 else result


def makes_positions(function):
    return lambda *arguments, **options: narrowed(function(*arguments, **options))


def makes_integers(function):
    """int32, where neither a type was asked for nor an array of int64 is given."""

    def called(*arguments, **options):
        wide = any(getattr(x, "dtype", None) == np.int64 for x in arguments[:1])
        typed = options.get("dtype") is not None or any(isinstance(x, np.dtype | type) for x in arguments[1:])
        result = function(*arguments, **options)
        return result if typed or (wide and function.__name__ != "where") else narrowed(result)

    return called


def wants_positions(function, place, keyword):
    def called(*arguments, **options):
        index = options[keyword] if keyword in options else arguments[place]
        if getattr(index, "dtype", None) == np.int64:
            raise TypeError("Cannot cast array data from dtype('int64') to dtype('int32') according to the rule 'safe'")
        return function(*arguments, **options)

    return called


@pytest.fixture
def narrow(monkeypatch):
    for name in MAKE_POSITIONS:
        monkeypatch.setattr(np, name, makes_positions(getattr(np, name)))
    for name in MAKE_INTEGERS:
        monkeypatch.setattr(np, name, makes_integers(getattr(np, name)))
    for name, (place, keyword) in TAKEN_BY.items():
        monkeypatch.setattr(np, name, wants_positions(getattr(np, name), place, keyword))
    monkeypatch.setattr(np, "intp", np.int32)


def asked(op, sample):
    """What an op answers, and its gradients."""
    inputs = [
        ml.Tensor(x, x.dtype.kind == "f") if isinstance(x, np.ndarray) else x
        for x in sample.draw(np.random.default_rng(0), np.float32)
    ]
    answers = outputs(op(*inputs, **sample.params))
    for y in answers:
        if isinstance(y, ml.Tensor) and y.requires_grad:
            y.sum().backward(retain_graph=True)
    grads = [x.grad for x in inputs if isinstance(x, ml.Tensor) and x.grad is not None]
    return [y.numpy() if isinstance(y, ml.Tensor) else y for y in (*answers, *grads)]


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_an_op_is_the_same(op, sample, request):
    expected = asked(op, sample)
    request.getfixturevalue("narrow")
    for y, right in zip(asked(op, sample), expected, strict=True):
        assert getattr(y, "dtype", type(y)) == getattr(right, "dtype", type(right))
        np.testing.assert_array_equal(y, right)


def test_the_stand_in_acts_like_a_page(narrow):
    assert np.arange(3).dtype == np.array([1, 2]).dtype == np.argmax(np.ones(3)).dtype == np.int32
    assert np.arange(3, dtype=np.int64).dtype == np.asarray(np.ones(2, np.int64)).dtype == np.int64
    with pytest.raises(TypeError, match="Cannot cast"):
        np.bincount(np.ones(2, np.int64))


def test_numbers_of_pythons_are_int64(narrow):
    for data in (3, [1, 2], [[1], [2]], range(3)):
        assert ml.tensor(data).dtype == np.int64
    assert ml.tensor([2**40]).dtype == np.int64
    assert ml.tensor([True]).dtype == np.bool_
    assert ml.tensor(2.5).dtype == np.float32
    assert ml.full((2,), 1).dtype == ml.arange(3).dtype == ml.zeros(2, dtype=int).dtype == np.int64
