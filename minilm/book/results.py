"""The record of what the applications are worth, as ``python -m tests.results`` wrote it, a file each, and its table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parents[2] / "chapters" / "results"
COMMAND = "python -m tests.results"
OURS = "minilm"
HEADER = ("task", "number", "system", "value", "95 % interval", "minilm less it", "seconds to learn", "to answer")


class Table:
    """Rows that a notebook shows as a table, and ``print`` as Markdown."""

    def __init__(self, rows: Sequence[Sequence[str]], below: str) -> None:
        self.rows, self.below = rows, below

    def __repr__(self) -> str:
        lines = [" | ".join(row) for row in (HEADER, ["---"] * 3 + ["---:"] * (len(HEADER) - 3), *self.rows)]
        return "\n".join([*(f"| {line} |" for line in lines), "", self.below])

    def _repr_markdown_(self) -> str:
        return repr(self)


def results(*names: str, numbers: int = 1, folder: Path = RECORD) -> Table:
    """The table of the recorded results.

    Args:
        names: of the applications, as ``minilm task list`` has them; none: all that are on record.
        numbers: how many of each application's numbers, beginning with the one that decides.
        folder: of the record.

    Raises:
        FileNotFoundError: an application is not on record; the message says what puts it there.
    """
    there = {path.stem: path for path in folder.glob("*.json")}
    for name in names:
        if name not in there:
            raise FileNotFoundError(
                f"there are no results of {name!r} on record ({', '.join(sorted(there)) or 'none'}): "
                f"in the repository, `{COMMAND} {name} --json chapters/results` measures it."
            )
    read = {name: json.loads(there[name].read_text(encoding="utf-8")) for name in names or there}
    return table(read if names else dict(sorted(read.items(), key=lambda entry: entry[1]["order"])), numbers)


def table(record: dict[str, Any], numbers: int = 1) -> Table:
    """The same of entries that were read: by the names of the applications, in this order."""
    rows = [row for name, found in record.items() for row in _rows(name, found, numbers)]
    return Table(rows, "\n".join(_below(record)))


def _rows(name: str, found: dict[str, Any], numbers: int) -> Iterator[tuple[str, ...]]:
    ours = found["systems"][0]
    less = {(each["system"], each["number"]): each for each in found["ours_less"]}
    for k, number in enumerate(list(ours["numbers"])[:numbers]):
        for system in found["systems"]:
            value = system["numbers"].get(number)
            if value is None:
                continue
            difference = less.get((system["system"], number), {})
            first = system is ours
            seconds = [_seconds(system["seconds"][part]) for part in ("learning", "answering")] if not k else ["", ""]
            yield (
                name if first and not k else "",
                number if first else "",
                f"**{OURS}**" if first else system["system"],
                _number(value["value"]),
                _between(value["interval"]),
                _difference(difference),
                *seconds,
            )


def _number(value: float | None, sign: str = "") -> str:
    """Four digits; the same in a share and in a number up to 100."""
    if value is None:
        return "none"
    places = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) >= 1 else 4
    return f"{value:{sign}.{places}f}"


def _between(interval: list[float] | None) -> str:
    return "" if interval is None else f"{_number(interval[0])} to {_number(interval[1])}"


def _difference(found: dict[str, Any]) -> str:
    if not found:
        return ""
    value, interval = found["difference"], found["interval"]
    if interval is None:
        return _number(value, "+")
    return f"{_number(value, '+')} ({_number(interval[0], '+')} to {_number(interval[1], '+')})"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _below(chosen: dict[str, Any]) -> Iterator[str]:
    """When and where each was measured; those of one day and machine in one sentence."""
    if not chosen:
        yield f"No application is on record yet: `{COMMAND} --json chapters/results` measures them."
        return
    places: dict[tuple[str, str], list[str]] = {}
    for name, found in chosen.items():
        places.setdefault((found["date"], found["machine"]), []).append(name)
    yield f"Seconds are the processor's. Measured by `{COMMAND}`:"
    for (date, machine), names in places.items():
        yield f"{', '.join(names)} on {date}, {machine}."


__all__ = ["COMMAND", "RECORD", "Table", "results", "table"]
