r"""A number that is measured over examples, and how far it would move with other examples of the same kind.

What a system is worth is one number over a test set, and the examples in it are a sample of those that there could have been. So they
are drawn again, n times out of n with replacement, and the number is taken of each draw (`minilm.metrics.interval`). Two systems are
compared on the same draws: what makes an example hard for both cancels.

A draw is told by how often it holds each example. Most numbers follow from sums over examples, whatever they are: accuracy is right
answers by examples, F1 is made of three counts, BLEU of ten. `Score.of_sums` is made of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm.metrics.interval import AT_ONCE, RESAMPLES, Interval
from minilm.types import HostArray


@dataclass(frozen=True)
class Score:
    """One number of a system, over n examples.

    Attributes:
        name: of the number, as in "accuracy".
        n: the number of examples.
        of_draws: from how often each example was drawn, (draws, n), to the number for each of these draws, (draws,); NaN where a draw has
            no such number.
        higher_is_better: false of a loss or an error.
    """

    name: str
    n: int
    of_draws: Callable[[HostArray], HostArray]
    higher_is_better: bool = True

    @classmethod
    def of_sums(cls, name: str, rows: Any, statistic: Callable[..., Any], *, higher_is_better: bool = True) -> Score:
        """The number that follows from sums over examples.

        Args:
            rows: (n, k): what each example adds to the k sums.
            statistic: of k arrays of sums, elementwise.
        """
        table = np.asarray(rows, np.float64)
        if table.ndim == 1:
            table = table[:, None]

        def of_draws(times: HostArray) -> HostArray:
            return np.asarray(statistic(*(times @ table).T), np.float64)

        return cls(name, len(table), of_draws, higher_is_better)

    @classmethod
    def mean(cls, name: str, values: Any, *, higher_is_better: bool = True) -> Score:
        """The mean of one number per example."""
        values = np.asarray(values, np.float64)
        rows = np.stack([values, np.ones_like(values)], axis=1)
        return cls.of_sums(name, rows, np.divide, higher_is_better=higher_is_better)

    @property
    def value(self) -> float:
        """The number over all examples, each once."""
        return float(self.of_draws(np.ones((1, self.n)))[0])

    def interval(self, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
        """The middle of the draws' numbers, as `minilm.metrics.interval` has it; None for one example."""
        return _middle(_draws([self], resamples, seed), confidence)

    def minus(
        self, other: Score, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
    ) -> Interval | None:
        """The paired interval of this number less another over the same examples, in the same order.

        Raises:
            ValueError: they are over different numbers of examples.
        """
        if self.n != other.n:
            raise ValueError(f"a paired interval is over the same examples, got {self.n} and {other.n}.")
        return _middle(_draws([self, other], resamples, seed), confidence)


def _draws(scores: list[Score], resamples: int, seed: int) -> HostArray | None:
    """The number of the first score for each draw, less that of the second if there is one; None for one example."""
    n = scores[0].n
    if n < 2:
        return None
    rng, found = np.random.default_rng(seed), []
    for start in range(0, resamples, most := max(1, AT_ONCE // n)):
        times = rng.multinomial(n, np.full(n, 1 / n), min(most, resamples - start)).astype(np.float64)
        first, *second = (score.of_draws(times) for score in scores)
        found.append(first - second[0] if second else first)
    return np.concatenate(found)


def _middle(draws: HostArray | None, confidence: float) -> Interval | None:
    if draws is None or not len(draws := draws[~np.isnan(draws)]):
        return None
    outside = (1 - confidence) / 2
    low, high = np.quantile(draws, [outside, 1 - outside]).tolist()
    return Interval(low, high, confidence)
