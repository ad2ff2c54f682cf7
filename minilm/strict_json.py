"""JSON that is read as if an enemy had written it.

Stricter than `json.loads`: UTF-8 only, an object on the outside, no name twice, no NaN or Infinity, no integer of more
digits than the caller allows.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any, NoReturn

from minilm.files import no_text


class JSONFault(ValueError):
    """What is wrong with a JSON text, as the rest of a sentence that begins with the file's name."""


def object_from(content: bytes, *, max_digits: int = 18) -> dict[str, Any]:
    """The JSON object in `content`; its integers have at most `max_digits` digits, which for 18 fit 64 bits.

    Raises:
        JSONFault: it is not UTF-8, not JSON, not an object, or breaks a rule of this module.
    """
    if content.startswith(b"\xef\xbb\xbf"):
        raise JSONFault("is not valid JSON: it begins with a byte order mark; save it as UTF-8 without one")
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=functools.partial(_integer, max_digits=max_digits),
        )
    except UnicodeDecodeError as error:
        raise JSONFault(no_text(content) or f"is not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise JSONFault("is nested too deeply") from None
    except json.JSONDecodeError as error:
        if (reason := no_text(content)) is not None:
            raise JSONFault(reason) from None
        place = f"line {error.lineno}, column {error.colno}"
        raise JSONFault(f"is not valid JSON ({error.msg}, {place}); it may be cut short") from None
    if not isinstance(document, dict):
        kind = "null" if document is None else type(document).__name__
        raise JSONFault(f"holds a JSON {kind} where an object was expected")
    return document


def short(value: Any) -> str:
    """The value for a message, at most 60 characters of it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        [(name, times)] = Counter(name for name, _ in pairs).most_common(1)
        raise JSONFault(f"has the field {short(name)} {times} times")
    return fields


def _integer(digits: str, max_digits: int) -> int:
    if len(digits) > max_digits:
        raise JSONFault(f"has an integer of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise JSONFault(f"has the value {name}, which JSON does not allow")
