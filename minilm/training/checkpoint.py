"""Files of a run: weights, checkpoints and configs that are complete or absent, and that never run code.

Arrays are stored as safetensors, everything else as JSON. A file is written under a temporary name, flushed to the disk, and
renamed: whoever reads finds the old file or the new one, whatever kills the writer. Reading checks everything before it is
used, and says which file is wrong, and how.

Limits: a JSON file of 16 MiB (`MAX_JSON_BYTES`); arrays of 4 GiB, or what `load_arrays` is given as `max_bytes`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from minilm.files import atomic_write, counted, open_regular, packed_as, read_regular, shown
from minilm.strict_json import JSONFault, object_from, short
from minilm.types import Arrays, Pathish

MAX_JSON_BYTES = 1 << 24
MAX_ARRAY_BYTES = 1 << 32
_MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8", "I64": "<i8",
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


class CheckpointError(ValueError):
    """A file of a run is missing, damaged, or not what it should be."""


class RunError(CheckpointError):
    """A run cannot be made, gone on with, or written; the message says why, what stands, and what to do."""


def save_json(path: Pathish, value: Any) -> None:
    """Writes JSON, atomically."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:  # a name of a file that is not UTF-8: JSON has an escape for its bytes, UTF-8 has not
        text = json.dumps(value, indent=2, allow_nan=False).encode("ascii")
    with atomic_write(path) as file:
        file.write(text + b"\n")


def load_json(path: Pathish) -> dict[str, Any]:
    """A JSON object from a file of at most `MAX_JSON_BYTES`.

    Raises:
        CheckpointError: the file is missing, cannot be read, is not UTF-8 JSON, or holds something else than an object, a name
            twice, NaN, or an integer of more than 1,000 digits.
    """
    remedy = "it is no config of minilm; if it is one, raise minilm.training.checkpoint.MAX_JSON_BYTES"
    content = read_regular(path, CheckpointError, max_bytes=MAX_JSON_BYTES, remedy=remedy)
    try:
        return object_from(content, max_digits=1000)  # seeds may be long
    except JSONFault as fault:
        raise CheckpointError(f"{shown(path)} {fault}. Restore it from a copy, or train again.") from None


def save_arrays(path: Pathish, arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> None:
    """Writes arrays, and JSON values about them, into one safetensors file, atomically."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {key: json.dumps(value, allow_nan=True) for key, value in about.items()}
    content = save(contiguous, metadata)
    with atomic_write(path) as file:
        file.write(content)


def load_arrays(path: Pathish, *, max_bytes: int | None = MAX_ARRAY_BYTES) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of a safetensors file, and the values about them.

    Format: Hugging Face, safetensors, "Format": 8 bytes with the length of a header of JSON, the header (name -> dtype, shape,
    offsets; strings about all of them under "__metadata__"), the arrays, little-endian. All of it is checked against the
    size of the file before memory is taken for the arrays.

    Args:
        path: the file. BF16 comes as float32, which holds each of its values exactly; F16 as float16.
        max_bytes: the largest file that is read (default: 4 GiB); None: any.

    Returns:
        The arrays by name, and the values by key. Values that `save_arrays` wrote come back; a string of another program's
        that is not JSON, such as "pt" under "format", comes as it is.

    Raises:
        CheckpointError: the file is missing, cannot be read, is larger than `max_bytes`, truncated, no safetensors file, or has
            an array of a type that NumPy does not have.
    """
    if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 1):
        raise CheckpointError(f"max_bytes = {max_bytes!r} must be a whole number of at least 1, or None.")
    name = shown(path)
    with open_regular(path, CheckpointError) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            header, start = _read_header(file, size)
            arrays = _array_table(header, size - start, name)
        except JSONFault as fault:
            raise CheckpointError(
                f"{name} is not a whole safetensors file: it {fault}. It was not written by minilm, or was damaged on the way: "
                "copy it again, or train again."
            ) from None
        if max_bytes is not None and size > max_bytes:
            raise CheckpointError(
                f"{name} is larger than {counted(max_bytes)}: pass a larger max_bytes to load_arrays, and mind the memory."
            )
        try:
            loaded = {key: _read_array(file, *about) for key, about in arrays.items()}
        except MemoryError:
            raise CheckpointError(f"{name} holds {size:,} bytes, more than there is memory for.") from None
        except JSONFault as fault:
            raise CheckpointError(f"{name} {fault}: it was damaged on the way, copy it again.") from None
        except EOFError:
            raise CheckpointError(f"{name} was shortened while it was read: read it again.") from None
    return loaded, {key: _value(text, f"{name}: {key}") for key, text in header.get("__metadata__", {}).items()}


