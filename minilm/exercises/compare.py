"""Whether a result is what was expected, and where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm.exercises.task import Test

TOLERANCES = {"float16": (1e-2, 1e-3), "float32": (1e-4, 1e-6), "float64": (1e-6, 1e-9)}


@dataclass
class Difference:
    """The first respect in which two results differ.

    Attributes:
        kind: "type", "length", "keys", "shape", "dtype" or "values".
        expected, got: the parts that differ: for "values" two arrays of one shape, or two objects.
        part: where in the result they stand, such as "[1]" of a tuple; "" for the whole.
        wrong: for arrays, a mask of the elements that differ.
    """

    kind: str
    expected: Any
    got: Any
    part: str = ""
    wrong: Any = None


def difference(test: Test, expected: Any, got: Any, part: str = "") -> Difference | None:
    """None where `got` is right. Sequences and dicts are gone through in order."""
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple):
            return Difference("type", expected, got, part)
        if len(expected) != len(got):
            return Difference("length", expected, got, part)
        pairs = enumerate(zip(expected, got, strict=True))
        return next((d for i, (e, g) in pairs if (d := difference(test, e, g, f"{part}[{i}]"))), None)
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return Difference("type", expected, got, part)
        if set(expected) != set(got):
            return Difference("keys", expected, got, part)
        return next((d for k in expected if (d := difference(test, expected[k], got[k], f"{part}[{k!r}]"))), None)
    if _is_number(expected):
        return _numbers(test, expected, got, part)
    if type(expected) is not type(got):
        return Difference("type", expected, got, part)
    return None if expected == got else Difference("values", expected, got, part)


def _numbers(test: Test, expected: Any, got: Any, part: str) -> Difference | None:
    """Arrays and numbers, a number being an array without axes."""
    if not _is_number(got):
        return Difference("type", expected, got, part)
    e, g = np.asarray(expected), np.asarray(got)
    if e.shape != g.shape:
        return Difference("shape", e, g, part)
    if isinstance(expected, np.ndarray | np.generic) and _too_wide(e, g):
        return Difference("dtype", e, g, part)
    wrong = ~close(e, g, *tolerance(test, e, g))
    return Difference("values", e, g, part, wrong) if wrong.any() else None


def tolerance(test: Test, expected: Any, got: Any) -> tuple[float, float]:
    """Relative and absolute: the test's own, or what the less precise of the two dtypes allows."""
    names = [str(x.dtype) for x in (expected, got)]
    rtol, atol = next((TOLERANCES[name] for name in TOLERANCES if name in names), (0.0, 0.0))
    return (rtol if test.rtol is None else test.rtol, atol if test.atol is None else test.atol)


def close(expected: Any, got: Any, rtol: float, atol: float) -> Any:
    """Elementwise; infinities are equal to themselves, and NaN to NaN."""
    if expected.dtype == bool or got.dtype == bool:
        return expected == got
    return np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)


def _too_wide(expected: Any, got: Any) -> bool:
    """Whether float32 (or float16) became float64, or floats became integers or bools."""
    if expected.dtype.kind != got.dtype.kind:
        return True
    return bool(expected.dtype.kind == "f" and got.dtype.itemsize > expected.dtype.itemsize)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | complex | np.ndarray | np.generic)
