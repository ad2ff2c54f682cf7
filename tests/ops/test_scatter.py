"""Putting and adding at places that an index names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml


def by_hand(x, axis, index, src, add):
    """PyTorch's definition, one element at a time: ``y[i[k, l], l] = s[k, l]``."""
    y = x.copy()
    for place in np.ndindex(index.shape):
        to = list(place)
        to[axis] = index[place]
        value = src[place] if np.ndim(src) else src
        y[tuple(to)] = y[tuple(to)] + value if add else value
    return y


@given(st.data())
def test_scatter_and_scatter_add(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    ndim = data.draw(st.integers(1, 3))
    axis = data.draw(st.integers(0, ndim - 1))
    x = rng.standard_normal([data.draw(st.integers(1, 4)) for _ in range(ndim)])
    shape = [data.draw(st.integers(0, n if d != axis else 5)) for d, n in enumerate(x.shape)]
    index = rng.integers(-x.shape[axis], x.shape[axis], shape)
    src = rng.standard_normal([n + data.draw(st.integers(0, 1)) for n in shape])
    a, b, i = ml.tensor(x), ml.tensor(src), ml.tensor(index)
    np.testing.assert_allclose(a.scatter_add(axis, i, b).numpy(), by_hand(x, axis, index, src, True), atol=1e-12)
    np.testing.assert_allclose(
        ml.scatter_add(a, axis - ndim, i, 0.5).numpy(), by_hand(x, axis, index, 0.5, True), atol=1e-12
    )
    np.testing.assert_array_equal(ml.scatter(a, axis, i, 7.0).numpy(), by_hand(x, axis, index, 7.0, False))
    once = rng.permuted(
        np.broadcast_to(np.arange(x.shape[axis]).reshape(-1, *(1,) * (ndim - axis - 1)), x.shape), axis=axis
    )
    v = rng.standard_normal(x.shape)
    np.testing.assert_array_equal(
        a.scatter(axis, ml.tensor(once), ml.tensor(v)).numpy(), by_hand(x, axis, once, v, False)
    )


@given(st.data())
def test_whole_slices(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    ndim = data.draw(st.integers(1, 3))
    axis = data.draw(st.integers(-ndim, ndim - 1))
    x = rng.standard_normal([data.draw(st.integers(1, 4)) for _ in range(ndim)])
    index = rng.integers(-x.shape[axis], x.shape[axis], data.draw(st.integers(0, 4)))
    chosen = np.take(x, index, axis)
    np.testing.assert_array_equal(ml.tensor(x).index_select(axis, ml.tensor(index)).numpy(), chosen)
    np.testing.assert_array_equal(ml.take(ml.tensor(x), ml.tensor(index), axis=axis).numpy(), chosen)
    added, filled, copied = x.copy(), x.copy(), x.copy()
    np.add.at(np.moveaxis(added, axis, 0), index, np.moveaxis(chosen, axis, 0) * 2.0)
    np.moveaxis(filled, axis, 0)[index] = -1.0
    source = ml.tensor(chosen)
    np.testing.assert_allclose(
        ml.tensor(x).index_add(axis, ml.tensor(index), source, alpha=2.0).numpy(), added, atol=1e-12
    )
    once = np.unique(index % x.shape[axis])
    doubled = np.take(x, once, axis) * 2.0
    np.moveaxis(copied, axis, 0)[once] = np.moveaxis(doubled, axis, 0)
    np.testing.assert_array_equal(
        ml.index_copy(ml.tensor(x), axis, ml.tensor(once), ml.tensor(doubled)).numpy(), copied
    )
    np.testing.assert_array_equal(ml.index_fill(ml.tensor(x), axis, ml.tensor(index), -1.0).numpy(), filled)


def test_axis_before_or_after_the_index():
    x, i = ml.tensor([[1.0, 2.0], [3.0, 4.0]]), ml.tensor([[1], [0]])
    calls = [x.gather(1, i), x.gather(i, 1), x.gather(i, axis=1), x.gather(index=i, dim=1), x.gather(dim=-1, index=i),
             ml.gather(x, 1, i), ml.take_along_axis(x, i, 1), ml.take_along_dim(x, i, dim=1)]  # fmt: skip
    assert all(y.tolist() == [[2.0], [3.0]] for y in calls)
    assert x.scatter(1, i, value=9.0).tolist() == x.scatter(i, 9.0, axis=1).tolist() == [[1.0, 9.0], [9.0, 4.0]]


def test_gradients_of_scatter():
    """x is held back where it was written over, and src counts where it was written."""
    x, s = ml.zeros(3, requires_grad=True), ml.tensor([5.0, 6.0], requires_grad=True)
    v = ml.tensor([1.0, 10.0, 100.0])
    (x.scatter(0, ml.tensor([2, 0]), s) * v).sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 0.0]
    assert s.grad.tolist() == [100.0, 1.0]
    x.grad = s.grad = None
    (x.scatter_add(0, ml.tensor([2, 2]), s) * v).sum().backward()
    assert x.grad.tolist() == [1.0, 10.0, 100.0]
    assert s.grad.tolist() == [100.0, 100.0]


def test_masked_select_and_nonzero():
    x = ml.tensor([[1.0, -2.0], [0.0, 3.0]], requires_grad=True)
    chosen = x.masked_select(x > 0)
    assert chosen.tolist() == [1.0, 3.0]
    chosen.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert ml.masked_select(x, ml.tensor([True, False])).tolist() == [1.0, 0.0]
    assert x.nonzero().tolist() == [[0, 0], [0, 1], [1, 1]]
    assert (
        [i.tolist() for i in ml.where(x != 0)]
        == [i.tolist() for i in x.nonzero(as_tuple=True)]
        == [[0, 0, 1], [0, 1, 1]]
    )
    assert (ml.tensor(2.0).nonzero().shape, ml.tensor(0.0).nonzero().shape) == ((1, 0), (0, 0))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: x.scatter_add(0, ml.tensor([0]), x[0]), ValueError, r"index \(1,\) does not fit \(2, 3\)"),
        (lambda x: x.scatter(0, ml.tensor([[0, 1, 0, 1]]), 1.0), ValueError, "none but axis 0 may be longer"),
        (
            lambda x: x.scatter(0, ml.tensor([[0, 1]]), x[:, :1]),
            ValueError,
            r"src \(2, 1\) does not fit index \(1, 2\)",
        ),
        (lambda x: x.scatter(0, ml.tensor([[0.5]]), 1.0), TypeError, "an index holds integers, got float32"),
        (lambda x: x.index_add(0, ml.tensor([0]), x), ValueError, r"the source has shape \(2, 3\); .* it is \(1, 3\)"),
        (
            lambda x: x.index_select(0, ml.tensor([[0]])),
            ValueError,
            r"one list of places along axis 0, got shape \(1, 1\)",
        ),
        (lambda x: x.index_select(2, ml.tensor([0])), ValueError, "axis 2 does not exist"),
    ],
)
def test_errors_name_what_was_wrong(call, error, text):
    with pytest.raises(error, match=text):
        call(ml.ones(2, 3))


@pytest.mark.host  # a GPU is not asked, which would mean waiting for it
@pytest.mark.parametrize("call", [
    lambda x, i: x.scatter(0, i[:, None], 1.0), lambda x, i: x.scatter_add(0, i[:, None], 1.0), lambda x, i: x.index_select(0, i),
    lambda x, i: x.index_add(0, i, x[:1]), lambda x, i: x.index_copy(0, i, x[:1]), lambda x, i: x.index_fill(0, i, 1.0),
    lambda x, i: x.gather(0, i[:, None].expand(1, 3)), lambda x, i: x.take(i + 4),
])  # fmt: skip
def test_a_place_that_is_not_there(call):
    with pytest.raises(IndexError, match="out of range for axis 0, of size"):
        call(ml.ones(2, 3), ml.tensor([2]))
