"""Tokenizer files: JSON in UTF-8, written atomically, and read as if an enemy had written them.

Nothing in a file is ever executed. `read_tokenizer` puts the file's name before every complaint, so that the functions
that check single fields need not know where the fields came from. A file of more than 64 MiB (`MAX_FILE_BYTES`) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from minilm.files import atomic_write, read_regular, shown
from minilm.strict_json import JSONFault, object_from, short

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
            f"tokenizer file {shown(path)}: {error}. If the file is damaged, save or train the tokenizer again."
        ) from None


def read_limited(path: str | PathLike[str]) -> bytes:
    """The content of a regular file of at most MAX_FILE_BYTES. Raises TokenizerError."""
    remedy = "it is no tokenizer or vocabulary; if it is one, raise minilm.text.storage.MAX_FILE_BYTES"
    return read_regular(path, TokenizerError, max_bytes=MAX_FILE_BYTES, remedy=remedy)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        return object_from(content)
    except JSONFault as fault:
        raise TokenizerError(str(fault)) from None


def check_header(fields: dict[str, Any], type_name: str, names: set[str]) -> None:
    """Check that `fields` is a tokenizer of type `type_name`, of our version, with the fields `names` and no others."""
    found = field(fields, "type", str)
    if found != type_name:
        raise TokenizerError(
            f"holds a tokenizer of type {short(found)}, not {type_name!r}; open it with load_tokenizer()"
        )
    version = field(fields, "version", int)
    if version != VERSION:
        raise TokenizerError(f"has format version {version}, this minilm reads version {VERSION}; update minilm")
    expected = names | {"type", "version"}
    missing, surplus = expected - set(fields), set(fields) - expected
    if missing or surplus:
        raise TokenizerError(
            f"must have exactly the fields {sorted(expected)}; "
            f"missing: {sorted(missing)}, unexpected: {short(sorted(surplus))}"
        )


def field(fields: dict[str, Any], name: str, expected: type[FieldType]) -> FieldType:
    """The field `name`, which must be there and be of exactly the type `expected`, so that true is not the number 1."""
    if name not in fields:
        raise TokenizerError(f"has no field {name!r}")
    value = fields[name]
    if type(value) is not expected:
        raise TokenizerError(f"field {name!r} must be of type {expected.__name__}, got {short(value)}")
    return value


def string_list(fields: dict[str, Any], name: str) -> list[str]:
    """The field `name`, which must be a list of strings."""
    values = field(fields, name, list)
    for position, value in enumerate(values):
        if type(value) is not str:
            raise TokenizerError(f"field {name!r} must hold strings, got {short(value)} at position {position}")
    return values
