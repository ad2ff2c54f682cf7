r"""Attention: every query takes a mean of the values, weighted by how well it agrees with their keys."""

from __future__ import annotations

import math

import numpy as np

from minilm.backend import device_of
from minilm.ops.arguments import shape_of
from minilm.ops.linalg import matmul, swap_last
from minilm.ops.normalize import softmax
from minilm.ops.op import Op, op
from minilm.ops.random import check_key, check_probability, dropout
from minilm.ops.sample import Sample, mask, real
from minilm.ops.shape import array_of, home_of


@op
class scaled_dot_product_attention(Op):
    r"""Attention of L queries to S keys and their values, with masks and dropout on the probabilities.

    Shapes: q ``(..., L, E)``, k ``(..., S, E)``, v ``(..., S, Ev)``, output ``(..., L, Ev)``; leading axes (batch, heads)
    broadcast: queries ``(batch, groups, heads, L, E)`` with keys ``(batch, groups, 1, S, E)`` are grouped-query attention (Ainslie et
    al. 2023). The mask broadcasts to ``(..., L, S)``.

    A query that may attend to nothing gives zeros, and zeros as gradients; PyTorch gives NaN there.

    Args:
        mask: boolean (True: the query may attend to the key), or floats that are added to the scores (:math:`-\infty` masks), to
            which gradients flow. Masks act before softmax: after it, the rest would not sum to 1.
        causal: a query sees no key that comes after it. With L = S that is the lower triangle. With L < S (a cache holds
            earlier keys) the last query sees all keys; PyTorch's ``is_causal`` would align the first query with the first
            key. It may be combined with a mask.
        dropout_p, key: as in `dropout`, for the probabilities.
        scale: what q kᵀ is multiplied by; default :math:`1 / \sqrt{E}`.

    Raises:
        ValueError: shapes do not fit, or an argument is out of range.
        TypeError: the mask is neither boolean nor float.
    """

    formula = r"Y = P V, \quad P = \operatorname{softmax}(s\, Q K^\top + M), \quad s = \frac{1}{\sqrt{E}}"
    derivative = (
        r"\bar V = P^\top \bar Y, \quad \bar P = \bar Y V^\top, \quad "
        r"\bar M_{ij} = P_{ij} \Bigl(\bar P_{ij} - \sum_k \bar P_{ik} P_{ik}\Bigr), \quad "
        r"\bar Q = s\, \bar M K, \quad \bar K = s\, \bar M^\top Q"
    )
    domain = r"all real numbers, and -\infty in M; zeros where every M_{ij} of a row is -\infty"
    source = "Vaswani et al. (2017), Attention Is All You Need, section 3.2.1"
    has_aux = True
    broadcasts = True
    integers = "floats"
    wide = True
    samples = [
        Sample(real(2, 3, 4), real(2, 5, 4), real(2, 5, 2)),
        Sample(real(2, 3), real(2, 3), real(2, 3), causal=True),
        Sample(real(2, 2, 3, 2), real(2, 2, 3, 2), real(2, 2, 3, 2), mask(2, 1, 3, 3), causal=True),
        Sample(real(2, 3), real(4, 3), real(4, 3), causal=True, scale=0.5),
        Sample(real(3, 2), real(2, 2), real(2, 2), causal=True),
        Sample(real(2, 2, 3), real(2, 4, 3), real(2, 4, 3), real(2, 4)),
        Sample(real(1, 2, 3), real(2, 1, 2, 3), real(2, 2, 3), real(2, 1, 2, 2), causal=True),
        Sample(real(2, 3), real(4, 3), real(4, 2), real(3, 1, 4)),
        Sample(real(3, 2), real(4, 2), real(4, 2), mask(3, 4), dropout_p=0.3, key=5),
        Sample(real(1, 2), real(3, 2), real(3, 2), causal=True),
        Sample(real(0, 2, 3), real(0, 2, 3), real(0, 2, 3)),
        Sample(real(2, 3), real(0, 3), real(0, 2)),
        Sample(real(2, 2, 2, 3, 2), real(2, 2, 1, 4, 2), real(2, 2, 1, 4, 2), causal=True),
    ]

    def check(self, q, k, v, mask, *, causal, dropout_p, key, scale):
        check_attention(shape_of(q), shape_of(k), shape_of(v))
        if mask is not None:
            check_mask(mask, (*np.broadcast_shapes(q.shape[:-2], k.shape[:-2]), q.shape[-2], k.shape[-2]))
        return {
            "causal": bool(causal),
            "dropout_p": check_probability("scaled_dot_product_attention: dropout", dropout_p),
            "key": check_key("scaled_dot_product_attention", key),
            "scale": 1.0 / math.sqrt(max(1, shape_of(q)[-1])) if scale is None else float(scale),
        }

    def forward(self, dev, q, k, v, mask=None, *, causal=False, dropout_p=0.0, key=0, scale=None):
        return dev.attention(q, k, v, mask, causal, dropout_p, key, scale)

    def backward(self, g, y, q, k, v, mask, *, needs, causal, dropout_p, key, scale, aux):
        return device_of(g).attention_backward(g, q, k, v, y, scale, aux, causal, needs[3])

    def composed(self, q, k, v, mask, *, causal, dropout_p, key, scale):
        scores = matmul(q * scale, swap_last(k))
        dev, learned = home_of(q), mask is not None and mask.dtype.kind == "f"
        fixed = dev.attention_bias(None if learned else array_of(mask), causal, scores.shape, scores.dtype)
        for bias in (mask if learned else None, fixed):
            scores = scores if bias is None else scores + bias
        p = softmax(scores, axis=-1)
        return matmul(dropout(p, p=dropout_p, key=key) if dropout_p else p, v)


def check_attention(q, k, v):
    """Raises ValueError unless the shapes of queries, keys and values fit each other."""
    name, shapes = "scaled_dot_product_attention", f"q {q}, k {k}, v {v}"
    if min(len(q), len(k), len(v)) < 2:
        raise ValueError(f"{name}: expected (..., L, E), (..., S, E) and (..., S, Ev), got {shapes}.")
    if q[-1] != k[-1]:
        raise ValueError(
            f"{name}: queries have size {q[-1]} and keys {k[-1]}, but a query is multiplied by a key: {shapes}."
        )
    if k[-2] != v[-2]:
        raise ValueError(f"{name}: there are {k[-2]} keys and {v[-2]} values, but each key has one value: {shapes}.")
    try:
        if not q[:-2] == k[:-2] == v[:-2]:
            np.broadcast_shapes(q[:-2], k[:-2], v[:-2])
    except ValueError:
        raise ValueError(f"{name}: the leading axes (batch, heads) do not broadcast: {shapes}.") from None


def check_mask(mask, scores):
    """Raises unless the mask is boolean or float, and broadcasts to the scores.

    Leading axes of its own are allowed where the scores have none: one q for several masks.
    """
    name, kind = "scaled_dot_product_attention", getattr(getattr(mask, "dtype", None), "kind", None)
    if kind not in ("b", "f"):
        raise TypeError(
            f"{name}: the mask must be boolean (True: may attend) or float (added to the scores), got "
            f"{getattr(mask, 'dtype', type(mask).__name__)}; for 0 and 1, use mask != 0."
        )
    have = shape_of(mask)
    try:
        fits = np.broadcast_shapes(have, scores)[-2:] == scores[-2:]
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name}: the mask has shape {have}, which does not broadcast to the scores (..., L, S) = {scores}."
        )
