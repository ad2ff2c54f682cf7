"""SGD: the rule by hand."""

import numpy as np
import pytest

import minilm as ml
from minilm.optim import SGD


def trajectory(device, grads, **options):
    p = ml.Tensor(np.array([1.0]), True, device=device)
    optimizer, seen = SGD([p], **options), []
    for g in grads:
        p.grad = ml.Tensor(np.array([float(g)]), device=device)
        optimizer.step()
        seen.append(p.item())
    return seen


def test_plain(device):
    assert trajectory(device, [2, -4], lr=0.25) == [0.5, 1.5]


def test_momentum(device):
    # b = 2, then 0.5 * 2 + 4 = 5, then 0.5 * 5 + 0 = 2.5
    assert trajectory(device, [2, 4, 0], lr=0.25, momentum=0.5) == [0.5, -0.75, -1.375]


def test_dampening_spares_the_first_step(device):
    # b = 2, then 0.5 * 2 + 0.25 * 4 = 2
    assert trajectory(device, [2, 4], lr=0.25, momentum=0.5, dampening=0.75) == [0.5, 0.0]


def test_nesterov(device):
    # b = 2, d = 2 + 0.5 * 2 = 3; b = 5, d = 4 + 0.5 * 5 = 6.5
    assert trajectory(device, [2, 4], lr=0.25, momentum=0.5, nesterov=True) == [0.25, -1.375]


def test_momentum_crosses_a_narrow_valley_faster(device):
    """On x^2/2 + 50 y^2, momentum needs a tenth of the steps (Polyak 1964: the root of the condition number)."""
    lost = {}
    for momentum in (0.0, 0.8):
        p = ml.Tensor(np.array([1.0, 1.0]), True, device=device)
        optimizer = SGD([p], lr=0.015, momentum=momentum)
        for _ in range(100):
            optimizer.zero_grad()
            loss = (p * p * ml.Tensor(np.array([0.5, 50.0]), device=device)).sum()
            loss.backward()
            optimizer.step()
        lost[momentum] = loss.item()
    assert lost[0.8] < 1e-3 * lost[0.0]


def test_momentum_switched_on_later(device):
    p = ml.Tensor(np.array([1.0]), True, device=device)
    optimizer = SGD([p], lr=0.5)
    for g in (1.0, 1.0, 1.0):
        p.grad = ml.Tensor(np.array([g]), device=device)
        optimizer.step()
        optimizer.param_groups[0]["momentum"] = 0.5
    # 1 - 0.5, then b = 1, then b = 1.5
    assert p.item() == pytest.approx(1.0 - 0.5 * (1.0 + 1.0 + 1.5))
