"""Checks that layers share, with sentences that name the layer."""

from __future__ import annotations

from minilm.nn.module import Module
from minilm.ops.arguments import shape_of
from minilm.tensor import Tensor
from minilm.types import Array, Shape


def expect_sizes(layer: str, **sizes: int) -> None:
    """Raises unless every size is an integer of at least 1."""
    for name, n in sizes.items():
        if isinstance(n, bool) or not isinstance(n, int):
            raise TypeError(f"{layer}: {name} must be an integer, got {n!r}.")
        if n < 1:
            raise ValueError(f"{layer}: {name} must be at least 1, got {n}.")


def expect_probability(layer: str, p: float) -> None:
    """Raises unless p can be the share of numbers that are dropped."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{layer}: p is the probability of dropping, from 0 to 1; got {p}.")


def expect_width(layer: Module, x: Tensor | Array, width: int) -> None:
    """Raises unless the last axis of `x` has `width` numbers."""
    shape = shape_of(x)
    if not shape or shape[-1] != width:
        raise ValueError(f"{layer!r} expected an input of shape (..., {width}), got {shape}.")


def expect_shape(layer: Module, x: Tensor | Array, shape: Shape) -> None:
    """Raises unless the last axes of `x` have these sizes."""
    have = shape_of(x)
    if have[max(len(have) - len(shape), 0) :] != shape:
        raise ValueError(f"{layer!r} expected an input of shape (..., {', '.join(map(str, shape))}), got {have}.")


def expect_axes(layer: Module, x: Tensor | Array, *forms: tuple[str | int, ...]) -> None:
    """Raises unless the axes of `x` are those of one of the forms, with the sizes that are given as numbers."""
    shape = shape_of(x)
    for axes in forms:
        if len(shape) == len(axes) and all(a == n for a, n in zip(axes, shape, strict=True) if isinstance(a, int)):
            return
    expected = " or ".join(f"({', '.join(map(str, axes))})" for axes in forms)
    raise ValueError(f"{layer!r} expected an input of shape {expected}, got {shape}.")


__all__ = ["expect_axes", "expect_probability", "expect_shape", "expect_sizes", "expect_width"]
