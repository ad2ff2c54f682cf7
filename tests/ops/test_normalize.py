"""Softmax and the norms: values by hand, masked rows, large numbers, wrong inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.normalize import batch_norm, batch_statistics, layer_norm, log_softmax, rms_norm, softmax

INF = np.inf


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(ml.tensor([[0.0, np.log(3.0)]])).numpy(), [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(log_softmax(np.log([[1.0, 3.0]])), np.log([[0.25, 0.75]]))


@given(st.integers(1, 40), st.floats(-1e4, 1e4), st.integers(0, 2))
def test_softmax_is_a_distribution_that_ignores_shifts(n, shift, axis):
    shape = [2, 3]
    shape.insert(axis, n)
    x = np.random.default_rng(n).normal(0, 5, shape)
    y = softmax(x, axis)
    np.testing.assert_allclose(y.sum(axis=axis), 1.0, rtol=1e-12)
    np.testing.assert_allclose(softmax(x + shift, axis), y, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(log_softmax(x, axis), np.log(y), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_neither_overflows_nor_underflows(dtype):
    x = np.array([[1e4, 0.0, -1e4], [-1e30, -1e30, -1e30]], dtype)
    np.testing.assert_allclose(softmax(x), [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(log_softmax(x), [[0, -1e4, -2e4], [-np.log(3)] * 3], rtol=1e-6)
    assert log_softmax(x).dtype == dtype


@pytest.mark.parametrize("fused", [True, False])
def test_a_masked_row_gives_zeros_and_zero_gradient(fused):
    x = ml.tensor([[-INF, -INF], [0.0, -INF]], requires_grad=True)
    with ml.use_fused(fused):
        y = softmax(x)
        y.backward(ml.tensor([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(y.numpy(), [[0, 0], [1, 0]])
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((2, 2)))


@pytest.mark.parametrize("fused", [True, False])
def test_log_softmax_of_a_masked_row_is_minus_infinity(fused):
    with ml.use_fused(fused):
        y = log_softmax(ml.tensor([[-INF, -INF], [5.0, -INF]]))
    np.testing.assert_array_equal(y.numpy(), [[-INF, -INF], [0, -INF]])


def test_nan_is_not_hidden():
    assert np.isnan(softmax(np.array([[np.nan, -INF], [np.nan, 1.0]]))).all()


@pytest.mark.parametrize("fused", [True, False])
def test_second_derivative_of_a_one_hot_row(fused):
    """A sum that is exactly 1 must not be taken for an empty one."""
    x = ml.Tensor(np.array([[-INF, 0.0, 0.0], [-INF, -INF, 1.0]]), requires_grad=True)
    with ml.use_fused(fused):
        (g,) = ml.grad(softmax(x), x, ml.Tensor(np.array([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]])), create_graph=True)
    np.testing.assert_allclose(g.numpy(), [[0, -0.75, 0.75], [0, 0, 0]], atol=1e-12)


def test_layer_norm_by_hand():
    x = ml.tensor([[1.0, 3.0], [10.0, 10.0]])
    y = layer_norm(x, ml.tensor([2.0, 3.0]), ml.tensor([0.5, 0.0]), eps=0.0 + 1e-12)
    np.testing.assert_allclose(y.numpy(), [[-1.5, 3.0], [0.5, 0.0]], rtol=1e-6)


@given(st.integers(2, 300), st.floats(-1e3, 1e3), st.floats(0.1, 100))
def test_layer_norm_forgets_shift_and_scale(n, shift, scale):
    x = np.random.default_rng(n).standard_normal((3, n))
    y = layer_norm(x, eps=0.0)
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=-1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(layer_norm(x * scale + shift, eps=0.0), y, rtol=1e-6, atol=1e-7)


def test_layer_norm_of_numbers_far_from_zero_keeps_its_digits():
    x = np.float32(4096.0) + np.linspace(0, 1, 64, dtype=np.float32)[None]
    np.testing.assert_allclose(layer_norm(x), layer_norm(x.astype(np.float64)), atol=2e-3)


def test_eps_stands_inside_the_root():
    x = np.array([[-1.0, 1.0]])
    np.testing.assert_allclose(layer_norm(x, eps=3.0), [[-0.5, 0.5]])
    np.testing.assert_allclose(rms_norm(x, eps=3.0), [[-0.5, 0.5]])
    np.testing.assert_allclose(batch_norm(x.T, eps=3.0), [[-0.5], [0.5]])


def test_rms_norm_by_hand():
    y = rms_norm(ml.tensor([[3.0, 4.0]]), ml.tensor([1.0, 10.0]), eps=0.0)
    np.testing.assert_allclose(y.numpy(), np.array([[3.0, 40.0]]) / np.sqrt(12.5), rtol=1e-6)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_batch_norm_normalizes_each_channel(shape):
    x = np.random.default_rng(0).normal(5.0, 3.0, shape)
    axes = tuple(i for i in range(len(shape)) if i != 1)
    y = batch_norm(x, eps=1e-12)
    np.testing.assert_allclose(y.mean(axis=axes), 0.0, atol=1e-6)
    mean, var = batch_statistics(x)
    np.testing.assert_allclose(mean, x.mean(axis=axes))
    np.testing.assert_allclose(var, x.var(axis=axes))
    np.testing.assert_allclose(batch_norm(x, None, None, mean, var, eps=1e-12), y)


def test_batch_norm_in_evaluation_uses_what_it_is_given():
    x = ml.tensor([[1.0, 10.0], [3.0, 30.0]])
    y = batch_norm(
        x, ml.tensor([2.0, 1.0]), ml.tensor([0.0, 1.0]), ml.tensor([1.0, 0.0]), ml.tensor([4.0, 100.0]), eps=0.0
    )
    np.testing.assert_allclose(y.numpy(), [[0.0, 2.0], [2.0, 4.0]], rtol=1e-6)


def test_gradient_through_given_statistics_is_that_through_those_of_the_batch():
    rng = np.random.default_rng(0)
    a, b = (ml.Tensor(rng.standard_normal((3, 2, 4)), requires_grad=True) for _ in range(2))
    b.data = a.data.copy()
    w, v = ml.Tensor(rng.standard_normal(2)), ml.Tensor(rng.standard_normal((3, 2, 4)))
    batch_norm(a, w).backward(v)
    mean, var = batch_statistics(b)
    batch_norm(b, w, None, mean, var).backward(v)
    np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("used", [0, 1])
def test_one_of_the_batch_statistics_may_be_left_unused(used):
    x = ml.Tensor(np.array([[1.0, 4.0], [3.0, 0.0]]), requires_grad=True)
    batch_statistics(x)[used].backward(ml.Tensor(np.array([1.0, 10.0])))
    np.testing.assert_allclose(x.grad.numpy(), [[[0.5, 5.0], [0.5, 5.0]], [[-1.0, 20.0], [1.0, -20.0]]][used])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: softmax(np.zeros((2, 3)), axis=2), ValueError, "softmax: axis 2"),
        (lambda: layer_norm(np.zeros((2, 3)), np.zeros(2)), ValueError, r"weight has shape \(2,\), expected \(3,\)"),
        (lambda: layer_norm(np.zeros((2, 3)), None, np.zeros((1, 3))), ValueError, r"bias has shape \(1, 3\)"),
        (lambda: layer_norm(np.zeros((2, 0))), ValueError, "nothing to normalize"),
        (lambda: layer_norm(np.zeros(())), ValueError, "at least one axis"),
        (lambda: rms_norm(np.zeros((2, 3)), np.zeros(2)), ValueError, "rms_norm: weight"),
        (lambda: rms_norm(np.zeros((2, 3)), eps=-1.0), ValueError, "eps must not be negative"),
        (lambda: batch_norm(np.zeros(3)), ValueError, "at least two axes"),
        (lambda: batch_norm(np.zeros((0, 3))), ValueError, "no numbers to take a mean of"),
        (lambda: batch_norm(np.zeros((2, 3)), None, None, np.zeros(3)), ValueError, "both"),
        (lambda: batch_norm(np.zeros((2, 3, 5)), np.zeros(5)), ValueError, r"expected \(3,\)"),
        (lambda: batch_statistics(np.zeros((0, 3))), ValueError, "no numbers"),
    ],
)
def test_wrong_inputs_are_named(call, error, says):
    with pytest.raises(error, match=says):
        call()
