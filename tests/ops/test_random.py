"""Dropout: its edges, its statistics, and that the mask depends on key and position alone."""

import numpy as np
import pytest

import minilm as ml
from minilm.ops.random import dropout


def kept(key, p=0.5, n=100_000):
    return dropout(np.ones(n, np.float32), p=p, key=key) != 0


def test_edges():
    x = ml.tensor([1.0, -2.0, 3.0], requires_grad=True)
    np.testing.assert_array_equal(dropout(x, p=0.0, key=1).numpy(), x.numpy())
    np.testing.assert_array_equal(dropout(x, p=0.9, key=1, training=False).numpy(), x.numpy())
    y = dropout(x, p=1.0, key=1)
    y.sum().backward()
    np.testing.assert_array_equal(y.numpy(), np.zeros(3))
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros(3))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_of_zeros_and_mean(p):
    x = np.ones(200_000, np.float32)
    y = dropout(x, p=p, key=7)
    deviation = np.sqrt(p * (1 - p) / x.size)
    assert abs((y == 0).mean() - p) < 4 * deviation
    assert abs(y.mean(dtype=np.float64) - 1) < 4 * deviation / (1 - p)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


@pytest.mark.parametrize("other", [1, 2, 2**31, 2**32, 2**63])
def test_masks_of_neighbouring_keys_are_unrelated(other):
    for key in (0, 12345):
        a, b = kept(key), kept(key ^ other)
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)
        for lag in (1, 2, 32):
            assert abs(np.corrcoef(a[lag:], b[:-lag])[0, 1]) < 4 / np.sqrt(a.size)


def test_elements_of_one_mask_are_unrelated():
    a = kept(99)
    for lag in (1, 2, 3, 4, 8, 64, 128, 1024, 4096, 65536):
        assert abs(np.corrcoef(a[lag:], a[:-lag])[0, 1]) < 4.5 / np.sqrt(a.size - lag)
    for width in (16, 64, 256):  # no row or column of a matrix is dropped more often than chance has it
        for sums in (a[: width * 256].reshape(256, width).sum(0), a[: width * 256].reshape(width, 256).sum(1)):
            assert abs(sums - 128).max() < 5 * 8


def test_each_bit_of_the_key_changes_half_of_the_mask():
    base = kept(0xDEADBEEFCAFEF00D, n=10_000)
    for bit in range(64):
        changed = (base != kept(0xDEADBEEFCAFEF00D ^ (1 << bit), n=10_000)).mean()
        assert 0.47 < changed < 0.53


def test_the_mask_depends_on_key_and_position_only():
    a = dropout(np.ones((4, 6), np.float32), p=0.5, key=3)
    np.testing.assert_array_equal(a.reshape(-1), dropout(np.ones(24), p=0.5, key=3))
    np.testing.assert_array_equal(dropout(np.ones(1000), p=0.5, key=3)[:24], a.reshape(-1))
    smaller, larger = kept(5, 0.2), kept(5, 0.6)
    assert (smaller | ~larger).all()  # what stays at the higher p stays at the lower


def test_the_mask_is_what_it_was():
    """The same numbers in every version: a resumed run depends on it."""
    assert "".join("01"[int(k)] for k in kept(1, n=32)) == "00000101011110111110010001001010"


def test_forward_backward_and_second_derivative_share_the_mask():
    x = ml.Tensor(np.full(50, 3.0), requires_grad=True)
    y = dropout(x, p=0.4, key=11)
    (g,) = ml.grad(y, x, y, create_graph=True)
    (h,) = ml.grad(g, x, ml.Tensor(np.ones(50)))
    mask = y.numpy() / 3.0
    np.testing.assert_allclose(g.numpy(), 3.0 * mask**2)
    np.testing.assert_allclose(h.numpy(), mask**2)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"p": 1.5, "key": 0}, ValueError, "from 0 to 1, got 1.5"),
        ({"p": -0.1, "key": 0}, ValueError, "from 0 to 1"),
        ({"p": float("nan"), "key": 0}, ValueError, "from 0 to 1"),
        ({"p": 0.5, "key": -1}, ValueError, r"in \[0, 2\*\*96\), got -1"),
        ({"p": 0.5, "key": 2**96}, ValueError, r"in \[0, 2\*\*96\)"),
        ({"p": 0.5, "key": 0.5}, TypeError, "must be an integer"),
        ({"p": 0.5}, TypeError, "missing 'key'"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, says):
    with pytest.raises(error, match=says):
        dropout(np.ones(3), **arguments)
