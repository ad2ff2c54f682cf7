"""Arguments on which an op is checked: what a record states as its ``samples``, and how they are drawn.

``Sample(real(2, 3), integer(4, high=3), axis=1)`` is a call with a float array, an array of integers below 3, and a parameter.
Nothing here is an op, and nothing computes: the tests, the book and the step-through draw, and call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minilm.types import HostArray, Shape

DISCRETE = frozenset({"integer", "mask"})  # kinds of `Arg` that are no numbers to compute with


class Arg(NamedTuple):
    """One input of a `Sample`: how to draw it. `kinks` are values to keep away from (by 0.05 or more)."""

    shape: Shape
    low: float = -2.0
    high: float = 2.0
    kinks: tuple[float, ...] = ()
    kind: str = "real"
    """"real", "integer" (low <= n < high), "mask", "distinct" (no two equal), "simplex" (rows sum to 1), or matrices: "invertible",
    and "positive" (definite and symmetric), both far from singular."""

    def draw(self, rng: np.random.Generator, dtype: Any = np.float64) -> HostArray:
        if self.kind == "integer":
            return rng.integers(int(self.low), int(self.high), self.shape)
        if self.kind == "mask":
            return rng.random(self.shape) < 0.5
        if self.kind == "distinct":  # gaps far wider than a finite difference, so that no maximum changes its place
            size = int(np.prod(self.shape, dtype=np.int64))
            return (
                rng.permutation(np.linspace(self.low, self.high, max(size, 1))[:size]).reshape(self.shape).astype(dtype)
            )
        if self.kind == "simplex":
            return rng.dirichlet(np.ones(self.shape[-1]), self.shape[:-1]).astype(dtype)
        x = np.asarray(rng.uniform(self.low, self.high, self.shape))
        if self.kind in ("invertible", "positive"):
            x = x @ np.swapaxes(x, -1, -2) if self.kind == "positive" else x
            return (x + 2 * self.high * np.eye(self.shape[-1])).astype(dtype)
        for kink in self.kinks:
            x = np.where(np.abs(x - kink) < 0.05, x + np.where(x < kink, -0.05, 0.05), x)
        return x.astype(dtype)


def real(*shape: int, low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = ()) -> Arg:
    """A float input, uniform in [low, high], away from the kinks."""
    return Arg(shape, low, high, kinks)


def integer(*shape: int, high: int, low: int = 0) -> Arg:
    """An integer input, low <= n < high: indices and class labels."""
    return Arg(shape, low, high, kind="integer")


def mask(*shape: int) -> Arg:
    """A boolean input."""
    return Arg(shape, kind="mask")


def distinct(*shape: int, low: float = -2.0, high: float = 2.0) -> Arg:
    """A float input without ties."""
    return Arg(shape, low, high, kind="distinct")


def simplex(*shape: int) -> Arg:
    """A float input whose rows are probabilities."""
    return Arg(shape, kind="simplex")


def invertible(*shape: int) -> Arg:
    """Square matrices that have an inverse."""
    return Arg(shape, -1.0, 1.0, kind="invertible")


def positive(*shape: int) -> Arg:
    """Symmetric positive definite matrices."""
    return Arg(shape, -1.0, 1.0, kind="positive")


class Sample:
    """Arguments on which the tests check an op: inputs to draw, and parameters as they are."""

    def __init__(self, *inputs: Arg | float | None, **params: Any) -> None:
        self.inputs, self.params = inputs, params

    def draw(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[Any]:
        return [a.draw(rng, dtype) if isinstance(a, Arg) else a for a in self.inputs]

    def __repr__(self) -> str:
        inputs = [f"{a.kind}{a.shape}" if isinstance(a, Arg) else repr(a) for a in self.inputs]
        return ", ".join(inputs + [f"{k}={v!r}" for k, v in self.params.items()])
