"""What there is to read, divided for many workers: whole files, and ranges of bytes of large files of JSON lines.

A line belongs to the range in which its first byte lies: to [s, e) if it begins at o with s <= o < e. So ranges need not end where lines
do, the plan is made without reading the files, and whatever the ranges are, each line is in exactly one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import accumulate, groupby
from pathlib import Path
from typing import NamedTuple

from minilm.data.corpus.documents import NOT_READ, Aside
from minilm.data.corpus.unpacking import refuse_missing
from minilm.data.errors import DataError
from minilm.data.files import check_count
from minilm.files import open_regular, packed_as, shown

PARTITION_BYTES = 1 << 26
FILE_BYTES = 1 << 12  # a file counts for at least as many: to open one takes time, too
HEAD_BYTES = 16
_PACKINGS = {".gz": "gzip", ".zst": "zstd"}


class Piece(NamedTuple):
    """A file, or a range of it.

    Attributes:
        path: the file.
        source: the collection that it belongs to.
        name: its path inside the collection, with "/".
        start: the first byte of the range.
        end: the byte behind the last one; None: the end of the file.
    """

    path: str
    source: str
    name: str
    start: int = 0
    end: int | None = None


def plan(
    path: str | os.PathLike[str], source: str | None = None, *, size: int = PARTITION_BYTES
) -> tuple[list[tuple[Piece, ...]], list[Aside]]:
    """The partitions of a collection, each of about `size` bytes, and the files that are not read.

    Args:
        path: a file, or a folder: the files in it and in its folders whose names end in .jsonl or .txt, with or without .gz or .zst, in
            the order of their paths. What is hidden (a name with a dot in front) is no part of the collection.
        source: the name of the collection; None: the last part of the path.
        size: files of JSON lines that are not compressed are divided into ranges of so many bytes; smaller files go together.

    Partition k has the pieces that begin in [k size, (k + 1) size), if all are laid behind one another.

    Raises:
        DataError: there is no such file or folder, nothing to read is in it, a folder may not be opened; for .zst no package is installed.
    """
    check_count("size", size)
    path = Path(path)
    source = path.absolute().name if source is None else source
    asides, pieces, sizes = [], list[Piece](), list[int]()
    for file, name in _files_under(path) if path.is_dir() else [(path, path.name)]:
        if path.is_dir() and (reason := _not_read(file)):
            asides.append(Aside(source, writable(name), 0, NOT_READ, reason))
            continue
        refuse_missing(_PACKINGS.get(file.suffix.lower(), ""), shown(file))
        for piece, count in _pieces(Piece(str(file), source, writable(name)), size):
            pieces.append(piece)
            sizes.append(max(count, FILE_BYTES))
    if not pieces:
        raise DataError(
            f"the folder {shown(path)} holds no .txt or .jsonl file (they may be compressed: .txt.gz, .jsonl.zst)"
        )
    starts = accumulate(sizes, initial=0)
    together = groupby(zip(pieces, starts, strict=False), key=lambda pair: pair[1] // size)
    return [tuple(piece for piece, _ in some) for _, some in together], asides


def holds_lines(name: str) -> bool:
    """Whether a file of this name has a document in each line; otherwise it is one."""
    return _bare(name).endswith(".jsonl")


def _bare(name: str) -> str:
    name = name.lower()
    return name[: -len(Path(name).suffix)] if Path(name).suffix in _PACKINGS else name


def _pieces(file: Piece, size: int) -> Iterator[tuple[Piece, int]]:
    with open_regular(file.path, DataError) as opened:
        count = os.fstat(opened.fileno()).st_size
        whole = count <= size or not holds_lines(file.name) or packed_as(opened.read(HEAD_BYTES)) is not None
    if whole:
        yield file, count
        return
    for start in range(0, count, size):
        end = start + size
        yield file._replace(start=start, end=end if end < count else None), min(end, count) - start


def _files_under(folder: Path) -> list[tuple[Path, str]]:
    def refuse(error: OSError) -> None:
        raise DataError(f"the folder {shown(error.filename)} cannot be read ({error.strerror or error})") from None

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found += [Path(place, name) for name in files + links if not name.startswith(".")]
    return sorted(((file, file.relative_to(folder).as_posix()) for file in found), key=lambda pair: pair[1])


def _not_read(file: Path) -> str | None:
    if file.is_dir():
        return "a link to a folder: give that folder as another collection"
    if not file.is_file():
        return "no regular file"
    if not _bare(file.name).endswith((".txt", ".jsonl")):
        return "the name ends neither in .txt nor in .jsonl (and .gz or .zst)"
    return None


def writable(name: str) -> str:
    """The name for files in UTF-8, which have no place for what was no text in the name."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


__all__ = ["PARTITION_BYTES", "Piece", "holds_lines", "plan", "writable"]
