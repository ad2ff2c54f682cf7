"""Ops that move numbers, against NumPy; gradients are checked by the registry's tests."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.shape import concat, flip, pad, split, squeeze, stack, swapaxes, tril, triu, unsqueeze

arrays = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4), elements=st.just(0.0)
).map(lambda x: np.arange(x.size, dtype=np.float64).reshape(x.shape))


def leaf(x):
    return ml.Tensor(np.asarray(x, np.float64), True)


def gradient(y, x, v):
    return ml.grad(y, x, ml.Tensor(v))[0].numpy()


@given(arrays, st.data())
def test_swapaxes_unsqueeze_flip(x, data):
    axis0, axis1 = (data.draw(st.integers(-x.ndim, x.ndim - 1)) for _ in range(2))
    np.testing.assert_array_equal(swapaxes(leaf(x), axis0, axis1).numpy(), np.swapaxes(x, axis0, axis1))
    np.testing.assert_array_equal(flip(leaf(x), axis0).numpy(), np.flip(x, axis0))
    new = data.draw(st.integers(-x.ndim - 1, x.ndim))
    y = unsqueeze(leaf(x), new)
    np.testing.assert_array_equal(y.numpy(), np.expand_dims(x, new))
    assert squeeze(y, new).shape == x.shape


@given(arrays, st.data())
def test_split_undoes_concat(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    parts = [
        np.repeat(np.take(x, [], axis) if x.shape[axis] == 0 else np.take(x, [0], axis), n, axis) + n for n in sizes
    ]
    inputs = [leaf(part) for part in parts]
    joined = concat(*inputs, axis=axis)
    np.testing.assert_array_equal(joined.numpy(), np.concatenate(parts, axis))
    for part, again in zip(parts, split(joined, [part.shape[axis] for part in parts], axis), strict=True):
        np.testing.assert_array_equal(again.numpy(), part)


@given(arrays, st.integers(0, 2), st.data())
def test_pad_frames_the_input(x, width, data):
    widths = data.draw(st.sampled_from([width, [(width, 2 * width)] * x.ndim]))
    a = leaf(x)
    y = pad(a, widths, value=-7.0)
    np.testing.assert_array_equal(y.numpy(), np.pad(x, widths, constant_values=-7.0))
    v = np.arange(y.size, dtype=np.float64).reshape(y.shape)
    np.testing.assert_array_equal(gradient(y, a, v), v[tuple(slice(width, width + n) for n in x.shape)])


@given(hnp.array_shapes(min_dims=2, max_dims=3, max_side=4), st.integers(-3, 3))
def test_triangles(shape, k):
    x = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    np.testing.assert_array_equal(tril(leaf(x), k).numpy(), np.tril(x, k))
    np.testing.assert_array_equal(triu(leaf(x), k).numpy(), np.triu(x, k))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_stack(axis):
    x, y = np.arange(6.0).reshape(2, 3), np.arange(6.0, 12.0).reshape(2, 3)
    np.testing.assert_array_equal(stack(leaf(x), leaf(y), axis=axis).numpy(), np.stack([x, y], axis))


def test_squeeze_takes_all_or_the_named_axes():
    x = leaf(np.zeros((1, 2, 1)))
    assert squeeze(x).shape == (2,)
    assert squeeze(x, -1).shape == (1, 2)
    assert squeeze(x, (0, 2)).shape == (2,)


def test_an_unused_part_has_gradient_zero():
    x = leaf(np.arange(6.0))
    _, middle, _ = split(x, [1, 2, 3])
    np.testing.assert_array_equal(gradient(middle, x, np.array([5.0, 7.0])), [0, 5, 7, 0, 0, 0])


def test_a_tensor_twice_in_concat_and_stack_gets_both_gradients():
    x = leaf([1.0, 2.0])
    v = np.array([1.0, 2.0, 30.0, 40.0])
    np.testing.assert_array_equal(gradient(concat(x, x), x, v), [31, 42])
    np.testing.assert_array_equal(gradient(stack(x, x), x, v.reshape(2, 2)), [31, 42])


def test_concat_of_two_dtypes_gives_each_its_own_back():
    a, b = ml.Tensor(np.ones(2, np.float32), True), ml.Tensor(np.ones(1), True)
    concat(a, b).sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)


def test_non_contiguous_inputs():
    base = np.arange(24.0).reshape(4, 6)
    x = base.T[::2]
    np.testing.assert_array_equal(concat(leaf(x), leaf(x), axis=1).numpy(), np.concatenate([x, x], 1))
    np.testing.assert_array_equal(flip(ml.Tensor(x)).numpy(), x[::-1, ::-1])
    np.testing.assert_array_equal(split(ml.Tensor(x), 2, axis=1)[1].numpy(), x[:, 2:])


@pytest.mark.host
@pytest.mark.parametrize(
    "view",
    [
        lambda x: swapaxes(x, 0, 1),
        lambda x: squeeze(unsqueeze(x, 0), 0),
        lambda x: split(x, 2)[1],
        lambda x: flip(x, 1),
    ],
)
def test_a_change_under_a_view_is_noticed(view):
    x, w = ml.Tensor(np.ones((2, 3))), leaf(np.ones(()))
    seen = view(x)
    assert np.shares_memory(seen.numpy(), x.numpy())
    y = (w * seen).sum()
    x.fill_(2.0)
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: concat(), ValueError, "concat: expected at least one tensor"),
        (lambda x: concat([x, leaf(np.ones((3, 3)))]), None, ""),
        (lambda x: concat([x, [1.0]]), TypeError, "concat: input 1 is a list, expected a tensor"),
        (lambda x: stack(x, 1.0), TypeError, "stack: input 1 is a float"),
        (lambda x: concat(x, leaf(np.ones((3, 3)))), None, ""),
        (
            lambda x: concat(x, leaf(np.ones((3, 3))), axis=1),
            ValueError,
            r"input 1 has shape \(3, 3\), the first \(2, 3\)",
        ),
        (lambda x: concat(leaf(1.0)), ValueError, "use stack"),
        (lambda x: concat(x, axis=2), ValueError, "axis 2 does not exist in a tensor with 2 axes"),
        (lambda x: stack(x, x.T), ValueError, r"input 1 has shape \(3, 2\)"),
        (lambda x: stack(x, axis=3), ValueError, r"stack of \(2, 3\): in the output: axis 3"),
        (lambda x: unsqueeze(x, 3), ValueError, r"unsqueeze of \(2, 3\): in the output: axis 3"),
        (lambda x: squeeze(x, 1), ValueError, r"axis 1 of \(2, 3\) has size 3"),
        (lambda x: split(x, 2, axis=1), ValueError, r"of size 3, has no 2 equal parts"),
        (lambda x: split(x, 0), ValueError, "has no 0 equal parts"),
        (lambda x: split(x, [1, 2]), ValueError, r"sizes \(1, 2\) do not add up to axis 0 of \(2, 3\)"),
        (lambda x: split(x, [3, -1]), ValueError, "do not add up"),
        (lambda x: pad(x, ((1, 1),)), ValueError, "a pair .* for each of the 2 axes"),
        (lambda x: pad(x, -2), ValueError, r"pad: widths -2 cut off more than \(2, 3\) has"),
        (lambda x: pad(x, 1.5), ValueError, "expected one integer, or a pair"),
        (lambda x: tril(x[0]), ValueError, r"tril: a triangle needs matrices .* got shape \(3,\)"),
        (lambda x: swapaxes(x, 0, 2), ValueError, "swapaxes: axis 2 does not exist"),
        (lambda x: flip(x, (0, -2)), ValueError, "names an axis twice"),
    ],
)
def test_errors_name_what_was_wrong(call, error, text):
    x = leaf(np.ones((2, 3)))
    if error is None:
        assert call(x).shape == (5, 3)
        return
    with pytest.raises(error, match=text):
        call(x)
