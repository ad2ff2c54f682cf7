"""Files on disk: where fetched data is kept, and how it is verified."""

import hashlib
import os
import sys
from pathlib import Path

from .errors import DataError

CHUNK_BYTES = 1 << 20


def cache_dir() -> Path:
    """The folder that holds fetched data sets. It is not created here.

    `MINILM_CACHE` if set; otherwise `minilm` in the user's cache folder: `XDG_CACHE_HOME` if set,
    `%LOCALAPPDATA%` on Windows, `~/Library/Caches` on macOS, `~/.cache` elsewhere (XDG Base Directory Specification).

    Raises DataError where none of them is set and the user has no home folder.
    """
    try:
        if chosen := os.environ.get("MINILM_CACHE"):
            return Path(chosen).expanduser().absolute()
        if xdg := os.environ.get("XDG_CACHE_HOME"):
            return Path(xdg).expanduser().absolute() / "minilm"
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "minilm" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "minilm"
        return Path.home() / ".cache" / "minilm"
    except RuntimeError as error:  # as in a container whose user has no name
        raise DataError(
            f"there is no home folder ({error}): set the environment variable MINILM_CACHE to a folder that you may write to."
        ) from None


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
