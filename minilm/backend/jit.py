"""Loops compiled by Numba, each at its first call: what `minilm.backend.compiled` is written with.

A kernel has one signature, which stands above it. So nothing else is ever compiled, a call costs as little as Numba allows, and
several processes that compile at once write the same bytes to the cache, each file in one step: whichever comes last, it is right.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from numba import njit

PATIENCE = 1.0  # seconds of compiling that need no word; loading a kernel from the cache takes some hundredths

EXACT = {"contract"}
"""A product and a sum may round once (FMA). Never "nnan" or "ninf", which make NaN and infinity undefined."""
LOOSE = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, so that they are vectorized."""
MAXIMA = {"nnan", "nsz"}
"""Else a maximum is not vectorized. Whoever uses it must give NaN where there is one, whatever the maximum is."""

_announced = threading.Event()


class Kernel:
    """A compiled function without a result, whose arguments are numbers and arrays of exactly the types of its signature."""

    def __init__(self, function: Callable[..., None], signature: str, fastmath: set[str]) -> None:
        self.function, self.signature, self.fastmath = function, signature, fastmath
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._compiled: Any = None

    def __call__(self, *args: Any) -> None:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = self._compile()
        compiled(*args)

    def _compile(self) -> Any:
        timer = threading.Timer(PATIENCE, _announce)
        timer.daemon = True
        timer.start()
        try:
            compiled = _cached(self.function, self.fastmath)
            compiled.compile(self.signature)
            compiled.disable_compile()
        finally:
            timer.cancel()
        return compiled


def kernel(signature: str, fastmath: set[str] = EXACT) -> Callable[[Callable[..., None]], Kernel]:
    """Makes a function a `Kernel`: single-threaded, and without Python's lock while it runs."""
    return lambda function: Kernel(function, f"void({signature})", fastmath)


def part(fastmath: set[str]) -> Any:
    """Makes a function a part of kernels: it is compiled into those that call it."""
    return njit(nogil=True, error_model="numpy", fastmath=fastmath)


def _cached(function: Callable[..., None], fastmath: set[str]) -> Any:
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in can be written
        return njit(**options)(function)


def _announce() -> None:
    if not _announced.is_set():
        _announced.set()
        print(
            "minilm: Numba compiles the kernels that are used; they are kept, and the next process starts without this wait. "
            "(ml.use_compiled(False) does without them.)",
            file=sys.stderr,
        )
