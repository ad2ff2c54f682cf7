"""The error function against `math.erf` and against values with more digits than a float64 has."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.backend import cpu, special, to_device, to_host

# Abramowitz and Stegun (1964), tables 7.1 and 7.3; the tail as 1 - erfc.
TABLE = {0.1: 0.1124629160182849, 0.5: 0.5204998778130465, 1.0: 0.8427007929497149, 2.0: 0.9953222650189527}


def erf64(x):
    return np.array([math.erf(v) for v in np.ravel(x)]).reshape(np.shape(x))


@pytest.mark.parametrize("x", TABLE)
def test_known_values(x):
    np.testing.assert_allclose(special.erf(np, np.array([x, -x])), [TABLE[x], -TABLE[x]], rtol=3e-16)


def test_float64_is_right_to_the_last_places():
    x = np.concatenate([np.linspace(-6.5, 6.5, 20001), np.logspace(-308, 0, 1000), 1 + np.linspace(-1e-9, 1e-9, 99)])
    exact, y = erf64(x), special.erf(np, x)
    ulps = np.abs(y - exact) / np.spacing(np.abs(exact))
    assert ulps.max() <= 2


def test_float32_is_right_to_seven_digits_everywhere():
    x = np.concatenate([np.linspace(-5, 5, 100001), np.logspace(-38, 0, 1000)]).astype(np.float32)
    exact, y = erf64(x.astype(np.float64)), special.erf(np, x)
    assert y.dtype == np.float32
    assert np.abs(y - exact).max() < 2e-7
    nonzero = x != 0
    assert (np.abs(y - exact)[nonzero] / np.abs(exact)[nonzero]).max() < 3e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_rises_and_saturates(dtype):
    y = special.erf(np, np.linspace(-7, 7, 200001).astype(dtype))
    slack = 0 if dtype == np.float32 else 4e-16
    assert (np.diff(y) >= -slack).all()
    assert y[0] == -1
    assert y[-1] == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ends_zeros_and_nan(dtype):
    big = np.finfo(dtype).max
    x = np.array([math.inf, -math.inf, big, -big, 0.0, -0.0, math.nan], dtype)
    y = special.erf(np, x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([1, -1, 1, -1, 0, 0, math.nan], dtype))
    assert list(np.signbit(y[4:6])) == [False, True]


def test_near_zero_it_is_a_line():
    x = np.array([5e-324, 1e-300, 1e-20])
    np.testing.assert_allclose(special.erf(np, x[1:]), x[1:] * 2 / math.sqrt(math.pi), rtol=3e-16)
    assert special.erf(np, x)[0] > 0


def test_half_precision_is_computed_in_float32():
    x = np.linspace(-4, 4, 1001).astype(np.float16)
    np.testing.assert_array_equal(special.erf(np, x), special.erf(np, x.astype(np.float32)).astype(np.float16))


def test_integers_and_arrays_without_axes():
    np.testing.assert_allclose(special.erf(np, np.arange(3)), erf64(np.arange(3)), rtol=3e-16)
    for dtype in (np.float32, np.float64):
        y = special.erf(np, np.array(0.5, dtype))
        assert y.dtype == dtype
        np.testing.assert_allclose(y, math.erf(0.5), rtol=3e-7)


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=20))
def test_odd(values):
    x = np.array(values)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(special.erf(np, -x.astype(dtype)), -special.erf(np, x.astype(dtype)))


def test_polynomial():
    x = np.array([0.0, 1.0, -2.0])
    np.testing.assert_array_equal(special.polynomial((3.0, 2.0, 1.0), x), 3 + 2 * x + x * x)
    np.testing.assert_array_equal(x, [0.0, 1.0, -2.0])


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_in_blocks_equals_gelu_whole(approximate, dtype, device, monkeypatch):
    rng = np.random.default_rng(0)
    x, g = (to_device(rng.normal(0, 3, (7, 13)).astype(dtype), device) for _ in range(2))
    y = device.gelu(x, approximate)
    dx = device.gelu_backward(g, x, y, approximate)
    monkeypatch.setattr(type(device), "block_size", 8)
    for a, order in ((x, "C"), (device.xp.asfortranarray(x), "F")):  # an array without a flat view comes whole
        y_again = device.gelu(a, approximate)
        np.testing.assert_allclose(to_host(y_again), to_host(y), rtol=1e-6, atol=1e-7, err_msg=order)
        again = device.gelu_backward(g, a, y_again, approximate)
        np.testing.assert_allclose(to_host(again), to_host(dx), rtol=1e-6, atol=1e-7, err_msg=order)
        assert again.dtype == dtype


def test_sigmoid_keeps_the_digits_of_small_results():
    x = np.array([-700.0, -40.0, -1.0, 0.0, 1.0, 40.0])
    np.testing.assert_allclose(cpu.sigmoid(x), [1 / (1 + math.exp(-v)) for v in x], rtol=1e-15)
    np.testing.assert_allclose(cpu.sigmoid(np.float32([-80.0])), [math.exp(-80)], rtol=1e-6)
