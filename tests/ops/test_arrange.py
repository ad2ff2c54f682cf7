"""Repeating, rolling, diagonals and products of tensors, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml

arrays = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), elements=st.just(0.0)
).map(lambda x: np.arange(x.size, dtype=np.float64).reshape(x.shape))


@given(arrays, st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_tile(x, repeats):
    np.testing.assert_array_equal(ml.tile(ml.tensor(x), repeats).numpy(), np.tile(x, repeats))
    np.testing.assert_array_equal(ml.tensor(x).tile(*repeats).numpy(), np.tile(x, repeats))


@given(arrays, st.data())
def test_repeat(x, data):
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))
    size = x.size if axis is None else x.shape[axis]
    counts = data.draw(st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=size, max_size=size))
    expected = np.repeat(x, counts, axis) if counts != [] else x if axis is not None else x.reshape(-1)
    np.testing.assert_array_equal(ml.repeat(ml.tensor(x), counts, axis).numpy(), expected)
    np.testing.assert_array_equal(ml.tensor(x).repeat_interleave(counts, dim=axis).numpy(), expected)


def test_repeat_as_a_method():
    """``x.repeat(2, 3)`` is PyTorch's, ``x.repeat(2, axis=0)`` NumPy's."""
    x = ml.tensor([1, 2])
    assert x.repeat(2).tolist() == [1, 2, 1, 2]
    assert x.repeat(2, axis=0).tolist() == x.repeat(2, dim=0).tolist() == [1, 1, 2, 2]
    assert x.repeat(2, 1).tolist() == [[1, 2], [1, 2]]
    with pytest.raises(ValueError, match=r"1 numbers \(2,\) for the 2 axes of \(1, 2\)"):
        x[None].repeat(2)


@given(arrays, st.data())
def test_roll(x, data):
    shifts = data.draw(st.integers(-7, 7))
    np.testing.assert_array_equal(ml.roll(ml.tensor(x), shifts).numpy(), np.roll(x, shifts))
    axes = data.draw(st.lists(st.integers(-x.ndim, x.ndim - 1), min_size=1, max_size=3))
    several = data.draw(st.lists(st.integers(-7, 7), min_size=len(axes), max_size=len(axes)))
    np.testing.assert_array_equal(ml.tensor(x).roll(several, axes).numpy(), np.roll(x, several, axes))
    np.testing.assert_array_equal(
        ml.roll(ml.tensor(x), shifts=shifts, dims=axes[0]).numpy(), np.roll(x, shifts, axes[0])
    )


@given(hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4), st.integers(-5, 5), st.data())
def test_diagonals(shape, offset, data):
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    a, b = data.draw(st.permutations(range(x.ndim)))[:2]
    for axis1, axis2 in ((a, b), (a - x.ndim, b)):
        np.testing.assert_array_equal(
            ml.diagonal(ml.tensor(x), offset, axis1, axis2).numpy(), np.diagonal(x, offset, axis1, axis2)
        )
        np.testing.assert_array_equal(
            ml.tensor(x).trace(offset, axis1, axis2).numpy(), np.trace(x, offset, axis1, axis2)
        )


@given(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4), st.integers(-5, 5))
def test_diag(shape, k):
    x = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    np.testing.assert_array_equal(ml.diag(ml.tensor(x), k).numpy(), np.diag(x, k))
    rows = x.reshape(-1, shape[-1])
    embedded = ml.tensor(x).diag_embed(k).numpy()
    np.testing.assert_array_equal(embedded.reshape(len(rows), *embedded.shape[-2:]), [np.diag(row, k) for row in rows])


@given(st.data())
def test_tensordot(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pairs = data.draw(st.integers(0, 2))
    inner = [data.draw(st.integers(0, 3)) for _ in range(pairs)]
    left, right = ([data.draw(st.integers(0, 3)) for _ in range(data.draw(st.integers(0, 2)))] for _ in "ab")
    order = [data.draw(st.permutations(range(n))) for n in (len(left) + pairs, len(right) + pairs)]
    shapes = [[(left + inner)[i] for i in order[0]], [(right + inner)[i] for i in order[1]]]
    axes = [
        [order[0].index(len(left) + k) for k in range(pairs)],
        [order[1].index(len(right) + k) for k in range(pairs)],
    ]
    a, b = (rng.standard_normal(shape) for shape in shapes)
    np.testing.assert_allclose(
        ml.tensordot(ml.tensor(a), ml.tensor(b), axes).numpy(), np.tensordot(a, b, axes), atol=1e-12
    )


def test_tensordot_of_the_last_axes_with_the_first():
    a, b = np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(3, 4, 2)
    for found in (ml.tensor(a).tensordot(ml.tensor(b)), ml.tensordot(ml.tensor(a), ml.tensor(b), dims=2)):
        np.testing.assert_array_equal(found.numpy(), np.tensordot(a, b))


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((2, 3), (4, 3, 2)), ((), (2, 2)), ((2, 2), ())]
)
def test_dot_outer_inner(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape) for shape in shapes)
    np.testing.assert_allclose(ml.dot(ml.tensor(a), ml.tensor(b)).numpy(), np.dot(a, b), rtol=1e-12)
    np.testing.assert_allclose(ml.outer(ml.tensor(a), ml.tensor(b)).numpy(), np.outer(a, b), rtol=1e-12)
    if a.ndim and b.ndim and a.shape[-1] == b.shape[-1]:
        np.testing.assert_allclose(ml.inner(ml.tensor(a), ml.tensor(b)).numpy(), np.inner(a, b), rtol=1e-12)


@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.data())
def test_moveaxis(shape, data):
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    n = data.draw(st.integers(0, x.ndim))
    source, destination = (data.draw(st.permutations(range(x.ndim)))[:n] for _ in "ab")
    np.testing.assert_array_equal(
        ml.moveaxis(ml.tensor(x), source, destination).numpy(), np.moveaxis(x, source, destination)
    )
    np.testing.assert_array_equal(ml.tensor(x).movedim(0, -1).numpy(), np.moveaxis(x, 0, -1))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: x.tile(-1), "nothing can be repeated -1 times"),
        (lambda x: x.repeat_interleave([1, 2], dim=1), r"repeats \[1, 2\] do not fit \(2, 3\)"),
        (lambda x: x.roll((1, 2)), "several shifts"),
        (lambda x: x.roll((1, 2, 3), (0, 1)), "3 shifts for 2 axes"),
        (lambda x: x[0].diagonal(), r"expected a matrix.* got shape \(3,\)"),
        (lambda x: x.diagonal(0, 1, -1), "axis1 and axis2 are both"),
        (lambda x: x[None].diag(), "see diagonal and diag_embed"),
        (lambda x: x.tensordot(x, 1), "axis 1 of .* and axis 0 of .* differ in size"),
        (lambda x: x.tensordot(x, 3), "do not have 3 axes each"),
        (lambda x: x.tensordot(x, ([0], [0, 1])), "two lists of the same length"),
        (lambda x: x.moveaxis((0, 1), (0,)), "as many axes, each once"),
    ],
)
def test_errors_name_what_was_wrong(call, text):
    with pytest.raises(ValueError, match=text):
        call(ml.ones(2, 3))
