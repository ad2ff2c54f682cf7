"""The symmetric grid: by hand, half a step of error, and what has no grid."""

import numpy as np
import pytest

from minilm.formats.absmax import absmax


def test_by_hand():
    q, s = absmax([[1.27, -0.4, 0.0, 0.054], [0.0, 0.0, 0.0, 0.0]])
    assert q.tolist() == [[127, -40, 0, 5], [0, 0, 0, 0]]
    np.testing.assert_allclose(s, [0.01, 0.0])
    q, s = absmax([-0.7, 0.34, 0.36], 4)
    assert q.tolist() == [-7, 3, 4]
    np.testing.assert_allclose(s, 0.1)
    assert (q.dtype, s.dtype) == (np.int8, np.float32)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_each_number_is_off_by_half_a_step_at_most(bits):
    x = np.random.default_rng(bits).standard_normal((7, 5, 64)).astype(np.float32)
    q, s = absmax(x, bits)
    assert np.abs(q).max() == 2 ** (bits - 1) - 1
    assert np.abs(x - q * s[..., None]).max() <= (s / 2).max() * (1 + 1e-5)
    assert (np.abs(x - q * s[..., None]) <= s[..., None] / 2 * (1 + 1e-5)).all()


def test_each_is_the_nearest_of_all_values():
    x = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    q, s = absmax(x, 4)
    grid = np.arange(-7, 8) * s
    np.testing.assert_allclose(q * s, grid[np.abs(x[:, None] - grid).argmin(axis=1)])


def test_edges():
    assert absmax(np.zeros((3, 0)))[0].shape == (3, 0)
    assert absmax(np.zeros((0, 4)))[1].shape == (0,)
    assert absmax([1e-42, -1e-42])[0].tolist() == [0, 0]
    assert absmax(np.array([2, -1], np.int64), 2)[0].tolist() == [1, 0]
    turned = np.arange(12.0).reshape(3, 4).T
    assert absmax(turned)[0].tolist() == absmax(turned.copy())[0].tolist()


@pytest.mark.parametrize(
    ("x", "bits", "message"),
    [([1.0], 1, "bits must be 2 to 8, got 1"), ([1.0], 9, "got 9"), (1.0, 8, "a number alone"),
     ([np.nan], 8, "int8 storage takes finite weights"), ([np.inf, 0], 4, "int4 storage takes finite weights")],
)  # fmt: skip
def test_what_has_no_grid(x, bits, message):
    with pytest.raises(ValueError, match=message):
        absmax(x, bits)
