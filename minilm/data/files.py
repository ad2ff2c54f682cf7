"""Files on disk: where fetched data is kept, how a file is written whole or not at all, how it is verified."""

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import DataError

CHUNK_BYTES = 1 << 20


def cache_dir() -> Path:
    """The folder that holds fetched data sets. It is not created here.

    `MINILM_CACHE` if set; otherwise `minilm` in the user's cache folder: `XDG_CACHE_HOME` if set,
    `%LOCALAPPDATA%` on Windows, `~/Library/Caches` on macOS, `~/.cache` elsewhere (XDG Base Directory Specification).
    """
    if chosen := os.environ.get("MINILM_CACHE"):
        return Path(chosen).expanduser().absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser().absolute() / "minilm"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "minilm" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minilm"
    return Path.home() / ".cache" / "minilm"


def make_cache_folder(folder: Path) -> Path:
    """Create `folder` and its parents; raises DataError if the system refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot create the cache folder {folder}: {error.strerror or error}. "
            "Set the environment variable MINILM_CACHE to a folder that you may write to."
        ) from error
    return folder


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under `path` only once it is complete.

    The bytes go to a temporary file beside `path`, which is flushed to the disk and renamed over `path` when the block
    ends. If the block raises, the temporary file is removed and whatever stood at `path` is untouched. Two writers at
    once do not mix: each has its own temporary file, and the later rename wins.
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
