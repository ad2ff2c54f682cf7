"""The values of a published model's config.json, and the shapes of its arrays, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minilm.formats import FormatError
from minilm.strict_json import short
from minilm.types import Shape

MOST = 1 << 31
"""The largest count that is believed: no dimension of a published model comes near it."""


class Fields:
    """What config.json says, by name; each value is checked as it is read.

    Args:
        config: the file's content.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def count(self, name: str, default: int | None = None, least: int = 1) -> int:
        """A whole number from `least` on; `default` where the file has none.

        Raises:
            FormatError: it is missing, no whole number, or out of range.
        """
        value = self.config.get(name, default)
        if type(value) is not int or not least <= value <= MOST:
            raise self.wrong(name, f"a whole number of {least} to {MOST:,}")
        return value

    def number(self, name: str, default: float, least: float, below: float) -> float:
        """A number of at least `least` and less than `below`.

        Raises:
            FormatError: it is no number, or out of range.
        """
        value = self.config.get(name, default)
        if type(value) not in (int, float) or not least <= value < below:
            raise self.wrong(name, f"a number of at least {least:g} and less than {below:g}")
        return float(value)

    def only(self, name: str, *accepted: Any) -> Any:
        """One of the accepted values; the first of them where the file has none.

        Raises:
            FormatError: it is another one.
        """
        value = self.config.get(name, accepted[0])
        if not any(type(value) is type(one) and value == one for one in accepted):
            raise self.wrong(name, " or ".join(map(repr, accepted)))
        return value

    def wrong(self, name: str, expected: str) -> FormatError:
        """The error for a value that is not as expected."""
        if name not in self.config:
            return FormatError(f"config.json lacks {name}: expected {expected}.")
        return FormatError(f"config.json: {name} should be {expected}, it is {short(self.config[name])}.")


class Place(NamedTuple):
    """Where an array of a published model stands in ours, and its shape."""

    ours: str
    shape: Shape


def without_prefix(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays without `prefix` before their names: files of a model alone have none, those of a model with a head do.

    Raises:
        FormatError: two arrays differ in nothing else.
    """
    named = {name.removeprefix(prefix): array for name, array in arrays.items()}
    if len(named) < len(arrays):
        raise FormatError(f"the weights have arrays that differ only in {prefix!r} before the name.")
    return named


def drop_tied_head(named: dict[str, Any], embedding: str) -> None:
    """Takes the output matrix out, where a file repeats the embedding as lm_head.

    Raises:
        FormatError: the two are not equal.
    """
    if "lm_head.weight" in named and f"{embedding}.weight" in named:
        head = named.pop("lm_head.weight")
        if not np.array_equal(head, named[f"{embedding}.weight"]):
            raise FormatError(
                f"config.json says that lm_head and {embedding} are one matrix; in the weights they differ."
            )


def expect_layers(arrays: Mapping[str, Any], before: str, expected: int, name: str) -> None:
    """Refuses weights of another number of layers than config.json says, before their shapes are written down.

    Args:
        before: what stands before a layer's number in the names of the arrays, as in "h.".
        expected: the number of layers by config.json, where it stands under `name`.

    Raises:
        FormatError: the numbers of the layers are not those from 0 to `expected` - 1.
    """
    found = {array.removeprefix(before).split(".")[0] for array in arrays if array.startswith(before)}
    if len(found) != expected or not all(number.isdecimal() and int(number) < expected for number in found):
        raise FormatError(f"config.json says {name} {expected}, the weights have {len(found)} layers ({before}0 ...).")


def expect_shapes(arrays: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """Refuses arrays whose names and shapes are not those that a config asks for.

    Raises:
        FormatError: an array is missing, has another shape, or is none of the model's.
    """
    problems = [f"{name} {shape} is missing" for name, shape in shapes.items() if name not in arrays]
    for name, array in arrays.items():
        if name not in shapes:
            problems.append(f"{name} {tuple(array.shape)} is none of the model's")
        elif tuple(array.shape) != tuple(shapes[name]):
            problems.append(f"{name} has the shape {tuple(array.shape)}, config.json asks for {tuple(shapes[name])}")
        elif array.dtype.kind != "f":
            problems.append(f"{name} holds {array.dtype}, no floating-point numbers")
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise FormatError(f"the weights do not fit config.json: {'; '.join(problems[:5])}{more}.")


__all__ = ["Fields", "Place", "drop_tied_head", "expect_layers", "expect_shapes", "without_prefix"]
