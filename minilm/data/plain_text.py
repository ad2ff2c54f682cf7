"""Text from a data set, a file, a folder of files or a web address, whole or piece by piece."""

import codecs
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .errors import DataError
from .fetch import GENERATORS
from .table import TABLE, find
from .url import fetch_url

PIECE_BYTES = 1 << 20
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def load_text(source: str | Path, *, field: str = "text", separator: str = "\n\n", sha256: str | None = None) -> str:
    """The text of `source` as one string. `source` is one of

    - the name of a data set of kind "text" (a file of that name is reached by "./name");
    - the path of a file: `.jsonl` holds one JSON object a line, of which `field` is taken; any other is UTF-8 text,
      where a byte order mark is dropped and every line end becomes a newline, as Python reads text;
    - the path of a folder: its .txt and .jsonl files, also in subfolders, sorted by path; hidden ones are left out;
    - an http or https address, for which `sha256` is required.

    `separator` is put between two documents (two files, two lines of JSON). Raises DataError that names the file and
    the byte or line if something cannot be read, and if there is no text at all.
    """
    return "".join(iter_text(source, field=field, separator=separator, sha256=sha256))


def iter_text(
    source: str | Path, *, field: str = "text", separator: str = "\n\n", sha256: str | None = None
) -> Iterator[str]:
    """What `load_text` returns, in pieces of about a million bytes, for text that is larger than memory.

    A text file is cut only after a line end, so memory is bounded by the longest line. Errors are raised when the piece
    that holds them is reached.
    """
    empty = True
    for number, document in enumerate(_documents(source, field, sha256)):
        if number and separator:
            yield separator
        for piece in document:
            if piece:
                empty = False
                yield piece
    if empty:
        raise DataError(f"{source} holds no text")


def _documents(source: str | Path, field: str, sha256: str | None) -> Iterator[Iterator[str]]:
    if isinstance(source, str):
        if re.match(r"\w{2,}:", source) and not os.path.exists(source):
            yield from _read(fetch_url(source, sha256), field)
            return
        if source in TABLE:
            yield iter((_generated(source),))
            return
    path = Path(source).expanduser()
    # os.path answers False where pathlib raises: for a text given in place of a path, say.
    if os.path.isdir(path):
        for file in _files_under(path):
            yield from _read(file, field)
    elif os.path.exists(path):
        yield from _read(path, field)
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
    relative = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in (".txt", ".jsonl"))
    visible = (path for path in relative if not any(part.startswith(".") for part in path.parts))
    files = [folder / path for path in sorted(visible, key=Path.as_posix) if (folder / path).is_file()]
    if not files:
        raise DataError(f"the folder {folder} holds no .txt or .jsonl file")
    return files


def _read(path: Path, field: str) -> Iterator[Iterator[str]]:
    if path.suffix.lower() == ".jsonl":
        yield from (iter((text,)) for text in _json_lines(path, field))
    else:
        yield _pieces(path)


def _pieces(path: Path) -> Iterator[str]:
    offset = 0
    with open(path, "rb") as file:
        while lines := file.readlines(PIECE_BYTES):
            # A newline byte is never part of a longer UTF-8 sequence, so every piece decodes by itself.
            block = b"".join(lines)
            text = decode_utf8(block, path, offset)
            offset += len(block)
            yield text.replace("\r\n", "\n").replace("\r", "\n")


def decode_utf8(block: bytes, path: Path, offset: int = 0) -> str:
    """Decode bytes that stand at `offset` in the file `path`; a byte order mark at the start of the file is dropped.

    Raises DataError with the position in the file of the first byte that is no UTF-8.
    """
    if offset == 0:
        for mark, encoding in _OTHER_MARKS:
            if block.startswith(mark):
                raise DataError(f"{path} begins with the mark of {encoding}: save it as UTF-8")
        start = len(codecs.BOM_UTF8) if block.startswith(codecs.BOM_UTF8) else 0
    else:
        start = 0
    try:
        return block[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        position = offset + start + error.start
        raise DataError(
            f"{path} is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset {position} ({error.reason}). "
            "Save the file as UTF-8, or remove that byte."
        ) from error


def _json_lines(path: Path, field: str) -> Iterator[str]:
    offset = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            text = decode_utf8(line, path, offset)
            offset += len(line)
            if text.strip():
                yield _json_field(text, field, f"{path}, line {number}")


def _json_field(line: str, field: str, where: str) -> str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: no valid JSON ({error})") from error
    if not isinstance(record, dict):
        raise DataError(f'{where}: expected a JSON object such as {{"{field}": "..."}}, found {type(record).__name__}')
    if field not in record:
        raise DataError(f"{where}: no field {field!r}; it has {', '.join(map(repr, record)) or 'none'}")
    value = record[field]
    if not isinstance(value, str):
        raise DataError(f"{where}: the field {field!r} holds {type(value).__name__}, expected a string")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DataError(f"{where}: the field {field!r} holds half of a surrogate pair, which is no text")
    return value