def _read_header(file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin."""
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
        header = object_from(file.read(length))
    except JSONFault as fault:
        raise JSONFault(f"has a header that {fault}") from None
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise JSONFault(f"has a __metadata__ of {short(metadata)}, where strings by name were expected")
    return header, 8 + length


def _array_table(header: dict[str, Any], n_bytes: int, file_name: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name -> type and shape of the arrays, in the order in which they lie in the file without a gap."""
    found = []
    for name, about in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
            raise JSONFault(f"describes tensor {short(name)} by {short(about)}, expected dtype, shape and data_offsets")
        dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
        if not _are_counts(shape) or len(shape) > 64:
            raise JSONFault(f"has the shape {short(shape)} for tensor {short(name)}, expected up to 64 whole numbers")
        if not _are_counts(offsets) or len(offsets) != 2:
            raise JSONFault(f"has the offsets {short(offsets)} for tensor {short(name)}, expected begin and end")
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise CheckpointError(
                f"{file_name}: dtype {dtype if isinstance(dtype, str) else short(dtype)} of tensor {short(name)} is not "
                f"supported: expected one of {', '.join(_DTYPES)}; convert the file with the program that wrote it."
            )
        found.append((*offsets, name, dtype, tuple(shape)))
    end = 0
    for first, last, name, dtype, shape in sorted(found):
        needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
        if first != end or last - first != needed:
            raise JSONFault(
                f"says that tensor {short(name)}, {dtype} of shape {shape}, lies at {first} to {last}; it needs {needed:,} bytes "
                f"from {end} on"
            )
        end = last
    if end != n_bytes:
        raise JSONFault(f"has {n_bytes:,} bytes for its arrays, which need {end:,}")
    return {name: (dtype, shape) for _, _, name, dtype, shape in sorted(found)}


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _read_array(file: BinaryIO, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.empty(shape, _DTYPES[dtype])
    except ValueError:  # sizes whose product does not fit 64 bits, with a 0 among them
        raise JSONFault(f"has an array of shape {shape}, which NumPy cannot hold") from None
    view = array.reshape(-1).view(np.uint8)
    if view.nbytes and file.readinto(view) != view.nbytes:  # type: ignore[attr-defined]
        raise EOFError
    if dtype == "BOOL" and array.view(np.uint8).max(initial=0) > 1:  # NumPy takes any byte, and then 1 & 2 is false
        raise JSONFault("has a byte other than 0 and 1 in an array of BOOL")
    if dtype == "BF16":  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise CheckpointError(f"{where} is nested too deeply.") from None


def expect_format(path: Pathish, about: Mapping[str, Any], wanted: str) -> None:
    """Refuses a safetensors file that holds something else than `wanted`.

    Raises:
        CheckpointError: the file says that it holds something else, or does not say.
    """
    found = about.get("format")
    if found != wanted:
        raise CheckpointError(
            f"{shown(path)} should hold {wanted!r}, it holds {short(found)}: it is another program's file, or was renamed."
        )


# -- files that know what they hold -----------------------------------------------------------------------------------

VERSIONS = (1, 2)
"""Of files with weights. Those of version 2 carry the SHA-256 of what they hold, and the fingerprint of their run."""


def save_sealed(path: Pathish, arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> None:
    """Writes arrays and values about them as `save_arrays` does, in version 2, with the SHA-256 of all of it."""
    about = {**about, "version": VERSIONS[-1]}
    save_arrays(path, arrays, {**about, "sha256": seal(arrays, about)})


def load_sealed(path: Pathish, wanted: str) -> tuple[Arrays, dict[str, Any]]:
    """What `save_sealed` wrote under the format `wanted`, or an earlier version did, which had no SHA-256.

    Raises:
        CheckpointError: the file is missing or damaged, of a version that this minilm does not know, or holds something else.
    """
    arrays, about = load_arrays(path)
    expect_format(path, about, wanted)
    version = about.get("version")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"{path} has version {version!r}, this minilm reads {' and '.join(map(str, VERSIONS))}: use the minilm that wrote it."
        )
    if version > 1 and about.pop("sha256", None) != seal(arrays, about):
        raise CheckpointError(
            f"{path} is damaged: what it holds does not have the SHA-256 that it was written with. Restore it from a copy."
        )
    return arrays, about


def seal(arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> str:
    """SHA-256 of arrays, with their names, types and shapes, and of the values about them."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digest = hashlib.sha256(canonical([{name: [a.dtype.str, a.shape] for name, a in arrays.items()}, about]))
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def not_finite(arrays: Mapping[str, np.ndarray[Any, Any]]) -> str | None:
    """The name of an array that holds NaN or an infinity; None where all numbers are finite."""
    return next((name for name in sorted(arrays) if not np.isfinite(arrays[name]).all()), None)
