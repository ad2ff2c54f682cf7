"""Probes against a closed form, and a control that only a memory solves."""

import numpy as np
import pytest

from minilm.interpret import RidgeProbe, control_labels, probed, ridge

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 5))


def test_ridge_is_least_squares_with_penalty():
    """The same as least squares on rows that are added: sqrt(n lambda) I, with 0 as what they shall give."""
    y = RNG.standard_normal((40, 3)) + 7
    read = ridge(X, y, 0.1)
    more = np.concatenate([X - X.mean(axis=0), np.sqrt(40 * 0.1) * np.eye(5)])
    w = np.linalg.lstsq(more, np.concatenate([y - y.mean(axis=0), np.zeros((5, 3))]), rcond=None)[0]
    np.testing.assert_allclose(read(X), (X - X.mean(axis=0)) @ w + y.mean(axis=0))
    np.testing.assert_allclose(ridge(X, X @ np.ones((5, 1)) + 2, 0.0)(X), X @ np.ones((5, 1)) + 2)
    assert np.abs(ridge(X, y, 1e9)(X) - y.mean(axis=0)).max() < 1e-6


@pytest.mark.parametrize(
    ("x", "y", "penalty", "message"),
    [
        (X, X[:, 0], 1.0, r"expected x \(n, C\) and y \(n, D\), got \(40, 5\) and \(40,\)"),
        (X[:3], X, 1.0, r"got \(3, 5\) and \(40, 5\)"),
        (X[:0], X[:0], 1.0, r"got \(0, 5\)"),
        (X, X, -1.0, "at least 0, got -1.0"),
        (X, X, np.nan, "at least 0, got nan"),
    ],
)
def test_ridge_refuses(x, y, penalty, message):
    with pytest.raises(ValueError, match=message):
        ridge(x, y, penalty)


def test_a_probe_finds_a_linear_class_and_keeps_its_names():
    labels = np.array(["minus", "plus", "zero"])[np.digitize(X[:, 2], [-0.4, 0.4])]
    y = np.where(X[:, 1] > 0, "b", "a")
    assert (RidgeProbe(1e-3).fit(X, y).predict(X) == y).mean() > 0.9
    assert set(RidgeProbe().fit(X, labels).predict(X)) <= {"minus", "plus", "zero"}


def test_the_validation_part_chooses_and_the_test_part_is_read():
    """Far more numbers than examples: only a strong penalty finds the one that matters."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 60))
    y = (x[:, 0] + 0.5 * rng.standard_normal(400) > 0).astype(int)
    train, validation, test = np.arange(65), np.arange(65, 265), np.arange(265, 400)
    found = probed(x, y, train, validation, test, penalties=(1e-6, 0.5))
    alone = [RidgeProbe(p).fit(x[train], y[train]) for p in (1e-6, 0.5)]
    right = [(p.predict(x[validation]) == y[validation]).mean() for p in alone]
    assert right[0] < right[1]
    assert found.penalty == 0.5
    assert found.right.shape == (135,)
    assert found.accuracy == found.right.mean()
    np.testing.assert_array_equal(
        probed(1e4 * x, y, train, validation, test).right, probed(x, y, train, validation, test).right
    )


def test_a_control_has_one_class_for_each_kind_of_word():
    words, labels = RNG.integers(0, 400, 5000), (RNG.random(5000) < 0.2).astype(int)
    control = control_labels(words, labels, np.random.default_rng(1))
    for word in np.unique(words):
        assert len(set(control[words == word])) == 1
    assert abs(control.mean() - 0.2) < 0.07  # as often as the classes are
    assert (control_labels(words, labels, np.random.default_rng(2)) != control).any()
    with pytest.raises(ValueError, match=r"a word for each label, got shapes \(5,\) and \(3,\)"):
        control_labels(words[:5], labels[:3], RNG)


def test_what_a_probe_of_words_learns_is_its_own():
    """States that say the word and nothing else: a probe reads the drawn class of words that it has seen, and no real one of context."""
    words = RNG.integers(0, 30, 900)
    states = np.eye(30)[words]
    context = RNG.integers(0, 2, 900)
    control = control_labels(words, context, RNG)
    parts = np.split(np.arange(900), [500, 700])
    assert probed(states, control, *parts).accuracy > 0.99
    assert abs(probed(states, context, *parts).accuracy - 0.5) < 0.15


def test_what_a_probe_refuses():
    with pytest.raises(ValueError, match=r"states \(n, C\) and labels \(n,\), got shapes \(40, 5\) and \(3,\)"):
        RidgeProbe().fit(X, [1, 2, 3])
    with pytest.raises(ValueError, match=r"one class only, \[1\]"):
        RidgeProbe().fit(X, np.ones(40, int))
    with pytest.raises(ValueError, match="must be finite"):
        RidgeProbe().fit(np.where(X > 2, np.nan, X) * [1, 1, 1, 1, np.inf], X[:, 0] > 0)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        RidgeProbe(-1).fit(X, X[:, 0] > 0)
