"""A device: an array module (NumPy, or CuPy on one GPU) with the kernels that run on its arrays."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.backend.kernels import Kernels
from minilm.backend.memory import keep_freed_memory
from minilm.backend.threads import can_limit_blas, pool
from minilm.types import Array

SMALL_PRODUCT = 1 << 13  # multiplications; up to here OpenBLAS itself takes one thread, for matrices and vectors
LARGE_PRODUCT = 1 << 22  # from here half a product takes longer than to wake a thread
HEAD_START = 1 << 21  # multiplications that one thread does while another wakes up, in some 80 microseconds
CUT = 16  # rows or columns: BLAS's kernels work on so many at once


class DeviceError(RuntimeError):
    """An array is on another device than the computation, or a device is not usable here."""


class Device(Kernels):
    """A place where arrays live and are computed on.

    Attributes:
        name: ``"cpu"`` or ``"cuda"``.
        xp: the array module, used exactly as NumPy is.
        array_type: the class of this device's arrays.
        waits_to_look: whether to look at an array's numbers means to wait for the device: checks of inputs are then left out.
    """

    waits_to_look = False

    def __init__(self, name: str, xp: Any, array_type: type) -> None:
        self.name, self.xp, self.array_type = name, xp, array_type

    def __repr__(self) -> str:
        return f"device('{self.name}')"

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Device) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Callable[[str], Device], tuple[str]]:
        return get_device, (self.name,)

    def from_host(self, array: np.ndarray[Any, Any]) -> Array:
        """This device's copy of a NumPy array (the array itself, where the device is the CPU)."""
        return array

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """The NumPy array with the numbers of one of this device's arrays."""
        return array

    def owns(self, array: object) -> bool:
        """Whether `array` lives on this device."""
        return isinstance(array, self.array_type)

    def synchronize(self) -> None:
        """Waits until all work given to the device is done. The CPU has always just done it."""


