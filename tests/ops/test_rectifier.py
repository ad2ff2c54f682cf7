"""The rectifiers: their values where the formula can be said in a line, and which side counts at a kink."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm import nn

F = nn.functional
X = np.linspace(-7, 7, 57)


def sigma(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(np.minimum(x, 0)) - 1)),
    "celu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "logsigmoid": lambda x: np.log(sigma(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanhshrink": lambda x: x - np.tanh(x),
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_value(name):
    for function in (getattr(F, name), lambda x: getattr(x, name)()):
        np.testing.assert_allclose(function(ml.tensor(X)).numpy(), FORMULAS[name](X), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "kink", "slope"),
    [
        (lambda x: F.elu(x, alpha=0.5), 0.0, 0.5),
        (lambda x: F.celu(x, alpha=0.5), 0.0, 1.0),
        (F.selu, 0.0, 1.0507009873554805 * 1.6732632423543772),
        (F.hardtanh, 1.0, 0.0),
        (F.hardtanh, -1.0, 0.0),
        (F.relu6, 0.0, 0.0),
        (F.relu6, 6.0, 0.0),
        (F.hardsigmoid, 3.0, 0.0),
        (F.hardswish, 3.0, 1.0),
        (F.hardswish, -3.0, 0.0),
        (F.hardshrink, 0.5, 0.0),
        (F.softshrink, -0.5, 0.0),
        (lambda x: F.prelu(x, ml.tensor([0.25], dtype="float64")), 0.0, 0.25),
    ],
)
def test_slope_at_the_kink_is_pytorchs(function, kink, slope):
    x = ml.tensor([kink], dtype="float64", requires_grad=True)
    function(x).sum().backward()
    assert x.grad.item() == pytest.approx(slope)


def test_far_from_zero():
    x = ml.tensor([-1e4, -800.0, 800.0, 1e4], dtype="float64", requires_grad=True)
    for name in ("elu", "selu", "celu", "mish", "logsigmoid"):
        y = getattr(F, name)(x)
        assert np.isfinite(y.numpy()).all()
        (g,) = ml.grad(y.sum(), x)
        assert np.isfinite(g.numpy()).all()
    assert F.logsigmoid(x).tolist() == [-1e4, -800.0, 0.0, 0.0]


def test_prelu_has_a_slope_for_each_channel():
    x = ml.tensor([[-1.0, -1.0], [2.0, -3.0]], requires_grad=True)
    w = ml.tensor([0.5, 0.1], requires_grad=True)
    y = F.prelu(x, w)
    np.testing.assert_allclose(y.numpy(), [[-0.5, -0.1], [2.0, -0.3]], rtol=1e-6)
    y.sum().backward()
    assert w.grad.tolist() == [-1.0, -4.0]
    with pytest.raises(ValueError, match=r"weight \(3,\) does not fit x \(2, 2\): expected 1 number, or 2"):
        F.prelu(x, ml.ones(3))


def test_glu_gates_one_half_by_the_other():
    x = ml.tensor([[1.0, 2.0, 0.0, math.log(3.0)]])
    np.testing.assert_allclose(F.glu(x, dim=1).numpy(), [[0.5, 1.5]], rtol=1e-6)
    with pytest.raises(ValueError, match="its size 3 is odd"):
        F.glu(x[:, :3])


def test_bounds_that_cross():
    with pytest.raises(ValueError, match="min_val must not be above max_val, got 1 and -1"):
        F.hardtanh(ml.ones(1), 1, -1)
    with pytest.raises(ValueError, match="lambd must not be negative"):
        F.softshrink(ml.ones(1), -1.0)
    with pytest.raises(ValueError, match="must not be 0"):
        F.celu(ml.ones(1), 0)
