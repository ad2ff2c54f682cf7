"""A device: an array module (NumPy, or CuPy on one GPU) with the functions that run on its arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from minilm.backend.reference import Reference
from minilm.types import Array, HostArray


class DeviceError(RuntimeError):
    """An array is on another device than the computation, or a device is not usable here."""


class Device(Reference):
    """A place where arrays live and are computed on. Its functions are the `Reference`'s, until it has a faster way.

    Attributes:
        name: ``"cpu"`` or ``"cuda"``.
        xp: the array module, used exactly as NumPy is.
        array_type: the class of this device's arrays.
        asynchronous: whether the device computes while Python goes on. To look at an array's numbers is then to wait for them: checks of
            inputs are left out.
        block_size: how many elements a function of many passes works on at once.
    """

    asynchronous = False
    block_size = sys.maxsize

    def __init__(self, name: str, xp: Any, array_type: type) -> None:
        self.name, self.xp, self.array_type = name, xp, array_type

    def __repr__(self) -> str:
        return f"device('{self.name}')"

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Device) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    def from_host(self, array: HostArray) -> Array:
        """This device's copy of a NumPy array (the array itself, where the device is the CPU)."""
        return array

    def to_host(self, array: Array) -> HostArray:
        """The NumPy array with the numbers of one of this device's arrays."""
        return array

    def owns(self, array: object) -> bool:
        """Whether `array` lives on this device."""
        return isinstance(array, self.array_type)

    def synchronize(self) -> None:
        """Waits until all work given to the device is done."""

    # -- how work is divided -------------------------------------------------------------------------------------------

    def cuts(self, length: int, elements: int) -> list[slice]:
        """The parts of an axis of `length` to be worked on one at a time, where there are `elements` elements in all."""
        return [slice(0, length)]

    def run(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        """Calls ``function(*block)`` for each block, in any order."""
        for block in blocks:
            function(*block)

    # -- images: faster ways than those of `minilm.ops.conv`, where a device has one --------------------------------------

    def correlate(self, x: Array, filters: Array, bias: Array | None, windows: Any) -> Array | None:
        """What its `correlate` computes; None where there is no faster way."""
        return None

    def filter_gradient(self, g: Array, x: Array, windows: Any, groups: int) -> Array | None:
        """What its `filter_gradient` computes, likewise."""
        return None

    def max_pool(self, x: Array, windows: Any) -> tuple[Array, Array] | None:
        """What `max_pool2d` computes and where in its window each result stood, likewise."""
        return None

    def max_pool_backward(self, g: Array, place: Array, x: Array, windows: Any) -> Array | None:
        """Its gradient, likewise."""
        return None
