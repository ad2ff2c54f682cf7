r"""Llama: the decoder-only Transformer of Llama's kind, such as SmolLM2.

The architecture is that of Touvron et al. 2023 (*LLaMA: Open and Efficient Foundation Language Models*, section 2.2): RMSNorm before
each sublayer (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020), no biases; and since Llama 2
grouped-query attention (Ainslie et al. 2023), in which several query heads share one head of keys and values.

.. math::
    h^0_t &= E_{x_t} \\
    u^\ell &= h^{\ell-1} + \operatorname{Attention}(\operatorname{RMS}(h^{\ell-1})), \qquad
    h^\ell = u^\ell + W_d \bigl(\operatorname{SiLU}(W_g\, n) \odot W_u\, n\bigr), \quad n = \operatorname{RMS}(u^\ell) \\
    p(x_{t+1} \mid x_{\le t}) &= \operatorname{softmax}(W_o \operatorname{RMS}(h^L_t)), \quad \text{where tied: } W_o = E

From the bottom up: the shape, attention, the feed-forward network, a layer of both, and the model. The names of parts and of the
config's fields are those of Hugging Face's files. What the model keeps while it writes is in `minilm.models.cache`; the same forward
pass on plain arrays, for one more token on a CPU, in `minilm.models.llama_numpy`.
In the shape comments B is the batch, T the length in tokens, C the width, H the query heads, K the heads of keys and values, D the
width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minilm import nn
from minilm.models.cache import CacheSize, KVCache, LayerCache, next_logits
from minilm.models.generation import generate
from minilm.models.ids import as_ids
from minilm.models.llama_numpy import LAYERS, Decoder
from minilm.models.plain import is_plain
from minilm.nn import functional as F
from minilm.optim import decay_groups
from minilm.tensor import Tensor
from minilm.types import Ids


@dataclass(frozen=True)
class LlamaConfig:
    """The shape of a Llama, with the names of Hugging Face's config.json.

    Attributes:
        vocab_size: number of different tokens.
        hidden_size: the width C.
        intermediate_size: the width inside the feed-forward network.
        num_hidden_layers: the number of layers.
        num_attention_heads: H, the heads of queries.
        num_key_value_heads: K, the heads of keys and values, which must divide H; None: as many as of queries.
        head_dim: D, even, since rotations turn pairs; None: C / H.
        max_position_embeddings: the longest context, in tokens.
        rms_norm_eps: added to the mean square in each RMSNorm.
        rope_theta: the base of the rotations' angles.
        tie_word_embeddings: one matrix for the token embedding and the output layer (Press and Wolf 2017).
        attention_bias, mlp_bias: whether the linear layers of attention, and of the feed-forward network, have biases.
        attention_dropout: probability with which attention weights are dropped in training.

    Raises:
        TypeError: a size is no integer, or a yes-or-no field is neither.
        ValueError: a number is out of range, or the heads do not fit.
    """

    vocab_size: int
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                     "num_key_value_heads", "head_dim", "max_position_embeddings"):  # fmt: skip
            value = getattr(self, name)
            if value is None and name in ("num_key_value_heads", "head_dim"):
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"LlamaConfig: {name} must be an integer, got {value!r}.")
            if value < 1:
                raise ValueError(f"LlamaConfig: {name} must be at least 1, got {value}.")
        for name in ("rms_norm_eps", "rope_theta", "attention_dropout"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise TypeError(f"LlamaConfig: {name} must be a number, got {value!r}.")
        for name in ("tie_word_embeddings", "attention_bias", "mlp_bias"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"LlamaConfig: {name} must be True or False, got {getattr(self, name)!r}.")
        if not 0 <= self.rms_norm_eps < float("inf") or not 0 < self.rope_theta < float("inf"):
            raise ValueError(
                f"LlamaConfig: rms_norm_eps must be at least 0 and rope_theta above 0, got {self.rms_norm_eps} and {self.rope_theta}."
            )
        if not 0 <= self.attention_dropout < 1:
            raise ValueError(
                f"LlamaConfig: attention_dropout must be at least 0 and less than 1, got {self.attention_dropout}."
            )
        self._settle_heads()

    def _settle_heads(self) -> None:
        """Puts what None stands for in its place, so that the fields say all."""
        heads = self.num_attention_heads
        if self.num_key_value_heads is None:
            object.__setattr__(self, "num_key_value_heads", heads)
        if heads % self.key_value_heads:
            raise ValueError(
                f"LlamaConfig: num_key_value_heads={self.num_key_value_heads} does not divide num_attention_heads={heads}."
            )
        if self.head_dim is None:
            if self.hidden_size % heads:
                raise ValueError(
                    f"LlamaConfig: num_attention_heads={heads} does not divide hidden_size={self.hidden_size}; then head_dim must be given."
                )
            object.__setattr__(self, "head_dim", self.hidden_size // heads)
        if self.head_width % 2:
            raise ValueError(f"LlamaConfig: rotations turn pairs, so head_dim must be even; it is {self.head_dim}.")

    @property
    def key_value_heads(self) -> int:
        """K as an integer."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def head_width(self) -> int:
        """D as an integer."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as a config.json holds them."""
        return asdict(self)


