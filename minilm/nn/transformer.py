"""Transformer layers. A model stacks them in a ModuleList; see `minilm.models`."""

from __future__ import annotations

from collections.abc import Callable

from minilm.nn import functional as F
from minilm.nn.attention import MultiHeadAttention
from minilm.nn.checks import expect_sizes
from minilm.nn.dropout import Dropout
from minilm.nn.linear import Linear
from minilm.nn.module import Module
from minilm.nn.norm import LayerNorm
from minilm.tensor import Tensor
from minilm.types import Array


def gelu_new(x: Tensor) -> Tensor:
    """GELU's approximation by tanh, under the name that it has in Hugging Face's config.json."""
    y: Tensor = F.gelu(x, approximate="tanh")
    return y


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": gelu_new,
    "silu": F.silu,
    "tanh": F.tanh,
}


class FeedForward(Module):
    r"""Two linear maps with a non-linearity between them, applied to each position by itself.

    .. math:: y = W_2\, f(W_1 x + b_1) + b_2

    Shapes: x and y ``(..., d_model)``, inside ``(..., dim_feedforward)``. Vaswani et al. 2017, 3.3.

    Args:
        activation: f: ``"relu"``, ``"gelu"``, ``"gelu_new"`` (its approximation by tanh), ``"silu"`` or ``"tanh"``.
        dropout: probability of dropping what f returns, while learning.
        bias: False leaves both biases out.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, the activation is unknown, or `dropout` is no probability.
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

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.dropout(ACTIVATIONS[self.activation](self.up(x))))

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"


class TransformerEncoderLayer(Module):
    r"""Self-attention, then a feed-forward network (Vaswani et al. 2017, 3.1).

    Two sublayers s, each inside a residual connection with a LayerNorm. Post-norm, as in the paper:
    :math:`y = \operatorname{LN}(x + s(x))`. Pre-norm, which trains without warm-up: :math:`y = x + s(\operatorname{LN}(x))`
    (Xiong et al., On layer normalization in the Transformer architecture, ICML 2020). A stack of pre-norm layers needs one more
    LayerNorm after the last.

    Args:
        d_model: the width.
        nhead: the number of attention heads, which must divide the width.
        dim_feedforward: the width inside the feed-forward sublayer.
        dropout: probability of dropping a sublayer's output, an attention weight, or a number inside the feed-forward.
        activation: of the feed-forward sublayer.
        layer_norm_eps: added to the variance in each LayerNorm.
        norm_first: pre-norm.
        bias: False leaves the biases of all linear maps and norms out.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, the heads do not divide the width, `dropout` is no probability, or the activation is
            unknown.
    """

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
        self.feed_forward = FeedForward(d_model, dim_feedforward, activation, dropout, bias)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | Array | None = None,
        *,
        key_padding_mask: Tensor | Array | None = None,
        causal: bool = False,
    ) -> Tensor:
        """``(batch, length, d_model)`` or ``(length, d_model)`` to the same shape. The masks are those of `MultiHeadAttention`.

        Raises:
            ValueError: a shape does not fit.
        """

        def attend(x: Tensor) -> Tensor:
            return self.dropout(self.self_attn(x, mask=mask, key_padding_mask=key_padding_mask, causal=causal))

        def feed(x: Tensor) -> Tensor:
            return self.dropout(self.feed_forward(x))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + feed(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + feed(x))

    def extra_repr(self) -> str:
        return f"norm_first={self.norm_first}"


class TransformerDecoderLayer(Module):
    r"""Self-attention, attention to an encoder's output, then a feed-forward network (Vaswani et al. 2017, 3.1).

    Three sublayers s, each inside a residual connection with a LayerNorm. Post-norm, as in the paper:
    :math:`y = \operatorname{LN}(x + s(x))`. Pre-norm, which trains without warm-up: :math:`y = x + s(\operatorname{LN}(x))`
    (Xiong et al., On layer normalization in the Transformer architecture, ICML 2020). A stack of pre-norm layers needs one more
    LayerNorm after the last.

    Args:
        d_model: the width.
        nhead: the number of heads in both attentions, which must divide the width.
        dim_feedforward: the width inside the feed-forward sublayer.
        dropout: probability of dropping a sublayer's output, an attention weight, or a number inside the feed-forward.
        activation: of the feed-forward sublayer.
        layer_norm_eps: added to the variance in each LayerNorm.
        norm_first: pre-norm.
        bias: False leaves the biases of all linear maps and norms out.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, the heads do not divide the width, `dropout` is no probability, or the activation is
            unknown.
    """

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
        self.cross_attn = MultiHeadAttention(d_model, nhead, dropout, bias)
        self.feed_forward = FeedForward(d_model, dim_feedforward, activation, dropout, bias)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | Array | None = None,
        memory_mask: Tensor | Array | None = None,
        *,
        key_padding_mask: Tensor | Array | None = None,
        memory_key_padding_mask: Tensor | Array | None = None,
        causal: bool = True,
    ) -> Tensor:
        """``(batch, T, d_model)`` or ``(T, d_model)`` to the same shape. The masks are those of `MultiHeadAttention`.

        Args:
            memory: the encoder's output, ``(batch, S, d_model)``, or ``(S, d_model)`` where x has no batch axis.
            mask, key_padding_mask: for the self-attention, which is causal unless told otherwise.
            memory_mask, memory_key_padding_mask: for the attention to the memory.

        Raises:
            ValueError: a shape does not fit.
        """

        def attend(x: Tensor) -> Tensor:
            return self.dropout(self.self_attn(x, mask=mask, key_padding_mask=key_padding_mask, causal=causal))

        def attend_to_memory(x: Tensor) -> Tensor:
            return self.dropout(self.cross_attn(x, memory, mask=memory_mask, key_padding_mask=memory_key_padding_mask))

        def feed(x: Tensor) -> Tensor:
            return self.dropout(self.feed_forward(x))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + attend_to_memory(self.norm2(x))
            return x + feed(self.norm3(x))
        x = self.norm1(x + attend(x))
        x = self.norm2(x + attend_to_memory(x))
        return self.norm3(x + feed(x))

    def extra_repr(self) -> str:
        return f"norm_first={self.norm_first}"


__all__ = ["FeedForward", "TransformerDecoderLayer", "TransformerEncoderLayer"]
