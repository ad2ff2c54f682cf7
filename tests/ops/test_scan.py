"""Running products and sums of exponentials."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml

arrays = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5), elements=st.integers(-3, 3).map(float)
)


@given(arrays, st.data())
def test_cumprod(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    np.testing.assert_allclose(ml.tensor(x).cumprod(axis).numpy(), np.cumprod(x, axis))
    np.testing.assert_allclose(ml.cumprod(ml.tensor(x), dim=axis).numpy(), np.cumprod(x, axis))


@given(arrays, st.data())
def test_logcumsumexp(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    np.testing.assert_allclose(
        ml.tensor(x).logcumsumexp(axis).numpy(), np.logaddexp.accumulate(x, axis=axis), rtol=1e-12
    )


def test_cumprod_with_zeros():
    """The derivative of a product by a factor that is zero is the product of the others: no division by it."""
    x = ml.tensor([2.0, 0.0, 3.0, 0.0], requires_grad=True)
    x.cumprod(0).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0 + 6.0, 0.0, 0.0]


def test_logcumsumexp_does_not_overflow():
    x = ml.tensor([-math.inf, 1000.0, 1000.0], requires_grad=True)
    y = x.logcumsumexp(0)
    np.testing.assert_allclose(y.numpy(), [-math.inf, 1000.0, 1000.0 + math.log(2.0)])
    y[2].backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 0.5, 0.5])


def test_integers_stay_integers():
    assert ml.tensor([2, 3, 4]).cumprod(0).tolist() == [2, 6, 24]
    assert ml.tensor([2, 3, 4]).cumprod(0).dtype == np.int64
