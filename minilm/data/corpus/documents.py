"""A document, what was kept aside instead of one, and both as lines of JSON, in which the stages hand them on.

Nothing in them says where the input lay on this machine, in which order it was read, or by which worker: two runs over copies of the
same files give the same lines.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from minilm.data.errors import DataError
from minilm.data.json_lines import BAD_ENCODING, BAD_JSON, NO_FIELD, NO_STRING
from minilm.strict_json import JSONFault, object_from

TOO_LONG = "too long"
EMPTY = "empty"
DAMAGED = "cut short or damaged"
NOT_READ = "file that is not read"
REASONS = (BAD_JSON, BAD_ENCODING, NO_FIELD, NO_STRING, TOO_LONG, EMPTY, DAMAGED, NOT_READ)

DOCUMENT = "document"


class Document(NamedTuple):
    """A text and where it is from.

    Attributes:
        text: in Unicode's composed form, NFC.
        source: the collection, by which documents are weighed.
        name: the file's path inside the collection, and behind it for a line of a file the place of its first byte: `a/b.jsonl:1042`.
    """

    text: str
    source: str
    name: str


class Aside(NamedTuple):
    """A piece of the input that is no document.

    Attributes:
        source: the collection.
        file: the file's path inside the collection.
        offset: where the line begins in the unpacked file, in bytes: `zcat FILE | tail -c +OFFSET_PLUS_1 | head -n 1` shows it; 0 for a
            file as a whole. Of a compressed file that is damaged, the place up to which its lines were complete.
        reason: one of `REASONS`.
        found: what was found there, for people.
    """

    source: str
    file: str
    offset: int
    reason: str
    found: str


def tally(records: Iterable[Document | Aside]) -> Counter[str]:
    """How many documents there are (under `DOCUMENT`), and how many were kept aside for each reason."""
    return Counter(DOCUMENT if isinstance(record, Document) else record.reason for record in records)


def json_line(record: Document | Aside) -> bytes:
    """The record as one line of JSON in UTF-8, with its line end.

    Raises:
        UnicodeEncodeError: a text has half of a surrogate pair; those that `reading` gives have none.
    """
    return json.dumps(record._asdict(), ensure_ascii=False).encode("utf-8") + b"\n"


def document_of(line: bytes) -> Document:
    """The document in a line from `json_line`.

    Raises:
        DataError: there is none in it.
    """
    return Document(**_fields(line, Document.__annotations__))


def aside_of(line: bytes) -> Aside:
    """What was kept aside, from a line from `json_line`.

    Raises:
        DataError: there is nothing of the kind in it.
    """
    return Aside(**_fields(line, Aside.__annotations__))


def _fields(line: bytes, expected: dict[str, Any]) -> dict[str, Any]:
    try:
        found = object_from(line)
    except JSONFault as fault:
        raise DataError(f"the line {fault}") from None
    if found.keys() != expected.keys():
        raise DataError(f"the line has the fields {', '.join(found) or 'none'}; expected were {', '.join(expected)}")
    for name, value in found.items():
        if type(value) is not (int if name == "offset" else str):
            raise DataError(f"the field {name!r} of the line holds {type(value).__name__}")
    return found


__all__ = [
    "BAD_ENCODING", "BAD_JSON", "DAMAGED", "DOCUMENT", "EMPTY", "NOT_READ", "NO_FIELD", "NO_STRING", "REASONS", "TOO_LONG", "Aside",
    "Document", "aside_of", "document_of", "json_line", "tally",
]  # fmt: skip
