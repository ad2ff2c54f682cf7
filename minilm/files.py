"""Writing files that are complete or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import re
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
    except BaseException as error:  # Ctrl-C too must leave nothing behind
        with contextlib.suppress(OSError):  # what went wrong first is what counts
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None  # the file that the caller knows
        raise
    if os.name == "posix":
        _settle(path.parent)


def _settle(folder: Path) -> None:
    """A rename lasts only once its folder is on the disk; some file systems cannot be told, and do it in their own time."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Deletes the temporary files of writers that were killed: no writer may be at work in the folder."""
    for part in Path(folder).glob(".*.tmp"):
        if is_leftover(part.name):
            part.unlink(missing_ok=True)


def is_leftover(name: str) -> bool:
    """Whether a file has such a name as `atomic_write` gives to its temporary ones."""
    return re.fullmatch(r"\..+\.[0-9a-f]+\.tmp", name) is not None
