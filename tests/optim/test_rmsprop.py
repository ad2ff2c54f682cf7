"""RMSprop: the rule by hand."""

import numpy as np
import pytest

import minilm as ml
from minilm.optim import RMSprop


def trajectory(device, grads, dtype=np.float64, **options):
    p = ml.Tensor(np.array([1.0], dtype), True, device=device)
    optimizer, seen = RMSprop([p], **options), []
    for g in grads:
        p.grad = ml.Tensor(np.array([g], dtype), device=device)
        optimizer.step()
        seen.append(p.item())
    return seen


def test_plain(device):
    # v = 0.75 * 16 = 12 -> root 4 with eps; then 0.25 * 12 + 0.75 * 4 = 6
    eps = 4.0 - 12.0**0.5
    assert trajectory(device, [4.0, 2.0], lr=0.5, alpha=0.25, eps=eps) == pytest.approx(
        [0.5, 0.5 - 0.5 * 2.0 / (6.0**0.5 + eps)], rel=1e-14
    )


def test_centered_divides_by_the_standard_deviation(device):
    # v = 8, mean = 2 (alpha = 0.5, g = 4): sqrt(8 - 4) = 2; then v = 4, mean = 1: sqrt(3)
    assert trajectory(device, [4.0, 0.0], lr=0.25, alpha=0.5, eps=0.0, centered=True) == pytest.approx([0.5, 0.5])


def test_momentum(device):
    # u = 4 / sqrt(8), b = u; then u = 0, b = 0.5 u
    u = 4.0 / 8.0**0.5
    assert trajectory(device, [4.0, 0.0], lr=1.0, alpha=0.5, eps=0.0, momentum=0.5) == pytest.approx(
        [1 - u, 1 - 1.5 * u]
    )


def test_centered_survives_a_constant_gradient(device):
    """v - mean^2 goes to 0 and is rounded below it: a plain root would be NaN."""
    for g in (0.1, 0.3, 0.7, 1.1):
        seen = trajectory(device, [g] * 200, np.float32, lr=1e-3, alpha=0.5, eps=1e-2, centered=True)
        assert np.isfinite(seen).all()
