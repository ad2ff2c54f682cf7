"""Order along an axis, against NumPy and by what order means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml

numbers = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0, math.inf, math.nan]),
)


@given(numbers, st.data(), st.booleans())
def test_sort(x, data, descending):
    """Values, their positions, ties in their old order, NaN as the largest."""
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    values, indices = ml.tensor(x).sort(axis, descending)
    expected = np.sort(x, axis=axis, kind="stable")
    np.testing.assert_array_equal(values.numpy(), np.flip(expected, axis) if descending else expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, indices.numpy(), axis))
    assert indices.dtype == np.int64
    v, i = values.numpy().swapaxes(axis, -1), indices.numpy().swapaxes(axis, -1)
    same = (v[..., 1:] == v[..., :-1]) | (np.isnan(v[..., 1:]) & np.isnan(v[..., :-1]))
    assert (i[..., 1:] > i[..., :-1])[same].all()
    np.testing.assert_array_equal(ml.argsort(ml.tensor(x), dim=axis, descending=descending).numpy(), indices.numpy())


@given(numbers, st.data(), st.booleans())
def test_topk_is_the_beginning_of_sort(x, data, largest):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    k = data.draw(st.integers(0, x.shape[axis]))
    values, indices = ml.topk(ml.tensor(x), k, dim=axis, largest=largest)
    ordered, places = ml.sort(ml.tensor(x), dim=axis, descending=largest)
    np.testing.assert_array_equal(values.numpy(), np.take(ordered.numpy(), range(k), axis))
    np.testing.assert_array_equal(indices.numpy(), np.take(places.numpy(), range(k), axis))


@pytest.mark.parametrize(("name", "function"), [("cummax", np.maximum), ("cummin", np.minimum)])
@given(numbers, st.data())
def test_running_extremes(name, function, x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    values, indices = getattr(ml.tensor(x), name)(axis)
    np.testing.assert_array_equal(values.numpy(), function.accumulate(x, axis=axis))
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, indices.numpy(), axis))
    latest = np.maximum.accumulate(np.where(x_is(x, values.numpy()), places(x, axis), -1), axis=axis)
    np.testing.assert_array_equal(indices.numpy(), latest)


def x_is(x, y):
    return (x == y) | (np.isnan(x) & np.isnan(y))


def places(x, axis):
    return np.broadcast_to(np.arange(x.shape[axis]).reshape(-1, *(1,) * (x.ndim - axis % x.ndim - 1)), x.shape)


def test_gradients_go_back_to_where_the_elements_stood():
    x = ml.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (x.sort().values * ml.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 1.0, 10.0]
    x.grad = None
    x.topk(2).values.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]
    x.grad = None
    x.cummax(0).values.sum().backward()
    assert x.grad.tolist() == [3.0, 0.0, 0.0]


def test_ties_keep_their_own_gradients():
    """Each of two equal elements gets the gradient of its own place; a running maximum gives it to the latest."""
    x = ml.tensor([2.0, 2.0, 1.0], requires_grad=True)
    (x.sort(descending=True).values * ml.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 10.0, 100.0]
    x.grad = None
    x.cummax(0).values.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 0.0]


def test_positions_have_no_gradient():
    x = ml.tensor([2.0, 1.0], requires_grad=True)
    for result in (x.sort(), x.topk(1), x.cummax(0), x.cummin(0)):
        assert result.values.requires_grad
        assert not result.indices.requires_grad


def test_without_axes():
    x = ml.tensor(2.0, requires_grad=True)
    for result in (x.sort(), x.sort(0, descending=True), x.topk(1), x.cummax(0), x.cummin(-1)):
        assert (result.values.item(), result.indices.item()) == (2.0, 0)
    x.sort().values.backward()
    assert x.grad.item() == 1.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: x.topk(4), r"k is from 0 to the size of axis 1 of \(2, 3\), which is 3; got 4"),
        (lambda x: x.topk(-1), "got -1"),
        (lambda x: x.sort(2), "sort: axis 2 does not exist|argsort: axis 2 does not exist"),
        (lambda x: x.cummax(-3), "cummax: axis -3 does not exist"),
        (lambda x: x[0, 0].topk(0), "k = 1 only"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call(ml.ones(2, 3))
