"""Activations: values by hand, kinks, ends of the range, wrong parameters. Gradients are checked from the records."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.backend import to_host
from minilm.ops.activation import clip, erf, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh

INF, NAN = math.inf, math.nan
ALL = [tanh, sigmoid, relu, leaky_relu, silu, softplus, erf, gelu]
DTYPES = [np.float32, np.float64]


def gradient(op, values, dtype=np.float64, **params):
    """d op / dx at each value."""
    x = ml.tensor(values, requires_grad=True, dtype=dtype)
    y = op(x, **params)
    y.backward(np.ones(y.shape))
    return x.grad.numpy()


def value(op, values, dtype=np.float64, **params):
    return op(ml.tensor(values, dtype=dtype), **params).numpy()


def test_values_by_hand():
    np.testing.assert_allclose(value(sigmoid, [0.0, math.log(3)]), [0.5, 0.75])
    np.testing.assert_allclose(value(tanh, [math.log(2)]), [0.6])
    np.testing.assert_allclose(value(silu, [math.log(3)]), [0.75 * math.log(3)])
    np.testing.assert_allclose(value(softplus, [0.0, math.log(3)]), [math.log(2), math.log(4)])
    np.testing.assert_allclose(value(softplus, [math.log(3) / 2], beta=2.0), [math.log(4) / 2])
    np.testing.assert_allclose(value(leaky_relu, [-2.0, 3.0]), [-0.02, 3.0])
    np.testing.assert_allclose(value(erf, [1.0]), [math.erf(1.0)])
    np.testing.assert_allclose(value(gelu, [1.0, -1.0]), [0.8413447460685429, -0.15865525393145707])
    np.testing.assert_allclose(value(gelu, [1.0], approximate="tanh"), [0.8411919906082768])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_derivative_at_a_kink_is_that_of_the_left(dtype):
    np.testing.assert_array_equal(gradient(relu, [-1.0, 0.0, -0.0, 1.0], dtype), [0, 0, 0, 1])
    np.testing.assert_array_equal(gradient(leaky_relu, [-1.0, 0.0, 1.0], dtype, negative_slope=0.5), [0.5, 0.5, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_passes_the_gradient_on_its_closed_interval(dtype):
    x = [-2.0, -1.0, 0.0, 0.5, 1.0]
    np.testing.assert_array_equal(value(clip, x, dtype, low=-1.0, high=0.5), [-1, -1, 0, 0.5, 0.5])
    np.testing.assert_array_equal(gradient(clip, x, dtype, low=-1.0, high=0.5), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(gradient(clip, x, dtype, low=0.0), [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(gradient(clip, x, dtype, high=0.0), [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(gradient(clip, x, dtype, low=0.5, high=0.5), [0, 0, 0, 1, 0])


def test_leaky_relu_with_other_slopes():
    np.testing.assert_array_equal(value(leaky_relu, [-2.0, 2.0], negative_slope=2.0), [-4, 2])
    np.testing.assert_array_equal(gradient(leaky_relu, [-2.0, 2.0], negative_slope=-1.0), [-1, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_numbers_neither_overflow_nor_lose_their_sign(dtype):
    x = [-1e4, 1e4]
    low_high = {tanh: (-1, 1), sigmoid: (0, 1), relu: (0, 1e4), leaky_relu: (-100, 1e4), silu: (0, 1e4)}
    low_high |= {softplus: (0, 1e4), erf: (-1, 1), gelu: (0, 1e4)}
    slopes = dict.fromkeys(low_high, (0, 1)) | {tanh: (0, 0), sigmoid: (0, 0), erf: (0, 0), leaky_relu: (0.01, 1)}
    for op in ALL:
        np.testing.assert_allclose(value(op, x, dtype), low_high[op], rtol=1e-6, err_msg=op.name)
        np.testing.assert_allclose(gradient(op, x, dtype), slopes[op], rtol=1e-6, err_msg=op.name)
    np.testing.assert_allclose(value(gelu, x, dtype, approximate="tanh"), [0, 1e4])
    np.testing.assert_allclose(gradient(gelu, x, dtype, approximate="tanh"), [0, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities(dtype):
    x = [-INF, INF]
    for op, expected in [(tanh, (-1, 1)), (sigmoid, (0, 1)), (erf, (-1, 1)), (relu, (0, INF)), (softplus, (0, INF))]:
        np.testing.assert_array_equal(value(op, x, dtype), expected, err_msg=op.name)
    for op, expected in [(tanh, (0, 0)), (sigmoid, (0, 0)), (erf, (0, 0)), (relu, (0, 1)), (softplus, (0, 1))]:
        np.testing.assert_array_equal(gradient(op, x, dtype), expected, err_msg=op.name)
    np.testing.assert_array_equal(value(leaky_relu, x, dtype), x)
    np.testing.assert_array_equal(value(clip, x, dtype, low=-1.0, high=2.0), [-1, 2])
    for op in (silu, gelu):
        assert value(op, [INF], dtype) == INF
        with np.errstate(invalid="ignore"):  # -infinity times 0
            assert np.isnan(value(op, [-INF], dtype))


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays(op, dtype):
    assert np.isnan(value(op, [NAN, 1.0], dtype)).tolist() == [True, False]
    assert np.isnan(value(clip, [NAN], dtype, low=0.0, high=1.0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_probabilities_keep_their_digits(dtype):
    np.testing.assert_allclose(value(sigmoid, [-80.0], dtype), [math.exp(-80)], rtol=1e-5)
    np.testing.assert_allclose(value(softplus, [-80.0], dtype), [math.exp(-80)], rtol=1e-5)


@pytest.mark.fast
@pytest.mark.parametrize(("dtype", "x"), [(np.float32, -89.0), (np.float64, -712.0)])
def test_a_probability_does_not_vanish_before_its_dtype_ends(dtype, x):
    """1 / (1 + exp(-x)) is 0 there already, since exp(-x) is infinite."""
    np.testing.assert_allclose(value(sigmoid, [x], dtype), [math.exp(x)], rtol=1e-3)


@given(st.floats(-30, 30), st.floats(0.1, 5.0))
def test_identities(x, beta):
    np.testing.assert_allclose(value(sigmoid, [x]) + value(sigmoid, [-x]), 1.0, rtol=1e-14)
    np.testing.assert_allclose(value(tanh, [x]), 2 * value(sigmoid, [2 * x]) - 1, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(value(softplus, [x], beta=beta) - value(softplus, [-x], beta=beta), x, atol=1e-12)
    np.testing.assert_allclose(value(gelu, [x]) - value(gelu, [-x]), x, rtol=1e-13)
    np.testing.assert_allclose(value(silu, [x]) - value(silu, [-x]), x, rtol=1e-13)


def test_each_gelu_differentiates_itself():
    x = np.linspace(-4, 4, 201)
    exact, tanh_form = gradient(gelu, x), gradient(gelu, x, approximate="tanh")
    step = 1e-6
    for params, found in (({}, exact), ({"approximate": "tanh"}, tanh_form)):
        numeric = (value(gelu, x + step, **params) - value(gelu, x - step, **params)) / (2 * step)
        np.testing.assert_allclose(found, numeric, atol=1e-8)
    assert 1e-4 < np.abs(exact - tanh_form).max() < 1e-2  # the two forms differ, and this test can tell


def test_gelu_keeps_float32_to_seven_digits():
    x = np.linspace(-8, 8, 40001)
    for approximate in ("none", "tanh"):
        y = value(gelu, x, np.float32, approximate=approximate)
        np.testing.assert_allclose(y, value(gelu, x, approximate=approximate), rtol=3e-7, atol=3e-7)
        dx = gradient(gelu, x, np.float32, approximate=approximate)
        np.testing.assert_allclose(dx, gradient(gelu, x, approximate=approximate), atol=3e-6)


def test_gelu_of_a_view_and_with_a_repeated_gradient(tensor):
    x = tensor(np.arange(6.0).reshape(2, 3) - 3, requires_grad=True)
    gelu(x.transpose()).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), gradient(gelu, np.arange(6.0).reshape(2, 3) - 3), rtol=1e-12)


@pytest.mark.fused
@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_at_zero(approximate, dtype):
    """Where the gate cannot be told from the output, as at 0 and next to it."""
    x = [0.0, -0.0, 1e-40, -1e-30, 1e-25, np.finfo(dtype).tiny]
    np.testing.assert_allclose(gradient(gelu, x, dtype, approximate=approximate), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(gradient(gelu, [INF, 1e5, 1.0], dtype, approximate=approximate)[:2], 1.0)


@pytest.mark.fused
def test_gelu_keeps_its_input_and_its_output_only():
    y = gelu(ml.tensor([1.0, 2.0], requires_grad=True))
    assert y.grad_fn.aux is None
    with ml.no_grad():
        y *= 2.0
    with pytest.raises(RuntimeError, match="modified in place"):
        y.sum().backward()


def test_plain_numbers_and_integers():
    assert float(sigmoid(0.0)) == 0.5
    assert float(gelu(0)) == 0.0
    for op in (sigmoid, tanh, erf, gelu, softplus, silu):
        y = op(ml.tensor([0, 1, 2]))
        assert y.dtype == np.float32, op.name
        np.testing.assert_allclose(y.numpy(), value(op, [0.0, 1.0, 2.0]), rtol=1e-6, err_msg=op.name)
    assert relu(ml.tensor([-1, 2])).dtype == np.int64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: clip(x), "give low, high or both"),
        (lambda x: clip(x, 1.0, 0.0), "low must not be above high, got low=1.0 and high=0.0"),
        (lambda x: clip(x, NAN, 0.0), "low must not be above high"),
        (lambda x: softplus(x, beta=0.0), "beta must be above 0, got 0.0"),
        (lambda x: softplus(x, beta=NAN), "beta must be above 0"),
        (lambda x: gelu(x, approximate="erf"), "approximate must be 'none' or 'tanh', got 'erf'"),
    ],
)
def test_wrong_parameters(call, message):
    with pytest.raises(ValueError, match=message):
        call(ml.tensor([1.0]))


def test_arrays_stay_arrays(device):
    x = device.from_host(np.array([-1.0, 2.0]))
    np.testing.assert_array_equal(to_host(relu(x)), [0, 2])
