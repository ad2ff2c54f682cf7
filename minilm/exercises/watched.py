"""Overflow that is an error everywhere: on most machines NumPy notices it by itself, in a web page (WebAssembly) it does not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def strictly(function: Callable[[Any], Any], x: Any) -> Any:
    """``function(x)``, in which an overflow, a division by 0 or an invalid operation is an error.

    Raises:
        FloatingPointError: one arose, even where its result was not used.
    """
    with np.errstate(over="raise", invalid="raise", divide="raise", under="ignore"):
        if notices():
            return function(x)
        result = function(x.view(Watched))
    return result.view(np.ndarray) if isinstance(result, Watched) else result


@functools.cache
def notices() -> bool:
    """Whether NumPy notices an overflow here: it asks the processor's flags, and WebAssembly has none."""
    with np.errstate(over="raise"):
        try:
            np.exp(np.array([1000.0]))
        except FloatingPointError:
            return True
    return False


class Watched(np.ndarray[Any, Any]):
    """An array whose elementwise operations are looked at: an infinity or NaN that was not in their inputs is an error."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(map(_plain, options["out"]))
        given = [_plain(x) for x in inputs]
        finite = all(np.isfinite(x).all() for x in given if _is_float(x))  # before it is written over, if it is
        zero = len(given) == 2 and _is_float(given[1]) and not np.all(given[1])
        result = getattr(ufunc, method)(*given, **options)
        if finite and _is_float(result) and not np.isfinite(result).all():
            divided = zero and ufunc.__name__ in ("divide", "reciprocal")
            fault = "invalid value" if np.isnan(result).any() else "divide by zero" if divided else "overflow"
            raise FloatingPointError(f"{fault} encountered in {ufunc.__name__}")
        return result.view(Watched) if isinstance(result, np.ndarray) else result


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Watched) else x


def _is_float(x: Any) -> bool:
    return isinstance(x, float) or (isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc")
