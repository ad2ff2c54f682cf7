"""The idx format of the MNIST files: a magic number, the sizes, the values, all big-endian.

Format: LeCun, Cortes, Burges, The MNIST database of handwritten digits, section "File formats". Two zero bytes, a byte
for the type of the values, a byte for the number of dimensions, a 4-byte size for each, then the values in C order.
"""

import gzip
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from minilm.files import atomic_write, counted, shown

from .errors import DataError
from .files import CHUNK_BYTES, MAX_BYTES, open_data

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 32
_CODES = {np.dtype(text).newbyteorder("="): code for code, text in _TYPES.items()}


def read_idx(path: str | Path, *, max_bytes: int | None = MAX_BYTES) -> NDArray[Any]:
    """The array in an idx file, which may be compressed with gzip, in the byte order of this machine.

    `max_bytes` is the largest content that is accepted (default: 1 GiB), after unpacking; None: no limit. Raises DataError if the file
    cannot be read, if its magic number is none of idx, if it is shorter or longer than its sizes say, or larger than
    `max_bytes`.
    """
    with open_data(path, max_bytes) as file:
        return _read(file, shown(path), max_bytes)


def _read(file: BinaryIO, name: str, max_bytes: int | None) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise DataError(
            f"{name} is no idx file: it begins with {magic.hex(' ') or 'nothing'}, expected 00 00, a type "
            f"({', '.join(f'{code:02x}' for code in _TYPES)}) and a number of dimensions"
        )
    dtype, dimensions = np.dtype(_TYPES[magic[2]]), magic[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{name} is truncated: it ends within the sizes of its {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    content = file.read(min(expected + 1, CHUNK_BYTES))
    if (
        max_bytes is not None and expected > max_bytes and len(content) == CHUNK_BYTES
    ):  # where fewer are there, the file is damaged: see below
        raise DataError(
            f"{name} holds an array of shape {shape} of {dtype.name}, which is more than {counted(max_bytes)}: "
            "pass a larger max_bytes if you trust the file"
        )
    content += _read_at_most(file, expected + 1 - len(content))
    if len(content) != expected:
        found = "more" if len(content) > expected else f"{len(content):,}"
        raise DataError(
            f"{name} is damaged: shape {shape} of {dtype.name} needs {expected:,} bytes, there are {found}; copy it again"
        )
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError:
        raise DataError(f"{name} is damaged: no array has the shape {shape}") from None


def _read_at_most(file: BinaryIO, limit: int) -> bytes:
    """Up to `limit` bytes, in chunks: a header that claims a huge array must not make us reserve one."""
    chunks, missing = [], limit
    while missing > 0 and (chunk := file.read(min(CHUNK_BYTES, missing))):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def write_idx(path: str | Path, array: NDArray[Any]) -> None:
    """Write `array` as an idx file, compressed if `path` ends in .gz. The write is atomic.

    Raises DataError for a type that idx has no code for (it has uint8, int8, int16, int32, float32, float64), for more
    than 32 dimensions, and for a zero-dimensional array.
    """
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise DataError(f"idx cannot hold {array.dtype}: expected one of {', '.join(d.name for d in _CODES)}")
    if not 1 <= array.ndim <= _MAX_DIMENSIONS:
        raise DataError(f"an idx file of {array.ndim} dimensions cannot be written: expected 1 to {_MAX_DIMENSIONS}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = header + np.ascontiguousarray(array, _TYPES[code]).tobytes()
    with atomic_write(path) as file:
        file.write(gzip.compress(content, mtime=0) if Path(path).suffix.lower() == ".gz" else content)
