"""Elementwise arithmetic where it is not smooth: ties, kinks and zeros. Elsewhere the registry's tests check derivatives."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY

INF = math.inf


def leaf(*values, dtype="float64"):
    return ml.tensor(list(values), requires_grad=True, dtype=dtype)


@pytest.mark.parametrize(("name", "larger"), [("maximum", 1.0), ("minimum", 0.0)])
def test_inputs_that_tie_get_half_each(name, larger):
    a, b = leaf(1.0, 2.0, 3.0), leaf(2.0, 2.0, 2.0)
    REGISTRY[name](a, b).backward(ml.tensor([10.0, 10.0, 10.0], dtype="float64"))
    np.testing.assert_array_equal(a.grad.numpy(), [10.0 * (1.0 - larger), 5.0, 10.0 * larger])
    np.testing.assert_array_equal(b.grad.numpy(), [10.0 * larger, 5.0, 10.0 * (1.0 - larger)])


def test_a_tie_with_a_number_halves_the_gradient():
    x = leaf(0.0, -1.0, 1.0)
    REGISTRY["maximum"](x, 0.0).sum().backward()
    assert x.grad.tolist() == [0.5, 0.0, 1.0]


def test_abs_and_sign_are_flat_at_zero():
    x = leaf(-2.0, 0.0, 3.0)
    x.abs().sum().backward()
    assert x.grad.tolist() == [-1.0, 0.0, 1.0]
    assert REGISTRY["sign"](x).tolist() == [-1.0, 0.0, 1.0]
    (g,) = ml.grad(REGISTRY["sign"](x).sum(), x)
    assert not g.numpy().any()


def test_zero_to_the_power_zero_is_one_with_gradient_zero():
    a, b = leaf(0.0, 0.0, 2.0), leaf(0.0, 2.0, 0.0)
    y = a**b
    y.sum().backward()
    assert y.tolist() == [1.0, 0.0, 1.0]
    assert a.grad.tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(b.grad.numpy(), [0.0, 0.0, math.log(2.0)])


def test_a_constant_power_of_negative_numbers_and_of_zero():
    x = leaf(-2.0, 0.0)
    for power, gradient in ((3, [12.0, 0.0]), (2.0, [-4.0, 0.0]), (1, [1.0, 1.0]), (0, [0.0, 0.0])):
        (g,) = ml.grad((x**power).sum(), x)
        assert g.tolist() == gradient


def test_where_lets_nothing_through_from_the_other_side():
    """Not even an infinite or undefined number: a product with the mask would make it NaN."""
    a, b = leaf(1.0, INF), leaf(math.nan, 2.0)
    y = REGISTRY["where"](ml.tensor([True, False]), a, b)
    y.sum().backward()
    assert y.tolist() == [1.0, 2.0]
    assert a.grad.tolist() == [1.0, 0.0]
    assert b.grad.tolist() == [0.0, 1.0]


def test_a_quotient_by_hand():
    a, b = leaf(3.0), leaf(2.0)
    (a / b).backward(ml.tensor([4.0], dtype="float64"))
    assert a.grad.tolist() == [2.0]
    assert b.grad.tolist() == [-3.0]


def test_powers_where_the_formula_of_the_derivative_is_no_number():
    a, b = leaf(INF, 0.0, math.nan, 0.0, -2.0), leaf(0.0, -1.0, 0.0, 2.0, 3.0)
    y = a**b
    y.sum().backward()
    np.testing.assert_array_equal(y.numpy(), [1.0, INF, 1.0, 0.0, -8.0])
    np.testing.assert_array_equal(a.grad.numpy(), [0.0, -INF, 0.0, 0.0, 12.0])
    np.testing.assert_array_equal(b.grad.numpy(), [INF, -INF, math.nan, 0.0, math.nan])


def test_powers_of_a_number_without_a_logarithm():
    for number, values, gradients in (
        (-2.0, [1.0, -2.0, 4.0], [math.nan] * 3),
        (0.0, [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        (math.nan, [1.0, math.nan, math.nan], [math.nan] * 3),
    ):
        x = leaf(0.0, 1.0, 2.0)
        y = number**x
        y.sum().backward()
        np.testing.assert_array_equal(y.numpy(), values)
        np.testing.assert_array_equal(x.grad.numpy(), gradients)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_nan_is_passed_on_and_takes_the_gradient_with_it(name):
    a, b = leaf(math.nan, 1.0, math.nan), leaf(1.0, math.nan, math.nan)
    y = REGISTRY[name](a, b)
    y.sum().backward()
    assert np.isnan(y.numpy()).all()
    assert a.grad.tolist() == b.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("call", "gradient"),
    [
        (lambda x: x.relu(), 1.0),
        (lambda x: x.clip(0.0, 1.0), 0.0),
        (lambda x: x.abs(), math.nan),
        (lambda x: x.max(), math.nan),
        (lambda x: x.min(), math.nan),
        (lambda x: x * 1.0, 1.0),
    ],
)
def test_where_nan_goes(call, gradient):
    """It goes through everything; its gradient is what each record says."""
    x = leaf(math.nan)
    y = call(x)
    y.sum().backward()
    assert np.isnan(y.numpy()).all()
    np.testing.assert_array_equal(x.grad.numpy(), [gradient])
