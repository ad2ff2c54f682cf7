"""What differs on a device that computes by itself while Python goes on, as a GPU does."""

from __future__ import annotations

import sys
from typing import Any

from minilm.backend.cpu import Blocked
from minilm.backend.reference import Reference, common_shape
from minilm.types import Array


class Accelerator(Blocked):
    """A device that Python hands work to. It must never be waited for, except in `to_host` and `synchronize`.

    Where a function of `Blocked` looks at numbers, or is written for a CPU's cache, this class has another way: as few
    launches as possible, each over a whole array. `product` and the two masked softmax functions are what a GPU has kernels
    for; here stands what these compute.
    """

    asynchronous = True
    block_size = sys.maxsize  # one kernel reads memory in one go: cutting an update in blocks would start more of them

    def all_between(self, x: Array, low: float, high: float) -> bool:
        """False, unseen: looking would mean waiting."""
        return False

    def first_true(self, condition: Array) -> int | None:
        """None, unseen: looking would mean waiting."""
        return None

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        """As in `Reference`: `Blocked` sorts, and must wait to learn how many different ids there are; this adds atomically.

        The order is not fixed: repeated ids give sums that can differ in the last bit from run to run.
        """
        return Reference.embedding_grad(self, g, ids, rows)

    # -- products ------------------------------------------------------------------------------------------------------

    def product(self, a: Array, b: Array, out: Array | None = None, alpha: float = 1.0) -> Array:
        """alpha a @ b, in the memory of `out` where it is given, whatever its strides."""
        y = super().matmul(a, b)
        if alpha != 1.0:
            y = y * alpha
        if out is None:
            return y
        out[...] = y
        return out

    def matmul(self, a: Array, b: Array) -> Array:
        return self.product(a, b)

    def sum_last(self, x: Array) -> Array:
        """By a reduction: CuPy multiplies a batch by a column in many launches, and TF32 has no part in a sum."""
        return x.sum(axis=-1, keepdims=True)

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
        """Two products and one pass over the scores.

        The products read queries, keys and values as they lie, also where all three are views of one projection. The scale
        is a factor of the first, a causal mask is never made, and softmax takes the place of the scores.
        """
        lead = common_shape(*(x.shape[:-2] for x in (q, k, v, mask) if x is not None))
        scores = self.product(q, k.swapaxes(-1, -2), alpha=scale)
        if scores.shape[:-2] != lead:
            scores = self.xp.broadcast_to(scores, (*lead, *scores.shape[-2:])).copy()
        p, keep = self.masked_softmax(scores, mask, causal, 1.0, dropout_p, key)
        y = self._empty_as(q, (*lead, q.shape[-2], v.shape[-1]))
        return self.product(p if keep is None else p * keep, v, out=y), (p, keep)

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
        """Four products and one pass over the scores' gradient, which softmax's rule reads and writes once.

        The gradients lie in memory as q, k and v do, so that they go back into the projection's without a copy of each.
        """
        p, keep = saved
        dq, dk, dv = (self._empty_as(x, (*p.shape[:-2], *x.shape[-2:])) for x in (q, k, v))
        self.product((p if keep is None else p * keep).swapaxes(-1, -2), g, out=dv)
        ds = self.masked_softmax_backward(self.product(g, v.swapaxes(-1, -2)), p, keep)
        self.product(ds, k, out=dq, alpha=scale)
        self.product(ds.swapaxes(-1, -2), q, out=dk, alpha=scale)
        return dq, dk, dv, ds

    def masked_softmax(
        self, scores: Array, mask: Array | None, causal: bool, scale: float, dropout_p: float = 0.0, key: int = 0
    ) -> tuple[Array, Array | None]:
        """softmax(scale scores + mask) over the last axis, in the memory of `scores`, and the dropout mask (or None)."""
        if scale != 1.0:
            scores *= scale
        bias = self.attention_bias(mask, causal, scores.shape, scores.dtype)
        if bias is not None:
            scores += bias
        p = self.softmax(scores, scores.ndim - 1, out=scores)
        return p, self.dropout_mask(p.shape, dropout_p, key, p.dtype) if dropout_p else None

    def masked_softmax_backward(self, dp: Array, p: Array, keep: Array | None) -> Array:
        """The gradient of scale scores + mask, in the memory of `dp`, the gradient of the probabilities after dropout."""
        if keep is not None:
            dp *= keep
        dp -= self.sum_last(dp * p)
        dp *= p
        return dp
