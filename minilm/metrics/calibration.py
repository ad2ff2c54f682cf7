r"""Whether a probability means what it says: of the answers given with 80 %, 80 % should be right.

Answers are put into bins of equal width by the probability that the system gave them. In bin b are :math:`n_b` of n answers, whose mean
probability is :math:`c_b` and of which the share :math:`a_b` is right. The reliability diagram draws :math:`a_b` over :math:`c_b`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minilm.metrics.checks import numbers, same_length, yes_or_no
from minilm.metrics.score import Score
from minilm.types import HostArray


class Reliability(NamedTuple):
    """The bins of a reliability diagram, the lowest first.

    Attributes:
        edges: (bins + 1,) from 0 to 1. A bin holds its upper edge; the first holds 0, too.
        counts: (bins,) how many answers lie in each.
        confidence, accuracy: (bins,) the mean probability, and the share that is right; NaN in an empty bin.
    """

    edges: HostArray
    counts: HostArray
    confidence: HostArray
    accuracy: HostArray


def reliability(right: Any, confidence: Any, bins: int = 10) -> Reliability:
    """The bins of the reliability diagram (DeGroot & Fienberg 1983).

    Args:
        right: (n,) whether each answer is right; for a question of yes or no whether the answer is yes.
        confidence: (n,) the probability that the system gave it.
        bins: how many.

    Raises:
        ValueError: there is no example, not one probability for each, one is NaN or outside of 0 to 1, or there is no bin.
    """
    counts, correct, total = _binned(right, confidence, bins).sum(axis=0).reshape(3, bins)
    some = np.where(counts > 0, counts, np.nan)
    return Reliability(np.linspace(0, 1, bins + 1), counts.astype(np.int64), total / some, correct / some)


def calibration_error(right: Any, confidence: Any, bins: int = 10) -> Score:
    r"""The expected calibration error (Naeini, Cooper & Hauskrecht 2015; Guo et al. 2017).

    .. math:: \sum_b \frac{n_b}{n} \, |a_b - c_b|

    Empty bins add nothing. A perfectly calibrated system has more than 0 on a finite sample, and so has each draw of the bootstrap
    more than the sample: its interval lies high. Arguments and errors are those of `reliability`.
    """
    rows = _binned(right, confidence, bins)

    def statistic(*sums: HostArray) -> HostArray:
        counts, correct, total = np.stack(sums).reshape(3, bins, -1)
        return np.abs(correct - total).sum(axis=0) / counts.sum(axis=0)

    return Score.of_sums("calibration error", rows, statistic, higher_is_better=False)


def brier(truth: Any, probabilities: Any) -> Score:
    r"""The mean squared distance of the probabilities from what came true (Brier 1950).

    .. math:: \frac1n \sum_i (p_i - y_i)^2 \qquad \text{or} \qquad \frac1n \sum_i \sum_c (p_{ic} - [y_i = c])^2

    For two classes the second form, Brier's own, is twice the first.

    Args:
        truth: (n,) yes or no; or with a column per class the number of the class that is true.
        probabilities: (n,) of yes; or (n, classes).

    Raises:
        ValueError: there is no example, not one row for each, a probability is NaN or outside of 0 to 1, those of an example do not sum
            to 1, or a class has no column.
    """
    same_length(truth, probabilities)
    p = np.asarray(probabilities, np.float64)
    if p.ndim == 1:
        wrong = numbers("the probability", p, low=0, high=1) - yes_or_no("the truth", truth)
        return Score.mean("Brier score", wrong**2, higher_is_better=False)
    if p.ndim != 2:
        raise ValueError(f"probabilities are one number or one row per example, got an array of shape {p.shape}.")
    numbers("the lowest probability", p.min(axis=1), low=0, high=1)
    if (off := np.abs(p.sum(axis=1) - 1) > 1e-4).any():
        where = int(off.argmax())
        raise ValueError(f"the probabilities of example {where} sum to {p[where].sum():g}, expected 1.")
    y = np.asarray(truth)
    if y.dtype.kind not in "iu" or (y < 0).any() or (y >= p.shape[1]).any():
        raise ValueError(f"the truth is the number of a class, an integer from 0 to {p.shape[1] - 1}.")
    p = p - (y[:, None] == np.arange(p.shape[1]))
    return Score.mean("Brier score", (p**2).sum(axis=1), higher_is_better=False)


def _binned(right: Any, confidence: Any, bins: int) -> HostArray:
    """(n, 3 bins): 1, whether it is right, and its probability, each in the column of its bin."""
    n = same_length(right, confidence)
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins must be a positive integer, got {bins!r}.")
    correct = yes_or_no("what is right", right)
    p = numbers("the probability", confidence, low=0, high=1)
    bin = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    rows = np.zeros((n, 3, bins))
    rows[np.arange(n), :, bin] = np.stack([np.ones(n), correct, p], axis=1)
    return rows.reshape(n, 3 * bins)