class GroupedQueryAttention(nn.Module):
    r"""Causal attention in which each head of keys and values serves the H / K query heads of its group (Ainslie et al. 2023, 2.2).

    .. math:: \operatorname{head}_i = \operatorname{softmax}\bigl(R(Q_i)\, R(K_{g})^\top / \sqrt D\bigr) V_{g}, \quad
        g = \lfloor i K / H \rfloor

    The rotations R give queries and keys their positions; values have none. K = H is multi-head attention, K = 1 multi-query attention.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        H, K, D, bias = config.num_attention_heads, config.key_value_heads, config.head_width, config.attention_bias
        self.groups, self.heads_each, self.head_dim = K, H // K, D
        self.dropout = config.attention_dropout
        self.q_proj = nn.Linear(config.hidden_size, H * D, bias=bias)
        self.k_proj = nn.Linear(config.hidden_size, K * D, bias=bias)
        self.v_proj = nn.Linear(config.hidden_size, K * D, bias=bias)
        self.o_proj = nn.Linear(H * D, config.hidden_size, bias=bias)
        self.rotary = nn.RotaryPositions(D, config.rope_theta)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        start = cache.length if cache else 0
        q = self.rotary(self._heads(self.q_proj(x)), start)  # (B, H, T, D)
        k = self.rotary(self._heads(self.k_proj(x)), start)  # (B, K, T, D)
        v = self._heads(self.v_proj(x))
        if cache is not None:
            k, v = cache.extend(k, v)
        B, _, T, D = q.shape
        q = q.reshape(B, self.groups, self.heads_each, T, D)
        k, v = k.reshape(B, self.groups, 1, -1, D), v.reshape(B, self.groups, 1, -1, D)  # one for all of a group
        y = F.scaled_dot_product_attention(q, k, v, causal=True, dropout_p=self.dropout if self.training else 0.0)
        return self.o_proj(y.reshape(B, -1, T, D).swapaxes(1, 2).reshape(B, T, -1))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, heads * D) -> (B, heads, T, D)"""
        B, T, _ = x.shape
        return x.reshape(B, T, -1, self.head_dim).swapaxes(1, 2)


class SwiGLU(nn.Module):
    r"""The feed-forward network :math:`W_d (\operatorname{SiLU}(W_g x) \odot W_u x)`, for each position alone.

    Shazeer, GLU variants improve Transformer, 2020, eq. 6: one linear map decides, through SiLU, how much of the other passes.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    """Attention, then the feed-forward network, each on a normalized input and added to the residual stream."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = GroupedQueryAttention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """A Llama, with GPT-2's start: matrices normal with deviation 0.02, those into the residual stream 0.02 / sqrt(2 layers).

    Published weights are put into one by `minilm.pretrained.llama`.

    Args:
        config: the shape.
        rng: draws the weights; default: the global host generator (`minilm.manual_seed`).
    """

    def __init__(self, config: LlamaConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([LlamaLayer(config) for _ in range(config.num_hidden_layers)])
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.embed_tokens.weight
        nn.init.gpt2_(self, config.num_hidden_layers, residual=("o_proj", "down_proj"), rng=rng)

    def forward(self, ids: Ids, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        """The logits of the token after each position: (B, T) -> (B, T, vocab_size).

        With a `cache`, `ids` are the tokens that follow those already in it. With `last_only`, the logits are those after the last
        position alone: (B, 1, vocab_size).

        Raises:
            ValueError: the ids have not two axes, or the context would be longer than `max_position_embeddings`.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary.
        """
        ids, start = as_ids(ids, next(self.parameters())), cache.length if cache else 0
        room = self.config.max_position_embeddings - start
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= room:
            seen = f" after {start} in the cache" if start else ""
            raise ValueError(
                f"Llama: expected ids of shape (batch, 1 to {room} tokens){seen}, got {ids.shape}; "
                f"max_position_embeddings is {self.config.max_position_embeddings}."
            )
        x = self.embed_tokens(ids)  # (B, T, C)
        for i, layer in enumerate(self.layers):
            x = layer(x, cache.layers[i] if cache else None)
        return self.lm_head(self.norm(x[:, -1:] if last_only else x))

    def loss(self, ids: Ids, targets: Ids) -> Tensor:
        """The mean cross-entropy of the next tokens, in nats: ids and targets are (B, T).

        Raises:
            ValueError: the ids have not two axes or are too many, or the targets have another shape.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary.
        """
        logits = self(ids)
        targets = as_ids(targets, logits)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))

    def decay_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Optimizer groups: matrices and embeddings decay, biases and norms do not."""
        return decay_groups(self.parameters(), weight_decay)

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, **options: Any) -> list[list[int]]:
        """The ids that follow each prompt; see `minilm.models.generation.generate` for the options."""
        return generate(self, prompts, max_new_tokens, **options)

    def next_logits(self, contexts: Ids, cache: KVCache | None) -> tuple[Tensor, KVCache | None]:
        """The logits (B, vocab_size) of the token after `contexts`, and what to keep; see `minilm.models.cache.next_logits`."""
        return next_logits(self, contexts, cache)

    @property
    def cache_size(self) -> CacheSize:
        """What a `KVCache` has to hold: heads of keys and values, not of queries."""
        config = self.config
        return CacheSize(
            config.num_hidden_layers, config.key_value_heads, config.max_position_embeddings, config.head_width
        )

    def decoder(self, caches: list[LayerCache], batch: int) -> Decoder | None:
        """What computes one more token on plain arrays; None where a module of this model is not repeated there."""
        plain = is_plain(self, {Llama, LlamaLayer, GroupedQueryAttention, SwiGLU} | LAYERS)
        return Decoder(self, caches, batch) if plain else None


__all__ = ["GroupedQueryAttention", "Llama", "LlamaConfig", "LlamaLayer", "SwiGLU"]
