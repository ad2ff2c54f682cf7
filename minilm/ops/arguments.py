"""The arguments of a call, sorted: which are inputs, which parameters, under whose names; and axes as numbers from 0.

PyTorch and NumPy call one argument by two names (``dim`` and ``axis``): an op takes both. What is wrong with an argument is said
here in terms of the call; what is wrong with a computation, in `minilm.ops.explain`.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minilm.types import Shape

SPELLINGS: dict[str, tuple[str, ...]] = {
    "dim": ("axis",), "dims": ("axes", "axis", "repeats"), "dim0": ("axis0",), "dim1": ("axis1",), "dim2": ("axis2",),
    "keepdim": ("keepdims",), "min": ("low",), "max": ("high",), "a_min": ("low",), "a_max": ("high",), "diagonal": ("k",),
    "unbiased": ("correction",), "ddof": ("correction",), "shifts": ("shift",), "reps": ("repeats",),
    "indices": ("index",), "value": ("src",), "exponent": ("b",),
}  # fmt: skip
"""Arguments of records, by the names that PyTorch's or NumPy's functions have for them."""


def shape_of(x: Any) -> Shape:
    """The shape of an array or Tensor; () for a scalar."""
    shape: Shape = getattr(x, "shape", ())
    return shape if type(shape) is tuple else tuple(shape)


def sort_slowly(
    op, inputs: list[Any], extra: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs and parameters of any call of an op, given the inputs by position, what is left of these, and those by name.

    Raises:
        TypeError: an argument is missing, unknown or given twice.
    """
    for name in [name for name in named if name not in op.input_names and name not in op.params]:
        own = own_name(op, name)
        if own != name and own in named:
            raise TypeError(f"{op.name}() got '{own}' twice, once as '{name}': it takes {signature(op)}.")
        named[own] = named.pop(name)
    for name, default in list(zip(op.input_names, op.input_defaults, strict=True))[len(inputs) :]:
        value = named.pop(name, default)
        if value is inspect.Parameter.empty:
            raise TypeError(f"{op.name}() is missing its input '{name}'.")
        inputs.append(value)
    params = op.params.copy()
    if len(extra) > len(params):
        raise TypeError(f"{op.name}() takes {signature(op)}, got {len(inputs) + len(extra)} arguments.")
    placed = dict(zip(params, extra, strict=False))
    for name, value in [*placed.items(), *named.items()]:
        if name not in params or (name in placed and name in named):
            what = "got twice" if name in op.input_names or name in placed else "has no argument"
            raise TypeError(f"{op.name}() {what} '{name}': it takes {signature(op)}.")
        params[name] = value
    missing = [name for name, value in params.items() if value is inspect.Parameter.empty]
    if missing:
        raise TypeError(f"{op.name}() is missing '{missing[0]}': it takes {signature(op)}.")
    return tuple(inputs), params


def own_name(op, name: str) -> str:
    """What an op calls the argument that PyTorch or NumPy call `name`; `name` itself, where it has no such argument."""
    if name in ("input", "other") and len(op.input_names) > (name == "other"):
        return op.input_names[name == "other"]
    return next((own for own in SPELLINGS.get(name, ()) if own in op.params or own in op.input_names), name)


def signature(op) -> str:
    """An op's arguments, as a reader would write them."""
    return "(" + ", ".join([*(["*inputs"] if op.variadic else op.input_names), *op.params]) + ")"


def normalize_axes(op_name: str, axis: Any, ndim: int) -> Shape:
    """`axis` (None for all, a number, or several) as a sorted tuple of numbers from 0.

    A tensor without axes is taken to have one of a single element, as in PyTorch: 0 and -1 name it, and the tuple is empty.

    Raises:
        ValueError: an axis does not exist, or is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for a in axes:
        if not isinstance(a, int | np.integer) or isinstance(a, bool):
            raise TypeError(f"{op_name}: axis must be an integer, a tuple of integers or None, got {axis!r}.")
        n = ndim or 1
        if not -n <= a < n:
            raise ValueError(
                f"{op_name}: axis {a} does not exist in a tensor with {ndim} axes (expected {-n} to {n - 1})."
            )
        found.append(int(a) % n)
    if len(set(found)) < len(found):
        raise ValueError(f"{op_name}: axis {axis} names an axis twice.")
    return tuple(sorted(found)) if ndim else ()


def normalize_axis(op_name: str, axis: Any, ndim: int) -> int:
    """One axis as a number from 0, which is 0 for a tensor without axes. Raises as `normalize_axes` does."""
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim
    if axis is None or isinstance(axis, tuple | list):
        raise TypeError(f"{op_name}: axis must be one integer, got {axis!r}.")
    return normalize_axes(op_name, axis, ndim or 1)[0]
