"""An array as a small picture: a PNG of at most 24 by 12 pixels, as a data URI.

The last axis runs from left to right, all others from top to bottom. Larger arrays are averaged over blocks. Floats are
shown from blue (negative) over white (zero) to orange (positive), symmetric about zero; integers and truth values from
white to blue. Numbers that are not finite are black.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

WIDTH, HEIGHT = 24, 12
LEVELS = 7  # shades on each side of zero: with zero and black they fill a palette of four bits
BLUE, WHITE, ORANGE, BLACK = (0, 90, 158), (247, 247, 247), (201, 84, 0), (0, 0, 0)


def picture(array: Any) -> str:
    """The array as ``data:image/png;base64,...``; "" where it has no numbers."""
    array = np.asarray(array)
    if not array.size:
        return ""
    signed = array.dtype.kind == "f"
    grid = shrink(plane(array))
    return "data:image/png;base64," + base64.b64encode(png(shades(grid, signed), palette(signed))).decode()


def plane(array: Any) -> Any:
    """The array as a matrix of float64: the last axis across; a vector is one row."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    return rows.astype(np.float64)


def shrink(grid: Any) -> Any:
    """Means over blocks, so that at most 24 columns and 12 rows remain; a block with a NaN is NaN."""
    for axis, limit in ((0, HEIGHT), (1, WIDTH)):
        size = grid.shape[axis]
        if size > limit:
            edges = np.arange(limit + 1) * size // limit
            with np.errstate(invalid="ignore", over="ignore"):
                shape = [1, 1]
                shape[axis] = limit
                grid = np.add.reduceat(grid, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return grid


def shades(grid: Any, signed: bool) -> Any:
    """A number from 0 to 14 for each block, 7 for zero where signed; 15 where it is not finite."""
    finite = np.isfinite(grid)
    known = np.where(finite, grid, 0.0)
    if signed:
        top = np.abs(known).max()
        scaled = LEVELS + np.rint(LEVELS * (known / top if top else known))
    else:
        low, span = known.min(), np.ptp(known)
        scaled = np.rint(2 * LEVELS * (known - low) / span) if span else np.full(known.shape, 2.0 * LEVELS * (low != 0))
    return np.where(finite, scaled, 2 * LEVELS + 1).astype(np.uint8)


def palette(signed: bool) -> bytes:
    """16 colours, three bytes each."""
    if signed:
        colours = [_mix(WHITE, BLUE, (LEVELS - k) / LEVELS) for k in range(LEVELS)] + [WHITE]
        colours += [_mix(WHITE, ORANGE, (k + 1) / LEVELS) for k in range(LEVELS)]
    else:
        colours = [_mix(WHITE, BLUE, k / (2 * LEVELS)) for k in range(2 * LEVELS + 1)]
    return b"".join(bytes(c) for c in [*colours, BLACK])


def png(pixels: Any, colours: bytes) -> bytes:
    """An indexed PNG of four bits a pixel (ISO/IEC 15948)."""
    height, width = pixels.shape
    even = np.pad(pixels, ((0, 0), (0, width % 2)))
    packed = (even[:, ::2] << 4 | even[:, 1::2]).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    return b"".join([
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
        _chunk(b"PLTE", colours),
        _chunk(b"IDAT", zlib.compress(rows, 9)),
        _chunk(b"IEND", b""),
    ])  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _mix(a: tuple[int, ...], b: tuple[int, ...], t: float) -> tuple[int, ...]:
    return tuple(round(x + (y - x) * t) for x, y in zip(a, b, strict=True))
