r"""How well a number tells yes from no, wherever the line between the two is drawn: ROC and its area, precision and recall.

A system gives each example a number s, the higher the more it says yes; where the line is drawn, the threshold, is for the user to say.
Examples with one number cannot be parted by any line: they come over it together.

Every curve begins with the line above all examples and ends with it below. P examples are yes, N are no; over the line are
:math:`p` of the P and :math:`q` of the N.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minilm.indices import positions
from minilm.metrics.checks import numbers, same_length, yes_or_no
from minilm.metrics.score import Score
from minilm.types import HostArray


class RocCurve(NamedTuple):
    """q / N and p / P at falling thresholds; the first, infinite, has nothing over it."""

    false_positive_rate: HostArray
    true_positive_rate: HostArray
    thresholds: HostArray


class PrecisionRecallCurve(NamedTuple):
    """p / (p + q) and p / P at the falling thresholds; without the point (precision 1, recall 0), which no threshold has."""

    precision: HostArray
    recall: HostArray
    thresholds: HostArray


def roc_curve(truth: Any, scores: Any) -> RocCurve:
    """The receiver operating characteristic (Fawcett 2006, *An introduction to ROC analysis*).

    Args:
        truth: (n,) yes or no: True or False, 1 or 0.
        scores: (n,) numbers; infinite ones are fine.

    Raises:
        ValueError: there is no example, not one number for each, a NaN, something other than yes and no, or only one of the two.
    """
    order = _Order(truth, scores, need_no=True)
    p, q = (np.append(0.0, counts[0].cumsum()) for counts in order.counts(np.ones((1, order.n))))
    return RocCurve(q / q[-1], p / p[-1], np.append(np.inf, order.thresholds))


def auc(truth: Any, scores: Any) -> Score:
    r"""The area under the ROC curve: the chance that a yes has a higher number than a no, where half of a tie counts.

    .. math:: \frac{1}{P N} \sum_{i \in yes} \sum_{j \in no} [s_i > s_j] + \tfrac12 [s_i = s_j]

    That is the statistic of Mann and Whitney by P N. A draw of only one kind has no area. Arguments and errors are those of `roc_curve`.
    """
    order = _Order(truth, scores, need_no=True)

    def of_draws(times: HostArray) -> HostArray:
        p, q = order.counts(times)
        pairs, below = p.sum(axis=1) * q.sum(axis=1), q.sum(axis=1, keepdims=True) - q.cumsum(axis=1)
        won = (p * (below + q / 2)).sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(times), np.nan), where=pairs > 0)

    return Score("AUC", order.n, of_draws)


def precision_recall_curve(truth: Any, scores: Any) -> PrecisionRecallCurve:
    """Precision and recall as the line falls. Arguments and errors are those of `average_precision`."""
    order = _Order(truth, scores)
    p, q = (counts[0].cumsum() for counts in order.counts(np.ones((1, order.n))))
    return PrecisionRecallCurve(p / (p + q), p / p[-1], order.thresholds)


def average_precision(truth: Any, scores: Any) -> Score:
    r"""The precision at each threshold, weighted by how much recall it adds.

    .. math:: \sum_k (R_k - R_{k-1}) \, P_k

    No line is drawn between the points: that would count too much (Davis & Goadrich 2006). A draw without a yes has no such number.

    Args:
        truth, scores: as in `roc_curve`.

    Raises:
        ValueError: as in `roc_curve`; but examples may all be yes: it is 1 then.
    """
    order = _Order(truth, scores)

    def of_draws(times: HostArray) -> HostArray:
        p, q = order.counts(times)
        over, yes = (p + q).cumsum(axis=1), p.sum(axis=1)
        gained = (p * p.cumsum(axis=1) / np.maximum(over, 1)).sum(axis=1)
        return np.divide(gained, yes, out=np.full(len(times), np.nan), where=yes > 0)

    return Score("average precision", order.n, of_draws)


def true_positive_rate_at(truth: Any, scores: Any, false_positive_rate: float) -> Score:
    r"""The largest p / P of a threshold that has q / N of at most `false_positive_rate`: what is found where hardly anyone is accused.

    The line is drawn anew in each draw of the bootstrap, as it would be on other examples. Of N no's, no rate below 1 / N can be
    told from 0.

    Args:
        truth, scores: as in `roc_curve`.
        false_positive_rate: from 0 to 1.

    Raises:
        ValueError: as in `roc_curve`, or the rate is no number from 0 to 1.
    """
    if isinstance(false_positive_rate, bool) or not 0 <= false_positive_rate <= 1:
        raise ValueError(f"false_positive_rate is a share from 0 to 1, got {false_positive_rate!r}.")
    order = _Order(truth, scores, need_no=True)

    def of_draws(times: HostArray) -> HostArray:
        p, q = (counts.cumsum(axis=1) for counts in order.counts(times))
        allowed = q <= false_positive_rate * q[:, -1:] * (1 + 1e-12)  # 0.07 times 100 is 7 and a bit
        found = np.where(allowed, p, 0.0).max(axis=1)
        both = (p[:, -1] > 0) & (q[:, -1] > 0)
        return np.divide(found, p[:, -1], out=np.full(len(times), np.nan), where=both)

    return Score(f"TPR at {false_positive_rate:.3g} FPR", order.n, of_draws)


class _Order:
    """The examples by falling number, those with one number as one group."""

    def __init__(self, truth: Any, scores: Any, need_no: bool = False):
        self.n = same_length(truth, scores)
        yes, values = yes_or_no("the truth", truth), numbers("the score", scores)
        if not yes.any():
            raise ValueError("no example is a yes: there is nothing to be found.")
        if need_no and yes.all():
            raise ValueError("every example is a yes: how well yes is told from no takes both.")
        self.order = np.argsort(-values, kind="stable")
        self.yes, values = yes[self.order], values[self.order]
        self.starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        self.thresholds = values[self.starts]

    def counts(self, times: HostArray) -> tuple[HostArray, HostArray]:
        """How many yes and how many no of each group a draw holds: both (draws, groups)."""
        times = times[:, self.order]
        yes = np.add.reduceat(times * self.yes, positions(self.starts), axis=1)
        return yes, np.add.reduceat(times, positions(self.starts), axis=1) - yes
