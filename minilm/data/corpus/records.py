"""Records of named fields, one within another, as JSON and back: every field by its name, and of the type that the class declares.

A record is a `NamedTuple` or a dataclass. Its fields hold strings, numbers, truth values, records, None where the type allows it, tuples
of one type or of several, mappings from strings, and what is `Any` stays as JSON has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from minilm.data.errors import DataError
from minilm.strict_json import JSONFault, object_from, short

Record = TypeVar("Record")


def json_of(record: Any) -> bytes:
    """The record as JSON with names in a fixed order: equal records give equal bytes. ASCII, so that any string comes back as it was.

    Raises:
        ValueError: a number is NaN or infinite.
        TypeError: something that JSON does not know.
    """
    return json.dumps(_plain(record), indent=1, sort_keys=True, allow_nan=False).encode("ascii") + b"\n"


def record_of(kind: type[Record], content: bytes) -> Record:
    """The record in the JSON from `json_of`.

    Raises:
        DataError: there is none in it; the message names the place.
    """
    try:
        return _record(kind, object_from(content), kind.__name__.lower())
    except JSONFault as fault:
        raise DataError(f"what should be a {kind.__name__.lower()} {fault}") from None


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The fields' types by their names; none for what is no record."""
    found = hasattr(kind, "_fields") or hasattr(kind, "__dataclass_fields__")
    return get_type_hints(kind) if found else {}


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if fields := _fields(kind):
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


def _record(kind: Any, value: Any, place: str) -> Any:
    fields = _fields(kind)
    found = _checked(dict, value, place)
    if found.keys() != fields.keys():
        wrong = ", ".join(sorted(found.keys() ^ fields.keys()))
        raise DataError(f"{place} must have the fields {', '.join(fields)}; missing or too many: {wrong}")
    return kind(**{name: _parsed(of, found[name], f"{place}.{name}") for name, of in fields.items()})


def _parsed(kind: Any, value: Any, place: str) -> Any:
    of = get_args(kind)
    if kind is Any or (type(None) in of and value is None):
        return value
    if type(None) in of:
        return _parsed(next(each for each in of if each is not type(None)), value, place)
    if get_origin(kind) is Mapping:
        return {key: _parsed(of[1], each, f"{place}.{key}") for key, each in _checked(dict, value, place).items()}
    if get_origin(kind) is tuple:
        values = _checked(list, value, place)
        kinds = [of[0]] * len(values) if of[1] is ... else list(of)
        if len(kinds) != len(values):
            raise DataError(f"{place} must have {len(kinds)} values, it has {len(values)}")
        return tuple(
            _parsed(each, one, f"{place}[{i}]") for i, (each, one) in enumerate(zip(kinds, values, strict=True))
        )
    if _fields(kind):
        return _record(kind, value, place)
    return _checked(kind, value, place)


def _checked(kind: type, value: Any, place: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        names = {dict: "an object", list: "a list", str: "a string", int: "a whole number", float: "a number"}
        raise DataError(f"{place} must be {names.get(kind, 'true or false')}, found {short(value)}")
    return value


__all__ = ["json_of", "record_of"]
