"""Tokenizer files: JSON in UTF-8, written atomically, and read as if an enemy had written them.

Nothing in a file is ever executed. `read_tokenizer` puts the file's name before every complaint, so that the functions
that check single fields need not know where the fields came from.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from minilm.files import atomic_write

VERSION = 1
MAX_FILE_BYTES = 64 * 1024 * 1024

Built = TypeVar("Built")
FieldType = TypeVar("FieldType")


class TokenizerError(ValueError):
    """A text, an id, a vocabulary or a tokenizer file that cannot be used; the message says why and what to do."""


def write_document(path: str | PathLike[str], fields: dict[str, Any]) -> None:
    """Write `fields` as a JSON object, one field a line, so that the file at `path` is never half written.

    Raises OSError where the file system refuses; the file that was there before then stays as it was.
    """
    path = Path(path)
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    content = ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")
    with atomic_write(path) as file:
        file.write(content)


def read_tokenizer(path: str | PathLike[str], build: Callable[[dict[str, Any]], Built]) -> Built:
    """Read the JSON object at `path` and hand it to `build`; every TokenizerError then names the file."""
    content = read_limited(path)
    try:
        return build(_parse(content))
    except TokenizerError as error:
        raise TokenizerError(
            f"tokenizer file {os.fspath(path)!r}: {error}. If the file is damaged, save or train the tokenizer again."
        ) from None


def read_limited(path: str | PathLike[str]) -> bytes:
    """The content of a regular file of at most MAX_FILE_BYTES. Raises TokenizerError."""
    name = os.fspath(path)
    try:
        if not Path(path).is_file():
            raise TokenizerError(f"there is no file {name!r}; give the path of an existing tokenizer or vocabulary")
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TokenizerError(f"file {name!r} cannot be read ({error.strerror}); check its permissions") from None
    if len(content) > MAX_FILE_BYTES:
        raise TokenizerError(
            f"file {name!r} is larger than {MAX_FILE_BYTES >> 20} MiB, so it is no tokenizer; check it"
        )
    return content


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=_short_integer,
        )
    except UnicodeDecodeError as error:
        raise TokenizerError(f"is not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise TokenizerError("is nested too deeply") from None
    except TokenizerError:
        raise
    except ValueError as error:
        raise TokenizerError(f"is not valid JSON ({error}); it may be cut short") from None
    if not isinstance(document, dict):
        raise TokenizerError(f"holds a JSON {type(document).__name__} where an object was expected")
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        [(name, times)] = Counter(name for name, _ in pairs).most_common(1)
        raise TokenizerError(f"has the field {_short(name)} {times} times")
    return fields


def _short_integer(digits: str) -> int:
    if len(digits) > 18:
        raise TokenizerError(f"has an integer of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise TokenizerError(f"has the value {name}, which JSON does not allow")


def check_header(fields: dict[str, Any], type_name: str, names: set[str]) -> None:
    """Check that `fields` is a tokenizer of type `type_name`, of our version, with the fields `names` and no others."""
    found = field(fields, "type", str)
    if found != type_name:
        raise TokenizerError(
            f"holds a tokenizer of type {_short(found)}, not {type_name!r}; open it with load_tokenizer()"
        )
    version = field(fields, "version", int)
    if version != VERSION:
        raise TokenizerError(f"has format version {version}, this minilm reads version {VERSION}; update minilm")
    expected = names | {"type", "version"}
    missing, surplus = expected - set(fields), set(fields) - expected
    if missing or surplus:
        raise TokenizerError(
            f"must have exactly the fields {sorted(expected)}; "
            f"missing: {sorted(missing)}, unexpected: {_short(sorted(surplus))}"
        )


def field(fields: dict[str, Any], name: str, expected: type[FieldType]) -> FieldType:
    """The field `name`, which must be there and be of exactly the type `expected`, so that true is not the number 1."""
    if name not in fields:
        raise TokenizerError(f"has no field {name!r}")
    value = fields[name]
    if type(value) is not expected:
        raise TokenizerError(f"field {name!r} must be of type {expected.__name__}, got {_short(value)}")
    return value


def string_list(fields: dict[str, Any], name: str) -> list[str]:
    """The field `name`, which must be a list of strings."""
    values = field(fields, name, list)
    for position, value in enumerate(values):
        if type(value) is not str:
            raise TokenizerError(f"field {name!r} must hold strings, got {_short(value)} at position {position}")
    return values


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
