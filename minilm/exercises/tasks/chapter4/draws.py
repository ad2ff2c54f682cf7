"""Inputs that several tasks of the chapter draw, and the reading of a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Test

Inputs = Callable[[Generator], tuple[Any, ...]]


def normal(*shapes: tuple[int, ...], dtype: str = "float64", scale: float = 1.0, then: tuple[Any, ...] = ()) -> Inputs:
    """Draws an array of normal numbers per shape; the arguments `then` follow as they are."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (*((scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes), *then)

    return inputs


def given(*arguments: Any) -> Inputs:
    """These arguments: lists become arrays of float64."""
    return lambda rng: tuple(np.array(a, dtype=float) if isinstance(a, list) else a for a in arguments)


def value(name: str, points: int = 1, rtol: float = 1e-4) -> Test:
    """The test of a number, or of several in their order: a list, a tuple or an array."""
    return Test(name, points=points, use=numbers, call="answer", rtol=rtol, atol=1e-9)


def numbers(answer: Any) -> Any:
    """An answer as an array of float64."""
    return np.asarray(answer, dtype=float)
