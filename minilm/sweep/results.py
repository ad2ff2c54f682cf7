"""What a sweep found: for each setting the mean over its seeds with its interval, and its paired difference to another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from minilm import tables
from minilm.metrics.student import mean_interval
from minilm.sweep.record import Row
from minilm.sweep.table import Settings, SweepError, key_of, shown

if TYPE_CHECKING:
    from minilm.metrics.interval import Interval


class Estimate(NamedTuple):
    """A mean over seeds.

    Attributes:
        mean: NaN if no seed has the number.
        interval: by Student's t, of 95 %; None with fewer than two seeds.
        seeds: how many.
        failed: how many more ended without the number.
    """

    mean: float
    interval: Interval | None
    seeds: int
    failed: int = 0

    def __str__(self) -> str:
        if not self.seeds:
            return "none"
        between = "" if self.interval is None else f" ({_number(self.interval.low)} to {_number(self.interval.high)})"
        return f"{_number(self.mean)}{between}"


class Results:
    """The rows of a sweep, which a notebook shows as a table, and ``print`` as Markdown.

    Args:
        rows: the runs that ended.
        number: the number that decides; None: the first that the first finished run has.
        highest: whether more of it is better, as of an accuracy; a loss should be low.

    Attributes:
        rows, number, highest: as given.
    """

    def __init__(self, rows: Sequence[Row], number: str | None = None, highest: bool = False) -> None:
        self.rows, self.highest = list(rows), highest
        there = list(dict.fromkeys(name for row in self.rows for name in row.numbers))
        if number is not None and there and number not in there:
            raise SweepError(f"--number: no run has {number!r}; they have {', '.join(there)}.")
        self.number = number or (there[0] if there else "loss")

    def __len__(self) -> int:
        return len(self.rows)

    def settings(self) -> list[Settings]:
        """The settings that were swept, each once."""
        return list({key_of(row.settings): row.settings for row in self.rows}.values())

    def values(self, settings: Settings, number: str | None = None) -> dict[int, float]:
        """A number by the seeds of the runs that have it.

        Raises:
            SweepError: the sweep has no run with these settings.
        """
        return {
            row.seed: row.numbers[name] for row in self.of(settings) if (name := number or self.number) in row.numbers
        }

    def of(self, settings: Settings) -> list[Row]:
        """The runs with these settings, seed by seed.

        Raises:
            SweepError: there is none.
        """
        if not (rows := [row for row in self.rows if key_of(row.settings) == key_of(settings)]):
            raise SweepError(
                f"the sweep has no run with {shown(settings)}; it has {'; '.join(map(shown, self.settings()))[:400]}."
            )
        return sorted(rows, key=lambda row: row.seed)

    def mean(self, settings: Settings, number: str | None = None) -> Estimate:
        """The mean over seeds, with its interval.

        Raises:
            SweepError: the sweep has no run with these settings.
        """
        values = list(self.values(settings, number).values())
        failed = len(self.of(settings)) - len(values)
        return _estimate(values, failed)

    def difference(self, a: Settings, b: Settings, number: str | None = None) -> Estimate:
        """The mean of a less b, paired: of the seeds that both have. What a seed does to both cancels.

        Raises:
            SweepError: the sweep has no run with one of the settings.
        """
        first, second = self.values(a, number), self.values(b, number)
        return _estimate([first[seed] - second[seed] for seed in first if seed in second])

    def best(self, number: str | None = None) -> Settings:
        """The settings with the best mean. Of settings of which no run failed, if there are any: a mean of the survivors flatters.

        That mean is too good: the best of many is also the luckiest of them. Measure it again, with new seeds, before it is reported.

        Raises:
            SweepError: no run has the number.
        """
        means = [(each, self.mean(each, number)) for each in self.settings()]
        there = [(each, mean) for each, mean in means if mean.seeds]
        if not there:
            raise SweepError(f"no run of the sweep has {number or self.number!r}: they failed, or there are none yet.")
        whole = [(each, mean) for each, mean in there if not mean.failed] or there
        return min(whole, key=lambda pair: -pair[1].mean if self.highest else pair[1].mean)[0]

    def failures(self) -> list[Row]:
        """The runs that failed."""
        return [row for row in self.rows if row.reason is not None]

    def table(self) -> list[tuple[str, ...]]:
        """A head and a line for each setting, the best first: settings, seeds, mean with interval, difference to the best."""
        settings = self.settings()
        names = list(dict.fromkeys(name for each in settings for name in each))
        head = (*names, "seeds", f"{self.number} (95 % interval)", "less the best (95 % interval)")
        if not any(self.mean(each).seeds for each in settings):
            return [head, *((*_texts(each, names), self._seeds(each), "none", "") for each in settings)]
        best, sign = self.best(), -1 if self.highest else 1
        order = sorted(
            settings, key=lambda each: (not (mean := self.mean(each)).seeds, mean.seeds and sign * mean.mean)
        )
        return [head, *self._lines(order, names, best)]

    def _lines(self, order: Sequence[Settings], names: Sequence[str], best: Settings) -> Iterator[tuple[str, ...]]:
        for each in order:
            difference = "the best" if each is best else str(self.difference(each, best))
            yield (*_texts(each, names), self._seeds(each), str(self.mean(each)), difference)

    def _seeds(self, settings: Settings) -> str:
        mean = self.mean(settings)
        return f"{mean.seeds} ({mean.failed} failed)" if mean.failed else str(mean.seeds)

    def __repr__(self) -> str:
        head, *lines = self.table()
        return tables.markdown(head, lines)

    def _repr_html_(self) -> str:
        head, *lines = self.table()
        return tables.html(head, lines)


def _estimate(values: Sequence[float], failed: int = 0) -> Estimate:
    if not values:
        return Estimate(math.nan, None, 0, failed)
    return Estimate(math.fsum(values) / len(values), mean_interval(values), len(values), failed)


def _texts(settings: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{settings[name]:g}" if isinstance(settings.get(name), float) else str(settings.get(name, ""))
        for name in names
    )


def _number(value: float) -> str:
    """Four digits behind the point, or four that count."""
    return f"{value:.4f}" if 0.01 <= abs(value) < 1000 or value == 0 else f"{value:.4g}"


__all__ = ["Estimate", "Results"]
