"""Memory that several processes see: an array on a file, which loses its name once all have opened it."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from minilm.types import HostArray

SHARED_FOLDERS = ("/dev/shm", None)  # where the file is tried: in memory, then among the temporary files


@contextlib.contextmanager
def shared_array(shape: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[tuple[str, HostArray]]:
    """A file, in memory where there is room, and an array on it; only those who open it within see it.

    Raises:
        OSError: no folder has room for it.
    """
    name = _reserved(math.prod(shape) * dtype.itemsize)
    try:
        yield name, open_shared(name, shape, dtype)
    finally:
        with contextlib.suppress(OSError):  # Windows keeps it while it is open
            Path(name).unlink()


def _reserved(size: int) -> str:
    """A new file of that many bytes, all of them there: a mapped page that finds no room later would end the process.

    Raises:
        OSError: no folder has room for it.
    """
    for folder in SHARED_FOLDERS:
        if folder is not None and not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
            continue
        with tempfile.NamedTemporaryFile(prefix="minilm-", dir=folder, delete=False) as file:
            try:
                _fill(file, size)
                return file.name
            except OSError as error:
                problem = error
        Path(file.name).unlink()
    raise OSError(
        problem.errno,
        f"DataParallel: the parameters and one gradient for each process need {size / 1e6:,.0f} MB, and neither "
        f"/dev/shm nor {tempfile.gettempdir()} has room for them ({problem.strerror}): use fewer processes, or set TMPDIR to a "
        "folder on a larger disk",
    )


def _fill(file: IO[bytes], size: int) -> None:
    """Gives a new file its size, with all of its blocks."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])
    file.flush()


def open_shared(path: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> HostArray:
    """An array on the file that `shared_array` made: what one process writes there, all see."""
    with open(path, "r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape)


__all__ = ["open_shared", "shared_array"]
