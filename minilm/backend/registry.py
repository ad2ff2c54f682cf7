"""Which devices there are: by name, by the arrays that live on them; and the two doors through which arrays change sides."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import asarray, generic

from minilm.backend import compiled_cpu
from minilm.backend.compiled_cpu import CompiledCpu, loops, usable, why_not
from minilm.backend.cpu import CpuDevice
from minilm.backend.device import Device, DeviceError
from minilm.backend.memory import keep_freed_memory
from minilm.types import Array, HostArray

DEVICES: dict[str, Device] = {}
"""The devices that are known, by name."""

DEVICE_OF_TYPE: dict[type, Device] = {}
"""The device of an array, by its exact class; `device_of` knows subclasses, too."""

_ON_REQUEST = ("auto", "cuda", "cuda:0")  # names that may stand for a GPU, which is looked for when it is asked for


def register_device(device: Device) -> Device:
    """Makes a device known under its name, and as the owner of arrays of its type. A copy of it, a pickled one too, is itself."""
    DEVICES[device.name] = device
    DEVICE_OF_TYPE[device.array_type] = device
    for kind in type(device).__mro__[:-1]:  # the CPU changes its class (`use_compiled`)
        copyreg.pickle(kind, _by_name)
    return device


def _by_name(device: Device) -> tuple[Callable[[str], Device], tuple[str]]:
    return get_device, (device.name,)


def is_device_name(text: object) -> bool:
    """Whether `text` is meant as a device's name (not whether that device is there)."""
    return isinstance(text, str) and (text in DEVICES or text in _ON_REQUEST or text.startswith("cuda"))


def get_device(name: str | Device) -> Device:
    """The device of that name: ``"cpu"``, ``"cuda"`` (the first GPU), or ``"auto"`` (a working GPU, else the CPU).

    Raises:
        DeviceError: the name is unknown, or ``"cuda"`` was asked for and the sentence says what is missing.
    """
    if isinstance(name, Device):
        return name
    if name in DEVICES:
        return DEVICES[name]
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
    if "cuda" not in DEVICES:
        from minilm.backend.cuda.cupy_device import CupyDevice

        register_device(CupyDevice())
    return DEVICES["cuda"]


def device_of(array: object) -> Device:
    """The device that an array lives on.

    Raises:
        TypeError: `array` is not an array of any device.
    """
    device = DEVICE_OF_TYPE.get(type(array))
    if device is not None:
        return device
    for device in DEVICES.values():
        if device.owns(array):
            return device
    if type(array).__module__.partition(".")[0] == "cupy":  # made by the user, before minilm was asked for the GPU
        return get_device("cuda")
    raise TypeError(f"expected an array of one of the devices {sorted(DEVICES)}, got {type(array).__name__}.")


# -- the two doors ----------------------------------------------------------------------------------------------------


def to_device(array: Array, device: str | Device) -> Array:
    """The array on `device`; the same object where it is there already."""
    target = get_device(device)
    return array if target.owns(array) else target.from_host(to_host(array))


def to_host(array: Array) -> HostArray:
    """The NumPy array with the same numbers. On a GPU this waits for the work that makes them."""
    if isinstance(array, np.ndarray):
        return array
    return device_of(array).to_host(array)


# -- compiled or not --------------------------------------------------------------------------------------------------


class use_compiled:
    """Chooses whether the CPU's loops are compiled, where Numba is installed (extra ``fast``): ``with use_compiled(False): ...``.

    Called without ``with``, the choice stays. It is that of the whole process, threads included. Results differ in the last digits:
    the loops sum in another order. At the start they are compiled, unless the environment variable MINILM_COMPILED is 0.

    Raises:
        DeviceError: True was asked for, and the sentence says what is missing.
    """

    def __init__(self, enabled: bool) -> None:
        if enabled and (problem := why_not()):
            raise DeviceError(f"use_compiled(True): {problem}.")
        self._before = type(cpu), compiled_cpu.switched_on
        cpu.__class__, compiled_cpu.switched_on = CompiledCpu if enabled else CpuDevice, bool(enabled)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        cpu.__class__, compiled_cpu.switched_on = self._before


def is_compiled() -> bool:
    """Whether the CPU's loops are compiled."""
    return isinstance(cpu, CompiledCpu) and why_not() is None


def compiled_loops() -> Any:
    """The module `minilm.backend.compiled`, for who calls its loops without a device's function around them; None where NumPy computes."""
    return loops() if is_compiled() and usable() else None


# -- arrays in memory -------------------------------------------------------------------------------------------------


def as_array(x: Any) -> Array:
    """`x` as an array again: NumPy's arithmetic turns arrays without axes into NumPy scalars (CuPy's does not)."""
    return asarray(x) if isinstance(x, generic) else x


def read_only(array: HostArray) -> HostArray:
    """A view of an array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def writable(array: Array) -> Array:
    """An array that can be written to: itself, or its copy (a GPU's arrays always can)."""
    return array.copy() if isinstance(array, np.ndarray) and not array.flags.writeable else array


keep_freed_memory()
cpu = register_device(CompiledCpu() if compiled_cpu.switched_on and why_not() is None else CpuDevice())
DEVICE_OF_TYPE[np.memmap] = cpu
