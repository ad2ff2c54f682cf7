"""Rounding, whole quotients and remainders, against Python and NumPy."""

import math

import numpy as np
import pytest

import minilm as ml

PAIRS = [
    (7, 3),
    (-7, 3),
    (7, -3),
    (-7, -3),
    (6, 3),
    (-6, 3),
    (0, 5),
    (5.5, 2),
    (-5.5, 2),
    (5.5, -2),
    (-0.25, 1.0),
    (1e9, 7),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_quotient_and_remainder_are_pythons(a, b):
    x, y = ml.tensor(a, dtype="float64"), ml.tensor(b, dtype="float64")
    expected = divmod(float(a), float(b))
    for q, r in (
        divmod(x, y),
        divmod(x, b),
        divmod(a, y),
        (x // y, x % y),
        (ml.floor_divide(x, y), ml.remainder(x, y)),
    ):
        assert (q.item(), r.item()) == expected
    assert x.fmod(y).item() == math.fmod(a, b)
    assert ml.div(x, y, rounding_mode="trunc").item() == math.trunc(a / b)


@pytest.mark.parametrize(("a", "b"), [pair for pair in PAIRS if all(isinstance(n, int) for n in pair)])
def test_integers_stay_integers(a, b):
    x, y = ml.tensor([a]), ml.tensor([b])
    for found, expected in [
        (x // y, a // b),
        (x % y, a % b),
        (x.fmod(y), int(math.fmod(a, b))),
        (ml.div(x, y, rounding_mode="trunc"), int(a / b)),
        (ml.div(x, b, rounding_mode="trunc"), int(a / b)),
        (ml.div(x, y, rounding_mode="floor"), a // b),
        (x.floor(), a),
        (x.round(), a),
    ]:
        assert found.tolist() == [expected]
        assert found.dtype == np.int64


def test_the_remainder_of_a_remainder():
    """d(a mod b)/db = -q and d(a mod b)/da = 1, whichever operator the tensor stands on; a quotient has derivative 0."""
    a, b = ml.tensor([7.5, -7.5], requires_grad=True), ml.tensor([2.0, 2.0], requires_grad=True)
    (a % b).sum().backward()
    assert a.grad.tolist() == [1.0, 1.0]
    assert b.grad.tolist() == [-3.0, 4.0]
    b.grad = None
    (7.5 % b).sum().backward()
    assert b.grad.tolist() == [-3.0, -3.0]
    a.grad = b.grad = None
    a.fmod(b).sum().backward()
    assert b.grad.tolist() == [-3.0, 3.0]
    a.grad = None
    (a // b).sum().backward()
    assert a.grad.tolist() == [0.0, 0.0]


def test_halves_go_to_the_even_number():
    assert ml.tensor([-1.5, -0.5, 0.5, 1.5, 2.5]).round().tolist() == [-2.0, 0.0, 0.0, 2.0, 2.0]
    assert round(ml.tensor(2.66, dtype="float64"), 1).item() == 2.7
    assert (
        math.floor(ml.tensor(-1.5)).item(),
        math.ceil(ml.tensor(-1.5)).item(),
        math.trunc(ml.tensor(-1.5)).item(),
    ) == (-2.0, -1.0, -1.0)


def test_frac_and_copysign():
    assert ml.tensor([1.25, -1.25]).frac().tolist() == [0.25, -0.25]
    assert ml.tensor([1.0, -2.0, 3.0]).copysign(ml.tensor([-0.0, 1.0, -5.0])).tolist() == [-1.0, 2.0, -3.0]


def test_rounding_modes_are_named():
    with pytest.raises(ValueError, match="rounding_mode must be None, 'floor' or 'trunc', got 'up'"):
        ml.ones(1).div(2.0, rounding_mode="up")
