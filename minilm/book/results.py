"""The record of what the applications are worth, as ``python -m tests.results`` wrote it, a file each, and its table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parents[2] / "chapters" / "results"
COMMAND = "python -m tests.results"
OURS = "minilm"
HEADER = ("task", "system", "value (95 % interval)", "minilm less it", "seconds to learn / answer")


class Table:
    """Rows that a notebook shows as a table, and ``print`` as Markdown; `below` are sentences on them."""

    def __init__(self, rows: Sequence[Sequence[str]], below: Sequence[str]) -> None:
        self.rows, self.below = rows, below

    def __repr__(self) -> str:
        lines = [" | ".join(row) for row in (HEADER, ["---"] * 2 + ["---:"] * (len(HEADER) - 2), *self.rows)]
        return "\n".join([*(f"| {line} |" for line in lines), "", *self.below])

    def _repr_html_(self) -> str:
        """A line for each task above those of its systems."""
        head = "".join(f'<th scope="col">{cell}</th>' for cell in HEADER[1:])
        lines = []
        for task, *cells in self.rows:
            if task:
                lines.append(f'<tr><th scope="colgroup" colspan="{len(cells)}">{escape(task)}</th></tr>')
            lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        notes = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.below)
        body = "\n".join(lines)
        return f'<table class="table">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{notes}'


def results(*names: str, numbers: int | Sequence[str] = 1, folder: Path = RECORD) -> Table:
    """The table of the recorded results.

    Args:
        names: of the applications, as ``minilm task list`` has them; none: all that are on record.
        numbers: how many of each application's numbers, beginning with the one that decides; or the names of those that it has.
        folder: of the record.

    Raises:
        FileNotFoundError: an application is not on record; the message says what puts it there.
    """
    read = recorded(*names, folder=folder)
    return table(read if names else dict(sorted(read.items(), key=lambda entry: entry[1]["order"])), numbers)


def recorded(*names: str, folder: Path = RECORD) -> dict[str, Any]:
    """The entries of the record by the names of the applications, as `results` takes them, for a picture say.

    Raises:
        FileNotFoundError: as `results`.
    """
    read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    there = {name: entry for name, entry in read.items() if "systems" in entry}  # other records lie beside them
    for name in names:
        if name not in there:
            raise FileNotFoundError(
                f"there are no results of {name!r} on record ({', '.join(sorted(there)) or 'none'}): "
                f"in the repository, `{COMMAND} {name} --json chapters/results` measures it."
            )
    return {name: there[name] for name in names or there}


def table(record: dict[str, Any], numbers: int | Sequence[str] = 1) -> Table:
    """The same of entries that were read: by the names of the applications, in this order."""
    rows = [row for name, found in record.items() for row in _rows(name, found, numbers)]
    return Table(rows, list(_below(record)))


def _rows(name: str, found: dict[str, Any], numbers: int | Sequence[str]) -> Iterator[tuple[str, ...]]:
    ours = found["systems"][0]
    less = {(each["system"], each["number"]): each for each in found["ours_less"]}
    chosen = (
        list(ours["numbers"])[:numbers] if isinstance(numbers, int) else [n for n in numbers if n in ours["numbers"]]
    )
    for k, number in enumerate(chosen):
        digits = 1 if abs(ours["numbers"][number]["value"] or 0) >= 10 else 3  # a share has three, BLEU one
        for system in found["systems"]:
            value = system["numbers"].get(number)
            if value is None:
                continue
            yield (
                f"{name}: {number}" if system is ours else "",
                OURS if system is ours else system["system"],
                _number(value["value"], digits) + _between(value["interval"], digits),
                _difference(less.get((system["system"], number)), digits),
                "" if k else " / ".join(_seconds(system["seconds"][part]) for part in ("learning", "answering")),
            )


def _number(value: float | None, digits: int, sign: str = "") -> str:
    return "none" if value is None else f"{value:{sign}.{digits}f}"


def _between(interval: list[float] | None, digits: int, sign: str = "") -> str:
    if interval is None:
        return ""
    return f" ({_number(interval[0], digits, sign)} to {_number(interval[1], digits, sign)})"


def _difference(found: dict[str, Any] | None, digits: int) -> str:
    return "" if found is None else _number(found["difference"], digits, "+") + _between(found["interval"], digits, "+")


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _below(chosen: dict[str, Any]) -> Iterator[str]:
    """When and where each was measured; those of one day and machine in one sentence."""
    if not chosen:
        yield f"No application is on record yet: {COMMAND} --json chapters/results measures them."
        return
    places: dict[tuple[str, str], list[str]] = {}
    for name, found in chosen.items():
        places.setdefault((found["date"], found["machine"]), []).append(name)
    yield f"Seconds are the processor's; ? where it is not known. Measured by {COMMAND}:"
    for (date, machine), names in places.items():
        yield f"{', '.join(names)} on {date}, {machine}."


__all__ = ["COMMAND", "RECORD", "Table", "recorded", "results", "table"]
