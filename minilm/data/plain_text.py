"""Text from a data set, a file, a folder of files or a web address, whole or piece by piece.

`load_text` holds up to 1 GiB in memory, more with a larger `max_bytes`. `iter_text` has no such limit unless it is given
one: it holds a piece of about a million bytes, or one line where that is longer, of at most 64 MiB (`MAX_LINE_BYTES`).
"""

import codecs
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from minilm.files import counted, no_text, shown

from .errors import DataError
from .files import MAX_BYTES, check_count, open_data
from .sets.fetch import GENERATORS
from .sets.table import TABLE, find
from .sets.url import fetch_url

PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26
_TEXT_NAMES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz")


def load_text(
    source: str | Path,
    *,
    field: str = "text",
    separator: str = "\n\n",
    sha256: str | None = None,
    max_bytes: int | None = MAX_BYTES,
) -> str:
    """The text of `source` as one string. `source` is one of

    - the name of a data set of kind "text" (a file of that name is reached by "./name");
    - the path of a file: `.jsonl` holds one JSON object a line, of which `field` is taken; any other is UTF-8 text,
      where a byte order mark is dropped and every line end becomes a newline, as Python reads text; both may be
      compressed with gzip, whatever the name is (`.jsonl.gz` is `.jsonl`);
    - the path of a folder: its .txt and .jsonl files, also .txt.gz and .jsonl.gz, also in subfolders, sorted by path;
      hidden ones, and what is no regular file, are left out;
    - an http or https address, for which `sha256` is required.

    `separator` is put between two documents (two files, two lines of JSON). `max_bytes` is the largest content of one
    file after unpacking, and of all the text together in UTF-8; None: no limit. Raises DataError that names the file
    and the byte or line if something cannot be read, if there is no text at all, and if there is more than `max_bytes`.
    """
    pieces, size = [], 0
    for piece in iter_text(source, field=field, separator=separator, sha256=sha256, max_bytes=max_bytes):
        pieces.append(piece)
        size += len(piece) if piece.isascii() else len(piece.encode("utf-8"))
        if max_bytes is not None and size > max_bytes:
            raise DataError(
                f"{_named(source)} holds more than max_bytes = {max_bytes:,} bytes of text: pass a larger max_bytes, or "
                "read it piece by piece with iter_text"
            )
    return "".join(pieces)


def iter_text(
    source: str | Path,
    *,
    field: str = "text",
    separator: str = "\n\n",
    sha256: str | None = None,
    max_bytes: int | None = None,
) -> Iterator[str]:
    """What `load_text` returns, in pieces of about a million bytes, for text that is larger than memory.

    A text file is cut only after a line end, so memory is bounded by the longest line, and a line of more than 64 MiB is
    an error. `max_bytes` is the largest content of one file after unpacking; None: no limit. Errors are raised when the
    piece that holds them is reached.
    """
    for name, value in (("field", field), ("separator", separator)):
        if not isinstance(value, str):
            raise DataError(f"{name} = {value!r} must be a string")
    if max_bytes is not None:
        check_count("max_bytes", max_bytes)
    empty = True
    for number, document in enumerate(_documents(source, field, sha256, max_bytes)):
        if number and separator:
            yield separator
        for piece in document:
            if piece:
                empty = False
                yield piece
    if empty:
        raise DataError(f"{_named(source)} holds no text")


def _named(source: str | Path) -> str:
    return shown(source)[:200]


def _documents(source: str | Path, field: str, sha256: str | None, max_bytes: int | None) -> Iterator[Iterator[str]]:
    if isinstance(source, str):
        if re.match(r"\w{2,}:", source) and not os.path.exists(source):
            yield from _read(fetch_url(source, sha256), field, max_bytes)
            return
        if source in TABLE:
            yield iter((_generated(source),))
            return
    shown(source)  # refuses what is no name, such as 5, which Python would take for an open file
    path = Path(os.path.expanduser(source))  # unlike Path.expanduser, leaves "~" where there is no such home
    # os.path answers False where pathlib raises: for a text given in place of a path, say.
    if os.path.isdir(path):
        for file in _files_under(path):
            yield from _read(file, field, max_bytes)
    elif os.path.lexists(path):
        yield from _read(path, field, max_bytes)
    else:
        raise _nothing_there(source)


def _generated(name: str) -> str:
    if name not in GENERATORS:
        entry = find(name)
        raise DataError(f"{name} holds {entry.kind}, not running text: read it with minilm.data.{entry.reader}")
    return GENERATORS[name]()


def _nothing_there(source: str | Path) -> DataError:
    names = [name for name, entry in TABLE.items() if entry.kind == "text"]
    return DataError(
        f"there is no file, folder or data set {str(source)[:200]!r} (looked in {Path.cwd()}). "
        f"The data sets of text are: {', '.join(names)}."
    )


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
        record = json.loads(line, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        at_the_end = error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated string")
        cut = "; it may be cut short" if at_the_end else ""
        raise DataError(f"{where}: no valid JSON at column {error.pos + 1} ({error.msg}){cut}") from None
    except RecursionError:
        raise DataError(f"{where}: no valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise DataError(f"{where}: no valid JSON ({error})") from None
    if not isinstance(record, dict):
        found = "null" if record is None else type(record).__name__
        raise DataError(f'{where}: expected a JSON object such as {{"{field}": "..."}}, found {found}')
    if field not in record:
        names = ", ".join(map(repr, record))[:200] or "none"
        raise DataError(f"{where}: no field {field!r}; it has {names}")
    value = record[field]
    if not isinstance(value, str):
        found = "null" if value is None else type(value).__name__
        raise DataError(f"{where}: the field {field!r} holds {found}, expected a string")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DataError(f"{where}: the field {field!r} holds half of a surrogate pair, which is no text")
    return value


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice[:60]!r} is there {names.count(twice)} times")
    return record
