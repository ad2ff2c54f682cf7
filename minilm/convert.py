"""Arrays from what users give: numbers, nested lists of numbers, of arrays or of Tensors, another library's arrays.

`array_from` is for what becomes a Tensor, `operand` for what stands beside one. What can be no tensor is refused here, in words of
what was given. Nothing is computed, and nothing recorded. A Tensor is known by its ``__minilm_op__``, as in `minilm.ops.op`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minilm.backend import DEVICE_OF_TYPE, Device, DeviceError, cpu, device_of, to_device
from minilm.ops.arguments import shape_of
from minilm.ops.dtypes import dtype_of_numbers, joint_dtype, number_dtype
from minilm.types import Array, HostArray

PLAIN = frozenset({bool, int, float})
_LISTED = frozenset({list, tuple, *PLAIN})
DEPTH = 64  # of nested lists: NumPy's arrays have no more axes


def is_tensor_type(kind: type) -> bool:
    """Whether objects of a class are Tensors."""
    return hasattr(kind, "__minilm_op__")


def array_from(data: Any, dtype: Any = None) -> Array:
    """The array in (or made from) what a user gave as data.

    Raises:
        TypeError, ValueError, RuntimeError, DeviceError: it is no block of numbers; the sentence says why.
    """
    if dtype is not None:
        dtype = number_dtype(dtype)
    kind = type(data)
    device = DEVICE_OF_TYPE.get(kind)
    if device is None:
        if kind in _LISTED:
            return _from_lists(data, dtype)
        if is_tensor_type(kind):
            return array_from(data.data, dtype)
        try:
            device = device_of(data)
        except TypeError:
            return _from_lists(data, dtype)
    if data.dtype.kind not in "fiub":
        raise TypeError(f"a tensor holds floats, integers or booleans; got dtype {data.dtype}.")
    if device is cpu and kind is not np.ndarray:
        data = np.asarray(data)
    return data if dtype is None else data.astype(dtype, copy=False)


def _from_lists(data: Any, dtype: Any) -> Array:
    """An array made from what is none yet: numbers, nested lists, another library's array."""
    tensors = _tensors_in(data)
    if tensors:
        return _joined(data, tensors, dtype)
    array = _from_numbers(data)
    if dtype is None:
        own = isinstance(data, np.generic) or (isinstance(data, list | tuple) and _holds_arrays(data))
        dtype = array.dtype if own else dtype_of_numbers(array.dtype)
    return array.astype(dtype)


def _from_numbers(data: Any) -> HostArray:
    """A NumPy array made from numbers, nested lists of them, or another library's array.

    Raises:
        TypeError: something in it is no number.
        ValueError: the lists are ragged, or an integer is too large for 64 bits.
    """
    wanted = "expected numbers, nested lists of numbers of equal lengths, an array or a Tensor"
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"a tensor is a full block of numbers, these lists are ragged ({_ragged(data)}): {wanted}."
        ) from None
    except OverflowError as error:
        raise ValueError(f"a tensor holds numbers of 64 bits at most ({error}): {wanted}.") from None
    if array.dtype.kind in "fiub":
        return array
    stranger = _stranger(data)
    if array.dtype.kind == "O" and isinstance(stranger, int):
        raise ValueError(f"{stranger} is too large: a tensor holds integers of 64 bits at most.")
    raise TypeError(
        f"a tensor holds numbers; got {'None' if stranger is None else f'a {type(stranger).__name__}'}: {wanted}."
    )


def _ragged(data: Any) -> str:
    """Where lists are not of one shape, in words."""
    try:
        return _first_misfit(data)
    except RecursionError:
        return "a list that holds itself, or too many lists within each other"


def _first_misfit(data: Any) -> str:
    rows = list(data)
    if not all(isinstance(row, list | tuple) for row in rows):
        return "numbers beside lists"
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        return "rows of " + " and ".join(map(str, lengths)) + " elements"
    return next((_first_misfit(row) for row in rows if not _is_block(row)), "blocks of several shapes")


