"""Positions as NumPy's functions take them: integers as wide as a pointer.

The functions of `TAKEN_BY` and ``ufunc.reduceat`` take `np.intp`, and what fits into it. On most machines that is int64; in a web page
(WebAssembly) it has 32 bits, and there they refuse int64, which ids, labels and counts are.
``x[index]`` and ``ufunc.at`` cast for themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

TAKEN_BY = {
    "take": (1, "indices"),
    "bincount": (0, "x"),
    "repeat": (1, "repeats"),
    "put": (1, "ind"),
    "choose": (0, "a"),
    "unravel_index": (0, "indices"),
}
"""NumPy's functions that want positions, and the argument that they want them in: its place and its name."""

_replaced: dict[str, Callable[..., Any]] = {}


def positions(index: Any) -> Any:
    """An integer array as `np.intp`; what is none, a GPU's array too, as it is.

    Raises:
        IndexError: a number needs more bits than a position has.
    """
    if not isinstance(index, np.ndarray | np.generic) or index.dtype == np.intp or index.dtype.kind not in "iu":
        return index
    if not np.can_cast(index.dtype, np.intp) and index.size:
        most = np.iinfo(np.intp)
        for number in (int(index.min()), int(index.max())):
            if not most.min <= number <= most.max:
                raise IndexError(f"{number} is no position: it needs more than {most.bits} bits.")
    return index.astype(np.intp)


def let_numpy_take_int64() -> None:
    """Replaces these functions of NumPy by ones that take int64 where positions have 32 bits; elsewhere nothing is done.

    For a web page, in which readers write ``np.bincount(labels)`` as they would anywhere. The methods (``x.take``) and
    ``ufunc.reduceat`` cannot be replaced.
    """
    if np.can_cast(np.int64, np.intp):
        return
    for name, (place, argument) in TAKEN_BY.items():
        if name not in _replaced:
            _replaced[name] = getattr(np, name)
            setattr(np, name, _with_positions(_replaced[name], place, argument))


def _with_positions(function: Callable[..., Any], place: int, argument: str) -> Callable[..., Any]:
    """The function, which is given positions as `np.intp`."""

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        if argument in options:
            options[argument] = positions(options[argument])
        elif len(arguments) > place:
            arguments = (*arguments[:place], positions(arguments[place]), *arguments[place + 1 :])
        return function(*arguments, **options)

    return called
