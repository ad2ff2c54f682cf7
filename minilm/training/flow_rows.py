"""A row of what `minilm.training.flow` reads: the numbers of a layer at a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A layer at a step; None for what it does not have, or what was not read.

    Attributes:
        step: the update's number.
        layer: the module's name in the model.
        gradient_norm: of its own parameters, after clipping; 0 where none of them got a gradient.
        weight_norm: before the update.
        update_ratio: the update's norm per `weight_norm`; None where the weights are all 0.
        mean, std: of its output over the batch.
        dead: the share of its units that are dead, from 0 to 1; None where no activation function follows it.
        activation: the name of that function.
    """

    step: int
    layer: str
    gradient_norm: float | None = None
    weight_norm: float | None = None
    update_ratio: float | None = None
    mean: float | None = None
    std: float | None = None
    dead: float | None = None
    activation: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Its fields by name, those that are None left out; a number that is not finite is None, JSON's null."""
        there = {name: value for name, value in self._asdict().items() if value is not None}
        return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in there.items()}


QUANTITIES = ("gradient_norm", "weight_norm", "update_ratio", "mean", "std", "dead")


def row_from_json(line: Mapping[str, Any]) -> Row | None:
    """The row that `Row.to_json` wrote; None if it is none. A number that was not finite is NaN again."""
    if type(line.get("step")) is not int or not isinstance(line.get("layer"), str) or not set(line) <= set(Row._fields):
        return None
    numbers = {name: float("nan") if line[name] is None else line[name] for name in QUANTITIES if name in line}
    if any(type(value) not in (int, float) for value in numbers.values()):
        return None
    return Row(**{**line, **numbers})


__all__ = ["QUANTITIES", "Row", "row_from_json"]
