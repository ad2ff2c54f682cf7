"""A number with its interval, as the rows of an experiment have it: [value, low, high]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.metrics import Score, mean_interval
from minilm.sweep import Estimate


def between(value: float, interval: Any, digits: int | None = None) -> list[float]:
    """Of a value and its `Interval`, which there must be; rounded, and without -0.0, where `digits` says so."""
    assert interval is not None
    found = [float(x) for x in (value, interval.low, interval.high)]
    return found if digits is None else [round(x, digits) + 0.0 for x in found]


def of_score(score: Score, digits: int | None = None) -> list[float]:
    """With the interval of `Score.interval`."""
    return between(score.value, score.interval(), digits)


def of_mean(values: Any, digits: int | None = None) -> list[float]:
    """The mean of a number per example, by the bootstrap."""
    return of_score(Score.mean("mean", values), digits)


def less(first: Score, second: Score, digits: int | None = None) -> list[float]:
    """The first less the second, paired."""
    return between(first.value - second.value, first.minus(second), digits)


def over_seeds(values: Sequence[float], digits: int | None = None) -> list[float]:
    """The mean over seeds, by Student's t."""
    return between(float(np.mean(values)), mean_interval(values), digits)


def of_estimate(estimate: Estimate, digits: int | None = None) -> list[float]:
    """The mean of a sweep's seeds."""
    return between(estimate.mean, estimate.interval, digits)
