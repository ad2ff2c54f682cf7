"""One line of JSON lines: an object, and the text in one of its fields."""

import json
from typing import Any

from .errors import DataError

BAD_JSON = "bad JSON"
NO_FIELD = "no text field"
NO_STRING = "text that is no string"
BAD_ENCODING = "bad encoding"


class NoText(DataError):
    """What has no text that can be used; `reason` is one of a few words to count by, the message says what was found."""

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(found)
        self.reason = reason


def text_of(line: str, field: str) -> str:
    """The string that stands in `field` of the JSON object which is the line.

    Raises:
        NoText: the line is no JSON (`BAD_JSON`), also where a name occurs twice; it is no object or lacks the field (`NO_FIELD`); what
            stands there is no string (`NO_STRING`), or has half of a surrogate pair in it, for which UTF-8 has no bytes
            (`BAD_ENCODING`).
    """
    try:
        record = json.loads(line, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        at_the_end = error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated string")
        cut = "; it may be cut short" if at_the_end else ""
        raise NoText(BAD_JSON, f"no valid JSON at column {error.pos + 1} ({error.msg}){cut}") from None
    except RecursionError:
        raise NoText(BAD_JSON, "no valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise NoText(BAD_JSON, f"no valid JSON ({error})") from None
    if not isinstance(record, dict):
        raise NoText(NO_FIELD, f'expected a JSON object such as {{"{field}": "..."}}, found {_kind(record)}')
    if field not in record:
        names = ", ".join(map(repr, record))[:200] or "none"
        raise NoText(NO_FIELD, f"no field {field!r}; it has {names}")
    value = record[field]
    if not isinstance(value, str):
        raise NoText(NO_STRING, f"the field {field!r} holds {_kind(value)}, expected a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise NoText(BAD_ENCODING, f"the field {field!r} holds half of a surrogate pair, which is no text") from None
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice[:60]!r} is there {names.count(twice)} times")
    return record
