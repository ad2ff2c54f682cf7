"""How a file stores numbers in few bits: blocks of equal length, each with a scale of its own.

A block type is a record: how its bytes lie, the formula, `dequantize` on many blocks at once, and beside it the plain
version that reads one block as the formula is written. In all of them a weight is an integer q of few bits, times the
block's scale d, in the types with a 1 plus its minimum m:

    y = d q          (Q4_0, Q5_0, Q8_0: q may be negative)
    y = d q + m      (Q4_1, Q5_1: q is 0 or more)

so that a block of 32 weights in 4 bits takes 18 or 20 bytes instead of 128, and each weight is off by half a step d at most.

Source: ggml's block types (https://github.com/ggml-org/ggml, `ggml-common.h` and `ggml-quants.c`), and the description of
GGUF there (`docs/gguf.md`). All numbers are little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import super_blocks
from .errors import FormatError

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
_CHUNK = 1 << 16
"""Weights that are worked on at once: they stay in a core's cache."""


@dataclass(frozen=True)
class BlockType:
    """One way to store weights.

    Attributes:
        name: its name in ggml, such as "Q4_1".
        code: its number in a GGUF file.
        size: weights per block.
        layout: the fields of a block, as a structured dtype: their names are those of the formula.
        formula: a weight from the fields, in LaTeX.
        dequantize: `dequantize(blocks, y)` writes the weights of blocks (n,) of `layout` to y (n, size), float32.
        plain: the weights of one block, as the formula is written.
        quantize: the blocks (n,) of weights (n, size); None where minilm only reads the type.
        scales: the fields that must be finite.
    """

    name: str
    code: int
    size: int
    layout: np.dtype[Any]
    formula: str
    dequantize: Callable[[NDArray[Any], Floats], None]
    plain: Callable[[Any], list[Any]]
    quantize: Callable[[Floats, NDArray[Any]], None] | None = None
    scales: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes per block."""
        return self.layout.itemsize


# -- one weight per block ---------------------------------------------------------------------------------------------


def _read_floats(b: NDArray[Any], y: Floats) -> None:
    y[:, 0] = b["y"]


def _plain_float(b: Any) -> list[Any]:
    return [np.float32(b["y"])]


def _write_f32(x: Floats, b: NDArray[Any]) -> None:
    b["y"] = x[:, 0]


def _write_f16(x: Floats, b: NDArray[Any]) -> None:
    with np.errstate(over="ignore"):
        b["y"] = x[:, 0]
    _check_finite(x[:, 0], np.isinf(b["y"]), "F16")


def _read_bf16(b: NDArray[Any], y: Floats) -> None:
    y.view(np.uint32)[:, 0] = b["y"]
    y.view(np.uint32)[...] <<= 16


def _plain_bf16(b: Any) -> list[Any]:
    s, e, f = b["y"] >> 15, b["y"] >> 7 & 255, b["y"] & 127
    if e == 255:
        return [math.nan if f else (-1.0) ** s * math.inf]
    return [(-1.0) ** s * (2.0 ** (e - 127.0) * (1 + f / 128) if e else 2.0**-126 * (f / 128))]


def _write_bf16(x: Floats, b: NDArray[Any]) -> None:
    """Round to nearest, ties to even: adding just below half of the last bit that stays, and that bit."""
    bits = np.ascontiguousarray(x[:, 0]).view(np.uint32)
    rounded = (bits + (0x7FFF + (bits >> 16 & 1))) >> 16
    b["y"] = np.where(np.isnan(x[:, 0]), bits >> 16 | 0x40, rounded)  # a NaN must not be rounded to an infinity
    _check_finite(x[:, 0], b["y"] & 0x7FFF == 0x7F80, "BF16")


def _check_finite(x: ArrayLike, stored_as_infinite: NDArray[np.bool_], kind: str) -> None:
    if (beyond := stored_as_infinite & np.isfinite(x)).any():
        raise FormatError(f"{kind} cannot hold {np.asarray(x)[beyond][0]}, which is beyond its range")


# -- 32 weights per block ---------------------------------------------------------------------------------------------


def _column(scale: NDArray[Any]) -> Floats:
    return scale.astype(np.float32)[:, None]


def _nibbles(q: Bytes, y: Floats) -> None:
    """The low halves of 16 bytes are the first 16 weights, the high halves the others."""
    np.bitwise_and(q, 15, out=y[:, :16], casting="unsafe")
    np.right_shift(q, 4, out=y[:, 16:], casting="unsafe")


def _plain_nibbles(q: Any) -> list[int]:
    return [int(byte) & 15 for byte in q] + [int(byte) >> 4 for byte in q]


def _fifth_bits(h: NDArray[Any]) -> Bytes:
    """(n,) of 32 bits -> (n, 32) of 0 or 16: bit i, counted from the lowest, belongs to weight i."""
    bits: Bytes = np.unpackbits(h.astype("<u4")[:, None].view(np.uint8), axis=1, bitorder="little")
    return bits * np.uint8(16)


def _plain_five(b: Any) -> list[int]:
    return [low + 16 * (int(b["h"]) >> i & 1) for i, low in enumerate(_plain_nibbles(b["q"]))]


def _read_q4_0(b: NDArray[Any], y: Floats) -> None:
    _nibbles(b["q"], y)
    y -= 8
    y *= _column(b["d"])


def _plain_q4_0(b: Any) -> list[Any]:
    return [np.float32(b["d"]) * (q - 8) for q in _plain_nibbles(b["q"])]


def _read_q4_1(b: NDArray[Any], y: Floats) -> None:
    _nibbles(b["q"], y)
    y *= _column(b["d"])
    y += _column(b["m"])


def _plain_q4_1(b: Any) -> list[Any]:
    return [np.float32(b["d"]) * q + np.float32(b["m"]) for q in _plain_nibbles(b["q"])]


def _read_q5_0(b: NDArray[Any], y: Floats) -> None:
    _nibbles(b["q"], y)
    y += _fifth_bits(b["h"])
    y -= 16
    y *= _column(b["d"])


def _plain_q5_0(b: Any) -> list[Any]:
    return [np.float32(b["d"]) * (q - 16) for q in _plain_five(b)]


def _read_q5_1(b: NDArray[Any], y: Floats) -> None:
    _nibbles(b["q"], y)
    y += _fifth_bits(b["h"])
    y *= _column(b["d"])
    y += _column(b["m"])


def _plain_q5_1(b: Any) -> list[Any]:
    return [np.float32(b["d"]) * q + np.float32(b["m"]) for q in _plain_five(b)]


def _read_q8_0(b: NDArray[Any], y: Floats) -> None:
    y[...] = b["q"]
    y *= _column(b["d"])


def _plain_q8_0(b: Any) -> list[Any]:
    return [np.float32(b["d"]) * int(q) for q in b["q"]]


# Quantizing: the scale is rounded away from zero and the minimum down, so that every weight lies between the ends of the
# grid, and its nearest point is at most half a step away.


def _check_range(scale: Floats, steps: float, kind: str) -> None:
    if (largest := np.abs(scale).max(initial=0)) > 65504:
        raise FormatError(
            f"{kind} holds numbers up to {65504 * steps:,.0f} as its scale is a float16: a block needs "
            f"{largest * steps:,.0f}; use F32 or BF16"
        )


def _half_away(x: Floats) -> NDArray[np.float16]:
    """The nearest float16 that is not nearer to zero than x."""
    half = x.astype(np.float16)
    away = np.copysign(np.float16(np.inf), half)
    return np.nextafter(half, away, out=half, where=np.abs(half.astype(np.float32)) < np.abs(x))


def _half_down(x: Floats) -> NDArray[np.float16]:
    """The nearest float16 that is not above x."""
    half = x.astype(np.float16)
    return np.nextafter(half, np.float16(-np.inf), out=half, where=half.astype(np.float32) > x)


def _steps(x: Floats, d: NDArray[np.float16], first: int, last: int) -> NDArray[np.int16]:
    """round(x / d), between the ends of the grid; 0 where the block is all zeros."""
    d32 = _column(d)
    q = np.divide(x, d32, out=np.zeros_like(x), where=d32 != 0)
    return np.clip(np.rint(q), first, last).astype(np.int16)


def _symmetric(x: Floats, b: NDArray[Any], bits: int, kind: str) -> NDArray[np.int16]:
    """q in -2^(bits-1) .. 2^(bits-1) - 1, of which the negative end reaches one step further: d has the sign that gives it
    to the larger side. q is returned shifted to 0 and more."""
    half = 1 << bits - 1
    low, high = x.min(1), x.max(1)
    far, near = np.maximum(-low, high), np.minimum(-low, high)
    size = np.maximum(far / half, near / (half - 0.5))
    d = np.where(high > -low, -size, size)
    _check_range(d, half, kind)
    b["d"] = _half_away(d)
    return _steps(x, b["d"], -half, half - 1) + np.int16(half)


def _from_minimum(x: Floats, b: NDArray[Any], bits: int, kind: str) -> NDArray[np.int16]:
    """q in 0 .. 2^bits - 1 from the smallest weight on."""
    last = (1 << bits) - 1
    low, high = x.min(1), x.max(1)
    _check_range(low, 1.0, kind)
    b["m"] = _half_down(low)
    start = _column(b["m"])
    d = (high - start[:, 0]) / last
    _check_range(d, last, kind)
    b["d"] = _half_away(d)
    return _steps(x - start, b["d"], 0, last)


def _pack(q: NDArray[np.int16], b: NDArray[Any]) -> None:
    b["q"] = (q[:, :16] & 15) | (q[:, 16:] & 15) << 4
    if "h" in (b.dtype.names or ()):
        b["h"] = np.packbits(q >> 4 & 1, axis=1, bitorder="little").view("<u4")[:, 0]


def _write_q4_0(x: Floats, b: NDArray[Any]) -> None:
    _pack(_symmetric(x, b, 4, "Q4_0"), b)


def _write_q4_1(x: Floats, b: NDArray[Any]) -> None:
    _pack(_from_minimum(x, b, 4, "Q4_1"), b)


def _write_q5_0(x: Floats, b: NDArray[Any]) -> None:
    _pack(_symmetric(x, b, 5, "Q5_0"), b)


def _write_q5_1(x: Floats, b: NDArray[Any]) -> None:
    _pack(_from_minimum(x, b, 5, "Q5_1"), b)


def _write_q8_0(x: Floats, b: NDArray[Any]) -> None:
    d = np.abs(x).max(1) / np.float32(127)
    _check_range(d, 127, "Q8_0")
    b["d"] = _half_away(d)
    b["q"] = _steps(x, b["d"], -127, 127)


def _layout(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    return np.dtype(list(fields))


_D, _E, _M, _H, _Q4 = ("d", "<f2"), ("e", "<f2"), ("m", "<f2"), ("h", "<u4"), ("q", "u1", 16)

TYPES: dict[str, BlockType] = {
    record.name: record
    for record in (
        BlockType("F32", 0, 1, _layout(("y", "<f4")), "y", _read_floats, _plain_float, _write_f32),
        BlockType("F16", 1, 1, _layout(("y", "<f2")), "y", _read_floats, _plain_float, _write_f16),
        BlockType(
            "BF16",
            30,
            1,
            _layout(("y", "<u2")),
            r"(-1)^s \, 2^{e - 127} (1 + f / 2^7)",
            _read_bf16,
            _plain_bf16,
            _write_bf16,
        ),
        BlockType("Q4_0", 2, 32, _layout(_D, _Q4), "d (q - 8)", _read_q4_0, _plain_q4_0, _write_q4_0, ("d",)),
        BlockType("Q4_1", 3, 32, _layout(_D, _M, _Q4), "d q + m", _read_q4_1, _plain_q4_1, _write_q4_1, ("d", "m")),
        BlockType(
            "Q5_0", 6, 32, _layout(_D, _H, _Q4), "d (q + 16 h - 16)", _read_q5_0, _plain_q5_0, _write_q5_0, ("d",)
        ),
        BlockType(
            "Q5_1",
            7,
            32,
            _layout(_D, _M, _H, _Q4),
            "d (q + 16 h) + m",
            _read_q5_1,
            _plain_q5_1,
            _write_q5_1,
            ("d", "m"),
        ),
        BlockType("Q8_0", 8, 32, _layout(_D, ("q", "i1", 32)), "d q", _read_q8_0, _plain_q8_0, _write_q8_0, ("d",)),
        BlockType(
            "Q2_K", 10, 256, _layout(("s", "u1", 16), ("q", "u1", 64), _D, _E), "d s q - e m",
            super_blocks.read_q2_k, super_blocks.plain_q2_k, None, ("d", "e"),
        ),
        BlockType(
            "Q3_K", 11, 256, _layout(("h", "u1", 32), ("q", "u1", 64), ("s", "u1", 12), _D), "d (s - 32) (q + 4 h - 4)",
            super_blocks.read_q3_k, super_blocks.plain_q3_k, None, ("d",),
        ),
        BlockType(
            "Q4_K", 12, 256, _layout(_D, _E, ("s", "u1", 12), ("q", "u1", 128)), "d s q - e m",
            super_blocks.read_q4_k, super_blocks.plain_q4_k, None, ("d", "e"),
        ),
        BlockType(
            "Q5_K", 13, 256, _layout(_D, _E, ("s", "u1", 12), ("h", "u1", 32), ("q", "u1", 128)), "d s (q + 16 h) - e m",
            super_blocks.read_q5_k, super_blocks.plain_q5_k, None, ("d", "e"),
        ),
        BlockType(
            "Q6_K", 14, 256, _layout(("q", "u1", 128), ("h", "u1", 64), ("s", "i1", 16), _D), "d s (q + 16 h - 32)",
            super_blocks.read_q6_k, super_blocks.plain_q6_k, None, ("d",),
        ),
    )
}  # fmt: skip
"""The block types by name."""


def block_type(kind: str) -> BlockType:
    """The record of a block type.

    Raises:
        FormatError: there is none of that name.
    """
    if kind not in TYPES:
        raise FormatError(f"there is no block type {kind!r}: expected one of {', '.join(TYPES)}")
    return TYPES[kind]


def dequantize(kind: str, raw: Bytes) -> Floats:
    """The weights in blocks: uint8 (..., blocks, bytes per block) -> float32 (..., blocks * weights per block).

    Raises:
        FormatError: `kind` or the shape of `raw` is none of a block type, or a scale is NaN or infinite.
    """
    record = block_type(kind)
    raw = np.asarray(raw)
    if raw.dtype != np.uint8 or raw.ndim < 2 or raw.shape[-1] != record.nbytes:
        raise FormatError(
            f"blocks of {kind} are uint8 of shape (..., blocks, {record.nbytes}), got {raw.dtype} of shape {raw.shape}"
        )
    blocks = np.ascontiguousarray(raw).reshape(-1, record.nbytes).view(record.layout)[:, 0]
    y = np.empty((len(blocks), record.size), np.float32)
    per_chunk = _CHUNK // record.size
    for start in range(0, len(blocks), per_chunk):
        some = blocks[start : start + per_chunk]
        for field in record.scales:
            if not (finite := np.isfinite(some[field])).all():
                place = start + int(finite.argmin())
                raise FormatError(
                    f"block {place} of {kind} has the scale {field} = {blocks[field][place]}: it is damaged"
                )
        with np.errstate(invalid="ignore"):  # a NaN among F16 values is no fault of the reading
            record.dequantize(some, y[start : start + per_chunk])
    return y.reshape(*raw.shape[:-2], raw.shape[-2] * record.size)


def dequantize_plain(kind: str, raw: Bytes) -> Floats:
    """The same, block by block, as the formulas are written."""
    record = block_type(kind)
    blocks = np.ascontiguousarray(raw).reshape(-1, record.nbytes).view(record.layout)[:, 0]
    y = np.array([record.plain(block) for block in blocks], np.float32)
    return y.reshape(*raw.shape[:-2], raw.shape[-2] * record.size)


def quantize(kind: str, array: ArrayLike) -> Bytes:
    """Blocks for weights: (..., n) -> uint8 (..., n / weights per block, bytes per block).

    In the types with a scale each weight comes back within half a step, |y - x| <= |d| / 2, as the scale is rounded so that
    the whole block lies on the grid.

    Raises:
        FormatError: `kind` is none that can be written, rows are no whole number of blocks, a number is NaN or infinite (in
            the types with a scale), or too large for the type's scale or for float32.
    """
    record = block_type(kind)
    with np.errstate(over="ignore"):
        x = np.asarray(array, np.float32)
    if record.quantize is None:
        writable = ", ".join(name for name, other in TYPES.items() if other.quantize is not None)
        raise FormatError(f"minilm reads {kind} and does not write it: use one of {writable}")
    if x.ndim == 0 or x.shape[-1] % record.size:
        raise FormatError(
            f"{kind} stores rows of {record.size}, 2 * {record.size}, ... weights, got the shape {x.shape}"
        )
    if record.scales and not np.isfinite(array).all():
        raise FormatError(f"{kind} cannot hold NaN or infinity, as the whole block would become NaN: use F32")
    _check_finite(array, np.isinf(x), "a float32")
    rows = np.ascontiguousarray(x).reshape(-1, record.size)
    blocks = np.zeros(len(rows), record.layout)
    if len(rows):
        record.quantize(rows, blocks)
    return blocks.view(np.uint8).reshape(*x.shape[:-1], x.shape[-1] // record.size, record.nbytes)


def split(kind: str, raw: Bytes) -> tuple[NDArray[Any], NDArray[np.float16]]:
    """The codes as they lie in blocks, and the scales: uint8 (..., blocks, bytes per block) -> (..., blocks, bytes of codes),
    float16 (..., blocks), for the types `SYMMETRIC`.

    Raises:
        FormatError: `kind` is none of these.
    """
    record = _symmetric_type(kind)
    blocks = np.ascontiguousarray(raw).view(record.layout)[..., 0]
    return np.ascontiguousarray(blocks["q"]), np.ascontiguousarray(blocks["d"])


def join(kind: str, q: NDArray[Any], d: NDArray[np.float16]) -> Bytes:
    """Blocks of chosen integers and scales, where `quantize` chooses both: (..., blocks, 32) and (..., blocks) -> uint8
    (..., blocks, bytes per block), for the types `SYMMETRIC`. A weight is then d q.

    Raises:
        FormatError: `kind` is none of these, the shapes do not fit, or an integer is outside the type's range.
    """
    record, half = _symmetric_type(kind), SYMMETRIC[kind]
    if q.shape != (*d.shape, record.size):
        raise FormatError(f"blocks of {kind} have {record.size} integers per scale, got {q.shape} and {d.shape}")
    if q.size and not -half <= q.min() <= q.max() <= half - 1:
        raise FormatError(f"the integers of {kind} are {-half} to {half - 1}, got {q.min()} to {q.max()}")
    flat = q.reshape(-1, record.size).astype(np.int16)
    blocks = np.zeros(len(flat), record.layout)
    blocks["d"] = d.reshape(-1)
    if kind == "Q4_0":
        _pack(flat + np.int16(half), blocks)
    else:
        blocks["q"] = flat
    return blocks.view(np.uint8).reshape(*d.shape, record.nbytes)


SYMMETRIC = {"Q4_0": 8, "Q8_0": 128}
"""The types of a scale alone that have no bits apart, y = d q, and how far below zero their integers go."""


def _symmetric_type(kind: str) -> BlockType:
    if kind not in SYMMETRIC:
        raise FormatError(
            f"expected one of {', '.join(SYMMETRIC)}, whose blocks are a scale and integers; got {kind!r}"
        )
    return TYPES[kind]