class CpuDevice(Device):
    """The processor: NumPy, on several threads of our own."""

    def __init__(self) -> None:
        super().__init__("cpu", np, np.ndarray)

    def multiply(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """As in `Kernels`, on one thread of BLAS."""
        return pool.on_one(np.matmul, a, b, out) if a.size * b.shape[-1] > SMALL_PRODUCT else np.matmul(a, b, out)

    def matmul(self, a: Array, b: Array) -> Array:
        """A product on one thread of BLAS; a large one in parts on the pool's threads (`minilm.backend.threads` says why)."""
        if a.size * b.shape[-1] < LARGE_PRODUCT or pool.threads < 2 or a.dtype != b.dtype or not can_limit_blas():
            return super().matmul(a, b)
        if b.ndim == 2 and a.ndim > 1:
            rows = a.reshape(-1, a.shape[-1])
            out = np.empty((len(rows), b.shape[1]), a.dtype)
            pool.run(np.matmul, _parts(rows, b, out, pool.threads, HEAD_START))
            return out.reshape(*a.shape[:-1], b.shape[1])
        if a.ndim == b.ndim > 2 and a.shape[:-2] == b.shape[:-2]:
            out = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
            cuts = [slice(i * len(a) // pool.threads, (i + 1) * len(a) // pool.threads) for i in range(pool.threads)]
            pool.run(np.matmul, [(a[cut], b[cut], out[cut]) for cut in cuts if cut.start < cut.stop])
            return out
        return super().matmul(a, b)

    def products(self, *pairs: tuple[Array, Array]) -> list[Array]:
        """Large products that do not wait for each other are one part each: the pool's threads are woken once for all."""
        large = all(
            a.ndim == b.ndim == 2 and a.dtype == b.dtype and 2 * a.size * b.shape[1] >= LARGE_PRODUCT for a, b in pairs
        )
        if len(pairs) < 2 or not large or pool.threads < 2 or not can_limit_blas():
            return super().products(*pairs)
        outs = [np.empty((len(a), b.shape[1]), a.dtype) for a, b in pairs]
        parts = [(a, b, out) for (a, b), out in zip(pairs, outs, strict=True)]
        pool.run(np.matmul, [*parts[:-1], *reversed(_parts(*parts[-1], 1, HEAD_START // 2))])
        return outs

    def run(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        """Threads pay for long arrays. What is no array (a list of places in one) says nothing of its length: it counts as long."""
        if len(blocks) > 1 and max(getattr(a, "size", math.inf) for a in blocks[0] if a is not None) > self.block_size:
            pool.run(function, blocks)
        else:
            super().run(function, blocks)


def _parts(a: Array, b: Array, out: Array, count: int, ahead: int) -> list[tuple[Array, Array, Array]]:
    """The product of two matrices cut along the longer side of its result: each part's factors, and its place.

    `ahead` multiplications come on top of the first of `count` equal parts; of one part they are cut off as a first.
    """
    m, n = out.shape
    long = max(m, n)
    first = min(ahead * long // (a.size * n), long // 2)
    ends = [
        0,
        *((first + i * (long - first) // count) // CUT * CUT for i in range(0 if count == 1 else 1, count)),
        long,
    ]
    cuts = [slice(start, end) for start, end in itertools.pairwise(ends) if start < end]
    if m >= n:
        return [(a[cut], b, out[cut]) for cut in cuts]
    return [(a, b[:, cut], out[:, cut]) for cut in cuts]


keep_freed_memory()
cpu = CpuDevice()

_ON_REQUEST = ("auto", "cuda", "cuda:0")  # names that may stand for a GPU, which is looked for when it is asked for
_DEVICES: dict[str, Device] = {"cpu": cpu}
_BY_ARRAY_TYPE: dict[type, Device] = {np.ndarray: cpu, np.memmap: cpu}

DEVICE_OF_TYPE = _BY_ARRAY_TYPE


def register_device(device: Device) -> Device:
    """Makes a device known under its name, and as the owner of arrays of its type."""
    _DEVICES[device.name] = device
    _BY_ARRAY_TYPE[device.array_type] = device
    return device


def is_device_name(text: object) -> bool:
    """Whether `text` is meant as a device's name (not whether that device is there)."""
    return isinstance(text, str) and (text in _DEVICES or text in _ON_REQUEST or text.startswith("cuda"))


def get_device(name: str | Device) -> Device:
    """The device of that name: ``"cpu"``, ``"cuda"`` (the first GPU), or ``"auto"`` (a working GPU, else the CPU).

    Raises:
        DeviceError: the name is unknown, or ``"cuda"`` was asked for and the sentence says what is missing.
    """
    if isinstance(name, Device):
        return name
    if name in _DEVICES:
        return _DEVICES[name]
    if name in _ON_REQUEST:
        return _gpu(name)
    if is_device_name(name):
        raise DeviceError(
            f"device {name!r}: minilm computes on one GPU, named 'cuda'. To choose which, set the environment variable "
            "CUDA_VISIBLE_DEVICES to its number before Python starts."
        )
    raise DeviceError(f"unknown device {name!r}: expected 'cpu', 'cuda' or 'auto'.")


def _gpu(name: str) -> Device:
    """The GPU; for ``"auto"``, the CPU where there is none."""
    from minilm.backend.detect import gpu_problem

    problem = gpu_problem()
    if problem is not None:
        if name == "auto":
            return cpu
        raise DeviceError(f"device {name!r} was asked for, but {problem}")
    if "cuda" not in _DEVICES:
        from minilm.backend.cupy_device import CupyDevice

        register_device(CupyDevice())
    return _DEVICES["cuda"]


def device_of(array: object) -> Device:
    """The device that an array lives on.

    Raises:
        TypeError: `array` is not an array of any device.
    """
    device = _BY_ARRAY_TYPE.get(type(array))
    if device is not None:
        return device
    for device in _DEVICES.values():
        if device.owns(array):
            return device
    if type(array).__module__.partition(".")[0] == "cupy":  # made by the user, before minilm was asked for the GPU
        return get_device("cuda")
    raise TypeError(f"expected an array of one of the devices {sorted(_DEVICES)}, got {type(array).__name__}.")


def as_array(x: Any) -> Array:
    """`x` as an array again: NumPy's arithmetic turns arrays without axes into NumPy scalars (CuPy's does not)."""
    return np.asarray(x) if isinstance(x, np.generic) else x


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A view of an array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def writable(array: Array) -> Array:
    """An array that can be written to: itself, or its copy (a GPU's arrays always can)."""
    return array.copy() if isinstance(array, np.ndarray) and not array.flags.writeable else array


def held_once(items: Any, index: int) -> bool:
    """Whether ``items[index]`` is an array that nothing else refers to, so that writing to it changes nothing else.

    It must own its memory; a view of it would hold a reference to it (its ``base``), in NumPy as in CuPy, but for CuPy's
    `as_strided`.
    """
    return type(items[index]) in _BY_ARRAY_TYPE and items[index].base is None and _references(items, index) == _ONCE


def _references(items: Any, index: int) -> int:
    """What `sys.getrefcount` counts for an item in this place; how arguments are passed differs among interpreters."""
    return sys.getrefcount(items[index])


_ONCE = _references([np.empty(0)], 0)  # for an array that only the list holds


def to_device(array: Array, device: str | Device) -> Array:
    """The array on `device`; the same object where it is there already."""
    target = get_device(device)
    return array if target.owns(array) else target.from_host(to_host(array))


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """The NumPy array with the same numbers. On a GPU this waits for the work that makes them."""
    if isinstance(array, np.ndarray):
        return array
    return device_of(array).to_host(array)
