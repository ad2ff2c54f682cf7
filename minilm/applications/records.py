"""Files of examples, one per line: whatever a line holds, or a JSON object on each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from minilm.data.errors import DataError
from minilm.strict_json import object_from

T = TypeVar("T")


def records_of(path: Path, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """What `make` makes of each line's JSON object; the rest is that of `lines_of`."""
    return lines_of(path, lambda line: make(object_from(line.encode())))


def lines_of(path: Path, make: Callable[[str], T]) -> list[T]:
    """What `make` makes of each line; empty lines are passed over. A ValueError of `make` says what is wrong with the line.

    Raises:
        DataError: the file cannot be read, or what is wrong with which line.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text in UTF-8: {error}.") from None
    found = []
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                found.append(make(line))
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}") from None
    return found


def text_of(fields: dict[str, Any], name: str) -> str:
    """A field that holds a text.

    Raises:
        ValueError: it is missing, no text, or white space only.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        got = "it is missing" if name not in fields else f"got {value!r:.60}"
        raise ValueError(f'the object should hold a text "{name}": {got}.')
    return value


__all__ = ["lines_of", "records_of", "text_of"]
