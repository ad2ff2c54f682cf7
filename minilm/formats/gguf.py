"""GGUF: one file with a model's weights, many of them in blocks of few bits, its settings and its vocabulary.

::

    header    "GGUF", version, number of tensors, number of settings
    metadata  name, type, value                         for each setting; a value may be an array, of arrays too
    tensors   name, sizes, block type, offset           for each tensor
    data      the tensors, each from a multiple of `general.alignment` on (32 where nothing is said)

All numbers are little-endian, a string is its length in 8 bytes and UTF-8. Sizes stand innermost first: a matrix of shape
(out, in), as NumPy writes it, has the sizes in, out.

Source: ggml, `docs/gguf.md` (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3.

The file is read through a memory map, and must not be shortened while it is open (see `minilm.files`).
"""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minilm.files import atomic_write, counted, open_regular, packed_as, shown
from minilm.strict_json import short
from minilm.types import Pathish

from . import blocks
from .errors import FormatError

Value = Any
"""int, float, bool, str, or a list of values."""

MAX_HEADER_BYTES = 1 << 26
"""The most that metadata and table of tensors may take: 64 MiB. The largest vocabularies in use take about 20."""
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32
_MAX_DIMENSIONS, _MAX_NAME, _MAX_KEY, _MAX_NESTING = 4, 64, (1 << 16) - 1, 4
_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", _BOOL: "u1", 10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip
_SMALLEST = {**{code: np.dtype(text).itemsize for code, text in _NUMBERS.items()}, _STRING: 8, _ARRAY: 12}
"""The fewest bytes that a value of a type takes: a count times this must fit into what is left of the file."""
_KINDS = {record.code: record.name for record in blocks.TYPES.values()}


