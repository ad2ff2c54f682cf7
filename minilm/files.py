"""Writing files that are complete or absent, and reading files that may be anything.

Every reader of minilm opens its file with `open_regular`, which does not wait and does not begin on what has no end: a
directory, a named pipe, a device, a socket is refused at once. What is promised of a file that others change meanwhile:

- Replaced by a rename, as `atomic_write` does it: the reader has the old file or the new one, never a mixture.
- Written to in place: `open_regular` compares the size and the time of the last change before and after, and raises. A
  change that keeps both (within the resolution of the file system's clock) is not seen; hashes are there for that.
- Shortened while a memory map of it is in use (`minilm.data.open_tokens`): no promise. The system ends a process that
  touches a page that is no longer there (SIGBUS), and Python cannot catch that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

Fault = Callable[[str], Exception]
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_REMEDIES = {
    errno.EACCES: "; check its permissions",
    errno.EPERM: "; check its permissions",
    errno.ELOOP: "; the link leads back to itself, remove it",
    errno.ENAMETOOLONG: "; the name is too long",
    errno.EMFILE: "; too many files are open at once, close some",
}
_PACKED = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh91AY&SY", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
)
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


@contextmanager
def open_regular(path: str | os.PathLike[str], fault: Fault, what: str = "file") -> Iterator[BufferedReader]:
    """Opens a regular file for reading, without ever waiting for it.

    Args:
        path: the file; symbolic links are followed.
        fault: makes the error to raise from a message: the reader's own error class.
        what: how the message calls the file, as in "there is no token file".

    Raises:
        TypeError: `path` is no str and no path.
        What `fault` makes: there is no file, it is a folder, a pipe, a device or a socket, it may not be read, the system
            fails while the block reads it, or it was changed in the meantime.
    """
    name = shown(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise _cannot_open(error, path, fault, what) from None
    # Looked at before it is opened, as opening alone makes some devices do something; and after, as the name may by then
    # belong to another file. O_NONBLOCK: a pipe that takes the name in between would make us wait for a writer.
    _refuse_irregular(status, name, fault)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _cannot_open(error, path, fault, what) from None
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        _refuse_irregular(before, name, fault)
        try:
            yield file
            after = os.fstat(descriptor)
        except OSError as error:
            raise _cannot_open(error, path, fault, what) from None
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise fault(f"{what} {name} was changed while it was read: read it again when nobody writes to it")


def read_regular(
    path: str | os.PathLike[str], fault: Fault, *, max_bytes: int, remedy: str, what: str = "file"
) -> bytes:
    """The content of a regular file of at most `max_bytes` bytes; `remedy` says what to do about a larger one.

    Raises:
        What `fault` makes: as `open_regular`, and for a file that is larger.
    """
    with open_regular(path, fault, what) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= max_bytes:  # decided before memory is asked for
            content = file.read(size + 1)
            if len(content) > size:  # files of the system (/proc) have more in them than their size says
                content += file.read(max_bytes + 1 - len(content))
            size = len(content)
        if size > max_bytes:
            raise fault(f"{what} {shown(path)} is larger than {counted(max_bytes)}: {remedy}")
    return content


def shown(path: str | os.PathLike[str]) -> str:
    """The name of a file as one line that any terminal takes: what cannot be printed is written as an escape.

    Raises:
        TypeError: `path` is no str and no path.
    """
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise TypeError(f"expected the path of a file as str or Path, got {path!r} of type {type(path).__name__}")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name) or "''"


def counted(n_bytes: int) -> str:
    """A number of bytes for people: "64 MiB" where it is a whole number of them, "1,000 bytes" otherwise."""
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if n_bytes >= size and n_bytes % size == 0:
            return f"{n_bytes // size} {unit}"
    return f"{n_bytes:,} bytes"


def packed_as(head: bytes) -> str | None:
    """The name of the compression whose mark a file's first bytes are, or None."""
    return next((name for mark, name in _PACKED if head.startswith(mark)), None)


def no_text(block: bytes, offset: int = 0) -> str | None:
    """Why the bytes at `offset` of a file are no text in UTF-8, from marks and patterns; None where there is no sign.

    A NUL is a character of Unicode, but no text has one: it stands in every second byte of most UTF-16, in binary files,
    and where a disk lost a block.
    """
    if offset == 0:
        if (packing := packed_as(block)) is not None:
            return f"is compressed with {packing}: unpack it first"
        for mark, encoding in _MARKS:
            if block.startswith(mark):
                return f"begins with the mark of {encoding}: save it as UTF-8"
    first = block.find(b"\0")
    if first < 0:
        return None
    sample = block[: 1 << 12]
    nuls = [sample[start::2].count(0) for start in (0, 1)]
    # In UTF-16 of any language that writes spaces or line ends, NULs stand in one half of the bytes only, and often.
    if offset == 0 and min(nuls) == 0 and max(nuls) * 16 >= len(sample):
        order = "big" if nuls[0] else "little"
        return f"is UTF-16 ({order}-endian, without a mark) by its pattern of NUL bytes: save it as UTF-8"
    return f"is no text: it has a NUL byte at offset {offset + first}, as binary files, UTF-16 and damaged files have"


def _refuse_irregular(status: os.stat_result, name: str, fault: Fault) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for test, kind in _KINDS if test(status.st_mode)), "something else")
        raise fault(f"{name} cannot be read: it is not a regular file but {kind}; give the path of a file")


def _cannot_open(error: OSError | ValueError, path: str | os.PathLike[str], fault: Fault, what: str) -> Exception:
    name = shown(path)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return fault(f"there is no {what} {name}: {_missing(path)}")
    if not isinstance(error, OSError):  # a NUL in the name, or a character that the file system has no bytes for
        return fault(f"there is no {what} {name}: no file can have that name ({error})")
    remedy = _REMEDIES.get(error.errno or 0, "")
    return fault(f"{what} {name} cannot be read ({error.strerror or error}){remedy}")


def _missing(path: str | os.PathLike[str]) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"{shown(folder)} is no folder" if folder.exists() else f"the folder {shown(folder)} does not exist"
    if os.path.islink(path):
        return f"it is a link to {shown(os.readlink(path))}, which does not exist"
    return f"it does not exist in the folder {shown(folder.absolute())}"


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under `path` only once it is complete.

    The bytes go to a temporary file beside `path`, which is flushed to the disk and renamed over `path` when the block ends.
    If the block raises, or the machine stops, whatever stood at `path` is untouched. Two writers at once do not mix: each has
    its own temporary file, and the later rename wins.

    Without `durable` nothing waits for the disk, some milliseconds for each file. Then it holds if the process is killed, but if the
    machine stops, what is found at `path` may be empty or cut: for files that are made anew if their size is wrong.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:  # Ctrl-C too must leave nothing behind
        with contextlib.suppress(OSError):  # what went wrong first is what counts
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None  # the file that the caller knows
        raise
    if durable and os.name == "posix":
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
