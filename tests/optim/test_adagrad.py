"""Adagrad: the rule by hand."""

import numpy as np
import pytest

import minilm as ml
from minilm.optim import Adagrad


def test_two_steps(device):
    p = ml.Tensor(np.array([1.0]), True, device=device)
    optimizer = Adagrad([p], lr=0.5, lr_decay=1.0, initial_accumulator_value=7.0, eps=1.0)
    p.grad = ml.Tensor(np.array([3.0]), device=device)
    optimizer.step()  # s = 16: 1 - 0.5 * 3 / 5
    assert p.item() == pytest.approx(0.7, rel=1e-14)
    p.grad = ml.Tensor(np.array([3.0]), device=device)
    optimizer.step()  # s = 25, rate 0.5 / 2: 0.7 - 0.25 * 3 / 6
    assert p.item() == pytest.approx(0.575, rel=1e-14)


def test_first_step_has_the_same_length_for_every_gradient(device):
    p = ml.Tensor(np.zeros(4), True, device=device)
    p.grad = ml.Tensor(np.array([1e-3, -1.0, 1e3, 0.0]), device=device)
    Adagrad([p], lr=0.1).step()
    np.testing.assert_allclose(p.detach().numpy(), [-0.1, 0.1, -0.1, 0.0], rtol=1e-6)
