r"""Probes: what a linear classifier reads in a layer's states, and what of that is the probe's own learning.

A probe is a linear classifier of states that it does not change (Alain and Bengio 2016, *Understanding intermediate layers using
linear classifier probes*, arXiv:1610.01644). Here by ridge regression on a 1 for the class that is there and a 0 for the others,

.. math:: W = (X^\top X + n \lambda I)^{-1} X^\top Y, \qquad \hat c = \arg\max_c\, (x W)_c

with centered X and Y. A probe of many numbers learns much by heart. So it gets a control task of the same form, in which each kind of
word has a class that was drawn for it (Hewitt and Liang 2019, *Designing and Interpreting Probes with Control Tasks*, EMNLP):

.. math:: \text{selectivity} = \text{accuracy on the task} - \text{accuracy on the control}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.types import HostArray

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The lambdas of which the validation part chooses, for states that are scaled to a mean square of 1."""


class Affine(NamedTuple):
    """A linear map behind a shift: x to (x - center) weights + bias."""

    center: HostArray
    weights: HostArray
    bias: HostArray

    def __call__(self, x: Any) -> HostArray:
        return (np.asarray(x, np.float64) - self.center) @ self.weights + self.bias


def ridge(x: HostArray, y: HostArray, penalty: float) -> Affine:
    """The affine map from x (n, C) to y (n, D) with the least sum of squares, where each weight's square costs n times the penalty.

    It is what reads classes (`RidgeProbe`), and what carries one layer's states to another's.

    Raises:
        ValueError: the penalty is negative or no number; there are not as many rows in x as in y.
        numpy.linalg.LinAlgError: the penalty is 0 and x has not full rank.
    """
    if not 0 <= penalty < np.inf:
        raise ValueError(f"ridge: the penalty must be a number of at least 0, got {penalty!r}.")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
        raise ValueError(f"ridge: expected x (n, C) and y (n, D), got {x.shape} and {y.shape}.")
    center, bias = x.mean(axis=0), y.mean(axis=0)
    x = x - center
    gram = x.T @ x + len(x) * penalty * np.eye(x.shape[1])
    return Affine(center, np.linalg.solve(gram, x.T @ (y - bias)), bias)


class RidgeProbe:
    """A linear classifier by ridge regression; the formula stands above.

    Args:
        penalty: lambda, at least 0; with 0 the states must have full rank.
    """

    def __init__(self, penalty: float = 1e-2) -> None:
        self.penalty = penalty

    def fit(self, x: Any, labels: Any) -> RidgeProbe:
        """Learns from states (n, C) and their labels (n,); returns itself.

        Raises:
            ValueError: the shapes do not fit, there is one class only, a state is not finite, or the penalty is negative.
        """
        x, labels = _states_and_labels(x, labels)
        self.classes, number = np.unique(labels, return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(
                f"RidgeProbe: there is one class only, {self.classes.tolist()}: nothing can be learned of it."
            )
        self.read = ridge(x, np.eye(len(self.classes))[number], self.penalty)
        return self

    def predict(self, x: Any) -> HostArray:
        """The class of each state: (n, C) -> (n,)."""
        return self.classes[self.read(x).argmax(axis=1)]


class Probed(NamedTuple):
    """What a probe says of the test part.

    Attributes:
        right: for each of its states, whether the class is right.
        penalty: what the validation part has chosen.
    """

    right: HostArray
    penalty: float

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def probed(
    x: Any,
    labels: Any,
    train: Sequence[int],
    validation: Sequence[int],
    test: Sequence[int],
    penalties: Sequence[float] = PENALTIES,
) -> Probed:
    """A probe that learns from the training part, with the penalty that suits the validation part best.

    The states are scaled by one number, the root of the training part's mean square, so that a penalty means the same in each layer.

    Args:
        x: states, (n, C).
        labels: (n,).
        train, validation, test: indices; what they are split by (documents, say) is the caller's affair.

    Raises:
        ValueError: as `RidgeProbe.fit`.
    """
    x, labels = _states_and_labels(x, labels)
    deviation = x[train] - x[train].mean(axis=0)
    x = x / max(float(np.sqrt((deviation**2).mean())), 1e-30)
    probes = [RidgeProbe(penalty).fit(x[train], labels[train]) for penalty in penalties]
    best = max(probes, key=lambda p: float((p.predict(x[validation]) == labels[validation]).mean()))
    return Probed(best.predict(x[test]) == labels[test], best.penalty)


def control_labels(words: Any, labels: Any, rng: np.random.Generator) -> HostArray:
    """The labels of a control task: each kind of word has one class, drawn as often as the classes are among `labels`.

    Wherever the same word stands again it has the same class: that can be learned by heart, and by nothing else.

    Args:
        words: (n,), what kind of word each state is of, such as its token's id.
        labels: (n,), those of the task.

    Raises:
        ValueError: there are not as many words as labels.
    """
    words, labels = np.asarray(words), np.asarray(labels)
    if words.shape != labels.shape or words.ndim != 1:
        raise ValueError(
            f"control_labels: expected a word for each label, got shapes {words.shape} and {labels.shape}."
        )
    kinds, number = np.unique(words, return_inverse=True)
    return rng.choice(labels, len(kinds))[number]


def _states_and_labels(x: Any, labels: Any) -> tuple[HostArray, HostArray]:
    x, labels = np.asarray(x, np.float64), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise ValueError(f"a probe takes states (n, C) and labels (n,), got shapes {x.shape} and {labels.shape}.")
    if not np.isfinite(x).all():
        raise ValueError("a probe's states must be finite; there is a NaN or an infinity among them.")
    return x, labels


__all__ = ["PENALTIES", "Affine", "Probed", "RidgeProbe", "control_labels", "probed", "ridge"]
