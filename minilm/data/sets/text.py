"""Text from a data set, a file, a folder of files or a web address, whole or piece by piece.

`load_text` holds up to 1 GiB in memory, more with a larger `max_bytes`. `iter_text` has no such limit unless it is given
one: it holds a piece of about a million bytes, or one line where that is longer (`minilm.data.plain_text` reads the files).
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from minilm.data.errors import DataError
from minilm.data.files import MAX_BYTES, check_count
from minilm.data.plain_text import documents
from minilm.files import shown

from .fetch import GENERATORS
from .table import TABLE, find
from .url import fetch_url


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


def iter_documents(
    source: str | Path, *, field: str = "text", sha256: str | None = None, max_bytes: int | None = MAX_BYTES
) -> Iterator[str]:
    """The documents of `source`, each whole: a text file is one, a file of JSON lines has one per line, a data set is one.

    Arguments and errors are those of `load_text`; no document at all is an error, an empty one is none.
    """
    none = True
    for document in _documents(source, field, sha256, max_bytes):
        none = False
        yield "".join(document)
    if none:
        raise DataError(f"{_named(source)} holds no document")


def _named(source: str | Path) -> str:
    return shown(source)[:200]


def _documents(source: str | Path, field: str, sha256: str | None, max_bytes: int | None) -> Iterator[Iterator[str]]:
    if isinstance(source, str):
        if re.match(r"\w{2,}:", source) and not os.path.exists(source):
            yield from documents(fetch_url(source, sha256), field, max_bytes)
            return
        if source in TABLE:
            yield iter((_generated(source),))
            return
    shown(source)  # refuses what is no name, such as 5, which Python would take for an open file
    path = Path(os.path.expanduser(source))  # unlike Path.expanduser, leaves "~" where there is no such home
    if not os.path.lexists(path):  # answers False where pathlib raises: for a text given in place of a path, say
        raise _nothing_there(source)
    yield from documents(path, field, max_bytes)


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
