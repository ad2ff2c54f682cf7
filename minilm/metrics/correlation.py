r"""How well one number follows another: Pearson's and Spearman's correlation, and the mean absolute error."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.indices import positions
from minilm.metrics.checks import numbers, same_length
from minilm.metrics.score import Score
from minilm.types import HostArray


def mean_absolute_error(truth: Any, answers: Any) -> Score:
    r"""The mean of :math:`|x_i - y_i|`, in the unit of the numbers.

    Raises:
        ValueError: there is no example, not one answer for each, or a number is NaN or infinite.
    """
    x, y = _both(truth, answers)
    return Score.mean("mean absolute error", np.abs(x - y), higher_is_better=False)


def pearson(truth: Any, answers: Any) -> Score:
    r"""The correlation of two numbers: 1 where the one is a rising line of the other, 0 where no line helps.

    .. math:: r = \frac{\sum_i (x_i - \bar x)(y_i - \bar y)}{\sqrt{\sum_i (x_i - \bar x)^2} \sqrt{\sum_i (y_i - \bar y)^2}}

    Returns:
        the score; NaN where one of the two is always the same: it follows nothing.

    Raises:
        ValueError: there is no example, not one answer for each, or a number is NaN or infinite.
    """
    x, y = _both(truth, answers)

    def of_draws(times: HostArray) -> HostArray:
        return _weighted(np.broadcast_to(x, times.shape), np.broadcast_to(y, times.shape), times)

    return Score("Pearson correlation", len(x), of_draws)


def spearman(truth: Any, answers: Any) -> Score:
    """Pearson's correlation of the ranks: 1 where the one rises with the other, however. Equal numbers share the mean of their ranks.

    Arguments, NaN and errors are those of `pearson`.
    """
    x, y = _both(truth, answers)
    x, y = (np.unique(values, return_inverse=True)[1] for values in (x, y))

    def of_draws(times: HostArray) -> HostArray:
        return _weighted(_ranks(x, times), _ranks(y, times), times)

    return Score("Spearman correlation", len(x), of_draws)


def _both(truth: Any, answers: Any) -> tuple[HostArray, HostArray]:
    same_length(truth, answers)
    x, y = numbers("the truth", truth), numbers("the answer", answers)
    for name, values in (("the truth", x), ("the answer", y)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} of example {int(np.isinf(values).argmax())} is infinite, expected a number.")
    return x, y


def _ranks(place: HostArray, times: HostArray) -> HostArray:
    """The rank of each example in each draw, (draws, n), as if each stood there as often as it was drawn.

    Args:
        place: (n,) the place of the example's number among the different numbers: the lowest is 0.
    """
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(place[order])))
    here = np.add.reduceat(times[:, order], positions(starts), axis=1)
    middle = here.cumsum(axis=1) - here / 2  # of the ranks, less a half
    return middle[:, place]


def _weighted(x: HostArray, y: HostArray, times: HostArray) -> HostArray:
    """Pearson's correlation of the rows of x and y, (draws, n), each column as often as `times` says.

    Values are scaled by their largest deviation: their squares may be too large or small for a float else.
    """
    total = times.sum(axis=1, keepdims=True)
    deviations = []
    for values in (x, y):
        d = np.where(times > 0, values - (times * values).sum(axis=1, keepdims=True) / total, 0.0)
        largest = np.abs(d).max(axis=1, keepdims=True)
        d = np.where(largest > 1e-12 * np.abs(values).max(axis=1, keepdims=True), d, 0.0)  # no more than rounding
        deviations.append(d / np.where(largest > 0, largest, 1.0))
    dx, dy = deviations
    xy, xx, yy = ((times * product).sum(axis=1) for product in (dx * dy, dx * dx, dy * dy))
    scale = np.sqrt(xx) * np.sqrt(yy)
    return np.clip(np.divide(xy, scale, out=np.full(len(times), np.nan), where=scale > 0), -1, 1)
