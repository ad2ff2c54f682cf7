"""How much memory arrays hold, followed while a profile runs.

On the CPU the arrays that pass by are followed one by one (`LiveArrays`): `tracemalloc` would see more, but makes every small
Python object slower, and so falsifies the times. On a GPU CuPy's memory pool knows (`PoolMemory`).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from minilm.backend import Device


class Memory(Protocol):
    """What a profile needs to know about memory."""

    live: int

    def begin(self) -> None:
        """A rule is about to run."""

    def follow(self, arrays: Iterable[Any]) -> None:
        """Arrays that were there before it."""

    def made(self, arrays: Iterable[Any]) -> int:
        """Arrays that it made; returns their bytes."""

    def finish(self) -> None:
        """Nothing is followed any more."""


class LiveArrays:
    """The arrays that were seen and are still alive.

    Views count as the array whose memory they share, once. Files mapped into memory count nothing.

    Attributes:
        live: their bytes.
    """

    def __init__(self) -> None:
        self.live = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def begin(self) -> None:
        pass

    def follow(self, arrays: Iterable[Any]) -> None:
        for array in arrays:
            owner = owner_of(array)
            if owner is not None and id(owner) not in self._seen:
                self._follow(owner, id(owner), owner.nbytes)

    def made(self, arrays: Iterable[Any]) -> int:
        before = self.live
        self.follow(arrays)
        return self.live - before

    def finish(self) -> None:
        self._seen.clear()

    def _follow(self, owner: Any, key: int, size: int) -> None:
        def gone(_: Any) -> None:
            del self._seen[key]
            self.live -= size

        self._seen[key] = weakref.ref(owner, gone)
        self.live += size


class PoolMemory:
    """What is in use in CuPy's memory pool: all arrays on the device, whether they passed by or not.

    Attributes:
        live: their bytes, at the end of the latest rule.
    """

    def __init__(self, cupy: Any) -> None:
        self._pool = cupy.get_default_memory_pool()
        self.live = self._before = int(self._pool.used_bytes())

    def begin(self) -> None:
        self._before = int(self._pool.used_bytes())

    def follow(self, arrays: Iterable[Any]) -> None:
        pass

    def made(self, arrays: Iterable[Any]) -> int:
        self.live = int(self._pool.used_bytes())
        return max(self.live - self._before, 0)

    def finish(self) -> None:
        pass


def owner_of(array: Any) -> Any:
    """The array whose memory this one shares; None where that is no array of a device's own memory."""
    if type(array) is np.ndarray and array.base is None:
        return array
    base = array
    while getattr(base, "base", None) is not None:
        base = base.base
        array = base if hasattr(base, "nbytes") and hasattr(base, "flags") else array
    if isinstance(array, np.memmap) or (not isinstance(array, np.ndarray) and not array.flags.owndata):
        return None
    return array


def memory_of(device: Device) -> Memory:
    """How the memory of a device is followed."""
    return PoolMemory(device.xp) if device.name == "cuda" else LiveArrays()