def _is_block(data: Any) -> bool:
    try:
        np.asarray(data)
    except ValueError:
        return False
    return True


def _stranger(data: Any) -> Any:
    """The first thing in nested lists that is no number of 64 bits; the data itself, where they are no list."""
    if isinstance(data, list | tuple):
        return next((found for found in map(_stranger, data) if not _is_number(found)), 0)
    return data


def _is_number(x: Any) -> bool:
    return isinstance(x, float | bool) or (isinstance(x, int) and -(2**63) <= x < 2**64)


def is_numeric(x: Any) -> bool:
    """Whether an object can be an operand: it is, or NumPy makes of it, an array of numbers."""
    if hasattr(x, "dtype"):
        return getattr(x.dtype, "kind", "O") in "fiub"
    if x is None or isinstance(x, str | bytes | dict | set | frozenset | type):
        return False
    try:
        return np.asarray(x).dtype.kind in "fiub"
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False


def _tensors_in(data: Any) -> list[Any]:
    """The Tensors in nested lists. Level by level: a call for each row of numbers would take longer than their conversion."""
    found: list[Any] = []
    level = data if isinstance(data, list | tuple) else []
    for _ in range(DEPTH):  # a list may hold itself
        kinds = set(map(type, level))
        if kinds <= PLAIN:
            return found
        if any(map(is_tensor_type, kinds)):
            found += [x for x in level if is_tensor_type(type(x))]
        if not any(issubclass(kind, list | tuple) for kind in kinds):
            return found
        if len(kinds) > 1:
            level = [x for x in level if isinstance(x, list | tuple)]
        level = list(itertools.chain.from_iterable(level))
    return found


def _joined(data: Any, tensors: list[Any], dtype: Any) -> Array:
    """Nested lists of Tensors, and of numbers beside them, as one array on their device.

    Raises:
        RuntimeError: a Tensor requires a gradient, which would be lost.
        DeviceError: they are on different devices.
        ValueError: parts of a list have different shapes.
    """
    if any(t.requires_grad for t in tensors):
        raise RuntimeError(
            "a tensor in this list requires a gradient, which a new tensor from a list would lose: use ml.stack(list), or "
            ".detach() each."
        )
    names = dict.fromkeys(t.device.name for t in tensors)
    if len(names) > 1:
        raise DeviceError(f"the tensors in this list are on {' and on '.join(names)}; move them with .to(...).")
    device = tensors[0].device

    def build(part: Any) -> Array:
        if not isinstance(part, list | tuple):
            return part.data if is_tensor_type(type(part)) else to_device(array_from(part), device)
        if not part:
            return device.xp.zeros(0, tensors[0].dtype)
        arrays = [build(p) for p in part]
        shapes = dict.fromkeys(shape_of(a) for a in arrays)
        if len(shapes) > 1:
            raise ValueError(
                f"the parts of a list must have one shape to become a tensor, got {' and '.join(map(str, shapes))}."
            )
        common = dtype if dtype is not None else joint_dtype([a.dtype for a in arrays])
        return device.xp.stack([a.astype(common, copy=False) for a in arrays])

    return build(data)


def _holds_arrays(data: Any) -> bool:
    return any(isinstance(x, np.ndarray | np.generic) for x in data[:1])


def operand(x: Any, device: Device, what: str) -> Any:
    """The other operand of a comparison, a bitwise operator or an in-place update."""
    if type(x) in PLAIN:
        return x
    if is_tensor_type(type(x)):
        x = x.data
    elif isinstance(x, bool | int | float):
        return x
    elif isinstance(x, np.generic) and x.dtype.kind in "fiub":
        return x.item()
    else:
        listed = isinstance(x, list | tuple)  # which is on no device yet
        try:
            x = array_from(x)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error}") from None
        x = to_device(x, device) if listed else x
    if not device.owns(x):
        raise DeviceError(
            f"{what}: this tensor is on {device.name}, the other operand on {device_of(x).name}; move one with .to(...)."
        )
    return x
