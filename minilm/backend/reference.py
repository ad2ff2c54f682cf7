r"""Every hot function of a device as plain array code: what the book prints, and what all faster versions must equal.

Here a function is its formula, step by step, with a new array for each. `minilm.backend.cpu` computes the same in few passes over
memory and on several threads, `minilm.backend.cuda` in kernels of a GPU; each of their functions is tested against the one of the
same name here. ``pytest --reference`` runs the engine on this file alone.

Long sums keep their digits in the simplest way: they are added in float64. ``xp`` is the array module, NumPy or one like it; axes
are counted from 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minilm.backend.special import FLAT
from minilm.types import Array, Shape

GELU_SLOPE, GELU_CUBIC = math.sqrt(2.0 / math.pi), 0.044715


class Reference:
    """The functions, on raw arrays, without a graph. A `Device` has them all, and a name and a place for its arrays."""

    xp: Any

    long_sum = 1024
    """So many float32 may be added one by one, no more: each addition rounds, and a million of 0.1 would make 100,958."""

    # -- products and sums ---------------------------------------------------------------------------------------------

    def multiply(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """``a @ b``, in the memory of `out` where it is given."""
        return self.xp.matmul(a, b, out=out)

    def matmul(self, a: Array, b: Array) -> Array:
        """``a @ b``."""
        return self.multiply(a, b)

    def products(self, *pairs: tuple[Array, Array]) -> list[Array]:
        """``a @ b`` of each pair; none of them needs another's result."""
        return [self.matmul(a, b) for a, b in pairs]

    def sum(self, x: Array, axis: tuple[int, ...], keepdims: bool = False) -> Array:
        """The sums over some axes: of floats as if added in float64, of integers in int64."""
        return x.sum(axis=axis, keepdims=keepdims, dtype=wide_dtype(x.dtype)).astype(sum_dtype(x.dtype))

    def sum_axis(self, x: Array, axis: int) -> Array:
        """The sums over one axis, which stays with size 1."""
        return self.sum(x, (axis,), keepdims=True)

    def sum_last(self, x: Array) -> Array:
        """The sums over the last axis, which stays with size 1."""
        return self.sum_axis(x, x.ndim - 1)

    def sum_leading(self, x: Array) -> Array:
        """The sum over all axes but the last: a bias's gradient."""
        return self.sum(x, tuple(range(x.ndim - 1)))

    def cumsum(self, x: Array, axis: int) -> Array:
        """The sums of the first 1, 2, ... numbers along an axis: of floats added in float64, of integers in int64."""
        return self.xp.cumsum(x, axis=axis, dtype=wide_dtype(x.dtype)).astype(sum_dtype(x.dtype), copy=False)

    def scatter_add(self, shape: Shape, dtype: Any, index: Any, values: Array) -> Array:
        """Zeros of `shape`, to which ``out[index] += values`` adds repeated indices too; sums of many as in `sum`."""
        out = self.xp.zeros(shape, wide_dtype(dtype))
        self.xp.add.at(out, index, values.astype(out.dtype))
        return out.astype(sum_dtype(dtype))

    def max_axis(self, x: Array, axis: int) -> Array:
        """The largest elements along one axis, which stays with size 1; where all are -infinity, the lowest finite number.

        Subtracting it before exp() is safe: no exponent is above 0, and -infinity minus it is -infinity, not NaN.
        """
        if x.size == 0:
            return self.xp.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
        return self.xp.maximum(x.max(axis=axis, keepdims=True), float(self.xp.finfo(x.dtype).min))

    def first_true(self, condition: Array) -> int | None:
        """Where the first True stands, counted flat; None if there is none. It finds what an error message should name.

        An asynchronous device, which would have to be waited for, may answer None unseen.
        """
        return int(condition.argmax()) if condition.any() else None

    # -- softmax -------------------------------------------------------------------------------------------------------

    def softmax(self, x: Array, axis: int) -> Array:
        r""":math:`y_i = e^{x_i} / \sum_j e^{x_j}` along an axis; zeros where every x is -infinity."""
        e = self.xp.exp(x - self.max_axis(x, axis))
        return e / self.xp.maximum(self.sum_axis(e, axis), 1.0)  # a sum below 1 lacks exp(0): all of its terms are zero

    def softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        r""":math:`\bar x_i = y_i (g_i - \sum_j g_j y_j)`."""
        return y * (g - self.sum_axis(g * y, axis))

    def log_softmax(self, x: Array, axis: int) -> Array:
        r""":math:`y_i = x_i - \log \sum_j e^{x_j}` along an axis; -infinity where every x is."""
        z = x - self.max_axis(x, axis)
        return z - self.xp.log(self.xp.maximum(self.sum_axis(self.xp.exp(z), axis), 1.0))

    def log_softmax_backward(self, g: Array, y: Array, axis: int) -> Array:
        r""":math:`\bar x_i = g_i - e^{y_i} \sum_j g_j`."""
        return g - self.xp.exp(y) * self.sum_axis(g, axis)

    def logmatmulexp(self, a: Array, b: Array) -> Array:
        r""":math:`y_{ij} = \log \sum_k e^{a_{ik} + b_{kj}}` of two matrices; -infinity where every summand is 0."""
        x = a[:, :, None] + b
        top = self.max_axis(x, 1)
        base = self.xp.where(self.xp.isfinite(top), top, 0.0)
        total = self.sum_axis(self.xp.exp(self.xp.minimum(x - base, 0.0)), 1)
        return (self.xp.log(total) + top)[:, 0]

    def logmatmulexp_backward(self, g: Array, a: Array, b: Array, y: Array) -> tuple[Array, Array]:
        r""":math:`\bar a_{ik} = \sum_j p_{ikj}, \bar b_{kj} = \sum_i p_{ikj}`; :math:`p_{ikj} = g_{ij} e^{a_{ik} + b_{kj} - y_{ij}}`."""
        base = self.xp.where(y == -math.inf, 0.0, self.xp.where(y == math.inf, math.nan, y))
        p = g[:, None, :] * self.xp.exp(a[:, :, None] + b - base[:, None, :])
        return self.sum(p, (2,)), self.sum(p, (0,))

    # -- normalization -------------------------------------------------------------------------------------------------

    def layer_norm(self, x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Any]:
        r""":math:`y = \hat x \odot w + b` with :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, for each row x (n,).

        Returns:
            y (..., n); and what `layer_norm_backward` needs: :math:`\mu` and :math:`1 / \sqrt{\sigma^2 + \epsilon}`, (..., 1) each.
        """
        mean = self._mean(x)
        var = self._mean((x - mean) ** 2)
        rstd = (var + eps) ** -0.5
        return scale_and_shift((x - mean) * rstd, weight, bias), (mean, rstd)

    def layer_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array, Array]:
        r"""The gradients of x, weight and bias (the last two as if weight and bias were there).

        With :math:`d = g \odot w`, the gradient of :math:`\hat x`, and means over the n elements of a row,

        .. math:: \bar x = \frac{d - \operatorname{mean}(d) - \hat x \operatorname{mean}(d \odot \hat x)}{\sqrt{\sigma^2 + \epsilon}}.
        """
        mean, rstd = saved
        normed = (x - mean) * rstd
        d = g if weight is None else g * weight
        dx = rstd * (d - self._mean(d) - normed * self._mean(d * normed))
        return dx, self.sum_leading(g * normed), self.sum_leading(g)

    def rms_norm(self, x: Array, weight: Array | None, eps: float) -> tuple[Array, Any]:
        r""":math:`y = \hat x \odot w` with :math:`\hat x = x / \sqrt{\operatorname{mean}(x^2) + \epsilon}`, for each row x (n,).

        Returns:
            y (..., n); and what `rms_norm_backward` needs: :math:`1 / \sqrt{\operatorname{mean}(x^2) + \epsilon}`, (..., 1).
        """
        rrms = (self._mean(x**2) + eps) ** -0.5
        return scale_and_shift(x * rrms, weight, None), rrms

    def rms_norm_backward(self, g: Array, x: Array, weight: Array | None, saved: Any) -> tuple[Array, Array]:
        r"""The gradients of x and of weight (the latter as if there were one).

        As in `layer_norm_backward`, but that there is no mean for x to act through.
        """
        normed = x * saved
        d = g if weight is None else g * weight
        return saved * (d - normed * self._mean(d * normed)), self.sum_leading(g * normed)

    def _mean(self, x: Array) -> Array:
        """Over the last axis, which stays with size 1."""
        return self.sum_last(x) / x.shape[-1]

    def batch_statistics(self, x: Array) -> tuple[Array, Array]:
        """Mean and (biased) variance of each channel, which is axis 1 of x (N, C, ...), over all other axes: (C,) each."""
        axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
        mean = self.sum(x, axes, keepdims=True) / count
        return mean.reshape(-1), self.sum((x - mean) ** 2, axes) / count

    def batch_norm(
        self, x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
    ) -> Array:
        r""":math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon} \odot w + b`, with one number per channel (axis 1) of each."""
        mean, rstd = self.as_channels(mean, x.ndim), self.as_channels((var + eps) ** -0.5, x.ndim)
        weight, bias = (None if each is None else self.as_channels(each, x.ndim) for each in (weight, bias))
        return scale_and_shift((x - mean) * rstd, weight, bias)

    def batch_norm_backward(
        self, g: Array, x: Array, weight: Array | None, mean: Array, var: Array, eps: float, of_batch: bool
    ) -> tuple[Array, Array, Array, Array, Array]:
        """The gradients of x, weight, bias, mean and var. `of_batch`: mean and var are those of x, so x acts through them too."""
        axes, rstd = (0, *range(2, x.ndim)), (var + eps) ** -0.5
        scale = rstd if weight is None else rstd * weight
        normed = (x - self.as_channels(mean, x.ndim)) * self.as_channels(rstd, x.ndim)
        dweight, dbias = self.sum(g * normed, axes), self.sum(g, axes)
        dx = g
        if of_batch:  # as in `layer_norm_backward`, but that weight is the same for all that a mean is taken of
            count = x.size // x.shape[1]
            dx = g - self.as_channels(dbias / count, x.ndim) - normed * self.as_channels(dweight / count, x.ndim)
        dx = dx * self.as_channels(scale, x.ndim)
        return dx, dweight, dbias, -dbias * scale, dweight * scale * rstd * -0.5

    def as_channels(self, values: Array, ndim: int) -> Array:
        """One number per channel, shaped to broadcast along axis 1 of `ndim` axes."""
        return values.reshape(-1, *(1,) * (ndim - 2))

    # -- cross-entropy -------------------------------------------------------------------------------------------------

    def cross_entropy(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> tuple[Array, Array, Any]:
        r"""The loss of each row of logits, :math:`-\sum_c a_c \log p_c` with p = softmax(x) and the share :math:`a_c` of class c.

        Args:
            x: logits (rows, classes).
            target: one class per row (rows,), or one distribution per row (rows, classes).
            weight: of each class, or None.
            ignore_index: the target of rows that do not count.
            smoothing: the share of each target that is spread evenly over all classes.

        Returns:
            The losses and their weights in a mean, (rows,) each; then what `cross_entropy_backward` needs: the largest logit m of each
            row and :math:`\sum_c e^{x_c - m}`, (rows, 1) each.
        """
        xp, classes = self.xp, x.shape[1]
        top = self.max_axis(x, 1)
        z = x - top
        total = self.sum_last(xp.exp(z))
        log_total = xp.log(total)[:, 0]  # log p = z - log_total
        if target.ndim == 2:
            share = self.soften(target, weight, smoothing)
            loss = log_total * self.sum(share, (1,)) - self.sum(share * z, (1,))
            return loss, xp.ones(x.shape[0], x.dtype), (top, total)
        counts, safe, share = self.class_shares(target, weight, ignore_index, x.dtype)
        loss = share * (log_total - xp.where(counts, z[xp.arange(x.shape[0]), safe], 0.0))
        if smoothing:
            each = xp.ones(classes, x.dtype) if weight is None else weight.astype(x.dtype)
            of_all = log_total * each.sum() - self.multiply(
                z, each
            )  # the loss that each class as the target would give, added up
            loss = (1.0 - smoothing) * loss + counts * of_all * (smoothing / classes)
        return loss, share, (top, total)

    def cross_entropy_backward(
        self, g: Array, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float, saved: Any
    ) -> Array:
        r"""The gradient of the logits, :math:`g (p_c \sum_k a_k - a_c)` in each row."""
        xp, (top, total) = self.xp, saved
        p = xp.exp(x - top) / total
        if target.ndim == 2:
            share = self.soften(target, weight, smoothing)
            return g[:, None] * (p * self.sum_last(share) - share)
        counts, safe, share = self.class_shares(target, weight, ignore_index, x.dtype)
        hit, spread = g * share * (1.0 - smoothing), xp.where(counts, g, 0.0) * (smoothing / x.shape[1])
        each = xp.ones(x.shape[1], x.dtype) if weight is None else weight.astype(x.dtype)
        dx = p * (hit + spread * each.sum())[:, None] - spread[:, None] * each
        dx[xp.arange(x.shape[0]), safe] -= hit
        return dx

    def soften(self, target: Array, weight: Array | None, smoothing: float) -> Array:
        """The share of each class in the loss of a row whose target is a distribution."""
        if smoothing:
            target = target * (1.0 - smoothing) + smoothing / target.shape[1]
        return target if weight is None else target * weight.astype(target.dtype)

    def class_shares(
        self, target: Array, weight: Array | None, ignore_index: int, dtype: Any
    ) -> tuple[Array, Array, Array]:
        """Which rows count, their classes (0 where a row does not count) and the weights of these (0 likewise)."""
        counts = target != ignore_index
        safe = self.xp.where(counts, target, 0)
        if weight is None:
            return counts, safe, counts.astype(dtype)
        return counts, safe, self.xp.where(counts, weight.astype(dtype)[safe], 0.0).astype(dtype)

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
        r""":math:`y = \operatorname{softmax}(s\, q k^\top + \text{mask})\, v`, with dropout of the probabilities.

        Args:
            q, k, v: queries (..., T, D), keys (..., S, D) and values (..., S, E).
            mask: True where a query may attend to a key, or what is added to the scores; broadcast to (..., T, S). None: no mask.
            causal: whether the last query sees all keys, the one before it all but the last, and so on.
            dropout_p, key: as in `dropout_mask`.
            scale: s.

        Returns:
            y (..., T, E); and what `attention_backward` needs: the probabilities (..., T, S) and their dropout mask (or None).
        """
        xp = self.xp
        lead = common_shape(*(each.shape[:-2] for each in (q, k, v, mask) if each is not None))
        scores = xp.broadcast_to(scale * self.matmul(q, k.swapaxes(-1, -2)), (*lead, q.shape[-2], k.shape[-2]))
        bias = self.attention_bias(mask, causal, scores.shape, q.dtype)
        if bias is not None:
            scores = scores + bias
        p = self.softmax(scores, scores.ndim - 1)
        keep = self.dropout_mask(p.shape, dropout_p, key, p.dtype) if dropout_p else None
        return self.matmul(p if keep is None else p * keep, v), (p, keep)

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
        """The gradients of q, k, v and of the scores (which is that of an additive mask), before sums over broadcast axes.

        `y` and `causal` only help a faster version: the probabilities say all. Without `scores` their gradient may be None.
        """
        p, keep = saved
        dropped = p if keep is None else p * keep
        dv = self.matmul(dropped.swapaxes(-1, -2), g)
        dp = self.matmul(g, v.swapaxes(-1, -2))
        dscores = self.softmax_backward(dp if keep is None else dp * keep, p, p.ndim - 1)
        dq = scale * self.matmul(dscores, k)
        dk = scale * self.matmul(dscores.swapaxes(-1, -2), q)
        return dq, dk, dv, dscores

    def attention_bias(self, mask: Array | None, causal: bool, shape: Shape, dtype: Any) -> Array | None:
        """What is added to scores of `shape` (..., queries, keys): -infinity where a query may not attend; None for nothing."""
        xp, (queries, keys) = self.xp, shape[-2:]
        bias = None
        if mask is not None:
            bias = xp.where(mask, 0.0, -math.inf).astype(dtype) if mask.dtype == bool else mask
        if causal and queries > 1:
            later = xp.triu(xp.full((queries, keys), -math.inf, dtype), keys - queries + 1)
            bias = later if bias is None else bias + later
        return bias

    # -- dropout and embedding -----------------------------------------------------------------------------------------

    def dropout_mask(self, shape: Shape, p: float, key: int, dtype: Any) -> Array:
        """0 with probability p, else 1 / (1 - p), for each element: a function of `key` and the element's number.

        The lower 64 bits of the key say which mask; the next 32 bits are the number of the first element, which is 0 but for a part of
        a larger array (`minilm.random.next_key`).

        Each number goes through the 32-bit finalizer of MurmurHash3 (Appleby 2011) twice, once with each half of the mixed
        key, so that neither neighbouring numbers nor neighbouring keys give related bits. It needs no state: backward,
        a second device and a resumed run make the same mask. Element numbers count modulo 2^32.
        """
        if p in (0.0, 1.0):
            return self.xp.full(shape, 1.0 - p, dtype)
        mixed = mix64(key % 2**64)
        bits = self.xp.arange(math.prod(shape), dtype=self.xp.uint32) + self.xp.uint32(key >> 64)
        for half in (mixed & 0xFFFFFFFF, mixed >> 32):
            bits = bits ^ half
            bits = (bits ^ (bits >> 16)) * 0x85EBCA6B
            bits = (bits ^ (bits >> 13)) * 0xC2B2AE35
            bits = bits ^ (bits >> 16)
        keep = bits >= int(p * 2**32)
        return (keep.astype(dtype) * (1.0 / (1.0 - p))).reshape(shape)

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        """Zeros (rows, width), to whose row ids[i] every g[i] (of ids' shape, then the width) is added."""
        width = g.shape[-1]
        return self.scatter_add((rows, width), g.dtype, ids.reshape(-1), g.reshape(ids.size, width))

    # -- activations ---------------------------------------------------------------------------------------------------

    def sigmoid(self, x: Array) -> Array:
        r""":math:`\sigma(x) = 1 / (1 + e^{-x})`."""
        return 1.0 / (1.0 + self.xp.exp(-x))

    def erf(self, x: Array) -> Array:
        r"""The error function :math:`\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt` of each number; integers are taken as float64."""
        x = self.xp.asarray(x)
        numbers = [math.erf(each) for each in x.reshape(-1).tolist()]
        return self.xp.array(numbers, x.dtype if x.dtype.kind == "f" else np.float64).reshape(x.shape)

    def gelu(self, x: Array, approximate: str) -> Array:
        r"""x times a gate, the normal distribution function :math:`\Phi(x) = \tfrac12 (1 + \operatorname{erf}(x / \sqrt2))`,
        or with ``approximate="tanh"`` its approximation :math:`\tfrac12 (1 + \tanh(\sqrt{2/\pi}\, (x + 0.044715 x^3)))`.
        """
        return x * self._gelu_gate(x, approximate)

    def _gelu_gate(self, x: Array, approximate: str) -> Array:
        if approximate == "none":
            return 0.5 * (1.0 + self.erf(x / math.sqrt(2.0)))
        return 0.5 * (1.0 + self.xp.tanh(GELU_SLOPE * (x + GELU_CUBIC * x**3)))

    def gelu_backward(self, g: Array, x: Array, y: Array, approximate: str) -> Array:
        r"""g (gate + x gate'): the gate's derivative is the normal density, or for tanh :math:`2 p (1 - p)` times its argument's.

        `y` only helps a faster version.
        """
        gate = self._gelu_gate(x, approximate)
        x = self.xp.clip(x, -FLAT, FLAT)  # beyond, the slope is 0, and an infinite x times 0 would be NaN
        if approximate == "none":
            slope = self.xp.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
        else:
            slope = 2.0 * gate * (1.0 - gate) * GELU_SLOPE * (1.0 + 3.0 * GELU_CUBIC * x**2)
        return g * (gate + x * slope)

    def relu(self, x: Array) -> Array:
        """The larger of x and 0."""
        return self.xp.maximum(x, 0)

    def relu_backward(self, g: Array, y: Array) -> Array:
        """g where y, the output, is not 0."""
        return g * (y != 0)  # y is never below 0, and NaN differs from 0: it lets the gradient through

    # -- optimizers ----------------------------------------------------------------------------------------------------

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
        r"""One step of `minilm.optim.AdamW`, t = `step` >= 1: changes `p`, `m`, `v` and (where given: AMSGrad) `v_max` in place.

        .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
            \hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t},

        .. math:: p \leftarrow p - \eta \left(\frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda p\right),

        with :math:`v_\text{max} \leftarrow \max(v_\text{max}, v)` in v's place if given (Loshchilov & Hutter 2019, algorithm 2; Reddi
        et al. 2018).
        """
        xp, (beta1, beta2) = self.xp, betas
        m[...] = beta1 * m + (1.0 - beta1) * g
        v[...] = beta2 * v + (1.0 - beta2) * g**2
        if v_max is not None:
            v_max[...] = xp.maximum(v_max, v)
        m_hat = m / (1.0 - beta1**step)
        v_hat = (v if v_max is None else v_max) / (1.0 - beta2**step)
        p[...] = p - lr * (m_hat / (xp.sqrt(v_hat) + eps) + weight_decay * p)


def scale_and_shift(x: Array, weight: Array | None, bias: Array | None) -> Array:
    """x * weight + bias, where they are given."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def sum_dtype(dtype: Any) -> np.dtype[Any]:
    """The type of a sum: of floats their own, of integers int64, which holds more of them (of uint64 uint64)."""
    dtype = np.dtype(dtype)
    return dtype if dtype.kind == "f" or dtype == np.uint64 else np.dtype(np.int64)


def wide_dtype(dtype: Any) -> np.dtype[Any]:
    """What a sum is added in so that its own rounding does not show: of floats float64."""
    dtype = sum_dtype(dtype)
    return np.result_type(dtype, np.float64) if dtype.kind == "f" else dtype


def common_shape(*shapes: Shape) -> Shape:
    """The shape that several broadcast to."""
    return shapes[0] if all(shape == shapes[0] for shape in shapes) else np.broadcast_shapes(*shapes)


def mix64(key: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on every bit of the key."""
    z = (key + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return z ^ (z >> 31)
