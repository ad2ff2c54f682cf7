"""Arrays as small pictures: heat maps of at most 24 by 12 pixels, all on one sheet, a PNG as a data URI.

The last axis runs from left to right, all others from top to bottom. Larger arrays are averaged over blocks. Floats are
shown from blue (negative) over white (zero) to orange (positive), symmetric about zero; integers and truth values from
white to blue. Numbers that are not finite are black.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm import style
from minilm.indices import positions

WIDTH, HEIGHT = 24, 12
LEVELS = 5  # shades on each side of zero
NOT_FINITE = 4 * LEVELS + 2
BLUE, WHITE, ORANGE, BLACK = map(style.rgb, (style.NEGATIVE, style.ZERO, style.POSITIVE, style.BLACK))


def tile(array: Any) -> Any:
    """The array as a matrix of palette numbers, one a pixel; None where it has no numbers."""
    array = np.asarray(array)
    return shades(shrink(plane(array)), array.dtype.kind == "f") if array.size else None


def sheet(tiles: Sequence[Any]) -> str:
    """The tiles one below the other, in cells of 24 by 12 pixels, as ``data:image/png;base64,...``."""
    pixels = np.full((len(tiles) * HEIGHT, WIDTH), LEVELS, np.uint8)
    for k, pixel in enumerate(tiles):
        pixels[k * HEIGHT : k * HEIGHT + pixel.shape[0], : pixel.shape[1]] = pixel
    return "data:image/png;base64," + base64.b64encode(png(pixels, palette())).decode()


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
                grid = np.add.reduceat(grid, positions(edges[:-1]), axis=axis) / np.diff(edges).reshape(shape)
    return grid


def shades(grid: Any, signed: bool) -> Any:
    """Palette numbers: 0 to 10 for floats, 5 for zero; 11 to 21 for others; 22 where a number is not finite."""
    finite = np.isfinite(grid)
    known = np.where(finite, grid, 0.0)
    if signed:
        top = np.abs(known).max()
        scaled = LEVELS + np.rint(LEVELS * (known / top if top else known))
    else:
        low, span = known.min(), np.ptp(known)
        scaled = np.rint(2 * LEVELS * (known - low) / span) if span else np.full(known.shape, 2.0 * LEVELS * (low != 0))
        scaled += 2 * LEVELS + 1
    return np.where(finite, scaled, NOT_FINITE).astype(np.uint8)


def palette() -> bytes:
    """23 colors, three bytes each."""
    colors = [_mix(WHITE, BLUE, (LEVELS - k) / LEVELS) for k in range(LEVELS)] + [WHITE]
    colors += [_mix(WHITE, ORANGE, (k + 1) / LEVELS) for k in range(LEVELS)]
    colors += [_mix(WHITE, BLUE, k / (2 * LEVELS)) for k in range(2 * LEVELS + 1)]
    return b"".join(bytes(c) for c in [*colors, BLACK])


def png(pixels: Any, colors: bytes) -> bytes:
    """An indexed PNG of eight bits a pixel (ISO/IEC 15948)."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return b"".join([
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", colors),
        _chunk(b"IDAT", zlib.compress(rows, 9)),
        _chunk(b"IEND", b""),
    ])  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _mix(a: tuple[int, ...], b: tuple[int, ...], t: float) -> tuple[int, ...]:
    return tuple(round(x + (y - x) * t) for x, y in zip(a, b, strict=True))
