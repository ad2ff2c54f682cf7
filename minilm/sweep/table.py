"""The table of a sweep: names with the values that each takes, and every combination of them."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Settings = Mapping[str, Any]
NUMBER = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
MOST = 10_000  # combinations of a sweep


class SweepError(ValueError):
    """A sweep that cannot be run or read; the message says what to do."""


def parse_table(words: Sequence[str]) -> dict[str, list[str]]:
    """The table that was typed: "learning-rate=1e-4,3e-4" is {"learning-rate": ["1e-4", "3e-4"]}.

    Raises:
        SweepError: a word is no NAME=VALUE,..., or a name or a value comes twice.
    """
    table: dict[str, list[str]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        name = name.removeprefix("--")
        if not equals or not re.fullmatch("[a-z][a-z0-9-]*", name):
            raise SweepError(
                f"TABLE: expected an option with its values, as learning-rate=1e-4,1e-3, got {word[:60]!r}."
            )
        if name in table:
            raise SweepError(f"TABLE: {name} comes twice: give all its values at once, {name}=A,B,C.")
        table[name] = values.split(",")
        if "" in table[name]:
            raise SweepError(f"TABLE: {name} has an empty value in {word[:60]!r}.")
    check_table({name: [value_of(text) for text in texts] for name, texts in table.items()})
    return table


def check_table(table: Mapping[str, Sequence[Any]]) -> None:
    """Refuses a table that cannot be swept.

    Raises:
        SweepError: it is empty or too large, a name has no value or one twice, or a value is none that JSON has.
    """
    if not table:
        raise SweepError(
            "TABLE: there is nothing to sweep: name an option with its values, as learning-rate=1e-4,1e-3."
        )
    for name, values in table.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise SweepError(f"TABLE: {name} needs a list of values, got {values!r}.")
        for value in values:
            if not (value is None or isinstance(value, str | int | float)) or (
                isinstance(value, float) and not math.isfinite(value)
            ):
                raise SweepError(
                    f"TABLE: {name} has the value {value!r}: a text, a finite number, True, False or None can be kept."
                )
        keys = [key_of({name: value}) for value in values]
        if twice := [value for k, value in enumerate(values) if keys[k] in keys[:k]]:
            raise SweepError(f"TABLE: {name} has the value {twice[0]!r} twice.")
    if (count := math.prod(map(len, table.values()))) > MOST:
        raise SweepError(f"TABLE: {count:,} combinations are more than {MOST:,}: sweep fewer options at once.")


def value_of(text: str) -> str | int | float:
    """What was typed as a number, if it is one."""
    if re.fullmatch("[+-]?[0-9]{1,15}", text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) and math.isfinite(float(text)) else text


def combinations(table: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Each combination of the table's values; the last name changes fastest."""
    for values in itertools.product(*table.values()):
        yield dict(zip(table, values, strict=True))


def key_of(settings: Settings) -> str:
    """A text that settings have in common if and only if they are equal, 1e-3 and 0.001, 8 and 8.0 included."""
    plain = {k: float(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for k, v in settings.items()}
    return json.dumps(plain, sort_keys=True)


def shown(settings: Settings) -> str:
    """Settings as a line: "learning-rate=0.001 batch-size=8"."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


__all__ = ["SweepError", "check_table", "combinations", "key_of", "parse_table", "shown", "value_of"]
