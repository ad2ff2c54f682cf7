"""Indexing, against NumPy's, and gradients against `np.add.at`."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.index import gather, getitem, masked_fill

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def numbers(shape):
    return np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(shape)


def check_index(x, index, plain=None):
    """Values as NumPy's, gradients as `np.add.at`'s. `plain`: the index in a form that NumPy takes."""
    plain = index if plain is None else plain
    t = ml.Tensor(x, True)
    y = t[index]
    np.testing.assert_array_equal(y.numpy(), x[plain])
    assert y.shape == np.shape(x[plain])
    v = numbers(y.shape)
    expected = np.zeros_like(x)
    np.add.at(expected, plain, v)
    np.testing.assert_array_equal(ml.grad(y, t, ml.Tensor(v))[0].numpy(), expected)


@given(SHAPES, st.data())
def test_basic_indices(shape, data):
    x = numbers(shape)
    check_index(x, data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)))


@given(SHAPES, st.data())
def test_integer_arrays_add_repeated_choices_up(shape, data):
    x = numbers(shape)
    index = data.draw(
        hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, min_side=0, max_side=4))
    )
    check_index(x, index)


@given(SHAPES, st.data())
def test_masks(shape, data):
    x = numbers(shape)
    covered = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(bool, shape[:covered]))
    check_index(x, mask)
    check_index(x, (mask,))


@given(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4), st.data())
def test_mixed_indices(shape, data):
    """An integer, a slice, None, an array or a mask for each axis: NumPy's rule for where the arrays' axes go."""
    x, index = numbers(shape), []
    for n in shape[: data.draw(st.integers(1, len(shape)))]:
        kind = data.draw(st.sampled_from(["int", "slice", "array", "none"]))
        if kind == "int":
            index.append(data.draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            index.append(data.draw(st.slices(n)))
        elif kind == "array":
            index.append(np.array(data.draw(st.lists(st.integers(-n, n - 1), min_size=3, max_size=3))))
        else:
            index += [None, slice(None)]
    check_index(x, tuple(index))


@pytest.mark.parametrize(
    "index",
    [[0, 2, 0], ([0, 1], [1, 1]), ([[0], [2]], [1, 1, 3]), (slice(None), [1, 1]), ([True, False, True],), ([],),
     ([True, False, True], [1, 1]), ([False, False, True], [1, 1]), (0, [1, 1]), ([0, 1], slice(None, None, -1)), (Ellipsis, [0, 0])],
)  # fmt: skip
def test_lists_and_tensors_are_arrays(index):
    x = numbers((3, 4))
    check_index(x, index)
    in_tensors = tuple(
        ml.Tensor(np.array(i)) if isinstance(i, list) and i else i
        for i in (index if isinstance(index, tuple) else (index,))
    )
    check_index(x, in_tensors, index)


def test_numbers_in_tensors_and_numpy_scalars_are_integers():
    x = numbers((3, 4))
    check_index(x, ml.Tensor(2), 2)
    check_index(x, np.int64(-1))
    check_index(x, np.array(1))
    check_index(x, (slice(None), slice(ml.Tensor(1), np.int32(3))), (slice(None), slice(1, 3)))


def test_edges():
    check_index(np.array(3.0), ())
    check_index(np.array(3.0), (Ellipsis, None))
    check_index(np.zeros((0, 3)), (slice(None), 1))
    check_index(np.zeros((0, 3)), (np.zeros(0, int),))
    check_index(np.zeros((2, 0)), (np.array([1, 1]),))
    check_index(numbers((4, 6)).T[::2, ::-1], ([0, 0], slice(1, 3)))


@pytest.mark.host
def test_a_basic_index_is_a_view_and_shares_the_version():
    x, w = ml.Tensor(numbers((3, 4))), ml.Tensor(np.ones(()), True)
    for index in (1, (slice(None), 2), (1, 2)):
        row = x[index]
        assert np.shares_memory(row.numpy(), x.numpy())
        y = (w * row).sum()
        x.fill_(1.0)
        with pytest.raises(RuntimeError, match="modified in place"):
            y.backward()


def test_an_advanced_index_is_a_copy_of_its_own():
    x, w = ml.Tensor(numbers((3, 4))), ml.Tensor(np.ones(()), True)
    y = (w * x[[0, 1]]).sum()
    x.fill_(100.0)
    y.backward()
    assert w.grad.item() == 36.0


def test_changing_an_index_after_use_does_not_change_the_gradient():
    x, index = ml.Tensor(numbers(3), True), ml.Tensor(np.array([0, 0]))
    y = x[index]
    index.fill_(2)
    y.backward(ml.Tensor(np.ones(2)))
    np.testing.assert_array_equal(x.grad.numpy(), [2, 0, 0])


def test_iteration_unpacking_and_negative_steps():
    x = ml.Tensor(numbers((2, 3)), True)
    a, b = x
    (a[::-1] * b).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[6, 5, 4], [3, 2, 1]])


def test_rules_may_index_arrays():
    x = numbers((3, 2))
    np.testing.assert_array_equal(getitem(x, [0, 0]), x[[0, 0]])
    np.testing.assert_array_equal(getitem(x, (1, 1)), x[1, 1])


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        (3, IndexError, r"index \[3\] on shape \(3, 4\): 3 is out of range for axis 0, of size 3"),
        ((slice(None), -5), IndexError, r"index \[:, -5\] on shape \(3, 4\): -5 is out of range for axis 1"),
        ((0, 0, 0), IndexError, r"it names 3 axes, the tensor has 2"),
        ((Ellipsis, Ellipsis), IndexError, r"index \[..., ...\].*once only"),
        (([0, 3],), IndexError, r"index \[int64 \(2,\)\] on shape \(3, 4\): 3 is out of range for axis 0"),
        ((slice(1, None, 2), [0, -5]), IndexError, r"index \[1::2, int64 \(2,\)\].*-5 is out of range for axis 1"),
        (([0, 1], [0, 1, 2]), IndexError, r"\[\(2,\), \(3,\)\] do not broadcast"),
        (([True, False],), IndexError, r"the mask has shape \(2,\), the axes under it \(3,\)"),
        (np.ones((3, 4, 1), bool), IndexError, "it names 3 axes"),
        (1.5, TypeError, "a float is no index"),
        ("a", TypeError, "a str is no index"),
        (np.array([0.0]), TypeError, "a float64 array is no index"),
        (True, TypeError, "True and False are no indices"),
        (ml.Tensor(np.array(True)), TypeError, "a mask without axes"),
        (slice(1.0, None), TypeError, "the bounds of a slice are integers, got 1.0"),
    ],
)
def test_errors_name_the_index_and_the_shape(index, error, text):
    with pytest.raises(error, match=text):
        ml.Tensor(numbers((3, 4)))[index]


@given(SHAPES, st.data())
def test_gather_takes_along_an_axis(shape, data):
    x, axis = numbers(shape), data.draw(st.integers(-len(shape), len(shape) - 1))
    n, m = shape[axis], data.draw(st.integers(0, 4))
    chosen = list(shape)
    chosen[axis] = m
    index = data.draw(hnp.arrays(np.int64, chosen, elements=st.integers(-n, n - 1)))
    t = ml.Tensor(x, True)
    y = gather(t, ml.Tensor(index), axis)
    np.testing.assert_array_equal(y.numpy(), np.take_along_axis(x, index, axis))
    expected = np.zeros_like(x)
    for place in np.ndindex(*index.shape):
        source = list(place)
        source[axis] = index[place]
        expected[tuple(source)] += 1 + sum(place)
    v = np.array([1.0 + sum(place) for place in np.ndindex(*index.shape)]).reshape(index.shape)
    np.testing.assert_array_equal(ml.grad(y, t, ml.Tensor(v))[0].numpy(), expected)


def test_gather_refuses_what_does_not_fit():
    x = ml.Tensor(numbers((2, 3)))
    with pytest.raises(ValueError, match=r"index \(1, 2\) does not fit \(2, 3\): all axes but axis 1"):
        gather(x, np.zeros((1, 2), int), 1)
    with pytest.raises(IndexError, match="3 is out of range for axis 1"):
        gather(x, np.full((2, 1), 3), 1)
    with pytest.raises(TypeError, match="float64 array is no index"):
        gather(x, np.zeros((2, 1)), 1)


def test_masked_fill():
    x = ml.Tensor(numbers((2, 3)).astype(np.float32), True)
    y = masked_fill(x, ml.tensor([True, False, False]), -np.inf)
    np.testing.assert_array_equal(y.numpy(), [[-np.inf, 2, 3], [-np.inf, 5, 6]])
    assert masked_fill(x, ml.tensor([True, False, False]), np.float64(1.0)).dtype == np.float32
    y.backward(ml.Tensor(np.full((2, 3), 2, np.float32)))
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 2, 2], [0, 2, 2]])
    with pytest.raises(TypeError, match="mask is int64, expected bool"):
        masked_fill(x, np.array([1, 0, 0]), 0.0)
    with pytest.raises(TypeError, match="value is a Tensor, expected a number"):
        masked_fill(x, ml.tensor([True, False, False]), x)
