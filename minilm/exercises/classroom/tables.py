"""CSV files that people and other systems write, read with the row named in every complaint; and written for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minilm.files import atomic_write, open_regular


def read_table(path: Path, needed: Sequence[str], what: str) -> list[dict[str, str]]:
    """The rows of a CSV file, with the names of its first line in lower case; commas, semicolons or tabs.

    Raises:
        ValueError: there is no such file, it is not UTF-8 or no CSV file, or a needed column is missing.
    """
    with open_regular(path, ValueError, what) as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}): save it as CSV UTF-8.") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [
            {str(k).strip().lower(): (value or "").strip() for k, value in row.items() if isinstance(value, str | None)}
            for row in reader
        ]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num + 1}: it is no CSV file: {error}.") from None
    there = [name.strip().lower() for name in first.strip().split(delimiter)]
    if missing := [name for name in needed if name not in there]:
        raise ValueError(
            f"{path}: the first line must name the columns {', '.join(needed)}; it lacks {', '.join(missing)}."
        )
    return rows


def write_table(path: Path, rows: Iterable[Sequence[Any]], guarded: bool = True) -> None:
    """Writes rows as CSV. Where `guarded`, a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([guard(cell) if guarded else cell for cell in row] for row in rows)
    with atomic_write(path) as file:
        file.write(out.getvalue().encode("utf-8"))


def guard(cell: Any) -> Any:
    """A cell that no spreadsheet computes: names come from students."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell


def number(points: float) -> int | float:
    """Points without a needless fraction: 3.0 is 3; at most four decimals."""
    rounded = round(points, 4)
    return int(rounded) if rounded == int(rounded) else rounded
