"""safetensors: arrays by name in one file, which can be read without running any code.

::

    8 bytes   length of the header
    header    JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "text"}}
    data      the arrays in C order, little-endian, one behind the other without a gap

Source: Hugging Face, safetensors, "Format" (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minilm.files import atomic_write, counted, open_regular, packed_as, shown
from minilm.strict_json import JSONFault, object_from, short
from minilm.types import Arrays, HostArray, Pathish

from . import blocks
from .errors import FormatError

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_MAX_DIMENSIONS = 64
DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "U32": "<u4",
    "F32": "<f4", "F64": "<f8", "I64": "<i8", "U64": "<u8",
}  # fmt: skip
"""The format's types, and how NumPy reads their bytes; in the library's order, which lays the last of them first."""
_NAMES = {np.dtype(text): name for name, text in DTYPES.items() if name != "BF16"}


@dataclass(frozen=True)
class ArrayInfo:
    """What a header says of an array: its type, its shape, and where it lies in the data, from `begin` up to `end`."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself: its arrays by name, in the order of their places, and texts by name."""

    arrays: dict[str, ArrayInfo]
    metadata: dict[str, str]


def header(path: Pathish) -> Header:
    """The header of a file, without its data.

    Raises:
        FormatError: as `read`, but for what only the data show.
    """
    with open_regular(path, FormatError) as file:
        return _header_of(file, shown(path))[0]


def read(path: Pathish, *, dtype: DTypeLike | None = None, max_bytes: int | None = None) -> Arrays:
    """The arrays of a file by name. All of the header is checked before memory is taken for them.

    Args:
        path: the file.
        dtype: float32 or another float type, in which all arrays of floats come; None: each in its own. BF16, which NumPy
            does not have, comes as float32, which holds each of its values exactly.
        max_bytes: the largest file that is read; None (default): any that there is memory for.

    Raises:
        FormatError: the file is missing, cannot be read, is larger than `max_bytes`, truncated, no safetensors file, or has
            an array of a type that NumPy does not have.
    """
    arrays = read_all(path, max_bytes=max_bytes)[0]
    if dtype is None:
        return arrays
    if (wanted := np.dtype(dtype)).kind != "f":
        raise FormatError(f"arrays are read as a float type or as they are, not as {wanted}")
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            if _beyond(array, wanted):
                raise FormatError(f"{shown(path)}: {short(name)} has a number beyond {wanted}: read it as float32")
            arrays[name] = array.astype(wanted, copy=False)
    return arrays


def read_all(path: Pathish, *, max_bytes: int | None = None) -> tuple[Arrays, dict[str, str]]:
    """The arrays of a file, and the texts about them: as `read`."""
    name = shown(path)
    with open_regular(path, FormatError) as file:
        head, start = _header_of(file, name)
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise FormatError(
                f"{name} is larger than {counted(max_bytes)}: pass a larger max_bytes, and mind the memory."
            )
        file.seek(start)
        try:
            arrays = {key: _read_array(file, about) for key, about in head.arrays.items()}
        except MemoryError:
            raise FormatError(f"{name} holds {size:,} bytes, more than there is memory for.") from None
        except JSONFault as fault:
            raise FormatError(f"{name} {fault}: it was damaged on the way, copy it again.") from None
        except EOFError:
            raise FormatError(f"{name} was shortened while it was read: read it again.") from None
    return arrays, head.metadata


def _header_of(file: BufferedReader, name: str) -> tuple[Header, int]:
    """The header, and where the data begin."""
    size = os.fstat(file.fileno()).st_size
    try:
        document, start = _read_header(file, size)
        return Header(_array_table(document, size - start, name), document.get("__metadata__", {})), start
    except JSONFault as fault:
        raise FormatError(
            f"{name} is not a whole safetensors file: it {fault}. It is another kind of file, or was damaged on the way: copy "
            "it again."
        ) from None


def _read_header(file: BufferedReader, size: int) -> tuple[dict[str, Any], int]:
    head = file.read(8)
    if (packing := packed_as(head)) is not None:
        hint = (
            ", as torch.save and numpy.savez write: save it as safetensors there"
            if packing == "zip"
            else ": unpack it first"
        )
        raise JSONFault(f"is a {packing} file{hint}")
    length = int.from_bytes(head, "little")
    if size < 8 + length or length < 2:
        raise JSONFault(f"has {size:,} bytes and promises a header of {length:,}")
    if length > _MAX_HEADER_BYTES:
        raise JSONFault(f"has a header of {length:,} bytes, more than the format allows")
    try:
        document = object_from(file.read(length))
    except JSONFault as fault:
        raise JSONFault(f"has a header that {fault}") from None
    metadata = document.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise JSONFault(f"has a __metadata__ of {short(metadata)}, where strings by name were expected")
    return document, 8 + length


