"""Text in files: UTF-8 text and JSON lines, in pieces of whole lines, from a file or a folder of them.

A piece has about a million bytes; a line that is longer is one piece, and one of more than 64 MiB (`MAX_LINE_BYTES`) an error.
"""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minilm.files import counted, no_text, shown

from .errors import DataError
from .files import open_data
from .json_lines import NoText, text_of

PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26
_TEXT_NAMES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz")


def documents(path: Path, field: str, max_bytes: int | None) -> Iterator[Iterator[str]]:
    """The documents at `path`, a file or a folder, each in pieces: a text file is one, a file of JSON lines has one per line.

    `field` is the field of a JSON line that holds its text; `max_bytes` is the largest content of one file after unpacking,
    None: no limit.

    Raises:
        DataError: a file cannot be read, or a folder holds no text; it is raised when the piece is reached.
    """
    for file in _files_under(path) if os.path.isdir(path) else [path]:
        yield from _read(file, field, max_bytes)


def _files_under(folder: Path) -> list[Path]:
    relative = (path.relative_to(folder) for path in folder.rglob("*") if path.name.lower().endswith(_TEXT_NAMES))
    visible = (path for path in relative if not any(part.startswith(".") for part in path.parts))
    files = [folder / path for path in sorted(visible, key=Path.as_posix) if (folder / path).is_file()]
    if not files:
        raise DataError(f"the folder {shown(folder)} holds no .txt or .jsonl file (they may be compressed: .txt.gz)")
    return files


def _read(path: Path, field: str, max_bytes: int | None) -> Iterator[Iterator[str]]:
    if path.name.lower().removesuffix(".gz").endswith(".jsonl"):
        yield from (iter((text,)) for text in _json_lines(path, field, max_bytes))
    else:
        yield iter_lines(path, max_bytes)


def iter_lines(path: Path, max_bytes: int | None) -> Iterator[str]:
    """The text of a UTF-8 file in pieces of whole lines, with every line end a newline."""
    offset = 0
    with open_data(path, max_bytes) as file:
        while block := file.read(PIECE_BYTES):
            _refuse_other_content(block, path, offset)  # before a file without a line end is read to its limit
            if not block.endswith(b"\n"):
                block += _rest_of_line(file, path, offset + len(block))
            # A newline byte is never part of a longer UTF-8 sequence, so every piece decodes by itself.
            text = decode_utf8(block, path, offset)
            offset += len(block)
            yield text.replace("\r\n", "\n").replace("\r", "\n")


def _rest_of_line(file: BinaryIO, path: Path, offset: int) -> bytes:
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        _refuse_other_content(line, path, offset)
        raise DataError(
            f"{shown(path)} has a line of more than {counted(MAX_LINE_BYTES)} at offset {offset}: is it text? Put line "
            "ends into it, or raise minilm.data.plain_text.MAX_LINE_BYTES"
        )
    return line


def decode_utf8(block: bytes, path: Path, offset: int = 0) -> str:
    """Decode bytes that stand at `offset` in the file `path`; a byte order mark at the start of the file is dropped.

    Raises DataError with the position in the file of the first byte that is no UTF-8, or that no text has.
    """
    _refuse_other_content(block, path, offset)
    start = len(codecs.BOM_UTF8) if offset == 0 and block.startswith(codecs.BOM_UTF8) else 0
    try:
        return block[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        position = offset + start + error.start
        raise DataError(
            f"{shown(path)} is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset {position} ({error.reason}). "
            "Save the file as UTF-8 (an older one may be in Latin-1), or remove that byte."
        ) from error


def _refuse_other_content(block: bytes, path: Path, offset: int) -> None:
    if (reason := no_text(block, offset)) is not None:
        raise DataError(f"{shown(path)} {reason}")


def _json_lines(path: Path, field: str, max_bytes: int | None) -> Iterator[str]:
    before = 0
    for piece in iter_lines(path, max_bytes):
        for number, line in enumerate(piece.split("\n"), start=before + 1):
            if line and not line.isspace():
                yield _json_field(line, field, f"{shown(path)}, line {number}")
        before += piece.count("\n")


def _json_field(line: str, field: str, where: str) -> str:
    try:
        return text_of(line, field)
    except NoText as fault:
        raise DataError(f"{where}: {fault}") from None
