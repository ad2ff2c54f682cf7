"""Longer experiments that a chapter quotes: what ``python -m tests.experiments NAME`` measured, and its table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from minilm import tables

EXPERIMENTS = Path(__file__).resolve().parents[2] / "chapters" / "experiments"
MEASURE = "python -m tests.experiments"


class Experiment:
    """An experiment on record, which a notebook shows as a table, and ``print`` as Markdown.

    Attributes:
        name: what the command calls it.
        rows: each a mapping from a column's name to a text, a number, or a number with its interval: [value, low, high].
        seconds: of processor time that it took.
        date, machine: when and on what.
        columns: names of the columns that are shown; the rows may hold more.
    """

    def __init__(self, found: Mapping[str, Any], columns: Sequence[str] = ()) -> None:
        self.name, self.rows = found["experiment"], found["rows"]
        self.seconds, self.date, self.machine = found["seconds"], found["date"], found["machine"]
        self.columns = tuple(columns) or tuple(self.rows[0])

    def __repr__(self) -> str:
        return f"{tables.markdown(self.columns, self._cells())}\n\n{self.below}"

    def _repr_html_(self) -> str:
        return f"{tables.html(self.columns, self._cells())}\n<p>{escape(self.below)}</p>"

    @property
    def below(self) -> str:
        """How, when and where it was measured, as a sentence."""
        took = f"{self.seconds:.0f} s" if self.seconds < 100 else f"{self.seconds / 60:.0f} minutes"
        return f"Measured by {MEASURE} {self.name} in {took} of processor time, {self.date}, {self.machine}."

    def _cells(self) -> list[list[str]]:
        return [[cell(row.get(name, "")) for name in self.columns] for row in self.rows]


def cell(value: Any) -> str:
    """A value as a table has it: three digits; "0.81 (0.78 to 0.84)" with an interval; None is "none".

    >>> cell([0.8123, 0.7801, 0.8444]), cell(12345), cell(0.00012)
    ('0.812 (0.780 to 0.844)', '12,345', '0.00012')
    """
    if isinstance(value, list):
        middle, low, high = map(cell, value)
        return f"{middle} ({low} to {high})"
    if isinstance(value, float):
        if value == 0 or 0.001 <= abs(value) < 1:
            return f"{value:.3f}"
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)


def experiment(name: str, *columns: str, folder: Path = EXPERIMENTS) -> Experiment:
    """An experiment that is on record.

    Args:
        name: as ``python -m tests.experiments`` has it.
        columns: which to show, in this order; none: all of the first row.
        folder: of the record.

    Raises:
        FileNotFoundError: it is not on record; the message says what puts it there.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        there = ", ".join(sorted(each.stem for each in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(
            f"there is no experiment {name!r} on record ({there}): in the repository, `{MEASURE} {name} --keep` measures it."
        )
    return Experiment(json.loads(path.read_text(encoding="utf-8")), columns)


__all__ = ["EXPERIMENTS", "MEASURE", "Experiment", "cell", "experiment"]