def _array_table(document: dict[str, Any], n_bytes: int, file_name: str) -> dict[str, ArrayInfo]:
    """The arrays by name, in the order in which they lie in the data without a gap."""
    found = []
    for name, about in document.items():
        if name == "__metadata__":
            continue
        if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
            raise JSONFault(f"describes tensor {short(name)} by {short(about)}, expected dtype, shape and data_offsets")
        dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
        if not _are_counts(shape) or len(shape) > _MAX_DIMENSIONS:
            raise JSONFault(
                f"has the shape {short(shape)} for tensor {short(name)}, expected up to {_MAX_DIMENSIONS} whole numbers"
            )
        if not _are_counts(offsets) or len(offsets) != 2:
            raise JSONFault(f"has the offsets {short(offsets)} for tensor {short(name)}, expected begin and end")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise FormatError(
                f"{file_name}: dtype {dtype if isinstance(dtype, str) else short(dtype)} of tensor {short(name)} is not "
                f"supported: expected one of {', '.join(DTYPES)}; convert the file with the program that wrote it."
            )
        if (
            math.prod(filter(None, shape)) * 8 >= 1 << 63
        ):  # NumPy looks at the other sizes though there is a 0 among them
            raise JSONFault(f"has the shape {short(shape)} for tensor {short(name)}, which NumPy cannot hold")
        found.append((*offsets, name, dtype, tuple(shape)))
    end = 0
    for first, last, name, dtype, shape in sorted(found):
        needed = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        if first != end or last - first != needed:
            raise JSONFault(
                f"says that tensor {short(name)}, {dtype} of shape {shape}, lies at {first} to {last}; it needs {needed:,} bytes "
                f"from {end} on"
            )
        end = last
    if end != n_bytes:
        raise JSONFault(f"has {n_bytes:,} bytes for its arrays, which need {end:,}")
    return {name: ArrayInfo(dtype, shape, first, last) for first, last, name, dtype, shape in sorted(found)}


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _read_array(file: BufferedReader, about: ArrayInfo) -> NDArray[Any]:
    array = np.empty(about.shape, DTYPES[about.dtype])
    view = array.reshape(-1).view(np.uint8)
    if view.nbytes and file.readinto(view.data) != view.nbytes:
        raise EOFError
    if (
        about.dtype == "BOOL" and array.view(np.uint8).max(initial=0) > 1
    ):  # NumPy takes any byte, and then 1 & 2 is false
        raise JSONFault("has a byte other than 0 and 1 in an array of BOOL")
    if about.dtype == "BF16":  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _beyond(array: HostArray, wanted: np.dtype[Any]) -> bool:
    """Whether a finite number of the array would become infinite."""
    if wanted.itemsize >= array.dtype.itemsize:
        return False
    return bool((np.isfinite(array) & (np.abs(array) > np.finfo(wanted).max)).any())


def write(
    path: Pathish,
    arrays: Mapping[str, HostArray],
    dtype: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes arrays, and texts about them, atomically: byte for byte as the safetensors library does, but for the order of the texts.

    Args:
        path: the file.
        arrays: by name.
        dtype: "F32", "F16" or "BF16", in which all arrays of floats are written; None: each as it is.
        metadata: texts by name, such as {"format": "pt"}, which Hugging Face's readers expect.

    Raises:
        FormatError: a name that is no str or is "__metadata__", metadata that are no strings, a type that the format does not
            have, or a number that F16 cannot hold.
        OSError: the file cannot be written.
    """
    if dtype not in (None, "F32", "F16", "BF16"):
        raise FormatError(f"arrays are written as F32, F16 or BF16, or as they are (None), not as {short(dtype)}")
    metadata = dict(metadata or {})
    texts = [*arrays, *metadata, *metadata.values()]
    if odd := [text for text in texts if not isinstance(text, str) or not _is_unicode(text)]:
        raise FormatError(f"names and metadata are written as text, got {short(odd[0])}")
    if "__metadata__" in arrays:
        raise FormatError("an array cannot have the name __metadata__: the format keeps it for texts about the arrays")
    kinds = {name: _kind_of(name, array, dtype) for name, array in arrays.items()}
    # The widest types first: so each array begins at a multiple of its items' size.
    names = sorted(kinds, key=lambda name: (-list(DTYPES).index(kinds[name]), name))
    about: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name in names:
        end = at + arrays[name].size * np.dtype(DTYPES[kinds[name]]).itemsize
        about[name] = {"dtype": kinds[name], "shape": list(arrays[name].shape), "data_offsets": [at, end]}
        at = end
    head = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    head += b" " * (-len(head) % 8)
    with atomic_write(path) as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for name in names:
            file.write(_stored(name, arrays[name], kinds[name]).reshape(-1).view(np.uint8).data)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _kind_of(name: str, array: HostArray, wanted: str | None) -> str:
    found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
    kind = _NAMES.get(array.dtype.newbyteorder("<")) if isinstance(array, np.ndarray) else None
    if kind is None:
        raise FormatError(f"{short(name)} is {found}, expected an array of {', '.join(map(str, _NAMES))}")
    return wanted if wanted is not None and array.dtype.kind == "f" else kind


def _stored(name: str, array: HostArray, kind: str) -> HostArray:
    """The array as it lies in the file."""
    if array.dtype.newbyteorder("<") == DTYPES[kind]:
        return np.ascontiguousarray(array, DTYPES[kind])
    try:
        return blocks.quantize(kind, array.reshape(-1))
    except FormatError as error:
        raise FormatError(f"{short(name)}: {error}") from None
