"""Files on disk: where fetched data is kept, how it is verified, and how files of data are opened.

A file that is compressed with gzip is read like any other, whatever its name is: its first two bytes tell. A few bytes can
be unpacked to gigabytes, so readers that keep what they read have a limit, `MAX_BYTES` of unpacked content unless their
argument `max_bytes` says otherwise.
"""

import gzip
import hashlib
import io
import operator
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from minilm.files import counted, open_regular, packed_as, shown

from .errors import DataError

CHUNK_BYTES = 1 << 20
MAX_BYTES = 1 << 30


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


def cannot_write(path: Path, error: OSError) -> DataError:
    """The error for a file of the cache that the system does not let us write."""
    return DataError(
        f"cannot write {shown(path)} ({error.strerror or error}): remove what stands there, make room, or set the environment "
        "variable MINILM_CACHE to a folder that you may write to"
    )


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
    """The SHA-256 of a file's bytes, in hexadecimal; raises DataError if it cannot be read."""
    digest = hashlib.sha256()
    with open_regular(path, DataError) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_the_file(path: Path, sha256: str, size: int = MAX_BYTES) -> bool:
    """Whether a file can be read and has that SHA-256. One far larger than `size` is not: hashing it could take minutes."""
    try:
        return path.is_file() and not far_larger(path, size) and sha256_of(path) == sha256
    except (OSError, DataError):
        return False


def far_larger(path: Path, size: int) -> bool:
    """Whether a file has more than `size` bytes, and more than a MiB."""
    return path.stat().st_size > max(size, 1 << 20)


@contextmanager
def open_data(path: str | os.PathLike[str], max_bytes: int | None = MAX_BYTES) -> Iterator[BinaryIO]:
    """Opens a file of data for reading, and unpacks it if it is compressed with gzip.

    Raises DataError as `minilm.files.open_regular` does, for another compression (by name), for gzip that is cut short or
    damaged, and as soon as the unpacked content has more than `max_bytes` bytes (None: no limit).
    """
    if max_bytes is not None:
        check_count("max_bytes", max_bytes)
    with open_regular(path, DataError) as file:
        packing = packed_as(file.read(16))
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise _too_large(path, f"has {size:,} bytes", max_bytes)
        if packing is None:
            yield file
        elif packing == "gzip":
            try:
                with gzip.open(file, "rb") as unpacked:
                    counting = _Counting(cast(BinaryIO, unpacked), path, max_bytes)
                    yield cast(BinaryIO, io.BufferedReader(counting, CHUNK_BYTES))
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                fault = str(error).removeprefix("Error -3 while decompressing data: ")
                raise DataError(
                    f"{shown(path)} is no complete gzip file ({fault}): it was cut short or damaged, copy it again"
                ) from None
        else:
            hint = " (an Excel workbook is a zip file: save it as CSV)" if packing == "zip" else ""
            raise DataError(f"{shown(path)} is compressed with {packing}{hint}: unpack it first, only gzip is read")


def refuse_bomb(path: str | os.PathLike[str], max_bytes: int | None) -> None:
    """Unpacks a file that is compressed, keeps nothing, and raises what `open_data` raises."""
    with open_regular(path, DataError) as file:
        packed = packed_as(file.read(16)) is not None
    if packed:
        with open_data(path, max_bytes) as file:
            while file.read(CHUNK_BYTES):
                pass


class _Counting(io.RawIOBase):
    """What gzip unpacks, up to a limit."""

    def __init__(self, source: BinaryIO, path: str | os.PathLike[str], max_bytes: int | None) -> None:
        self.source, self.path, self.max_bytes, self.count = source, path, max_bytes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self.source.read(min(len(buffer), CHUNK_BYTES))
        self.count += len(chunk)
        if self.max_bytes is not None and self.count > self.max_bytes:
            raise _too_large(self.path, f"is unpacked to more than {counted(self.max_bytes)}", self.max_bytes)
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _too_large(path: str | os.PathLike[str], found: str, max_bytes: int) -> DataError:
    return DataError(
        f"{shown(path)} {found}, the limit is max_bytes = {max_bytes:,}: pass a larger max_bytes if you trust the file"
    )


def check_count(name: str, value: int) -> None:
    """Raises DataError unless the argument called `name` is a whole number of at least 1, of Python's or NumPy's."""
    try:
        valid = operator.index(value) >= 1 and not isinstance(value, bool)
    except TypeError:
        valid = False
    if not valid:
        raise DataError(f"{name} = {value!r} must be a whole number of at least 1")
