"""The lines of a content that comes in blocks, each with its place; a line that is too long is passed over without being held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 1 << 18


class Line(NamedTuple):
    """A line without its line end.

    Attributes:
        offset: the place of its first byte.
        size: its bytes.
        content: them, or None where they are more than allowed.
    """

    offset: int
    size: int
    content: bytes | None


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a file, block by block."""
    while block := file.read(BLOCK_BYTES):
        yield block


def lines(blocks: Iterable[bytes], max_bytes: int, start: int = 0) -> Iterator[Line]:
    """The lines of the blocks, the first of which stands at `start`. A newline ends a line, and nothing else does.

    Memory: a block, and at most `max_bytes` of a line.
    """
    offset, size, parts = start, 0, list[bytes]()
    for block in blocks:
        first, *others = block.split(b"\n")
        size = _append(parts, size, first, max_bytes)
        for other in others:
            yield Line(offset, size, b"".join(parts) if size <= max_bytes else None)
            offset, parts = offset + size + 1, []
            size = _append(parts, 0, other, max_bytes)
    if size:
        yield Line(offset, size, b"".join(parts) if size <= max_bytes else None)


def _append(parts: list[bytes], size: int, part: bytes, max_bytes: int) -> int:
    size += len(part)
    if size <= max_bytes:
        parts.append(part)
    else:
        parts.clear()
    return size


def first_line(file: BinaryIO, start: int, end: int | None) -> int | None:
    """The place of the first line that begins in the bytes start .. end - 1 of a file (None: to its end), or None.

    A line begins at 0 and behind every newline. The search ends at `end`, so that of all ranges of a file with one long line together
    each byte is looked at once.
    """
    if start == 0:
        return 0 if end != 0 else None
    place = start - 1
    file.seek(place)
    for block in blocks_of(file):
        found = block.find(b"\n")
        if found >= 0:
            begin = place + found + 1
            return begin if end is None or begin < end else None
        place += len(block)
        if end is not None and place >= end:
            return None
    return None


__all__ = ["Line", "blocks_of", "first_line", "lines"]
