"""The CPU with compiled loops, where Numba is installed (extra `fast`): which arrays they take, and how work is cut.

float32 arrays without gaps go to `minilm.backend.compiled`; all else to the NumPy functions of `CpuDevice`, which this class
extends. Parts go to the pool's threads: the loops hold no lock. What is summed over parts is cut by its size alone, so that no
digit hangs on the number of threads.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import os
from typing import Any

import numpy as np

from minilm.backend import special
from minilm.backend.cpu import CpuDevice
from minilm.backend.reference import common_shape, mix64
from minilm.backend.threads import can_start_threads, pool
from minilm.types import Array, Shape

F = np.float32
NO_ROWS, NO_SCORES, NO_PLACES = np.empty((0, 0), F), np.empty((0, 0, 0), F), np.empty(0, np.int64)


class CompiledCpu(CpuDevice):
    """`CpuDevice`, whose loops over float32 are compiled."""

    share_size = 1 << 16
    """How many elements of work a part has: less takes one thread no longer than to wake another."""

    def share(self, loop: Any, arrays: tuple[Any, ...], length: int, work: int, multiplies: bool = False) -> None:
        """``loop(*arrays, start, stop)`` over parts of range(length); `multiplies`: with BLAS, which then keeps to one thread."""
        count = min(length, work // self.share_size) if pool.is_free() else 1
        if count < 2 and multiplies:
            pool.on_one(loop, *arrays, 0, length)
        elif count < 2:
            loop(*arrays, 0, length)
        else:
            pool.run(loop, [(*arrays, i * length // count, (i + 1) * length // count) for i in range(count)])

    def share_flat(self, loop: Any, arrays: tuple[Array, ...], numbers: tuple[float, ...], cost: float) -> None:
        """``loop(*arrays, *numbers)`` over parts of arrays of one size; `cost`: of an element."""
        flat = [a.reshape(-1) for a in arrays]
        count = int(flat[0].size * cost) // self.share_size if pool.is_free() else 1
        if count < 2:
            loop(*flat, *numbers)
        else:
            size = flat[0].size
            cuts = [slice(i * size // count, (i + 1) * size // count) for i in range(count)]
            pool.run(loop, [(*(a[cut] for a in flat), *numbers) for cut in cuts])

    # -- activations ---------------------------------------------------------------------------------------------------

    def gelu(self, x: Array, approximate: str) -> Array:
        x = special.as_float(np, x)
        if not plain(x):
            return super().gelu(x, approximate)
        y, loop = np.empty_like(x), loops().gelu if approximate == "none" else loops().gelu_tanh
        self.share_flat(loop, (x, y), (), 1.0)
        return y

    def gelu_backward(self, g: Array, x: Array, y: Array, approximate: str) -> Array:
        if not plain(g, x, y):
            return super().gelu_backward(g, x, y, approximate)
        dx = np.empty_like(x)
        if approximate == "none":
            self.share_flat(loops().gelu_backward, (g, x, y, dx), (), 1.0)
        else:
            self.share_flat(loops().gelu_tanh_backward, (g, x, dx), (), 1.0)
        return dx

    def relu(self, x: Array) -> Array:
        if type(x) is not np.ndarray or x.size < self.small or not plain(x):
            return super().relu(x)
        y = np.empty_like(x)
        self.share_flat(loops().relu, (x, y), (), 0.25)
        return y

    def relu_backward(self, g: Array, y: Array) -> Array:
        if not plain(g, y) or g.size < self.small:
            return super().relu_backward(g, y)
        dx = np.empty_like(g)
        self.share_flat(loops().relu_backward, (g, y, dx), (), 0.25)
        return dx

    # -- normalization -------------------------------------------------------------------------------------------------

    def layer_norm(self, x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Any]:
        n = x.shape[-1]
        weight, bias = filled(weight, n, 1.0), filled(bias, n, 0.0)
        if not plain(x, weight, bias) or not x.size:
            return super().layer_norm(x, weight, bias, eps)
        y, (mean, rstd) = np.empty_like(x), np.empty((2, *x.shape[:-1], 1), F)
        arrays = rows(x), weight, bias, eps, rows(y), mean.reshape(-1), rstd.reshape(-1)
        self.share(loops().layer_norm, arrays, x.size // n, x.size // 4)
        return y, (mean, rstd)

    def layer_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array, Array]:
        n = x.shape[-1]
        factor = filled(weight, n, 1.0)
        if not plain(g, x, factor, *saved) or not x.size:
            return super().layer_norm_backward(g, x, weight, saved)
        dx, (mean, rstd) = np.empty_like(x), saved
        arrays = rows(g), rows(x), factor, mean.reshape(-1), rstd.reshape(-1), rows(dx)
        dweight, dbias = self.summed(loops().layer_norm_backward, arrays, x.size // n, n, 2)
        return dx, dweight, dbias

    def rms_norm(self, x: Array, weight: Array | None, eps: float) -> tuple[Array, Any]:
        n = x.shape[-1]
        factor = filled(weight, n, 1.0)
        if not plain(x, factor) or not x.size:
            return super().rms_norm(x, weight, eps)
        y, rrms = np.empty_like(x), np.empty((*x.shape[:-1], 1), F)
        arrays = rows(x), factor, eps, rows(y), rrms.reshape(-1)
        self.share(loops().rms_norm, arrays, x.size // n, x.size // 4)
        return y, rrms

    def rms_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array]:
        n = x.shape[-1]
        factor = filled(weight, n, 1.0)
        if not plain(g, x, factor, saved) or not x.size:
            return super().rms_norm_backward(g, x, weight, saved)
        dx = np.empty_like(x)
        arrays = rows(g), rows(x), factor, saved.reshape(-1), rows(dx)
        (dweight,) = self.summed(loops().rms_norm_backward, arrays, x.size // n, n, 1)
        return dx, dweight

    sum_rows = 128
    """How many rows a loop adds one to another, before their sums are added."""

    def summed(self, loop: Any, arrays: tuple[Array, ...], length: int, n: int, count: int) -> Array:
        """Runs a loop that adds to `count` rows (n,), in blocks of rows; the blocks' sums are added at the end."""
        blocks = -(-length // self.sum_rows)
        sums = np.zeros((blocks, count, n), F)
        cuts = [(i * length // blocks, (i + 1) * length // blocks) for i in range(blocks)]
        self.run_loops(loop, [(*arrays, *sums[i], *cut) for i, cut in enumerate(cuts)], length * n // 4)
        return sums[0] if blocks == 1 else self.sum(sums, (0,))

    def run_loops(self, loop: Any, blocks: list[tuple[Any, ...]], work: int, multiplies: bool = False) -> None:
        """Calls ``loop(*block)`` for each block; on the pool's threads where each of two gets a part's work."""
        if work >= 2 * self.share_size and pool.is_free():
            pool.run(loop, blocks)
            return
        for block in blocks:
            if multiplies:
                pool.on_one(loop, *block)
            else:
                loop(*block)

    # -- softmax and cross-entropy -------------------------------------------------------------------------------------

    def softmax(self, x: Array, axis: int, out: Array | None = None) -> Array:
        y = np.empty_like(x) if out is None else out
        if axis != x.ndim - 1 or not x.size or not plain(x, y):
            return super().softmax(x, axis, out)
        n = x.shape[-1]
        self.share(loops().softmax, (x.reshape(-1), y.reshape(-1), n), x.size // n, x.size)
        return y

    def softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        if axis != y.ndim - 1 or not y.size or not plain(g, y):
            return super().softmax_backward(g, y, axis)
        dx = np.empty_like(y)
        self.share(loops().softmax_backward, (rows(g), rows(y), rows(dx)), y.size // y.shape[-1], y.size // 4)
        return dx

    def cross_entropy(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> tuple[Array, Array, Any]:
        if target.ndim == 2 or weight is not None or smoothing or not x.size or not plain(x):
            return super().cross_entropy(x, target, weight, ignore_index, smoothing)
        loss, share, top, total = np.empty((4, len(x)), F)
        arrays = x.reshape(-1), x.shape[1], as_places(target), ignore_index, loss, share, top, total
        self.share(loops().cross_entropy, arrays, len(x), x.size)
        return loss, share, (top[:, None], total[:, None])

    def cross_entropy_backward(
        self, g: Array, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float, saved: Any
    ) -> Array:
        top, total = saved
        if target.ndim == 2 or weight is not None or smoothing or not x.size or not plain(g, x, top, total):
            return super().cross_entropy_backward(g, x, target, weight, ignore_index, smoothing, saved)
        dx = np.empty_like(x)
        arrays = g, x, as_places(target), ignore_index, top.reshape(-1), total.reshape(-1), dx
        self.share(loops().cross_entropy_backward, arrays, len(x), x.size)
        return dx

    # -- attention -----------------------------------------------------------------------------------------------------

    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Array | None,
        causal: bool,
        dropout_p: float,
        key: int,
        scale: float,
    ) -> tuple[Array, Any]:
        if not in_rows(q, k, v):
            return super().attention(q, k, v, mask, causal, dropout_p, key, scale)
        lead = common_shape(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        queries, keys = q.shape[-2], k.shape[-2]
        bias = None if mask is None else self.attention_bias(mask, False, (*lead, queries, keys), F)
        if bias is not None:
            bias = bias.reshape((1,) * (2 - bias.ndim) + bias.shape)
            lead = common_shape(lead, bias.shape[:-2])
        y, p = self._empty_as(q, (*lead, queries, v.shape[-1])), np.empty((*lead, queries, keys), F)
        keep = self.dropout_mask(p.shape, dropout_p, key, F) if dropout_p else None
        at, step = addresses(lead, q, k, v, y)
        flat, kept = p.reshape(-1, queries, keys), NO_SCORES if keep is None else keep.reshape(-1, queries, keys)
        added, added_at, each = bias_rows(bias, lead, keys)
        arrays = (at, step, q.shape[-1], v.shape[-1], flat, added, added_at)
        if queries == 1:
            one = (*arrays, kept, scale)
            self.share(loops().attention_of_one, one, len(at), p.size * q.shape[-1] // 8)
        else:
            self.share(loops().attention, (*arrays, each, kept, scale, causal), len(at), p.size, True)
        return y, (p, keep)

    def attention_backward(
        self,
        g: Array,
        q: Array,
        k: Array,
        v: Array,
        y: Array,
        scale: float,
        saved: Any,
        causal: bool = False,
        scores: bool = True,
    ) -> tuple[Array, Array, Array, Array | None]:
        p, keep = saved
        if not in_rows(g, q, k, v, y) or not plain(p) or p.shape[-2] == 1:
            return super().attention_backward(g, q, k, v, y, scale, saved, causal, scores)
        lead, (queries, keys) = p.shape[:-2], p.shape[-2:]
        dq, dk, dv = (self._empty_as(x, (*lead, *x.shape[-2:])) for x in (q, k, v))
        ds = np.empty_like(p) if scores else None
        at, step = addresses(lead, g, q, k, v, y, dq, dk, dv)
        flat, kept, dflat = (NO_SCORES if x is None else x.reshape(-1, queries, keys) for x in (p, keep, ds))
        arrays = at, step, q.shape[-1], v.shape[-1], flat, kept, dflat, scale, causal
        self.share(loops().attention_backward, arrays, len(at), 2 * p.size, True)
        return dq, dk, dv, ds

    # -- dropout, embedding, optimizer ---------------------------------------------------------------------------------

    def dropout_mask(self, shape: Shape, p: float, key: int, dtype: Any) -> Array:
        if p in (0.0, 1.0) or dtype != F or not usable():
            return super().dropout_mask(shape, p, key, dtype)
        mask, key64 = np.empty(shape, F), mix64(key % 2**64)
        flat, first = mask.reshape(-1), key >> 64
        numbers = key64 & 0xFFFFFFFF, key64 >> 32, int(p * 2**32), 1.0 / (1.0 - p)
        cuts = self.cuts(flat.size, flat.size)
        divided = [(flat[cut], (first + cut.start) % 2**32, *numbers) for cut in cuts]
        self.run_loops(loops().dropout_mask, divided, flat.size // 4)
        return mask

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        width = g.shape[-1]
        if not plain(g) or not g.size or ids.size > self.long_sum * rows or ids.min() < 0 or ids.max() >= rows:
            return super().embedding_grad(g, ids, rows)  # a loop would write where there is no row
        out = np.zeros((rows, width), F)
        loops().embedding_grad(g.reshape(-1, width), as_places(ids.reshape(-1)), out)
        return out

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
        if v_max is not None or not plain(p, g, m, v):
            return super().adamw(p, g, m, v, v_max, step=step, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        (beta1, beta2), root = betas, math.sqrt(1.0 - betas[1] ** step)
        rate, decay = lr * root / (1.0 - beta1**step), 1.0 - lr * weight_decay
        numbers = beta1, 1.0 - beta1, beta2, 1.0 - beta2, rate, eps * root, decay
        return self.share_flat(loops().adamw, (p, g, m, v), numbers, 0.5)

    # -- images --------------------------------------------------------------------------------------------------------

    def correlate(self, x: Array, filters: Array, bias: Array | None, windows: Any) -> Array | None:
        """With stride 1, columns and product of some rows at a time, so that they stay in the cache."""
        groups, count, _ = filters.shape
        bias = filled(bias, groups * count, 0.0)
        if not in_runs(x, windows) or not plain(bias) or filters.dtype != F or not filters.size:
            return None
        y = np.empty((len(x), groups * count, *windows.sizes), F)
        arrays = x, np.ascontiguousarray(filters), bias, *run_sizes(windows), y
        self.share(loops().correlate, arrays, len(x), y.size * filters.shape[2] // 32, True)
        return y

    def filter_gradient(self, g: Array, x: Array, windows: Any, groups: int) -> Array | None:
        """The images' shares are added in groups of images, then those of the groups: so no digit hangs on the threads."""
        if not in_runs(x, windows) or not plain(g) or not g.size:
            return None
        count, places = g.shape[1] // groups, x.shape[1] // groups * math.prod(windows.kernel)
        blocks = min(len(x), 8)
        shares = np.zeros((blocks, groups, places, count), F)
        cuts = [(i * len(x) // blocks, (i + 1) * len(x) // blocks) for i in range(blocks)]
        arrays = x, g, *run_sizes(windows)
        divided = [(*arrays, shares[i], *cut) for i, cut in enumerate(cuts)]
        self.run_loops(loops().filter_gradient, divided, g.size * places // 32, True)
        return shares.sum(axis=0).swapaxes(1, 2)

    def max_pool(self, x: Array, windows: Any) -> tuple[Array, Array] | None:
        if not in_pairs(x, windows):
            return None
        y, place = (np.empty((*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2), t) for t in (F, np.uint8))
        self.share(loops().max_pool_2, tuple(map(images, (x, y, place))), math.prod(x.shape[:2]), x.size // 4)
        return y, place

    def max_pool_backward(self, g: Array, place: Array, x: Array, windows: Any) -> Array | None:
        if not in_pairs(x, windows) or not plain(g):
            return None
        dx = np.empty_like(x)
        self.share(loops().max_pool_2_backward, tuple(map(images, (g, place, dx))), math.prod(x.shape[:2]), x.size // 4)
        return dx

    small = 1 << 12
    """Elements; below, NumPy's one or two operations are as fast as a call of a compiled loop."""


switched_on = os.environ.get("MINILM_COMPILED") != "0"
"""Whether compiled loops are wanted: what the environment says at the start, and `use_compiled` later."""


def why_not() -> str | None:
    """Why there are no compiled loops; None where there are. It does not import Numba."""
    if not can_start_threads():
        return "a web page has no compiler"
    if _found is not None:
        return None if _loops is not None else _found
    return None if importlib.util.find_spec("numba") else "Numba is not installed. Type: pip install 'minilm[fast]'"


_loops: Any = None
_found: str | None = None  # what importing Numba said


def usable() -> bool:
    """Whether the loops can be called. The first call imports Numba, which may be there and yet refuse this NumPy."""
    global _loops, _found
    if _found is None:
        try:
            from minilm.backend import compiled

            _loops, _found = compiled, ""
        except Exception as error:  # whatever a strange installation raises: NumPy does as well
            _found = f"importing Numba failed with {type(error).__name__}: {str(error).strip().splitlines()[:1]}"
    return _loops is not None


def loops() -> Any:
    """The module of the loops, once `usable` has said yes."""
    return _loops


def plain(*arrays: Array) -> bool:
    """Whether all are float32 without gaps, and writable, which Numba tells apart; and the loops can be called."""
    for a in arrays:
        if a.dtype != F or not a.flags.carray:
            return False
    return usable()


def rows(x: Array) -> Array:
    """(..., n) as (rows, n)."""
    return x.reshape(-1, x.shape[-1])


def images(x: Array) -> Array:
    """(N, C, H, W) as (N C, H, W)."""
    return x.reshape(-1, *x.shape[2:])


def filled(values: Array | None, n: int, value: float) -> Array:
    """The values (n,), or as many of `value` in place of None."""
    return np.full(n, value, F) if values is None else values


def as_places(ids: Array) -> Array:
    """Positions as the loops want them: int64, one after the other."""
    return ids if ids.dtype == np.int64 and ids.flags.carray else ids.astype(np.int64)


def in_rows(*arrays: Array) -> bool:
    """Whether all are float32 and not empty, the matrices in their last two axes have rows without gaps, one after the other, and the
    loops can be called."""
    for a in arrays:
        if a.dtype != F or not a.size or a.strides[-1] != 4 or a.strides[-2] % 4 or a.strides[-2] < 4 * a.shape[-1]:
            return False
    return usable() and loops().sgemm is not None


def in_runs(x: Array, windows: Any) -> bool:
    """Whether windows have stride 1, on plain images: then what a place of them sees is one run of numbers."""
    return plain(x) and x.size > 0 and windows.stride == (1, 1) and loops().sgemm is not None


def run_sizes(windows: Any) -> tuple[Array, Array, Array, int]:
    """The window's places, the steps between them, where an image begins in its frame, and the width of the frame."""
    corner = [before for before, _ in windows.padding]
    sizes = (np.array(each, np.int64) for each in (windows.kernel, windows.dilation, corner))
    return *sizes, windows.image[1] + sum(windows.padding[1])


def in_pairs(x: Array, windows: Any) -> bool:
    """Whether windows of 2 x 2 lie side by side on all of the images, which are plain."""
    return (
        plain(x)
        and x.size > 0
        and windows.kernel == windows.stride == (2, 2)
        and windows.dilation == (1, 1)
        and not any(map(any, windows.padding))
        and x.shape[2] % 2 == x.shape[3] % 2 == 0
    )


def addresses(lead: Shape, *arrays: Array) -> tuple[Array, Array]:
    """Where the matrices in the last two axes of arrays begin, (matrices, arrays), and the bytes from row to row, (arrays,).

    The leading axes are broadcast to `lead`.
    """
    offsets, steps = _offsets(lead, *[(a.shape[:-2], a.strides) for a in arrays])
    return offsets + np.array([a.__array_interface__["data"][0] for a in arrays], np.int64), steps


@functools.lru_cache(maxsize=256)  # a model has few shapes, and asks in each layer
def _offsets(lead: Shape, *layouts: tuple[Shape, Shape]) -> tuple[Array, Array]:
    """`addresses` without those of the arrays themselves."""
    return np.stack([places(lead, *each) for each in layouts], axis=1), np.array(
        [each[1][-2] for each in layouts], np.int64
    )


def places(lead: Shape, shape: Shape, strides: Shape) -> Array:
    """How many bytes after the beginning of an array with these leading axes each of its matrices begins, (matrices,)."""
    at = np.zeros((), np.int64)
    absent = len(lead) - len(shape)
    for i, n in enumerate(lead):
        stride = strides[i - absent] if i >= absent and shape[i - absent] > 1 else 0
        at = at[..., None] + np.arange(n, dtype=np.int64) * stride
    return at.reshape(-1)


def bias_rows(bias: Array | None, lead: Shape, keys: int) -> tuple[Array, Array, int]:
    """What is added to the scores as rows (keys,); the first row of each matrix; and 1 if each query has its own, else 0."""
    if bias is None:
        return NO_ROWS, NO_PLACES, 0
    whole = np.empty((*bias.shape[:-1], keys), F)
    whole[...] = bias
    return rows(whole), places(lead, whole.shape[:-2], whole.strides) // (4 * keys), int(whole.shape[-2] > 1)