@dataclass(frozen=True)
class TensorInfo:
    """What a GGUF file says of a tensor.

    Attributes:
        name: its name.
        shape: its sizes in NumPy's order, (out, in) for a matrix.
        kind: its block type, such as "Q4_1" (`minilm.formats.blocks.TYPES`).
        offset: where it begins, in bytes from the start of the file.
        nbytes: how many it takes.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int
    nbytes: int


class GGUF:
    """A GGUF file, open for reading.

    ::

        with GGUF("model.gguf") as file:
            file.metadata["general.architecture"]  # 'llama'
            file.tensors["token_embd.weight"]  # TensorInfo(name=..., shape=(49152, 576), kind='Q8_0', ...)
            file.read("token_embd.weight")  # float32 (49152, 576)

    Attributes:
        path: the file.
        version: 2 or 3.
        metadata: settings by name: int, float, bool, str, and lists of them.
        tensors: TensorInfo by name, in the order of the file.

    Raises:
        FormatError: the file is missing, cannot be read, is none of GGUF, of another version or byte order, truncated, or
            says of itself what cannot be.
    """

    def __init__(self, path: Pathish) -> None:
        self.path = path
        with open_regular(path, FormatError, "GGUF file") as file:
            self._map: mmap.mmap | None = _mapped(file, shown(path))
            try:
                cursor = _Cursor(self._map)
                self.version, n_tensors, n_values = _read_head(cursor)
                self.metadata = _read_metadata(cursor, n_values)
                self.tensors = _read_table(cursor, n_tensors, _alignment_of(self.metadata))
            except _Damage as damage:
                self.close()
                raise FormatError(f"{shown(path)} is no whole GGUF file: {damage}") from None

    def __enter__(self) -> GGUF:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the reading. Arrays that `blocks` gave stay valid, and keep the file mapped until they are gone."""
        if self._map is not None:
            with contextlib.suppress(BufferError):  # there are such arrays
                self._map.close()
            self._map = None

    def blocks(self, name: str) -> NDArray[np.uint8]:
        """The blocks of a tensor as they stand in the file: uint8 (rows, blocks, bytes per block), read-only, not copied.

        A row is what lies along the last axis; a tensor of one axis is one row.

        Raises:
            FormatError: there is no such tensor, or the file was closed.
        """
        if name not in self.tensors:
            raise FormatError(f"{shown(self.path)} has no tensor {short(name)}: it has {short(list(self.tensors))}")
        if self._map is None:
            raise FormatError(f"{shown(self.path)} was closed: open it again to read {short(name)}")
        about, record = self.tensors[name], blocks.TYPES[self.tensors[name].kind]
        raw = np.frombuffer(self._map, np.uint8, about.nbytes, about.offset)
        return raw.reshape(math.prod(about.shape[:-1]), -1, record.nbytes)

    def read(self, name: str, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """The weights of a tensor, in its shape.

        Args:
            name: the tensor.
            dtype: float32 (default), float64 or float16.

        Raises:
            FormatError: there is no such tensor, the file was closed, a block's scale is NaN or infinite, a weight is beyond
                float16, `dtype` is none of the three, or there is not the memory for it.
        """
        if (wanted := np.dtype(dtype)) not in (np.float32, np.float64, np.float16):
            raise FormatError(f"weights are read as float32, float64 or float16, not as {wanted}")
        raw = self.blocks(name)
        where = f"{shown(self.path)}: tensor {short(name)}"
        try:
            weights = blocks.dequantize(self.tensors[name].kind, raw)
            if wanted == np.float16 and np.abs(weights).max(initial=0) > 65504:
                raise FormatError("has a weight beyond 65,504, the largest float16: read it as float32")
            return weights.reshape(self.tensors[name].shape).astype(wanted, copy=False)
        except FormatError as error:
            raise FormatError(f"{where}: {error}") from None
        except MemoryError:
            raise FormatError(
                f"{where} of shape {self.tensors[name].shape} is larger than there is memory for"
            ) from None


# -- reading ----------------------------------------------------------------------------------------------------------


class _Damage(ValueError):
    """What is wrong with a file, as the end of a sentence."""


def _mapped(file: BinaryIO, name: str) -> mmap.mmap:
    head = file.read(4)
    if (packing := packed_as(head)) is not None:
        raise FormatError(f"{name} is compressed with {packing}: unpack it first, as it is read in place")
    if head != _MAGIC:
        raise FormatError(f"{name} is no GGUF file: it begins with {head!r}, expected {_MAGIC!r}")
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise FormatError(f"{name} cannot be mapped into memory ({error})") from None


class _Cursor:
    """A place in the file, which moves on over what is read and never beyond the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.end = min(len(data), MAX_HEADER_BYTES)

    def skip(self, n_bytes: int, what: str) -> int:
        """The place of the next `n_bytes` bytes, which are passed over."""
        start = self.at
        if n_bytes > self.end - start:
            if self.end == MAX_HEADER_BYTES:
                raise _Damage(
                    f"{what} at byte {start:,} goes beyond {counted(self.end)}, where the data should have begun"
                )
            raise _Damage(f"it ends after {self.end:,} bytes, within {what} at byte {start:,}")
        self.at += n_bytes
        return start

    def count(self, what: str, n_bytes: int, smallest: int = 1) -> int:
        """A whole number of `n_bytes` bytes that counts things of at least `smallest` bytes each, which must be there."""
        start = self.skip(n_bytes, what)
        number = int.from_bytes(self.data[start : self.at], "little")
        if number * smallest > self.end - self.at:
            raise _Damage(f"{what} at byte {start:,} is {number:,}, more than the rest of the file can hold")
        return number

    def number(self, what: str, dtype: str) -> int | float:
        start = self.skip(np.dtype(dtype).itemsize, what)
        value: int | float = np.frombuffer(self.data, dtype, 1, start)[0].item()
        return value

    def string(self, what: str, longest: int | None = None) -> str:
        length = self.count(f"the length of {what}", 8)
        if longest is not None and not 0 < length <= longest:
            raise _Damage(f"{what} at byte {self.at:,} has {length:,} bytes, expected 1 to {longest:,}")
        start = self.skip(length, what)
        try:
            return self.data[start : self.at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Damage(f"{what} at byte {start:,} is not UTF-8 text (byte {start + error.start:,})") from None


def _read_head(cursor: _Cursor) -> tuple[int, int, int]:
    cursor.skip(4, "the mark")
    version = int(cursor.number("the version", "<u4"))
    if version not in _VERSIONS:
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            raise _Damage("it is written for big-endian machines; convert the file for little-endian ones")
        raise _Damage(f"it has version {version}, minilm reads {' and '.join(map(str, _VERSIONS))}")
    n_tensors = cursor.count("the number of tensors", 8, smallest=24)
    return version, n_tensors, cursor.count("the number of settings", 8, smallest=13)


def _read_metadata(cursor: _Cursor, n_values: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(n_values):
        key = cursor.string("the name of a setting", _MAX_KEY)
        if key in metadata:
            raise _Damage(f"it has the setting {short(key)} twice")
        metadata[key] = _read_value(cursor, f"the value of {short(key)}", _type_of(cursor, key))
    return metadata


def _type_of(cursor: _Cursor, key: str) -> int:
    code = int(cursor.number(f"the type of {short(key)}", "<u4"))
    if code not in _SMALLEST:
        raise _Damage(f"the setting {short(key)} has the type {code}, expected 0 to {max(_SMALLEST)}")
    return code


def _read_value(cursor: _Cursor, what: str, code: int, depth: int = 0) -> Value:
    if code == _STRING:
        return cursor.string(what)
    if code != _ARRAY:
        number = cursor.number(what, _NUMBERS[code])
        return _truth(number, what) if code == _BOOL else number
    if depth == _MAX_NESTING:
        raise _Damage(f"{what} is nested more than {_MAX_NESTING} arrays deep")
    code = _type_of(cursor, what)
    length = cursor.count(f"the length of {what}", 8, smallest=_SMALLEST[code])
    if code in (_STRING, _ARRAY):
        return [_read_value(cursor, what, code, depth + 1) for _ in range(length)]
    start = cursor.skip(length * _SMALLEST[code], what)
    numbers = np.frombuffer(cursor.data, _NUMBERS[code], length, start).tolist()
    return [_truth(number, what) for number in numbers] if code == _BOOL else numbers


def _truth(number: int | float, what: str) -> bool:
    if number not in (0, 1):
        raise _Damage(f"{what} is a truth value of {number}, expected 0 or 1")
    return bool(number)


def _alignment_of(metadata: Mapping[str, Value]) -> int:
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if type(alignment) is not int or not 8 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise _Damage(f"general.alignment is {short(alignment)}, expected a power of two from 8 to {1 << 20}")
    return alignment


def _read_table(cursor: _Cursor, n_tensors: int, alignment: int) -> dict[str, TensorInfo]:
    """The tensors by name, each with its place in the file, which no other one shares."""
    found = []
    for _ in range(n_tensors):
        name = cursor.string("the name of a tensor", _MAX_NAME)
        found.append((name, *_read_tensor(cursor, name, alignment)))
    start = _padded(cursor.at, alignment)
    size = len(cursor.data)
    if not found and size <= start:
        return {}
    tensors: dict[str, TensorInfo] = {}
    for name, shape, kind, offset, nbytes in found:
        if name in tensors:
            raise _Damage(f"it has the tensor {short(name)} twice")
        tensors[name] = TensorInfo(name, shape, kind, start + offset, nbytes)
    end = expected = start
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.offset):
        if tensor.offset != expected:
            raise _Damage(
                f"tensor {short(tensor.name)} begins at byte {tensor.offset:,}, expected {expected:,}, without gap or overlap"
            )
        end = tensor.offset + tensor.nbytes
        expected = _padded(end, alignment)
    if not end <= size <= expected:
        raise _Damage(f"it has {size:,} bytes, and its tensors end at {end:,}")
    return tensors


def _read_tensor(cursor: _Cursor, name: str, alignment: int) -> tuple[tuple[int, ...], str, int, int]:
    """Shape, block type, offset from the start of the data, and number of bytes."""
    what = f"of tensor {short(name)}"
    dimensions = cursor.count(f"the number of dimensions {what}", 4)
    if dimensions > _MAX_DIMENSIONS:
        raise _Damage(f"tensor {short(name)} has {dimensions} dimensions, expected up to {_MAX_DIMENSIONS}")
    sizes = [int(cursor.number(f"a size {what}", "<u8")) for _ in range(dimensions)]
    code, offset = int(cursor.number(f"the type {what}", "<u4")), int(cursor.number(f"the offset {what}", "<u8"))
    if code not in _KINDS:
        raise _Damage(f"tensor {short(name)} has the block type {code}; minilm reads {', '.join(_KINDS.values())}")
    record, shape = blocks.TYPES[_KINDS[code]], tuple(reversed(sizes))
    if 0 in shape or (shape or (1,))[-1] % record.size:
        raise _Damage(
            f"tensor {short(name)} has the shape {shape}, expected rows of {record.size}, 2 * {record.size}, ... weights"
        )
    if offset % alignment:
        raise _Damage(f"tensor {short(name)} has the offset {offset:,}, expected a multiple of {alignment}")
    return shape, record.name, offset, math.prod(shape) // record.size * record.nbytes


def _padded(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


# -- writing ----------------------------------------------------------------------------------------------------------


def write(
    path: Pathish,
    metadata: Mapping[str, Value],
    tensors: Mapping[str, ArrayLike],
    kinds: str | Mapping[str, str] = "F32",
) -> None:
    """Writes a GGUF file of version 3, atomically.

    Args:
        path: the file.
        metadata: settings by name. An int becomes a 32-bit integer, unsigned if it is not negative, or one of 64 bits if it
            needs them; a float a float32, as is the custom; a NumPy number keeps its type. The values of a list are of one
            type; integers in it are signed. `general.alignment` is obeyed.
        tensors: arrays of numbers by name.
        kinds: the block type of all tensors, or those by name of tensors that are not to be F32.

    Raises:
        FormatError: a name, value, shape or block type that the format does not have, or numbers that the type cannot hold.
        OSError: the file cannot be written.
    """
    try:
        alignment = _alignment_of(metadata)
        settings = [_name(key, "a setting", _MAX_KEY) + _typed(metadata[key], key) for key in metadata]
        if not isinstance(kinds, str) and (unknown := sorted(set(kinds) - set(tensors))):
            raise FormatError(f"kinds has the names {short(unknown)}, which are no tensors")
        table: list[bytes] = []
        data: list[bytes] = []
        at = 0
        for name, array in tensors.items():
            entry, content = _tensor(
                name, np.asarray(array), kinds if isinstance(kinds, str) else kinds.get(name, "F32")
            )
            table.append(entry + struct.pack("<Q", at))
            data.append(content + bytes(_padded(len(content), alignment) - len(content)))
            at += len(data[-1])
    except (_Damage, FormatError) as fault:
        raise FormatError(f"{shown(path)} cannot be written: {fault}") from None
    head = b"".join([_MAGIC, struct.pack("<IQQ", _VERSIONS[-1], len(tensors), len(metadata)), *settings, *table])
    with atomic_write(path) as file:
        file.write(head + bytes(_padded(len(head), alignment) - len(head)))
        for content in data:
            file.write(content)


def _tensor(name: str, array: NDArray[Any], kind: str) -> tuple[bytes, bytes]:
    """What the table says of a tensor, up to its offset, and its blocks."""
    entry, record = _name(name, "a tensor", _MAX_NAME), blocks.block_type(kind)
    if array.dtype.kind not in "fiu" or array.ndim > _MAX_DIMENSIONS or array.size == 0:
        raise _Damage(
            f"tensor {short(name)} is {array.dtype} of shape {array.shape}, expected numbers along up to "
            f"{_MAX_DIMENSIONS} axes, none of them empty"
        )
    try:
        raw = blocks.quantize(kind, array if array.ndim else array[None])
    except FormatError as error:
        raise _Damage(f"tensor {short(name)}: {error}") from None
    return entry + struct.pack(f"<I{array.ndim}QI", array.ndim, *reversed(array.shape), record.code), raw.tobytes()


def _string(text: str, what: str) -> bytes:
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Damage(f"{what} is {short(text)}, which is no text that UTF-8 has") from None
    return struct.pack("<Q", len(content)) + content


def _name(name: str, of_what: str, longest: int) -> bytes:
    stored = _string(name, f"the name of {of_what}") if isinstance(name, str) else b""
    if not 8 < len(stored) <= 8 + longest:
        raise _Damage(f"{of_what} has the name {short(name)}, expected a str of 1 to {longest:,} bytes")
    return stored


def _typed(value: Value, key: str) -> bytes:
    """The code of the type, and the value."""
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value, f"the value of {short(key)}")
    if isinstance(value, (list, tuple, np.ndarray)):
        return struct.pack("<I", _ARRAY) + _array(value, key)
    code = _code_of(value, key)
    return struct.pack("<I", code) + np.asarray(value, _NUMBERS[code]).tobytes()


def _array(values: Sequence[Value] | NDArray[Any], key: str) -> bytes:
    """The code of the type that all values have, their number, and the values."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biuf":
        code = _code_of(values.dtype.type(0), key)
        return struct.pack("<IQ", code, len(values)) + values.astype(_NUMBERS[code]).tobytes()
    head = struct.pack("<Q", len(values))
    if all(isinstance(value, str) for value in values) and len(values):
        return (
            struct.pack("<I", _STRING)
            + head
            + b"".join(_string(value, f"the value of {short(key)}") for value in values)
        )
    if all(isinstance(value, (list, tuple, np.ndarray)) for value in values) and len(values):
        return struct.pack("<I", _ARRAY) + head + b"".join(_array(value, key) for value in values)
    codes = {_code_of(value, key, signed=True) for value in values} or {5}
    if codes <= {5, 11}:
        codes = {max(codes)}
    if len(codes) > 1:
        raise _Damage(f"the values of {short(key)} are of several types")
    [code] = codes
    return struct.pack("<I", code) + head + np.asarray(values, _NUMBERS[code]).tobytes()


def _code_of(value: Value, key: str, signed: bool = False) -> int:
    if isinstance(value, bool | np.bool_):
        return _BOOL
    if isinstance(value, np.integer | np.floating):
        for code, text in _NUMBERS.items():
            if code != _BOOL and np.dtype(text) == value.dtype:
                return code
    elif type(value) is float:
        if math.isfinite(value) and abs(value) > float(np.finfo(np.float32).max):
            raise _Damage(f"the setting {short(key)} is {value}, which is beyond float32: give it as np.float64")
        return 6
    elif type(value) is int:
        first = (5, -(1 << 31), 1 << 31) if signed else (4, 0, 1 << 32)
        ranges = (first, (5, -(1 << 31), 1 << 31), (11, -(1 << 63), 1 << 63), (10, 0, 1 << 64))
        for code, low, end in ranges:
            if low <= value < end:
                return code
    raise _Damage(
        f"the setting {short(key)} is {short(value)}, expected a number of up to 64 bits, bool, str, or a list of one type"
    )
