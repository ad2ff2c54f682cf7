r"""A number that is measured over examples, and how far it would move with other examples of the same kind.

What a system is worth is one number over a test set, and the examples in it are a sample of those that there could have been. So they
are drawn again, n times out of n with replacement, and the number is taken of each draw (`minilm.metrics.interval`; Efron 1979). Two
systems are compared on the same draws: what makes an example hard for both cancels (for BLEU: Koehn 2004, *Statistical Significance
Tests for Machine Translation Evaluation*).

A draw is told by how often it holds each example, its multiplicities :math:`m_1 \dots m_n` with the sum n. Most numbers follow from
sums over examples, and of a draw from :math:`\sum_i m_i a_i`: accuracy is right answers by examples, F1 is made of three counts, BLEU
of ten. `Score.of_sums` is made of these: a thousand draws are one product of matrices. A number that is made of an order (AUC, average
precision, Spearman's correlation) is told from the multiplicities directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minilm.metrics.interval import RESAMPLES, Interval, interval_of
from minilm.types import HostArray


@dataclass(frozen=True)
class Score:
    """One number of a system, over n examples.

    ``float(score)`` is the number; ``str(score)`` has its interval, too.

    Attributes:
        name: of the number, as in "accuracy".
        n: the number of examples, or of whatever else is drawn (`by_group`).
        of_draws: from how often each example was drawn, (draws, n), to the number for each of these draws, (draws,); NaN where a draw has
            no such number: it is left out of the interval.
        higher_is_better: false of a loss or an error.
        size: the number of examples that a draw of n groups holds; 0: n.

    Raises:
        ValueError: there is no example.
    """

    name: str
    n: int
    of_draws: Callable[[HostArray], HostArray]
    higher_is_better: bool = True
    size: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"{self.name}: there is no example, nothing can be measured.")

    @classmethod
    def of_sums(cls, name: str, rows: Any, statistic: Callable[..., Any], *, higher_is_better: bool = True) -> Score:
        """The number that follows from sums over examples.

        Args:
            rows: (n, k): what each example adds to the k sums.
            statistic: of k arrays of sums, elementwise. What it divides by may be 0 in a draw: no warning is given.

        Raises:
            ValueError: there is no example, there is not one row per example, or what one adds is NaN or infinite.
        """
        table = np.asarray(rows, np.float64)
        if table.ndim == 1:
            table = table[:, None]
        if table.ndim != 2:
            raise ValueError(f"{name}: expected one row of numbers per example, got an array of shape {table.shape}.")
        if not np.isfinite(table).all():
            where = int((~np.isfinite(table)).any(axis=1).argmax())
            raise ValueError(f"{name}: what example {where} adds is not finite: {table[where].tolist()}.")

        def of_draws(times: HostArray) -> HostArray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(statistic(*(times @ table).T), np.float64)

        return cls(name, len(table), of_draws, higher_is_better)

    @classmethod
    def mean(cls, name: str, values: Any, *, higher_is_better: bool = True) -> Score:
        """The mean of one number per example.

        Raises:
            ValueError: there is no example, there is not one number per example, or one is NaN or infinite.
        """
        values = np.asarray(values, np.float64)
        rows = np.stack([values, np.ones_like(values)], axis=-1)
        return cls.of_sums(name, rows, np.divide, higher_is_better=higher_is_better)

    def named(self, name: str) -> Score:
        """The same number under another name."""
        return replace(self, name=name)

    def by_group(self, groups: Sequence[Any]) -> Score:
        """The same number with whole groups drawn: for examples that depend on each other, such as the sentences of one article.

        Args:
            groups: (n,): the group that each example is of: a name, or a number.

        Raises:
            ValueError: there are more or fewer than examples.
        """
        if len(groups) != self.n:
            raise ValueError(f"expected one group per example, got {len(groups)} for {self.n} examples.")
        number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
        of = np.array([number[group] for group in groups])

        def of_draws(times: HostArray) -> HostArray:
            return self.of_draws(times[:, of])

        return replace(self, n=len(number), of_draws=of_draws, size=self.size or self.n)

    @property
    def value(self) -> float:
        """The number over all examples, each once."""
        return float(self.of_draws(np.ones((1, self.n)))[0])

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        found = self.interval()
        between = f" ({found.confidence:.0%}: {found.low:.4g} to {found.high:.4g})" if found else ""
        return f"{self.name} {self.value:.4g}{between}"

    def interval(self, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
        """The middle of the draws' numbers, as `minilm.metrics.interval` has it.

        Returns:
            the interval; None for one example, or where no draw has such a number.

        Raises:
            ValueError: `confidence` is no share between 0 and 1, or there are fewer than 100 resamples.
        """
        return interval_of(self.of_draws, self.n, confidence=confidence, resamples=resamples, seed=seed, size=self.size)

    def minus(
        self, other: Score, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
    ) -> Interval | None:
        """The paired interval of this number less another over the same examples, in the same order.

        It leaves out 0 where the two systems are told apart. It may do so where their own intervals overlap widely.

        Raises:
            ValueError: they are over different numbers of examples; or as `interval`.
        """
        if self.n != other.n:
            raise ValueError(f"a paired interval is over the same examples, got {self.n} and {other.n}.")
        return interval_of(
            lambda times: self.of_draws(times) - other.of_draws(times),
            self.n,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
            size=max(self.size, other.size),
        )
