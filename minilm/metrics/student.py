r"""The interval of a mean of few numbers, such as a loss over three seeds: Student's t.

Of n numbers from a normal distribution, :math:`t = (\bar x - \mu) / (s / \sqrt n)` follows Student's distribution with n - 1 degrees of
freedom (Student 1908, *The Probable Error of a Mean*, Biometrika 6). With three seeds the interval is 4.3 standard errors to each
side, not 1.96: the price of not knowing the spread.

The bootstrap of `minilm.metrics.interval` is for many documents; of three numbers it would draw the same few again and again, and its
interval be far too narrow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minilm.metrics.interval import Interval

MOST = 10**6  # degrees of freedom: the sum has half as many terms


def student_cdf(t: float, freedom: int) -> float:
    r"""The share of Student's distribution below t.

    The finite sums of Abramowitz and Stegun (1964, *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4) in
    :math:`\theta = \arctan(t / \sqrt{\nu})`, for whole degrees of freedom :math:`\nu`.

    Args:
        t: any number, infinities included.
        freedom: degrees of freedom, a whole number of at least 1.

    Raises:
        ValueError: t is NaN, or `freedom` is out of range.
    """
    _check_freedom(freedom)
    if math.isnan(t):
        raise ValueError("t is NaN: expected a number.")
    theta = math.atan(t / math.sqrt(freedom))
    sine, squared, odd = math.sin(theta), math.cos(theta) ** 2, freedom % 2
    term, total = (math.cos(theta) if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):  # k: the next factor of the numerators is k, that of the denominators k + 1
        total += term
        term *= squared * k / (k + 1)
    between = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return (1 + between) / 2


def student_quantile(share: float, freedom: int) -> float:
    """The t below which a share of Student's distribution lies, found by halving an interval that holds it.

    Args:
        share: above 0 and below 1.
        freedom: degrees of freedom, a whole number of at least 1.

    Raises:
        ValueError: an argument is out of range.

    >>> round(student_quantile(0.975, 2), 3)
    4.303
    """
    if not 0 < share < 1:
        raise ValueError(f"share lies between 0 and 1, got {share!r}.")
    _check_freedom(freedom)
    if share < 0.5:
        return -student_quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < share:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if student_cdf(middle, freedom) < share else (low, middle)
    return high if share > 0.5 else 0.0


def mean_interval(values: Any, *, confidence: float = 0.95) -> Interval | None:
    r"""The interval of the mean of numbers that are each a draw of its own: :math:`\bar x \pm t_{n-1} \, s / \sqrt n`.

    For a paired difference, give the differences.

    Args:
        values: the numbers, (n,).
        confidence: the share of samples whose interval holds the true mean, if the numbers are normal.

    Returns:
        the interval; None for one number, which says nothing of how they spread.

    Raises:
        ValueError: there is none, one is not finite, they are not in a row, or `confidence` is no share between 0 and 1.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(f"expected numbers in a row, at least one, got an array of shape {numbers.shape}.")
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite: the mean would not be, either.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is a share between 0 and 1, got {confidence!r}.")
    if len(numbers) < 2:
        return None
    middle = float(numbers.mean())
    wide = (
        student_quantile((1 + confidence) / 2, len(numbers) - 1) * float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    )
    return Interval(middle - wide, middle + wide, confidence)


def _check_freedom(freedom: int) -> None:
    if isinstance(freedom, bool) or not isinstance(freedom, int | np.integer) or not 1 <= freedom <= MOST:
        raise ValueError(f"degrees of freedom are a whole number from 1 to {MOST:,}, got {freedom!r}.")


__all__ = ["mean_interval", "student_cdf", "student_quantile"]
