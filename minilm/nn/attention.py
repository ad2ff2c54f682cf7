"""Multi-head attention."""

from __future__ import annotations

import math
from typing import Any

from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_probability, expect_sizes
from minilm.nn.linear import Linear
from minilm.nn.module import Module
from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import where
from minilm.ops.shape import unsqueeze
from minilm.tensor import Tensor
from minilm.types import Array


class MultiHeadAttention(Module):
    r"""Attention of several heads side by side, each in its own subspace of width :math:`d_h = d / n`.

    .. math:: \operatorname{head}_i = \operatorname{softmax}\!\left(\frac{Q_i K_i^\top}{\sqrt{d_h}}\right) V_i, \qquad
        y = W_o [\operatorname{head}_1 \cdots \operatorname{head}_n] + b_o

    where :math:`Q_i, K_i, V_i` are the i-th parts of width :math:`d_h` of :math:`W_q x + b_q`, :math:`W_k m + b_k` and
    :math:`W_v m + b_v`. Self-attention: m is x; cross-attention: m is what another network made. Vaswani et al., Attention is all
    you need, NeurIPS 2017, 3.2.2. The weights start as Xavier's uniform, the biases at zero.

    Args:
        embed_dim: the width d of inputs and output.
        num_heads: n, which must divide d.
        dropout: probability of dropping attention weights, while learning.
        bias: False leaves all four biases out.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, the heads do not divide the width, or `dropout` is no probability.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        expect_sizes("MultiHeadAttention", embed_dim=embed_dim, num_heads=num_heads)
        expect_probability("MultiHeadAttention", dropout)
        if embed_dim % num_heads:
            divisors = [n for n in range(1, embed_dim + 1) if embed_dim % n == 0]
            raise ValueError(
                f"MultiHeadAttention: {num_heads} heads do not divide the width {embed_dim}; its divisors are {divisors}."
            )
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.q_proj, self.k_proj = Linear(embed_dim, embed_dim, bias), Linear(embed_dim, embed_dim, bias)
        self.v_proj, self.out_proj = Linear(embed_dim, embed_dim, bias), Linear(embed_dim, embed_dim, bias)
        for linear in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            init.xavier_uniform_(linear.weight)
            if linear.bias is not None:
                init.constant_(linear.bias, 0.0)

    def forward(
        self,
        query: Tensor | Array,
        key: Tensor | Array | None = None,
        value: Tensor | Array | None = None,
        mask: Tensor | Array | None = None,
        *,
        key_padding_mask: Tensor | Array | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Attends from each position of `query` to the positions of `key`.

        Args:
            query: ``(batch, T, embed_dim)``, or ``(T, embed_dim)``: then no other input has the batch axis either.
            key: ``(batch, S, embed_dim)``; default: `query` (self-attention).
            value: shaped as `key`, and by default `key`.
            mask: broadcasts to ``(batch, num_heads, T, S)``. Boolean: True where attention is allowed; float: added to the
                scores before the softmax.
            key_padding_mask: ``(batch, S)`` boolean, True where a key is padding and must not be attended to. (The opposite
                sense of `mask`, as in PyTorch.)
            causal: allow each position only itself and earlier ones.

        Returns:
            ``(batch, T, embed_dim)``, or ``(T, embed_dim)`` where the query is.

        Raises:
            ValueError: a width, a batch size or the padding mask does not fit.
        """
        if len(shape_of(query)) == 2:
            return self._one(query, key, value, mask, key_padding_mask, causal)
        key = query if key is None else key
        value = key if value is None else value
        self._expect_sequences(query=query, key=key, value=value)
        q, k, v = self._heads(self.q_proj(query)), self._heads(self.k_proj(key)), self._heads(self.v_proj(value))
        mask = self._padded(mask, key_padding_mask, k)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, mask, causal=causal, dropout_p=dropout)
        return self.out_proj(y.swapaxes(1, 2).reshape(query.shape))

    def _one(self, query: Any, key: Any, value: Any, mask: Any, padding: Any, causal: bool) -> Tensor:
        """Sequences without a batch axis: a batch of one."""
        inputs = {"query": query, "key": key, "value": value}
        for name, x in inputs.items():
            shape = (0, self.embed_dim) if x is None else shape_of(x)
            if len(shape) != 2 or shape[1] != self.embed_dim:
                raise ValueError(f"{type(self).__name__}: expected a {name} of shape (length, {self.embed_dim}), got {shape}; the "
                                 "query has no batch axis.")  # fmt: skip
        first, second, third = (None if x is None else unsqueeze(x, 0) for x in inputs.values())
        padding = None if padding is None else unsqueeze(padding, 0)
        y = self.forward(first, second, third, mask, key_padding_mask=padding, causal=causal)
        return y.squeeze(0)

    def _heads(self, x: Tensor) -> Tensor:
        """``(batch, T, embed_dim) -> (batch, num_heads, T, embed_dim / num_heads)``"""
        batch, length, width = x.shape
        return x.reshape(batch, length, self.num_heads, width // self.num_heads).swapaxes(1, 2)

    def _padded(self, mask: Any, padding: Any, keys: Tensor) -> Any:
        """`mask` with padded keys closed off too."""
        if padding is None:
            return mask
        batch, _, length, _ = keys.shape
        padding = padding if isinstance(padding, Tensor) else Tensor(padding, device=keys.device)
        if padding.dtype != bool or padding.shape != (batch, length):
            raise ValueError(
                f"{type(self).__name__}: key_padding_mask must be boolean of shape {(batch, length)}, True where a key is padding; "
                f"got {padding.dtype} {padding.shape}."
            )
        open_ = (~padding).reshape(batch, 1, 1, length)
        if mask is None:
            return open_
        mask = mask if isinstance(mask, Tensor) else Tensor(mask, device=keys.device)
        return mask & open_ if mask.dtype == bool else where(open_, mask, -math.inf)

    def _expect_sequences(self, **inputs: Any) -> None:
        batch = shape_of(inputs["query"])[:1]
        for name, x in inputs.items():
            shape = shape_of(x)
            if len(shape) != 3 or shape[2] != self.embed_dim or shape[:1] != batch:
                first = batch[0] if len(shape_of(inputs["query"])) == 3 else "batch"
                raise ValueError(
                    f"{type(self).__name__}: expected a {name} of shape ({first}, length, {self.embed_dim}), or all of them without batch, "
                    f"got {shape}."
                )

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}"


__all__ = ["MultiHeadAttention"]
