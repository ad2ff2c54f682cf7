"""Block types of 256 weights in sub-blocks, whose scales are themselves integers of few bits: Q2_K to Q6_K.

With the scale s and the minimum m of weight i's sub-block, small integers, and the block's two float16 d and e:

    y = d s q - e m      (Q2_K, Q4_K, Q5_K)
    y = d s q            (Q3_K, Q6_K: q and s may be negative)

Here stands how the integers are cut from the bytes: for each type once for many blocks, and once for one weight after the
other. The records are in `minilm.formats.blocks`. These types are read, not written.

Source: ggml, `ggml-quants.c`, `dequantize_row_q2_K` and those after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]


def _weights(b: NDArray[Any], q: Integers, s: Integers, y: Floats, m: Integers | None = None) -> None:
    """y = d s q - e m, with q (n, sub-blocks, weights), s and m (n, sub-blocks)."""
    parts = y.reshape(q.shape)
    parts[...] = q
    parts *= (b["d"].astype(np.float32)[:, None] * s.astype(np.float32))[..., None]
    if m is not None:
        parts -= (b["e"].astype(np.float32)[:, None] * m.astype(np.float32))[..., None]


def _pairs_of_bits(q: Integers) -> Integers:
    """(n, 64) bytes -> (n, 2, 4, 32) of 0 to 3: of each half's 32 bytes the lowest two bits first."""
    return q.reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3


def _halves(q: Integers) -> Integers:
    """(n, 128) bytes -> (n, 8, 32) of 0 to 15: the low halves of 32 bytes, then their high halves."""
    return (q.reshape(-1, 4, 1, 32) >> np.array([0, 4], np.uint8)[:, None] & 15).reshape(-1, 8, 32)


def read_q2_k(b: NDArray[Any], y: Floats) -> None:
    _weights(b, _pairs_of_bits(b["q"]).reshape(-1, 16, 16), b["s"] & 15, y, b["s"] >> 4)


def plain_q2_k(b: Any) -> list[Any]:
    weights = []
    for i in range(256):
        half, j, l, s = i // 128, i % 128 // 32, i % 32, int(b["s"][i // 16])
        q = int(b["q"][32 * half + l]) >> 2 * j & 3
        weights.append(np.float32(b["d"]) * (s & 15) * q - np.float32(b["e"]) * (s >> 4))
    return weights


def read_q3_k(b: NDArray[Any], y: Floats) -> None:
    missing = (b["h"][:, None, :] >> np.arange(8, dtype=np.uint8)[:, None] & 1 ^ 1) << 2  # 4 where the third bit is 0
    q = _pairs_of_bits(b["q"]).astype(np.int8) - missing.reshape(-1, 2, 4, 32).astype(np.int8)
    low = np.concatenate([b["s"][:, :8] & 15, b["s"][:, :8] >> 4], 1)
    high = (b["s"][:, None, 8:] >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3).reshape(-1, 16)
    _weights(b, q.reshape(-1, 16, 16), (low | high << 4).astype(np.int8) - np.int8(32), y)


def plain_q3_k(b: Any) -> list[Any]:
    weights = []
    for i in range(256):
        half, j, l, k = i // 128, i % 128 // 32, i % 32, i // 16
        q = (int(b["q"][32 * half + l]) >> 2 * j & 3) + 4 * (int(b["h"][l]) >> 4 * half + j & 1) - 4
        s = (int(b["s"][k % 8]) >> 4 * (k // 8) & 15) + 16 * (int(b["s"][8 + k % 4]) >> 2 * (k // 4) & 3) - 32
        weights.append(np.float32(b["d"]) * s * q)
    return weights


def _six_bits(s: Integers) -> tuple[Integers, Integers]:
    """(n, 12) bytes -> 8 scales and 8 minima of six bits: those of the first four sub-blocks lie in one piece, of the last
    four the lower four bits lie together, and the upper two where the first ones left room."""
    first, second, third = s[:, :4], s[:, 4:8], s[:, 8:]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], 1)
    return scales, np.concatenate([second & 63, third >> 4 | second >> 6 << 4], 1)


def _plain_six_bits(s: Any, k: int) -> tuple[int, int]:
    s = [int(byte) for byte in s]
    if k < 4:
        return s[k] & 63, s[k + 4] & 63
    return (s[k + 4] & 15) + 16 * (s[k - 4] >> 6), (s[k + 4] >> 4) + 16 * (s[k] >> 6)


def read_q4_k(b: NDArray[Any], y: Floats) -> None:
    s, m = _six_bits(b["s"])
    _weights(b, _halves(b["q"]), s, y, m)


def plain_q4_k(b: Any) -> list[Any]:
    weights = []
    for i in range(256):
        s, m = _plain_six_bits(b["s"], i // 32)
        q = int(b["q"][32 * (i // 64) + i % 32]) >> 4 * (i // 32 % 2) & 15
        weights.append(np.float32(b["d"]) * s * q - np.float32(b["e"]) * m)
    return weights


def read_q5_k(b: NDArray[Any], y: Floats) -> None:
    s, m = _six_bits(b["s"])
    fifth = b["h"][:, None, :] >> np.arange(8, dtype=np.uint8)[:, None] & 1
    _weights(b, _halves(b["q"]) | fifth << 4, s, y, m)


def plain_q5_k(b: Any) -> list[Any]:
    weights = []
    for i in range(256):
        s, m = _plain_six_bits(b["s"], i // 32)
        q = int(b["q"][32 * (i // 64) + i % 32]) >> 4 * (i // 32 % 2) & 15
        q += 16 * (int(b["h"][i % 32]) >> i // 32 & 1)
        weights.append(np.float32(b["d"]) * s * q - np.float32(b["e"]) * m)
    return weights


def read_q6_k(b: NDArray[Any], y: Floats) -> None:
    low = b["q"].reshape(-1, 2, 1, 64) >> np.array([0, 4], np.uint8)[:, None] & 15
    q = low.reshape(-1, 2, 4, 32) | _pairs_of_bits(b["h"]) << 4
    _weights(b, q.reshape(-1, 16, 16).astype(np.int8) - np.int8(32), b["s"], y)


def plain_q6_k(b: Any) -> list[Any]:
    weights = []
    for i in range(256):
        half, j, l = i // 128, i % 128 // 32, i % 32
        q = int(b["q"][64 * half + 32 * (j % 2) + l]) >> 4 * (j // 2) & 15
        q += 16 * (int(b["h"][32 * half + l]) >> 2 * j & 3)
        weights.append(np.float32(b["d"]) * int(b["s"][i // 16]) * (q - 32))
    return weights
