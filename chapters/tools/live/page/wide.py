"""What cells find in a page as on a computer: NumPy's functions that take positions of 64 bits, and a clock of the computing.

Addresses have 32 bits in a page, and NumPy refuses to count with an array of wider integers, though all of them would fit: labels from a
file, or ``rng.integers(10)``. minilm minds it by itself (`minilm.indices`); here NumPy's own functions do, for what cells call directly.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PLACES = {
    "bincount": (0,),
    "take": (1,),
    "repeat": (1,),
    "put": (1,),
    "unravel_index": (0,),
    "split": (1,),
    "array_split": (1,),
}
"""Functions of NumPy, and which of their arguments are positions."""
NAMES = {"x", "indices", "repeats", "ind", "indices_or_sections"}
"""What these arguments are called."""


def install() -> None:
    """Puts the functions that take wider integers in the place of NumPy's; does nothing where addresses have 64 bits."""
    if np.intp(0).nbytes < 8:
        for name, places in PLACES.items():
            setattr(np, name, widened(getattr(np, name), places))
        time.process_time = time.perf_counter  # a page is not told how long it has computed, only what time it is


def widened(function: Callable[..., Any], places: tuple[int, ...]) -> Callable[..., Any]:
    """The function, with positions as NumPy wants them."""

    @functools.wraps(function)
    def taking(*arguments: Any, **named: Any) -> Any:
        given = [positions(value) if k in places else value for k, value in enumerate(arguments)]
        for key in NAMES & named.keys():
            named[key] = positions(named[key])
        return function(*given, **named)

    return taking


def positions(value: Any) -> Any:
    """Wide integers as positions, where all of them fit; all else as it is."""
    if isinstance(value, list | np.ndarray | np.integer):
        wide = np.asarray(value)
        if wide.dtype.kind in "iu" and wide.dtype.itemsize > np.intp(0).nbytes:
            narrow = wide.astype(np.intp)
            if (narrow == wide).all():
                return narrow
    return value
