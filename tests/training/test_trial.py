"""A trial changes nothing; the range test sees where a loss falls and where it rises."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm import nn, optim
from minilm.training.trial import Trial, range_test, rates_of, untouched
from tests.training.broken import HELD_OUT, X, Y, network


def test_shares_count_each_class_once_more():
    trial = Trial(network(), X[:4], np.array([0, 0, 2, 0]), held_out=(X[:2], np.array([0, 4])))
    assert trial.shares.tolist() == [4 / 9, 1 / 9, 2 / 9, 1 / 9, 1 / 9]
    assert trial.simple == pytest.approx(-(math.log(4 / 9) + math.log(1 / 9)) / 2)
    assert Trial(network(), X, Y, held_out=HELD_OUT, baseline=0.25).simple == 0.25


def test_untouched_after_an_error():
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    arrays = {name: t.numpy().copy() for name, t in model.state_dict().items()}

    def spoil():
        model(X)
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        model(X).sum().backward()
        optimizer.step()
        model.eval()
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), untouched(model, 0):
        spoil()
    for name, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), arrays[name])
    assert all(p.grad is None for p in model.parameters())
    assert model[1].training


def test_the_range_test_of_a_parabola():
    """SGD on w^2 / 2 multiplies w by 1 - rate at each update: the loss falls below a rate of 2, and grows above."""

    class Parabola(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(np.ones(1))

        def forward(self, x):
            return self.w + ml.tensor(0 * x)

    def update(model, optimizer, x, y):
        optimizer.zero_grad()
        (0.5 * model.w**2).sum().backward()
        optimizer.step()

    trial = Trial(Parabola(), np.zeros((1, 1)), np.zeros(1, int), loss=lambda o, y: (0.5 * o**2).sum(), update=update,
                  optimizer=lambda model: optim.SGD(model.parameters(), lr=0.1))  # fmt: skip
    rates, losses = range_test(trial, 1e-3, 100.0, 51)
    w = np.cumprod(1 - rates)
    np.testing.assert_allclose(losses, 0.5 * w**2, rtol=1e-9)
    assert rates[0] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(100)


def test_a_loss_that_is_not_finite_ends_the_range_test():
    trial = Trial(network(), X, Y, optimizer=lambda model: optim.SGD(model.parameters(), lr=1.0))
    _, losses = range_test(trial, 1e-2, 1e30, 20)
    assert np.isinf(losses[-1])
    assert np.isfinite(losses[0])
    assert np.isfinite(trial.model.last.weight.numpy()).all()


def test_rates():
    assert rates_of(optim.SGD(network().parameters(), lr=0.5)) == [0.5]
    assert rates_of(object()) == []


def test_outputs_in_evaluation_keep_the_modes():
    trial = Trial(network(), X, Y)
    np.testing.assert_array_equal(trial.outputs(X), trial.outputs(X))
    assert trial.model.training
