"""Logistic regression on a table: against Newton's method, with weights as copies, and a hidden layer for what no line parts."""

import numpy as np
import pytest

from minilm.applications.simple.logistic import Logistic

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3))
Y = RNG.random(200) < 1 / (1 + np.exp(-(X @ [1.0, -2.0, 0.5] + 0.3)))


def newton(x, y, v):
    """The weights of the greatest likelihood, in a few exact steps."""
    x, w = np.c_[x, np.ones(len(x))], np.zeros(x.shape[1] + 1)
    for _ in range(20):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x.T * (v * p * (1 - p))) @ x, x.T @ (v * (y - p)))
    return 1 / (1 + np.exp(-x @ w))


def test_it_finds_the_greatest_likelihood():
    found = Logistic(3).fit(X, Y, steps=120, learning_rate=0.1).probabilities(X)
    np.testing.assert_allclose(found, newton(X, Y, np.ones(200)), atol=5e-3)
    assert found.dtype == np.float64


def test_a_weight_of_three_is_three_copies():
    weights = RNG.integers(0, 4, 200)
    found = Logistic(3).fit(X, Y, weights, steps=120, learning_rate=0.1).probabilities(X)
    np.testing.assert_allclose(found, newton(X, Y, weights), atol=5e-3)


def test_a_hidden_layer_parts_what_no_line_does():
    y = X[:, 0] * X[:, 1] > 0
    right = [
        ((Logistic(3, hidden).fit(X, y, steps=120, learning_rate=0.05).probabilities(X) > 0.5) == y).mean()
        for hidden in (0, 16)
    ]
    assert right[0] < 0.7
    assert right[1] > 0.95


def test_the_same_seed_gives_the_same():
    first, second, other = (Logistic(3, 4, seed).fit(X, Y, steps=3).probabilities(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((X, Y[:9]), r"got \(200, 3\), \(9,\)"),
        ((X[:, 0], Y), r"expected rows \(n, width\)"),
        ((X, Y, [1.0]), "and n of the others"),
        ((X, Y, np.full(200, -1.0)), "not negative"),
        ((X, Y, np.full(200, np.nan)), "finite"),
        ((X, Y, np.zeros(200)), "not all 0"),
    ],
)
def test_what_cannot_be_learned_from_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        Logistic(3).fit(*arguments)
