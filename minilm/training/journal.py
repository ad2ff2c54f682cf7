"""metrics.jsonl: an object a line, appended while a run trains."""

from __future__ import annotations

import contextlib
import json
import math
import os
from pathlib import Path
from typing import Any

from minilm.training.checkpoint import CheckpointError

Line = dict[str, Any]
NUMBERS = ("loss", "learning_rate", "gradient_norm", "tokens_per_second", "validation_loss", "final_validation_loss",
           "bits_per_character")  # fmt: skip
"""What a line of metrics.jsonl may hold beside its step; each a number, or null where it was not finite."""


def append_line(path: Path, values: Line) -> None:
    """Appends a line, whole or not at all; a number that is not finite is written as null."""
    line = {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in values.items()}
    append(path, json.dumps(line).encode("ascii") + b"\n")


def read_lines(path: Path) -> tuple[list[tuple[Line, bytes]], list[bytes]]:
    """The lines that can be read, parsed and as they stand, and those that cannot; none of both where there is no file.

    Raises:
        CheckpointError: the file cannot be read.
    """
    good, bad = [], []
    for text in content_of(path).split(b"\n"):
        if text.strip():
            line = _parse_line(text)
            if line is None:
                bad.append(text)
            else:
                good.append((line, text))
    return good, bad


def content_of(path: Path) -> bytes:
    """The file as it stands; nothing where there is none.

    Raises:
        CheckpointError: it cannot be read, or is no regular file.
    """
    if not os.path.lexists(path):
        return b""
    try:
        if path.is_file():  # a pipe would wait for its writer
            return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
    raise CheckpointError(f"{path} is not a regular file: move it away.")


def sync(path: Path) -> None:
    """What was appended is on the disk afterwards."""
    if path.exists():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


def _parse_line(text: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None if it is none."""
    try:
        line = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or type(line.get("step")) is not int or not 0 <= line["step"] < 2**53:
        return None
    known = [line[name] for name in NUMBERS if name in line]
    return line if all(value is None or type(value) in (int, float) for value in known) else None


def append(path: Path, content: bytes) -> None:
    """Appends to a file; what a full disk kept of it is taken back."""
    with open(path, "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            written = file.write(content)
            if written != len(content):
                file.write(content[written:])  # raises the reason
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(before)
            error.filename = str(path)
            raise
