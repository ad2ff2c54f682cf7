"""Questions about numbers, against NumPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml

SPECIAL = np.array([-math.inf, -1.0, -0.0, 0.0, 2.0, math.inf, math.nan])
small = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), elements=st.integers(-1, 1)
)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "logical_not"])
def test_of_each_element(name):
    np.testing.assert_array_equal(getattr(ml, name)(ml.tensor(SPECIAL)).numpy(), getattr(np, name)(SPECIAL))
    assert getattr(ml.tensor([1, 0]), name)().dtype == np.bool_


def axes_of(data, x):
    axis = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.none()
    several = st.lists(axis, unique_by=lambda a: a % x.ndim, max_size=3).map(tuple) if x.ndim else st.none()
    return data.draw(st.one_of(st.none(), axis, several))


@pytest.mark.parametrize("name", ["all", "any", "count_nonzero"])
@given(small, st.data(), st.booleans())
def test_over_axes(name, x, data, keepdims):
    axis = axes_of(data, x)
    expected = (np.sum if name == "count_nonzero" else getattr(np, name))(x != 0, axis=axis, keepdims=keepdims)
    for found in (
        getattr(ml.tensor(x), name)(axis=axis, keepdims=keepdims),
        getattr(ml, name)(ml.tensor(x), dim=axis, keepdim=keepdims),
    ):
        np.testing.assert_array_equal(found.numpy(), expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@given(small, st.data(), st.booleans())
def test_positions(name, x, data, keepdims):
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1)) if x.ndim else None
    if x.size == 0:
        return
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(getattr(ml.tensor(x), name)(axis, keepdims).numpy(), expected)
    np.testing.assert_array_equal(getattr(ml, name)(ml.tensor(x), dim=axis, keepdim=keepdims).numpy(), expected)


def test_a_line_without_elements_has_no_largest():
    assert ml.zeros(0, 3).argmax(1).shape == (0,)
    with pytest.raises(ValueError, match=r"argmax: a tensor of shape \(0, 3\) has no elements along axis 0"):
        ml.zeros(0, 3).argmax(0)
    with pytest.raises(ValueError, match="argmax: axis 1 does not exist"):
        ml.zeros(3).argmax(1)


def test_near_and_equal():
    x = ml.tensor([1.0, 2.0, math.nan, math.inf])
    assert x.isclose(x + 1e-7).tolist() == [True, True, False, True]
    assert x.isclose(x, equal_nan=True).all().item()
    assert ml.allclose(x[:2], x[:2] + 0.1, atol=0.2) is True
    assert ml.allclose(x, x) is False
    assert ml.equal(x[:2], ml.tensor([1.0, 2.0])) is True
    assert ml.equal(x[:2], ml.tensor([[1.0, 2.0]])) is False
    assert ml.tensor(np.array([3, 250], np.uint8)).isclose(ml.tensor(np.array([4, 250], np.uint8))).tolist() == [
        False,
        True,
    ]


def test_truth_of_numbers():
    a, b = ml.tensor([0.0, 0.0, 2.0, 2.0]), ml.tensor([0, 3, 0, 3])
    assert ml.logical_and(a, b).tolist() == [False, False, False, True]
    assert a.logical_or(b).tolist() == [False, True, True, True]
    assert a.logical_xor(b).tolist() == [False, True, True, False]
    assert a.logical_not().tolist() == [True, True, False, False]
