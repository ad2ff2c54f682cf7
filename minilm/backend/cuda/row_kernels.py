"""The hot functions of a device as CUDA kernels: one launch each, or two, where array functions would take many.

``kernels.cu`` says what a kernel does; here stands what it is given: memory, numbers in the types that it declares, and how many
threads. Each method computes what `minilm.backend.reference.Reference` says (or `Accelerator`), but for
the rounding of sums in another order. What a kernel does not take goes to the function that it overrides: half precision,
another axis than the last, empty arrays. No method waits for the device or looks at numbers, and all sums are made in a
fixed order: the same inputs give the same bits.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from minilm.backend.cuda.accelerator import Accelerator
from minilm.backend.reference import mix64
from minilm.types import Array

SOURCE = Path(__file__).with_name("kernels.cu")
C_NAMES = {"f": "float", "d": "double"}  # what REAL is, for each dtype (by its character) that there are kernels for
NULL = np.uint64(0)  # a pointer to nothing

WARP, WARPS, DEPTH, BATCH = 32, 4, 8, 256
"""Threads in a warp; warps in a block whose teams are warps; `DEPTH` and `BATCH` of ``kernels.cu``."""
ENOUGH_BLOCKS = 1024
"""So many blocks keep every multiprocessor busy: an H200 has 132, each of which holds eight blocks of 256 threads."""


class RowKernels(Accelerator):
    """Mixin of a device whose array module compiles CUDA C (``xp.RawModule``) and whose arrays have one place in memory."""

    max_blocks = 1 << 16
    """The most blocks along the first axis of a grid; what is left then, the same blocks do."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._modules: dict[str, Any] = {}
        self._functions: dict[tuple[str, str], Any] = {}

    # -- launching -----------------------------------------------------------------------------------------------------

    def raw_module(self, real: str) -> Any:
        """``kernels.cu`` with its numbers in float or double: compiled when the first kernel is launched, then kept on disk."""
        return self.xp.RawModule(code=SOURCE.read_text(encoding="utf-8"), options=(f"-DREAL={real}",))

    def _launch(self, name: str, dtype: Any, grid: tuple[int, ...], block: tuple[int, int], *args: Any) -> None:
        """Starts a kernel. A float is passed as a `real`, a Python int as an `int64`, None as a null pointer."""
        key = (name, dtype.char)
        if key not in self._functions:
            real = C_NAMES[dtype.char]
            if real not in self._modules:
                self._modules[real] = self.raw_module(real)
            self._functions[key] = self._modules[real].get_function(name)
        self._functions[key](grid, block, tuple(_argument(x, dtype) for x in args))

    def _on_rows(self, name: str, rows: int, n: int, dtype: Any, *args: Any) -> None:
        """A team for each of `rows` rows of n: a warp up to 1,024 columns, a block beyond, which has more loads under way."""
        block = (WARP, WARPS) if n <= 1024 else (256 if n <= 8192 else 512, 1)
        self._launch(name, dtype, (min(-(-rows // block[1]), self.max_blocks),), block, *args)

    def _on_elements(self, name: str, x: Array, *args: Any) -> None:
        """A thread for each element of x."""
        self._launch(name, x.dtype, (min(-(-x.size // 256), self.max_blocks),), (256, 1), *args)

    def _sum_columns(self, x: Array, rows: int, n: int) -> Array:
        """The sum (n,) of a C-contiguous (rows, n), in two launches where the rows are many."""
        parts = _parts(rows, n)
        sums = self.xp.empty((parts, n), x.dtype)
        self._launch("column_sums", x.dtype, (-(-n // WARP), parts), (WARP, DEPTH), x, sums, rows, n)
        return self._sum_columns(sums, parts, n) if parts > 1 else sums.reshape(n)

    def _packed(self, x: Array) -> Array:
        """x, C-contiguous: a copy of a view is two passes, far fewer than a fallback makes."""
        return x if x.flags.c_contiguous else self.xp.ascontiguousarray(x)

    def _optional(self, x: Array | None) -> Array | None:
        return None if x is None else self._packed(x)

    # -- softmax and attention -----------------------------------------------------------------------------------------

    def softmax(self, x: Array, axis: int, out: Array | None = None) -> Array:
        if axis != x.ndim - 1 or not _real(x, out) or not (out is None or out.flags.c_contiguous):
            return super().softmax(x, axis, out)
        y, n = self.xp.empty(x.shape, x.dtype) if out is None else out, x.shape[-1]
        self._on_rows("softmax", x.size // n, n, x.dtype, self._packed(x), y, x.size // n, n)
        return y

    def softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        if axis != y.ndim - 1 or not _real(y, g):
            return super().softmax_backward(g, y, axis)
        return self._softmax_backward(self._packed(g), self._packed(y), None, self.xp.empty(y.shape, y.dtype))

    def _softmax_backward(self, g: Array, y: Array, keep: Array | None, dx: Array) -> Array:
        rows, n = y.size // y.shape[-1], y.shape[-1]
        self._on_rows("softmax_backward", rows, n, y.dtype, g, y, keep, dx, rows, n)
        return dx

    def log_softmax(self, x: Array, axis: int) -> Array:
        if axis != x.ndim - 1 or not _real(x):
            return super().log_softmax(x, axis)
        y, rows, n = self.xp.empty(x.shape, x.dtype), x.size // x.shape[-1], x.shape[-1]
        self._on_rows("log_softmax", rows, n, x.dtype, self._packed(x), y, rows, n)
        return y

    def log_softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        if axis != y.ndim - 1 or not _real(y, g):
            return super().log_softmax_backward(g, y, axis)
        dx, rows, n = self.xp.empty(y.shape, y.dtype), y.size // y.shape[-1], y.shape[-1]
        self._on_rows("log_softmax_backward", rows, n, y.dtype, self._packed(g), self._packed(y), dx, rows, n)
        return dx

    def masked_softmax(
        self, scores: Array, mask: Array | None, causal: bool, scale: float, dropout_p: float = 0.0, key: int = 0
    ) -> tuple[Array, Array | None]:
        """As in `Accelerator`, but that a score whose key is masked out is not read: NaN there leaves the row as it is.

        A mask is read where it lies, whatever axes it repeats along.
        """
        strides = None if scores.ndim < 2 else _mask_strides(mask, scores.shape)
        added = None if mask is None or mask.dtype == bool else mask
        if strides is None or not _real(scores, added) or not scores.flags.c_contiguous or dropout_p == 1.0:
            return super().masked_softmax(scores, mask, causal, scale, dropout_p, key)
        queries, keys = scores.shape[-2:]
        heads = scores.shape[-3] if scores.ndim > 2 else 1
        keep = self.xp.empty(scores.shape, scores.dtype) if dropout_p else None
        allowed, rows = None if added is not None else mask, scores.size // keys
        self._on_rows("masked_softmax", rows, keys, scores.dtype, scores, allowed, added, *strides, heads, queries, keys,
                      int(causal), float(scale), keep, *_dropout(dropout_p, key), rows)  # fmt: skip
        return scores, keep

    def masked_softmax_backward(self, dp: Array, p: Array, keep: Array | None) -> Array:
        if not _real(p, dp, keep) or not dp.flags.c_contiguous:
            return super().masked_softmax_backward(dp, p, keep)
        return self._softmax_backward(dp, self._packed(p), self._optional(keep), dp)

    # -- normalization -------------------------------------------------------------------------------------------------

    def layer_norm(self, x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Any]:
        if not _real(x, weight, bias):
            return super().layer_norm(x, weight, bias, eps)
        rows, n, empty = x.size // x.shape[-1], x.shape[-1], self.xp.empty
        y, mean, rstd = empty(x.shape, x.dtype), *(empty((*x.shape[:-1], 1), x.dtype) for _ in range(2))
        weight, bias = self._optional(weight), self._optional(bias)
        self._on_rows("layer_norm", rows, n, x.dtype, self._packed(x), weight, bias, y, mean, rstd, rows, n, float(eps))
        return y, (mean, rstd)

    def layer_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array, Array]:
        if not _real(x, g, weight, *saved):
            return super().layer_norm_backward(g, x, weight, saved)
        dx, sums = self._norm_backward(g, x, weight, *saved)
        return dx, sums[: x.shape[-1]], sums[x.shape[-1] :]

    def rms_norm(self, x: Array, weight: Array | None, eps: float) -> tuple[Array, Any]:
        if not _real(x, weight):
            return super().rms_norm(x, weight, eps)
        rows, n = x.size // x.shape[-1], x.shape[-1]
        y, rrms = self.xp.empty(x.shape, x.dtype), self.xp.empty((*x.shape[:-1], 1), x.dtype)
        x, weight = self._packed(x), self._optional(weight)
        self._on_rows("rms_norm", rows, n, x.dtype, x, weight, y, rrms, rows, n, float(eps))
        return y, rrms

    def rms_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array]:
        if not _real(x, g, weight, saved):
            return super().rms_norm_backward(g, x, weight, saved)
        return self._norm_backward(g, x, weight, None, saved)

    def _norm_backward(
        self, g: Array, x: Array, weight: Array | None, mean: Array | None, rstd: Array
    ) -> tuple[Array, Array]:
        """The gradient of x; and that of weight (n,), after which comes that of bias where there is a mean: (2 n,)."""
        rows, n, dtype = x.size // x.shape[-1], x.shape[-1], x.dtype
        g, x, weight, dx = self._packed(g), self._packed(x), self._optional(weight), self.xp.empty(x.shape, dtype)
        self._on_rows("norm_backward", rows, n, dtype, g, x, weight, mean, rstd, dx, rows, n)
        parts, width = _parts(rows, n), n if mean is None else 2 * n
        sums = self.xp.empty((parts, width), dtype)
        grid = (-(-n // WARP), parts)
        self._launch("norm_column_sums", dtype, grid, (WARP, DEPTH), g, x, mean, rstd, sums, rows, n)
        return dx, self._sum_columns(sums, parts, width) if parts > 1 else sums.reshape(width)

    # -- cross-entropy -------------------------------------------------------------------------------------------------

    def cross_entropy(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> tuple[Array, Array, Any]:
        """As in `Reference`, but that a target that is no class gives NaN. Targets that are distributions go there."""
        if target.ndim != 1 or not _real(x):
            return super().cross_entropy(x, target, weight, ignore_index, smoothing)
        rows, classes = x.shape
        loss, share = (self.xp.empty(rows, x.dtype) for _ in range(2))
        top, total = (self.xp.empty((rows, 1), x.dtype) for _ in range(2))
        target, weight = self._packed(target.astype(np.int64, copy=False)), self._class_weights(weight, x.dtype)
        self._on_rows("cross_entropy", rows, classes, x.dtype, self._packed(x), target, weight, ignore_index,
                      float(smoothing), loss, share, top, total, rows, classes)  # fmt: skip
        return loss, share, (top, total)

    def cross_entropy_backward(
        self, g: Array, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float, saved: Any
    ) -> Array:
        if target.ndim != 1 or not _real(x, g, *saved):
            return super().cross_entropy_backward(g, x, target, weight, ignore_index, smoothing, saved)
        rows, classes = x.shape
        dx, g_stride = self.xp.empty(x.shape, x.dtype), g.strides[0] // g.itemsize
        target, weight = self._packed(target.astype(np.int64, copy=False)), self._class_weights(weight, x.dtype)
        self._on_rows("cross_entropy_backward", rows, classes, x.dtype, g, g_stride, self._packed(x), target, weight,
                      ignore_index, float(smoothing), *saved, dx, rows, classes)  # fmt: skip
        return dx

    def _class_weights(self, weight: Array | None, dtype: Any) -> Array | None:
        return None if weight is None else self._packed(weight.astype(dtype, copy=False))

    # -- dropout, embedding, sums --------------------------------------------------------------------------------------

    def dropout_mask(self, shape: tuple[int, ...], p: float, key: int, dtype: Any) -> Array:
        dtype = np.dtype(dtype)
        if p in (0.0, 1.0) or dtype.char not in C_NAMES or not math.prod(shape):
            return super().dropout_mask(shape, p, key, dtype)
        mask = self.xp.empty(shape, dtype)
        self._on_elements("dropout_mask", mask, mask, mask.size, *_dropout(p, key))
        return mask

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        """As in `Reference`, but that an id that is no row is left out.

        Neither sorted nor added atomically: each block looks through all ids for those of its rows. For a small table a block
        has one row, and the ids are cut into parts until there are enough blocks. In a large one it has 32 rows, so that
        50,257 words and 16,384 ids make 26 million looks for each 256 columns, a quarter of a millisecond (estimated).
        """
        if not _real(g) or not rows or g.shape[-1] > BATCH * 65535:
            return super().embedding_grad(g, ids, rows)
        width, count = g.shape[-1], ids.size
        group = 1 if rows <= ENOUGH_BLOCKS else 32
        groups, columns = -(-rows // group), -(-width // BATCH)
        parts = max(1, min(ENOUGH_BLOCKS // (groups * columns), count // 1024))
        tables = self.xp.empty((parts, rows, width), g.dtype)
        ids = self._packed(ids.astype(np.int64, copy=False))
        self._launch("embedding_grad", g.dtype, (groups, columns, parts), (BATCH, 1), self._packed(g), ids, tables,
                     count, rows, width, group)  # fmt: skip
        return (self._sum_columns(tables, parts, rows * width) if parts > 1 else tables).reshape(rows, width)

    def sum_leading(self, x: Array) -> Array:
        if not _real(x) or not x.flags.c_contiguous:
            return super().sum_leading(x)
        return self._sum_columns(x, x.size // x.shape[-1], x.shape[-1])

    # -- elements ------------------------------------------------------------------------------------------------------

    def gelu(self, x: Array, approximate: str) -> Array:
        if not _real(x):
            return super().gelu(x, approximate)
        y = self.xp.empty(x.shape, x.dtype)
        self._on_elements("gelu" if approximate == "none" else "gelu_tanh", x, self._packed(x), y, x.size)
        return y

    def gelu_backward(self, g: Array, x: Array, y: Array, approximate: str) -> Array:
        """As in `Reference`, but that the derivative is made from x alone: y need not be read."""
        if not _real(x):
            return super().gelu_backward(g, x, y, approximate)
        dx, name = self.xp.empty(x.shape, x.dtype), "gelu_backward" if approximate == "none" else "gelu_tanh_backward"
        g = self._packed(g.astype(x.dtype, copy=False))
        self._on_elements(name, x, g, self._packed(x), dx, x.size)
        return dx

    def adamw(
        self,
        p: Array,
        g: Array,
        m: Array,
        v: Array,
        v_max: Array | None,
        *,
        step: int,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        arrays = [x for x in (p, g, m, v, v_max) if x is not None]
        if not _real(*arrays) or not all(x.flags.c_contiguous for x in arrays):
            super().adamw(p, g, m, v, v_max, step=step, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
            return
        (beta1, beta2), root = betas, math.sqrt(1.0 - betas[1] ** step)
        self._on_elements("adamw", p, p, g, m, v, v_max, p.size, float(beta1), 1.0 - beta1, float(beta2), 1.0 - beta2,
                          1.0 - lr * weight_decay, lr * root / (1.0 - beta1**step), eps * root)  # fmt: skip


def _real(x: Array, *others: Array | None) -> bool:
    """Whether there is something in x, of a dtype that there are kernels for, and the others are of the same."""
    return bool(x.size and x.dtype.char in C_NAMES and all(y is None or y.dtype == x.dtype for y in others))


def _argument(x: Any, dtype: Any) -> Any:
    if x is None:
        return NULL
    if isinstance(x, float | np.floating):
        return dtype.type(x)
    return np.int64(x) if isinstance(x, int) else x


def _parts(rows: int, n: int) -> int:
    """Into how many parts to cut the rows of a sum of n columns: enough for all multiprocessors, of 128 rows or more each."""
    return max(1, min(ENOUGH_BLOCKS // -(-n // WARP), rows // 128))


def _dropout(p: float, key: int) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32, float]:
    """The number of the first element, the halves of the mixed key, the bound below which a hash means 0, and what is kept times what."""
    mixed = mix64(key % 2**64)
    halves = np.uint32(mixed & 0xFFFFFFFF), np.uint32(mixed >> 32)
    return np.uint32(key >> 64), *halves, np.uint32(int(p * 2**32)), 1.0 / (1.0 - p)


def _mask_strides(mask: Array | None, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """A mask's strides, in elements, along batch, heads, queries and keys of scores of `shape`; 0 where it is repeated.

    None where no such four describe it: it does not broadcast to the scores, or varies along more axes.
    """
    if mask is None:
        return 0, 0, 0, 0
    lead = len(shape) - mask.ndim
    if lead < 0 or any(m not in (1, n) for m, n in zip(mask.shape, shape[lead:], strict=True)):
        return None
    if any(stride % mask.itemsize for stride in mask.strides):
        return None
    strides = [0 if m == 1 else s // mask.itemsize for m, s in zip(mask.shape, mask.strides, strict=True)]
    strides = [0] * max(lead, 4 - mask.ndim) + strides
    return None if any(strides[:-4]) or (len(strides) > 4 and strides[-4]) else tuple(strides[-4:])
