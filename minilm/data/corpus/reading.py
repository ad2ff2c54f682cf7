"""The first step: files to documents, and whatever is none is kept aside with its place and the reason.

- In a file of JSON lines (`.jsonl` in its name) each line is an object, and one of its fields holds the text; lines of white space are
  passed over. In every other file the whole content is one text, in which every line end becomes a newline.
- Whether a file is compressed, with gzip or zstd, is told by its first bytes.
- Texts are UTF-8, and come out in Unicode's composed form (`nfc`).
- Of a compressed file that is cut or damaged, the lines before that place are used. (Where only the checksum at the end does not fit,
  that place is the end, and which lines are wrong is not known: hence the word in what is kept aside.)
- What depends on the machine and not on the content is an error, and not kept aside: a file that may not be read, a disk that fails, a
  package that is missing. Otherwise a run on another day would give another corpus.

A line, or a text file, of more than `max_bytes` bytes is kept aside without being held in memory, so that a file may be of any size.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from minilm.data.corpus.documents import BAD_ENCODING, DAMAGED, EMPTY, NOT_READ, TOO_LONG, Aside, Document
from minilm.data.corpus.lines import Line, blocks_of, first_line, lines
from minilm.data.corpus.normalize import nfc
from minilm.data.corpus.partitions import HEAD_BYTES, Piece, holds_lines
from minilm.data.corpus.unpacking import Damaged, refuse_missing, unpacked
from minilm.data.errors import DataError
from minilm.data.files import check_count
from minilm.data.json_lines import NoText, text_of
from minilm.files import no_text, open_regular, packed_as, shown

FIELD = "text"
MAX_BYTES = 1 << 26
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def read(piece: Piece, *, field: str = FIELD, max_bytes: int = MAX_BYTES) -> Iterator[Document | Aside]:
    """The documents of a file or a range of it (`partitions.plan`), and what is kept aside, in the order in which they stand there.

    Args:
        piece: what to read. However a file is divided into ranges, all together give the same.
        field: the field of a JSON line that holds its text.
        max_bytes: the longest line, or text file, that is used, in bytes after unpacking.

    Raises:
        DataError: `max_bytes` is no count; and when it is reached: the file cannot be read, was changed meanwhile, or needs a package
            that is not installed.
    """
    check_count("max_bytes", max_bytes)
    return _read(piece, field, max_bytes)


def _read(piece: Piece, field: str, max_bytes: int) -> Iterator[Document | Aside]:
    with open_regular(piece.path, DataError) as file:
        head = file.read(HEAD_BYTES)
        packing = packed_as(head)
        fault = _refused(head, packing)
        if fault is None and packing is None and holds_lines(piece.name):
            if (start := first_line(file, piece.start, piece.end)) is not None:
                yield from _each(piece, _content(file, None, piece.path, start), start, field, max_bytes)
        elif piece.start > 0 or piece.end == 0:
            return  # what is no lines of its own belongs to the range with the first byte
        elif fault is not None:
            yield _aside(piece, 0, fault)
        elif holds_lines(piece.name):
            yield from _each(piece._replace(end=None), _content(file, packing, piece.path), 0, field, max_bytes)
        else:
            yield _whole(piece, _content(file, packing, piece.path), max_bytes)


def _refused(head: bytes, packing: str | None) -> NoText | None:
    """Why nothing of a file can be used, from its first bytes."""
    if packing not in (None, "gzip", "zstd"):
        return NoText(NOT_READ, f"the file {no_text(head)}")
    if head.startswith(_MARKS[1:]):
        return NoText(BAD_ENCODING, f"the file {no_text(head)}")
    return None


def _content(file: BinaryIO, packing: str | None, path: str, start: int = 0) -> Iterator[bytes]:
    file.seek(start)
    if packing is None:
        return blocks_of(file)
    refuse_missing(packing, shown(path))
    return unpacked(file, packing)


def _each(piece: Piece, content: Iterable[bytes], start: int, field: str, max_bytes: int) -> Iterator[Document | Aside]:
    place = start
    try:
        for line in lines(content, max_bytes, start):
            if (record := _from_line(piece, line, field, max_bytes)) is not None:
                yield record
            place = line.offset + line.size + 1
            if piece.end is not None and place >= piece.end:
                return
    except Damaged as fault:
        yield _aside(piece, place, NoText(DAMAGED, f"the file {fault}"))


def _from_line(piece: Piece, line: Line, field: str, max_bytes: int) -> Document | Aside | None:
    try:
        if line.content is None:
            raise NoText(TOO_LONG, f"a line of {line.size:,} bytes; at most {max_bytes:,} are read")
        text = _decoded(line.content, line.offset)
        if not text or text.isspace():
            return None
        return _document(piece, text_of(text, field), f"{piece.name}:{line.offset}")
    except NoText as fault:
        return _aside(piece, line.offset, fault)


def _whole(piece: Piece, content: Iterable[bytes], max_bytes: int) -> Document | Aside:
    size, blocks = 0, []
    try:
        for block in content:
            size += len(block)
            if size > max_bytes:
                raise NoText(TOO_LONG, f"a text of more than {max_bytes:,} bytes")
            blocks.append(block)
        joined = b"".join(blocks)
        if reason := no_text(joined):
            raise NoText(BAD_ENCODING, f"the file {reason}")
        text = _decoded(joined, 0).replace("\r\n", "\n").replace("\r", "\n")
        return _document(piece, text, piece.name)
    except Damaged as fault:
        return _aside(piece, 0, NoText(DAMAGED, f"the file {fault}"))
    except NoText as fault:
        return _aside(piece, 0, fault)


def _decoded(content: bytes, offset: int) -> str:
    # A mark of UTF-8 in front of any line is dropped: files that begin with one are joined with cat.
    start = len(_MARKS[0]) if content.startswith(_MARKS[0]) else 0
    try:
        return content[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        place = offset + start + error.start
        found = f"byte 0x{content[start + error.start]:02x} at offset {place} is not UTF-8 ({error.reason})"
        raise NoText(BAD_ENCODING, found) from None


def _document(piece: Piece, text: str, name: str) -> Document:
    if not text or text.isspace():
        raise NoText(EMPTY, "a text of white space" if text else "a text without a character")
    return Document(nfc(text), piece.source, name)


def _aside(piece: Piece, offset: int, fault: NoText) -> Aside:
    return Aside(piece.source, piece.name, offset, fault.reason, str(fault))


__all__ = ["FIELD", "MAX_BYTES", "read"]
