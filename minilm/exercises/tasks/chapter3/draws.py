"""What the tests of this chapter draw, and what some of its set-ups hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.exercises.task import Generator

SIGMOID = """import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))
"""


def normal(
    *shapes: tuple[int, ...], then: tuple[Any, ...] = (), dtype: str = "float64"
) -> Callable[[Generator], tuple[Any, ...]]:
    """Draws an array of standard normal numbers for each shape; `then` follows as it is."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (*(np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes), *then)

    return inputs


def plain(value: Any) -> Any:
    """An array as nested lists, so that a tuple, a list and an array of the same numbers count as the same."""
    return value.tolist() if isinstance(value, np.ndarray) else value
