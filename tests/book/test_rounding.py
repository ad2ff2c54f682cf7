"""Digits of a loss: the stable way keeps seven, the naive one none, and none is told apart from NaN."""

import math

from minilm.book.rounding import loss_errors


def stable(x):
    return -x.log_softmax()[2]


def naive(x):
    return -(x.exp() / x.exp().sum()).log()[2]


def test_stable_and_naive():
    for t in (1.0, 80.0, 1000.0):
        assert max(loss_errors(stable, [t, t - 0.7, 0.0], 2)) < 1e-6
    assert loss_errors(naive, [1.0, 0.3, 0.0], 2).loss < 1e-6
    assert math.isnan(loss_errors(naive, [100.0, 99.3, 0.0], 2).loss)


def test_a_wrong_loss_and_a_wrong_gradient_are_seen_apart():
    shifted = loss_errors(lambda x: stable(x) + 1, [1.0, 0.5, 0.0], 2)
    assert shifted.loss > 0.1
    assert shifted.gradient < 1e-6
    scaled = loss_errors(lambda x: stable(2 * x) - (stable(2 * x) - stable(x)).detach(), [1.0, 0.5, 0.0], 2)
    assert scaled.loss < 1e-6
    assert scaled.gradient > 0.1
