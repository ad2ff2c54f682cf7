"""Writing files that are complete or absent."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under `path` only once it is complete.

    The bytes go to a temporary file beside `path`, which is flushed to the disk and renamed over `path` when the block ends.
    If the block raises, or the machine stops, whatever stood at `path` is untouched. Two writers at once do not mix: each has
    its own temporary file, and the later rename wins.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too must leave nothing behind
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself lasts only once its folder is on the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Deletes the temporary files of writers that were killed."""
    for part in Path(folder).glob(".*.tmp"):
        part.unlink(missing_ok=True)
