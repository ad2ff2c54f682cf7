"""The processor: every hot function in few passes over memory, in blocks that stay in its cache, on several threads.

`Blocked` is written for any array module, ``self.xp``: what a GPU has no kernel for, it does in the same few passes.
`minilm.backend.reference` says plainly what each function computes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.backend import special
from minilm.backend.device import Device
from minilm.backend.reference import GELU_CUBIC, GELU_SLOPE, common_shape, mix64, sum_dtype
from minilm.backend.special import FLAT
from minilm.backend.threads import can_limit_blas, has_blas, pool
from minilm.indices import positions
from minilm.types import Array, Shape

SMALL_PRODUCT = 1 << 13  # multiplications; up to here OpenBLAS itself takes one thread, for matrices and vectors
LARGE_PRODUCT = 1 << 22  # from here half a product takes longer than to wake a thread
HEAD_START = 1 << 21  # multiplications that one thread does while another wakes up, in some 80 microseconds
PLAIN_PRODUCT = 1 << 17  # multiplications; without BLAS, from here two copies pay
FEW = 512  # numbers, of which it takes longer to say how they are divided than to go through them
CUT = 16  # rows or columns: BLAS's kernels work on so many at once


class Blocked(Device):
    """The functions of `Reference`, each in as few passes over memory as it takes, in memory that it made itself."""

    # -- blocks --------------------------------------------------------------------------------------------------------

    block_size = 1 << 16
    """How many elements a function of many passes works on at once: few enough to stay in the cache between the passes."""
    thread_size = 1 << 17
    """How many where there are several threads' worth: the longer each call, the less often two threads meet at Python's lock."""

    blas = True
    """Whether products are a library's, which are faster than the array module's own sums."""

    group_size = 64
    """How many queries of a causal attention are worked on together, and how many keys."""

    def blocks(self, *arrays: Array) -> list[tuple[Array, ...]]:
        """Arrays of one shape, cut alike into flat views of at most `block_size` elements.

        Arrays without a flat view (not C-contiguous) come whole.
        """
        if 1 < arrays[0].size <= min(FEW, self.block_size) or not all(a.flags.c_contiguous for a in arrays):
            return [arrays]
        flat = [a.reshape(-1) for a in arrays]
        if flat[0].size <= self.block_size:
            return [tuple(flat)]
        return [tuple(a[part] for a in flat) for part in self.cuts(flat[0].size, flat[0].size)]

    def row_blocks(self, *arrays: Array) -> list[tuple[Array, ...]]:
        """Arrays (..., n) or (..., 1) with the same leading axes, cut alike into flat (rows, n) of at most `block_size` elements."""
        flat = [a.reshape(-1, a.shape[-1]) if a.size else a.reshape(0, a.shape[-1]) for a in arrays]
        return [tuple(a[part] for a in flat) for part in self.cuts(len(flat[0]), arrays[0].size)]

    def batch_blocks(self, elements: int, *arrays: Array | None) -> list[tuple[Array | None, ...]]:
        """Arrays (batch, ...), cut alike along the batch so that one with `elements` elements falls into blocks of `block_size`.

        None stays None, and an array without a batch axis (a mask for all) whole. Where leading axes are broadcast, all come
        whole.
        """
        depth = max(a.ndim for a in arrays if a is not None)
        deep = [a is not None and a.ndim == depth for a in arrays]
        sizes = {a.shape[0] for a, is_deep in zip(arrays, deep, strict=True) if a is not None and is_deep}
        if elements <= self.block_size or depth < 3 or len(sizes) != 1:
            return [arrays]
        return [
            tuple(a[part] if is_deep and a is not None else a for a, is_deep in zip(arrays, deep, strict=True))
            for part in self.cuts(sizes.pop(), elements, threads_from=1)  # each score costs two products
        ]

    def cuts(self, length: int, elements: int, threads_from: int = 2) -> list[slice]:
        """An axis of `length` in equal parts, so many that `elements` elements in all make at most one block each.

        From `threads_from` times `thread_size` elements on they are blocks for threads.
        """
        size = self.block_size if elements < threads_from * self.thread_size else self.thread_size
        count = max(1, min(length, -(-elements // size)))
        return [slice(i * length // count, (i + 1) * length // count) for i in range(count)]

    # -- products and sums ---------------------------------------------------------------------------------------------

    def matmul(self, a: Array, b: Array) -> Array:
        """A batch of row vectors times one matrix is one flat product: one call of BLAS instead of many."""
        if a.ndim > 2 and b.ndim == 2 and a.size:
            rows = a.reshape(-1, a.shape[-1])
            return self.multiply(rows, b).reshape(*a.shape[:-1], b.shape[-1])
        return self.multiply(a, b)

    def scatter_add(self, shape: Shape, dtype: Any, index: Any, values: Array) -> Array:
        """In float64 where more than `long_sum` numbers come to a place on average: they are added one by one."""
        dtype = sum_dtype(dtype)
        wide = np.float64 if dtype.kind == "f" and values.size > self.long_sum * math.prod(shape) else dtype
        out = self.xp.zeros(shape, wide)
        self.xp.add.at(out, index, values.astype(wide, copy=False))
        return out.astype(dtype, copy=False)

    def sum(self, x: Array, axis: tuple[int, ...], keepdims: bool = False) -> Array:
        """NumPy adds neighbours in memory in pairs, whose error grows as the logarithm of their number; but rows to rows one by one.

        Where that would be more than `long_sum` rows, it is done in float64.
        """
        if x.dtype.kind != "f":
            return x.sum(axis=axis, keepdims=keepdims, dtype=sum_dtype(x.dtype))
        if x.size <= self.long_sum or x.dtype.itemsize >= 8 or added_one_by_one(x, axis) <= self.long_sum:
            return x.sum(axis=axis, keepdims=keepdims)
        return x.sum(axis=axis, keepdims=keepdims, dtype=np.float64).astype(x.dtype)

    def sum_leading(self, x: Array) -> Array:
        """A product with ones is BLAS, faster than a reduction.

        BLAS adds one by one: many rows are added in parts of `long_sum`, then the sums of the parts.
        """
        if x.dtype == np.float16:
            return self.sum_leading(x.astype(np.float32)).astype(x.dtype)
        if not self.blas:
            return self.sum(x, tuple(range(x.ndim - 1)))
        rows, size = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), self.long_sum
        if math.prod(rows.shape) == 0:
            return rows.sum(axis=0)
        while len(rows) > 2 * size:
            parts, rest = rows[: len(rows) // size * size], rows[len(rows) // size * size :]
            sums = self.multiply(self.xp.ones((1, size), x.dtype), parts.reshape(-1, size, x.shape[-1]))
            rows = self.xp.concatenate([sums.reshape(-1, x.shape[-1]), rest])
        return self.multiply(self.xp.ones((1, len(rows)), x.dtype), rows).reshape(-1)

    def sum_last(self, x: Array) -> Array:
        """Of short rows a product with a column of ones, as in `sum_leading`."""
        if x.shape[-1] > 4 * self.long_sum or not self.blas:
            return self.sum(x, (x.ndim - 1,), keepdims=True)
        return self.multiply(x, self.xp.ones((x.shape[-1], 1), x.dtype))

    def sum_axis(self, x: Array, axis: int) -> Array:
        return self.sum_last(x) if axis == x.ndim - 1 else self.sum(x, (axis,), keepdims=True)

    def all_between(self, x: Array, low: float, high: float) -> bool:
        """Whether all numbers lie between two others: then a shorter way may do. They are found faster than those of each row.

        An asynchronous device answers False unseen.
        """
        return bool(x.size and x.min() > low and x.max() < high)

    # -- softmax ------------------------------------------------------------------------------------------------------

    def softmax(self, x: Array, axis: int, out: Array | None = None) -> Array:
        """In the memory of `out`, where it is given; it may be x."""
        y = self.xp.subtract(x, self.max_axis(x, axis), out=out)
        self.xp.exp(y, out=y)
        y /= self.xp.maximum(self.sum_axis(y, axis), 1.0)  # a sum below 1 lacks exp(0): all of its terms are zero
        return y

    def softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        dx = g - self.sum_axis(g * y, axis)
        dx *= y
        return dx

    def log_softmax(self, x: Array, axis: int) -> Array:
        y = x - self.max_axis(x, axis)
        y -= self.xp.log(self.xp.maximum(self.sum_axis(self.xp.exp(y), axis), 1.0))
        return y

    def log_softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        dx = self.xp.exp(y)
        dx *= self.sum_axis(g, axis)
        return self.xp.subtract(g, dx, out=dx)

    # -- normalization ------------------------------------------------------------------------------------------------

    def layer_norm(self, x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Any]:
        xp, n = self.xp, x.shape[-1]
        y = xp.empty(x.shape, x.dtype)
        mean, rstd = (xp.empty((*x.shape[:-1], 1), x.dtype) for _ in range(2))

        def part(x: Array, y: Array, mean: Array, rstd: Array) -> None:
            xp.multiply(self.sum_last(x), 1.0 / n, out=mean)
            xp.subtract(x, mean, out=y)
            xp.multiply(self.sum_last(y * y), 1.0 / n, out=rstd)
            rstd += eps
            rstd **= -0.5
            y *= rstd
            self.scale_and_shift(y, weight, bias)

        self.run(part, self.row_blocks(x, y, mean, rstd))
        return y, (mean, rstd)

    def layer_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array, Array]:
        """A block of rows is read once for all three gradients; the blocks' sums are added at the end."""
        xp, to_mean = self.xp, self.mean_column(weight, x)  # @ it takes the weighted mean of each row
        dx = xp.empty(x.shape, x.dtype)
        blocks = self.row_blocks(g, x, *saved, dx)
        sums = xp.empty((len(blocks), 2, x.shape[-1]), x.dtype)

        def part(sums: Array, g: Array, x: Array, mean: Array, rstd: Array, dx: Array) -> None:
            normed = xp.subtract(x, mean, out=dx)
            normed *= rstd
            product = g * normed
            sums[0], sums[1] = self.sum_leading(product), self.sum_leading(g)
            normed *= self.multiply(product, to_mean)
            normed += self.multiply(g, to_mean)
            xp.subtract(g if weight is None else xp.multiply(g, weight, out=product), normed, out=dx)
            dx *= rstd

        self.run(part, [(sums[i], *block) for i, block in enumerate(blocks)])
        dweight, dbias = sums[0] if len(blocks) == 1 else sums.sum(axis=0)
        return dx, dweight, dbias

    def rms_norm(self, x: Array, weight: Array | None, eps: float) -> tuple[Array, Any]:
        rrms = self.sum_last(x * x)
        rrms /= x.shape[-1]
        rrms += eps
        rrms **= -0.5
        return self.scale_and_shift(x * rrms, weight, None), rrms

    def rms_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array]:
        normed = x * saved
        product = g * normed
        dweight = self.sum_leading(product)
        normed *= self.multiply(product, self.mean_column(weight, x))
        dx = self.xp.subtract(g if weight is None else self.xp.multiply(g, weight, out=product), normed, out=normed)
        dx *= saved
        return dx, dweight

    def mean_column(self, weight: Array | None, x: Array) -> Array:
        """The column c for which x @ c is the mean over the last axis of x * weight."""
        n = x.shape[-1]
        return self.xp.full((n, 1), 1.0 / n, x.dtype) if weight is None else weight.reshape(n, 1) * (1.0 / n)

    def batch_statistics(self, x: Array) -> tuple[Array, Array]:
        axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
        mean = self.sum(x, axes, keepdims=True) / count
        d = x - mean
        d *= d
        return mean.reshape(-1), self.sum(d, axes) / count

    def batch_norm(
        self, x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
    ) -> Array:
        """The weight is a factor of the channels' scale, not of all elements."""
        scale = (var + eps) ** -0.5
        if weight is not None:
            scale *= weight
        y = x - self.as_channels(mean, x.ndim)
        shift = None if bias is None else self.as_channels(bias, x.ndim)
        return self.scale_and_shift(y, self.as_channels(scale, x.ndim), shift)

    def batch_norm_backward(
        self, g: Array, x: Array, weight: Array | None, mean: Array, var: Array, eps: float, of_batch: bool
    ) -> tuple[Array, Array, Array, Array, Array]:
        axes, rstd = (0, *range(2, x.ndim)), (var + eps) ** -0.5
        normed = x - self.as_channels(mean, x.ndim)
        normed *= self.as_channels(rstd, x.ndim)
        dweight, dbias = self.sum(g * normed, axes), self.sum(g, axes)
        scale = rstd if weight is None else rstd * weight
        dx = g
        if of_batch:
            count = x.size // x.shape[1]
            normed *= self.as_channels(dweight / count, x.ndim)
            normed += self.as_channels(dbias / count, x.ndim)
            dx = self.xp.subtract(g, normed, out=normed)
        dx = dx * self.as_channels(scale, x.ndim)
        return dx, dweight, dbias, -dbias * scale, dweight * scale * rstd * -0.5

    def scale_and_shift(self, y: Array, weight: Array | None, bias: Array | None) -> Array:
        """y * weight + bias, in the memory of y."""
        if weight is not None:
            y *= weight
        if bias is not None:
            y += bias
        return y

    # -- cross-entropy ------------------------------------------------------------------------------------------------

    def cross_entropy_backward(
        self, g: Array, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float, saved: Any
    ) -> Array:
        """In one array; the row's total, by which softmax divides, divides the row's factor instead."""
        xp, (top, total) = self.xp, saved
        dx = x - top
        xp.exp(dx, out=dx)
        if target.ndim == 2:
            share = self.soften(target, weight, smoothing)
            dx *= (g * share.sum(axis=1))[:, None] / total
            dx -= share * g[:, None]
            return dx
        counts, safe, share = self.class_shares(target, weight, ignore_index, x.dtype)
        hit, spread = g * share * (1.0 - smoothing), xp.where(counts, g, 0.0) * (smoothing / x.shape[1])
        each = xp.ones(x.shape[1], x.dtype) if weight is None else weight.astype(x.dtype)
        dx *= (hit + spread * each.sum())[:, None] / total
        dx[xp.arange(x.shape[0]), safe] -= hit
        if smoothing:
            dx -= spread[:, None] * each
        return dx

    # -- attention ----------------------------------------------------------------------------------------------------

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
        """A causal one by groups of queries, which look at no key beyond their last; the probabilities take the scores' place.

        The output lies in memory as q does: where heads were cut out of the width, joining them again is then no copy.
        """
        xp, lead = self.xp, common_shape(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        scores_shape = (*lead, q.shape[-2], k.shape[-2])
        bias = self.attention_bias(mask, causal, scores_shape, q.dtype)
        if bias is not None:  # a mask may have leading axes that the scores have not
            bias = bias.reshape((1,) * (2 - bias.ndim) + bias.shape)
            scores_shape = (*common_shape(lead, bias.shape[:-2]), *scores_shape[-2:])
        y_shape = (*scores_shape[:-1], v.shape[-1])
        y, p = self._empty_as(q, y_shape), xp.empty(scores_shape, q.dtype)
        keep = self.dropout_mask(p.shape, dropout_p, key, p.dtype) if dropout_p else None
        learned = mask is not None and mask.dtype != bool
        groups = self.query_groups(scores_shape, causal)

        def part(q: Array, k: Array, v: Array, bias: Array | None, keep: Array | None, p: Array, y: Array) -> None:
            for rows, seen in groups:
                s = p[..., rows, seen]
                factors = q[..., rows, :] * scale, xp.swapaxes(k[..., seen, :], -1, -2)
                if p.ndim == max(q.ndim, k.ndim):
                    self.multiply(*factors, out=s)
                else:
                    s[...] = self.multiply(*factors)
                shift = learned or not self.all_between(s, -60.0, 60.0)  # else exp neither overflows nor vanishes
                if bias is not None:
                    s += bias[..., rows, seen]
                if shift:
                    s -= self.max_axis(s, s.ndim - 1)
                xp.exp(s, out=s)
                total = self.sum_last(s)
                total += total == 0  # a query that may attend to nothing: all of its terms are zero
                s /= total
                self.multiply(s if keep is None else s * keep[..., rows, seen], v[..., seen, :], out=y[..., rows, :])
                p[..., rows, seen.stop :] = 0.0

        self.run(part, self.batch_blocks(p.size, q, k, v, bias, keep, p, y))
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
        """By groups of queries for those of q and of the scores, by groups of keys for those of k and v.

        The sum in the softmax's rule, over the keys, equals g · y over the values, which is shorter (Dao et al. 2022,
        "FlashAttention", appendix B.4).
        """
        xp, (p, keep) = self.xp, saved
        lead = p.shape[:-2]
        ds = xp.empty_like(p)
        dq, dk, dv = (self._empty_as(x, (*lead, *x.shape[-2:])) for x in (q, k, v))
        by_query, by_key = self.query_groups(p.shape, causal), self.key_groups(p.shape, causal)

        def part(g: Array, q: Array, k: Array, v: Array, y: Array, p: Array, keep: Array | None, *out: Array) -> None:
            ds, dq, dk, dv = out
            total = self.sum_last(g * y)
            for rows, seen in by_query:
                d = ds[..., rows, seen]
                self.multiply(g[..., rows, :], xp.swapaxes(v[..., seen, :], -1, -2), out=d)
                if keep is not None:
                    d *= keep[..., rows, seen]
                d -= total[..., rows, :]
                d *= p[..., rows, seen]
                self.multiply(d, k[..., seen, :], out=dq[..., rows, :])
                ds[..., rows, seen.stop :] = 0.0
            dropped = p if keep is None else p * keep
            for rows, columns in by_key:
                self.multiply(
                    xp.swapaxes(dropped[..., rows, columns], -1, -2), g[..., rows, :], out=dv[..., columns, :]
                )
                self.multiply(xp.swapaxes(ds[..., rows, columns], -1, -2), q[..., rows, :], out=dk[..., columns, :])
            dq *= scale
            dk *= scale

        self.run(part, self.batch_blocks(p.size, g, q, k, v, y, p, keep, ds, dq, dk, dv))
        return dq, dk, dv, ds

    def query_groups(self, scores: tuple[int, ...], causal: bool) -> list[tuple[slice, slice]]:
        """Groups of queries, and the keys that at least one of a group may attend to: all keys, unless attention is causal.

        Later keys have probability 0. Not to work on them saves, on long sequences, up to half of the time.
        """
        queries, keys = scores[-2:]
        size = self.group_size if causal else max(queries, 1)
        return [(slice(i, i + size), slice(0, max(0, keys - queries + i + size))) for i in range(0, queries, size)]

    def key_groups(self, scores: tuple[int, ...], causal: bool) -> list[tuple[slice, slice]]:
        """Groups of keys, each after the queries of which at least one may attend to one of the group."""
        queries, keys = scores[-2:]
        size = self.group_size if causal else max(keys, 1)
        return [
            (slice(max(0, queries - keys + i) if causal else 0, queries), slice(i, i + size))
            for i in range(0, keys, size)
        ]

    def _empty_as(self, x: Array, shape: Shape) -> Array:
        """Memory for an array of `shape`; where that is the shape of x, in its order of axes."""
        return self.xp.empty_like(x) if x.shape == shape else self.xp.empty(shape, x.dtype)

    # -- dropout and embedding ----------------------------------------------------------------------------------------

    def dropout_mask(self, shape: Shape, p: float, key: int, dtype: Any) -> Array:
        """In blocks, and in the memory of the numbers: the bits are the `Reference`'s."""
        xp, size = self.xp, math.prod(shape)
        if p in (0.0, 1.0):
            return xp.full(shape, 1.0 - p, dtype)
        mixed = mix64(key % 2**64)
        bits = xp.arange(size, dtype=xp.uint32)
        if first := key >> 64:
            bits += xp.uint32(first)

        def mix(block: Array) -> None:
            for half in (mixed & 0xFFFFFFFF, mixed >> 32):
                block ^= half
                block ^= block >> 16
                block *= 0x85EBCA6B
                block ^= block >> 13
                block *= 0xC2B2AE35
                block ^= block >> 16

        self.run(mix, self.blocks(bits))
        mask = (bits >= int(p * 2**32)).astype(dtype)
        mask *= 1.0 / (1.0 - p)
        return mask.reshape(shape)

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        """Sorting brings equal ids together, so that each run is one sum: `ufunc.at` would take six times as long."""
        xp, g, ids = self.xp, g.reshape(ids.size, g.shape[-1]), ids.reshape(-1)
        dtype = sum_dtype(g.dtype)
        out = xp.zeros((rows, g.shape[1]), dtype)
        if ids.size == 0:
            return out
        order = xp.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = xp.flatnonzero(xp.concatenate([xp.ones(1, bool), ordered[1:] != ordered[:-1]]))
        wide = (
            np.float64 if dtype.kind == "f" and ids.size > self.long_sum * rows else dtype
        )  # one by one, as in `scatter_add`
        out[ordered[starts]] = xp.add.reduceat(g[order], positions(starts), axis=0, dtype=wide)
        return out

    # -- activations ---------------------------------------------------------------------------------------------------

    def sigmoid(self, x: Array) -> Array:
        """As exp(min(x, 0)) / (1 + exp(-|x|)): no exponent is above 0, and small results keep all digits."""
        xp = self.xp
        return xp.exp(xp.minimum(x, 0)) / (1.0 + xp.exp(-xp.abs(x)))

    def erf(self, x: Array) -> Array:
        """By polynomials: see `minilm.backend.special`."""
        return special.erf(self.xp, x)

    def relu(self, x: Array) -> Array:
        """Of floats a third of the time: NumPy's maximum is slow beside one number."""
        return (
            self.xp.clip(x, 0.0, math.inf)
            if getattr(x, "dtype", None) is not None and x.dtype.kind == "f"
            else super().relu(x)
        )

    def gelu(self, x: Array, approximate: str) -> Array:
        xp, x = self.xp, special.as_float(self.xp, x)
        y = xp.empty_like(x)

        def part(x: Array, y: Array) -> None:
            u = xp.clip(x, -FLAT, FLAT)
            xp.multiply(x, self.gelu_gate(u, u * u, approximate), out=y)

        self.run(part, self.blocks(x, y))
        return y

    def gelu_gate(self, x: Array, square: Array, approximate: str) -> Array:
        """What `gelu` multiplies x by, for x within `FLAT` of zero and its square."""
        if approximate == "none":
            return special.normal_cdf(self.xp, x, square)
        gate = special.polynomial((GELU_SLOPE, GELU_SLOPE * GELU_CUBIC), square)
        gate *= x
        self.xp.tanh(gate, out=gate)
        gate *= 0.5
        gate += 0.5
        return gate

    def gelu_backward(self, g: Array, x: Array, y: Array, approximate: str) -> Array:
        """The gate is y / x, which costs one pass and no memory: the next layer keeps y anyway. Only where that quotient says
        nothing (x vanishes or is not finite) is it computed again.
        """
        xp, dx, flat = self.xp, self.xp.empty_like(x), FLAT

        def part(g: Array, x: Array, y: Array, dx: Array) -> None:
            u = xp.clip(x, -flat, flat)
            square = u * u
            gate = y / x if self.all_between(square, 0.0, flat * flat) else self.gelu_gate(u, square, approximate)
            if approximate == "none":
                square *= -0.5
                xp.exp(square, out=dx)
                dx *= math.sqrt(0.5 / math.pi)
            else:
                square *= 6.0 * GELU_SLOPE * GELU_CUBIC
                square += 2.0 * GELU_SLOPE
                xp.multiply(square, gate, out=dx)
                dx *= 1.0 - gate
            dx *= u
            dx += gate
            dx *= g

        self.run(part, self.blocks(g, x, y, dx))
        return dx

    # -- optimizers ---------------------------------------------------------------------------------------------------

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
        r"""With :math:`c_1 = 1 - \beta_1^t` and :math:`c_2 = 1 - \beta_2^t`, and v_max in v's place if given,

        .. math:: p \leftarrow (1 - \eta\lambda)\, p - \frac{\eta \sqrt{c_2}}{c_1} \cdot \frac{m}{\sqrt{v} + \epsilon \sqrt{c_2}},

        which is the textbook's :math:`\eta\, \hat m / (\sqrt{\hat v} + \epsilon)` without a pass to make :math:`\hat v`.
        """
        xp, (beta1, beta2) = self.xp, betas
        root = math.sqrt(1.0 - beta2**step)
        rate, shift = lr * root / (1.0 - beta1**step), eps * root

        def update(p: Array, g: Array, m: Array, v: Array, *rest: Array) -> None:
            s = xp.empty_like(p)
            m *= beta1
            m += xp.multiply(g, 1.0 - beta1, out=s)
            xp.multiply(g, g, out=s)
            s *= 1.0 - beta2
            v *= beta2
            v += s
            xp.sqrt(xp.maximum(rest[0], v, out=rest[0]) if rest else v, out=s)
            s += shift
            xp.divide(m, s, out=s)
            s *= rate
            if weight_decay:
                p *= 1.0 - lr * weight_decay
            p -= s

        self.run(update, self.blocks(p, g, m, v, *(() if v_max is None else (v_max,))))


def added_one_by_one(x: Array, axis: tuple[int, ...]) -> int:
    """How many numbers NumPy adds one by one in a sum over axes, at most: the parts that are neighbours in memory count once."""
    count = math.prod([x.shape[i] for i in axis])
    if count <= Blocked.long_sum:
        return count  # at most
    neighbours, width = 1, x.itemsize
    for i in sorted((i for i, n in enumerate(x.shape) if n > 1), key=lambda i: abs(x.strides[i])):
        if i not in axis or (neighbours > 1 and abs(x.strides[i]) != width):
            break
        neighbours, width = neighbours * x.shape[i], abs(x.strides[i]) * x.shape[i]
    return count // neighbours


class CpuDevice(Blocked):
    """NumPy, on several threads of our own."""

    def __init__(self) -> None:
        super().__init__("cpu", np, np.ndarray)
        self.blas = has_blas()

    def multiply(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """As in `Reference`, on one thread of BLAS."""
        if not self.blas:
            return product_without_blas(a, b, out)
        return pool.on_one(np.matmul, a, b, out) if a.size * b.shape[-1] > SMALL_PRODUCT else np.matmul(a, b, out)

    def matmul(self, a: Array, b: Array) -> Array:
        """A product on one thread of BLAS; a large one in parts on the pool's threads (`minilm.backend.threads` says why)."""
        size = a.size * b.shape[-1]
        if size <= SMALL_PRODUCT and a.ndim < 3:  # rows of a batch are better one flat product
            return np.matmul(a, b)
        if size < LARGE_PRODUCT or not pool.is_free() or a.dtype != b.dtype or not can_limit_blas():
            return super().matmul(a, b)
        if b.ndim == 2 and a.ndim > 1:
            rows = a.reshape(-1, a.shape[-1])
            out = np.empty((len(rows), b.shape[1]), a.dtype)
            pool.run(np.matmul, _parts(rows, b, out, pool.threads, HEAD_START))
            return out.reshape(*a.shape[:-1], b.shape[1])
        if a.ndim == b.ndim > 2 and a.shape[:-2] == b.shape[:-2]:
            out = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
            cuts = [slice(i * len(a) // pool.threads, (i + 1) * len(a) // pool.threads) for i in range(pool.threads)]
            pool.run(np.matmul, [(a[cut], b[cut], out[cut]) for cut in cuts if cut.start < cut.stop])
            return out
        return super().matmul(a, b)

    def products(self, *pairs: tuple[Array, Array]) -> list[Array]:
        """Large products that do not wait for each other are one part each: the pool's threads are woken once for all."""
        large = all(
            a.ndim == b.ndim == 2 and a.dtype == b.dtype and 2 * a.size * b.shape[1] >= LARGE_PRODUCT for a, b in pairs
        )
        if len(pairs) < 2 or not large or not pool.is_free() or not can_limit_blas():
            return super().products(*pairs)
        outs = [np.empty((len(a), b.shape[1]), a.dtype) for a, b in pairs]
        parts = [(a, b, out) for (a, b), out in zip(pairs, outs, strict=True)]
        pool.run(np.matmul, [*parts[:-1], *reversed(_parts(*parts[-1], 1, HEAD_START // 2))])
        return outs

    def logmatmulexp(self, a: Array, b: Array) -> Array:
        """One product of matrices, and N exponentials where there are N² summands."""
        scaled = self._scaled(a, b)
        if scaled is None:
            return super().logmatmulexp(a, b)
        _, _, total, shift = scaled
        return np.log(total) + shift

    def logmatmulexp_backward(self, g: Array, a: Array, b: Array, y: Array) -> tuple[Array, Array]:
        """Two products of matrices."""
        scaled = self._scaled(a, b)
        if scaled is None:
            return super().logmatmulexp_backward(g, a, b, y)
        left, right, total, _ = scaled
        share = g / total
        da, db = self.products((share, right.T), (left.T, share))
        return left * da, right * db

    def _scaled(self, a: Array, b: Array) -> tuple[Array, Array, Array, Array] | None:
        r""":math:`A_{ik} = e^{a_{ik} - p_i}, B_{kj} = e^{b_{kj} - q}`, A B and p + q, with p and q the largest of their kind.

        What is far below the largest underflows. Sums of at least K t / epsilon lose nothing by it, with t the smallest normal
        number: of K summands that underflowed each was below t. None where a sum is smaller.
        """
        if not a.size or not b.size:
            return None
        p, q = a.max(axis=1, keepdims=True), b.max()
        left, right = np.exp(a - p), np.exp(b - q)
        total = self.matmul(left, right)
        info = np.finfo(total.dtype)
        return (left, right, total, p + q) if self.all_between(total, len(b) * info.tiny / info.eps, math.inf) else None

    def run(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        """Threads pay for long arrays. What is no array (a list of places in one) says nothing of its length: it counts as long."""
        if len(blocks) > 1 and max(getattr(a, "size", math.inf) for a in blocks[0] if a is not None) > self.block_size:
            pool.run(function, blocks)
        else:
            super().run(function, blocks)


def product_without_blas(a: Array, b: Array, out: Array | None = None) -> Array:
    """``a @ b``. NumPy's own loop reads b across its rows, from memory; einsum's reads both operands along theirs.

    With the two copies that this takes, a product of a few hundred rows and columns is 2 to 7 times as fast.
    """
    few = a.ndim < 2 or b.ndim < 2 or a.shape[-2] < CUT or a.shape[-2] * a.shape[-1] * b.shape[-1] < PLAIN_PRODUCT
    if few or a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        return np.matmul(a, b, out=out)
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b.swapaxes(-1, -2))
    return np.einsum("...ij,...kj->...ik", a, b, out=out)


def _parts(a: Array, b: Array, out: Array, count: int, ahead: int) -> list[tuple[Array, Array, Array]]:
    """The product of two matrices cut along the longer side of its result: each part's factors, and its place.

    `ahead` multiplications come on top of the first of `count` equal parts; of one part they are cut off as a first.
    """
    m, n = out.shape
    long = max(m, n)
    first = min(ahead * long // (a.size * n), long // 2)
    ends = [
        0,
        *((first + i * (long - first) // count) // CUT * CUT for i in range(0 if count == 1 else 1, count)),
        long,
    ]
    cuts = [slice(start, end) for start, end in itertools.pairwise(ends) if start < end]
    if m >= n:
        return [(a[cut], b, out[cut]) for cut in cuts]
    return [(a, b[:, cut], out[:, cut]) for cut in cuts]
