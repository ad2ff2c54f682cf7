"""Transformer blocks. A model stacks them in a ModuleList; see `minilm.models`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minilm.nn import functional as F
from minilm.nn.attention import MultiHeadAttention
from minilm.nn.checks import expect_sizes
from minilm.nn.dropout import Dropout
from minilm.nn.linear import Linear
from minilm.nn.module import Module
from minilm.nn.norm import LayerNorm
from minilm.tensor import Tensor

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": F.tanh}


class FeedForward(Module):
    r"""Two linear maps with a non-linearity between them, applied to each position by itself.

    .. math:: y = W_2\, f(W_1 x + b_1) + b_2

    Shapes: x and y ``(..., d_model)``, inside ``(..., dim_feedforward)``. Vaswani et al. 2017, 3.3.

    Args:
        activation: f: ``"relu"``, ``"gelu"``, ``"silu"`` or ``"tanh"``.
        dropout: probability of dropping what f returns, while learning.
    """

    def __init__(
        self, d_model: int, dim_feedforward: int, activation: str = "relu", dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__()
        expect_sizes("FeedForward", d_model=d_model, dim_feedforward=dim_feedforward)
        if activation not in ACTIVATIONS:
            raise ValueError(f"FeedForward: activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}.")
        self.activation = activation
        self.up = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.down = Linear(dim_feedforward, d_model, bias)

    def forward(self, x: Any) -> Tensor:
        return self.down(self.dropout(ACTIVATIONS[self.activation](self.up(x))))

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"


class _Residual(Module):
    r"""What both blocks share: sublayers s, each inside a residual connection with a LayerNorm.

    Post-norm, as in the paper: :math:`y = \operatorname{LN}(x + s(x))`. Pre-norm, which trains without warm-up:
    :math:`y = x + s(\operatorname{LN}(x))` (Xiong et al., On layer normalization in the Transformer architecture, ICML 2020). A stack
    of pre-norm blocks needs one more LayerNorm after the last.

    Args:
        d_model: the width.
        nhead: the number of attention heads, which must divide the width.
        dim_feedforward: the width inside the feed-forward sublayer.
        dropout: probability of dropping a sublayer's output, an attention weight, or a number inside the feed-forward.
        activation: of the feed-forward sublayer.
        norm_first: pre-norm.
        bias: False leaves the biases of all linear maps and norms out.
    """

    sublayers = 2

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        layer_norm_eps: float = 1e-5,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout, bias)
        if self.sublayers == 3:
            self.cross_attn = MultiHeadAttention(d_model, nhead, dropout, bias)
        self.feed_forward = FeedForward(d_model, dim_feedforward, activation, dropout, bias)
        for i in range(1, self.sublayers + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        self.dropout = Dropout(dropout)

    def add(self, x: Any, norm: Module, sublayer: Callable[[Any], Any]) -> Any:
        """A sublayer inside its residual connection."""
        if self.norm_first:
            return x + self.dropout(sublayer(norm(x)))
        return norm(x + self.dropout(sublayer(x)))

    def extra_repr(self) -> str:
        return f"norm_first={self.norm_first}"


class TransformerEncoderLayer(_Residual):
    __doc__ = "Self-attention, then a feed-forward network (Vaswani et al. 2017, 3.1).\n\n    " + (
        _Residual.__doc__ or ""
    ).replace("What both blocks share: sublayers s", "Two sublayers s", 1)

    def forward(self, x: Any, mask: Any = None, *, key_padding_mask: Any = None, causal: bool = False) -> Any:
        """``(batch, length, d_model)`` or ``(length, d_model)`` to the same shape. The masks are those of `MultiHeadAttention`."""
        x = self.add(
            x, self.norm1, lambda y: self.self_attn(y, mask=mask, key_padding_mask=key_padding_mask, causal=causal)
        )
        return self.add(x, self.norm2, self.feed_forward)


class TransformerDecoderLayer(_Residual):
    __doc__ = "Self-attention, attention to an encoder's output, then a feed-forward network.\n\n    " + (
        _Residual.__doc__ or ""
    ).replace("What both blocks share: sublayers s", "Three sublayers s", 1)

    sublayers = 3

    def forward(
        self,
        x: Any,
        memory: Any,
        mask: Any = None,
        memory_mask: Any = None,
        *,
        key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        causal: bool = True,
    ) -> Any:
        """``(batch, T, d_model)`` or ``(T, d_model)`` to the same shape.

        Args:
            memory: the encoder's output, ``(batch, S, d_model)``, or ``(S, d_model)`` where x has no batch axis.
            mask, key_padding_mask: for the self-attention, which is causal unless told otherwise.
            memory_mask, memory_key_padding_mask: for the attention to the memory.
        """
        x = self.add(
            x, self.norm1, lambda y: self.self_attn(y, mask=mask, key_padding_mask=key_padding_mask, causal=causal)
        )
        x = self.add(
            x,
            self.norm2,
            lambda y: self.cross_attn(y, memory, mask=memory_mask, key_padding_mask=memory_key_padding_mask),
        )
        return self.add(x, self.norm3, self.feed_forward)


__all__ = ["FeedForward", "TransformerDecoderLayer", "TransformerEncoderLayer"]
