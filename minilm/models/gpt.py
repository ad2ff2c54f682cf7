r"""GPT: a decoder-only Transformer language model.

The architecture is GPT-2's (Radford et al. 2019, *Language Models are Unsupervised Multitask Learners*) as nanoGPT writes it:
layer norm before each sublayer, learned positions, GELU, and one matrix for the token embedding and the output.

.. math::
    h^0_t &= E_{x_t} + P_t \\
    u^\ell &= h^{\ell-1} + \operatorname{Attention}(\operatorname{LN}(h^{\ell-1})), \qquad
    h^\ell = u^\ell + W_2\,\operatorname{GELU}(W_1 \operatorname{LN}(u^\ell)) \\
    p(x_{t+1} \mid x_{\le t}) &= \operatorname{softmax}(E \operatorname{LN}(h^L_t))

From the bottom up: the shape, attention, the MLP, a block of both, and the model. What it keeps while it writes is in
`minilm.models.cache`; the same forward pass on plain arrays, for one more token on a CPU, in `minilm.models.gpt_numpy`; what is
written with it, in `minilm.models.generation`.
In the shape comments B is the batch, T the length in tokens, C the width, H the number of heads, D = C / H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minilm import nn
from minilm.checkpoint import checkpoint_sequential
from minilm.models.cache import CacheSize, KVCache, LayerCache, next_logits
from minilm.models.generation import generate
from minilm.models.gpt_numpy import LAYERS, Decoder
from minilm.models.ids import as_ids
from minilm.models.plain import is_plain
from minilm.nn import functional as F
from minilm.optim import decay_groups
from minilm.tensor import Tensor
from minilm.types import Ids


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT.

    Attributes:
        vocab_size: number of different tokens.
        block_size: the longest context, in tokens.
        n_layer, n_head, n_embd: number of blocks, heads in each, and width C; heads must divide the width.
        dropout: probability with which embeddings, attention weights and sublayer outputs are dropped in training.
        bias: whether the linear layers and layer norms have biases (GPT-2: yes; nanoGPT's small recipes: no).
        tie_weights: one matrix for the token embedding and the output layer (Press and Wolf 2017).
        position: "learned" (GPT-2), "sinusoidal" (Vaswani et al. 2017) or "rotary" (Su et al. 2021).
        norm: "layer" or "rms".
        activation: "gelu", or "gelu_new": its approximation by tanh, which GPT-2's published weights were trained with (the names are
            those of Hugging Face's config.json).

    Raises:
        ValueError: a number is not positive, the heads do not divide the width, or a name is unknown.
    """

    vocab_size: int
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True
    tie_weights: bool = True
    position: str = "learned"
    norm: str = "layer"
    activation: str = "gelu"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"GPTConfig: {name} must be a positive integer, got {value!r}.")
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: n_head={self.n_head} does not divide n_embd={self.n_embd}.")
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(f"GPTConfig: dropout must be at least 0 and less than 1, got {self.dropout!r}.")
        if self.position not in ("learned", "sinusoidal", "rotary"):
            raise ValueError(f"GPTConfig: position must be 'learned', 'sinusoidal' or 'rotary', got {self.position!r}.")
        if self.norm not in ("layer", "rms"):
            raise ValueError(f"GPTConfig: norm must be 'layer' or 'rms', got {self.norm!r}.")
        if self.activation not in ("gelu", "gelu_new"):
            raise ValueError(f"GPTConfig: activation must be 'gelu' or 'gelu_new', got {self.activation!r}.")
        if (
            self.position != "learned"
            and (self.n_embd // self.n_head if self.position == "rotary" else self.n_embd) % 2
        ):
            raise ValueError(
                f"GPTConfig: {self.position} positions turn pairs of channels, so their number must be even."
            )

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as a run's config.json holds them; the activation only where it is another than "gelu"."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("activation", "gelu")}


class CausalSelfAttention(nn.Module):
    """Every position attends to itself and to those before it (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.dropout = config.n_head, config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.rotary = nn.RotaryPositions(config.n_embd // config.n_head) if config.position == "rotary" else None

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        B, T, C = x.shape
        start = cache.length if cache else 0
        q, k, v = (
            part.reshape(B, T, self.n_head, -1).swapaxes(1, 2) for part in self.c_attn(x).split(3, axis=-1)
        )  # (B, H, T, D)
        if self.rotary is not None:
            q, k = self.rotary(q, start), self.rotary(k, start)
        if cache is not None:
            k, v = cache.extend(k, v)
        y = F.scaled_dot_product_attention(q, k, v, causal=True, dropout_p=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(y.swapaxes(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    """Two linear layers with a GELU between them, four times as wide inside, for each position alone."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.approximate = "tanh" if config.activation == "gelu_new" else "none"
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        # (B, T, C) -> (B, T, 4C) -> (B, T, C)
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate=self.approximate)))


class Block(nn.Module):
    """Attention, then the MLP, each on a normalized input and added to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1, self.attn = _norm(config), CausalSelfAttention(config)
        self.ln_2, self.mlp = _norm(config), MLP(config)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A GPT with GPT-2's initialization: normal with deviation 0.02, residual projections 0.02 / sqrt(2 n_layer).

    Args:
        config: the shape.
        rng: draws the weights; default: the global host generator (`minilm.manual_seed`).

    Attributes:
        checkpoint_segments: in how many segments the blocks are computed again in backward() (`minilm.checkpoint_sequential`): 0, as
            it begins, for none; n_layer for each block alone. It is how one trains, not what the model is: no file holds it.
    """

    checkpoint_segments = 0

    def __init__(self, config: GPTConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = _positions(config)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = _norm(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.wte.weight
        nn.init.gpt2_(self, config.n_layer, residual=("c_proj",), rng=rng)

    def forward(self, ids: Ids, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        """The logits of the token after each position: (B, T) -> (B, T, vocab_size).

        With a `cache`, `ids` are the tokens that follow those already in it. With `last_only`, the logits are those after the last
        position alone: (B, 1, vocab_size).

        Raises:
            ValueError: the ids have not two axes, or the context would be longer than `block_size`.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary.
        """
        ids = as_ids(ids, next(self.parameters()))
        start = cache.length if cache else 0
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.config.block_size - start:
            seen = f" after {start} in the cache" if start else ""
            raise ValueError(
                f"GPT: expected ids of shape (batch, 1 to {self.config.block_size - start} tokens){seen}, got {ids.shape}; "
                f"block_size is {self.config.block_size}."
            )
        x = self.wte(ids)  # (B, T, C)
        if self.wpe is not None:
            x = self.wpe(x, start)
        x = self.drop(x)
        if self.checkpoint_segments and not cache:
            x = checkpoint_sequential(self.blocks, self.checkpoint_segments, x)
        else:
            for i, block in enumerate(self.blocks):
                x = block(x, cache.layers[i] if cache else None)
        return self.lm_head(self.ln_f(x[:, -1:] if last_only else x))

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
        """Optimizer groups: matrices and embeddings decay, biases and norms do not (as nanoGPT)."""
        return decay_groups(self.parameters(), weight_decay)

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, **options: Any) -> list[list[int]]:
        """The ids that follow each prompt; see `minilm.models.generation.generate` for the options."""
        return generate(self, prompts, max_new_tokens, **options)

    def next_logits(self, contexts: Ids, cache: KVCache | None) -> tuple[Tensor, KVCache | None]:
        """The logits (B, vocab_size) of the token after `contexts`, and what to keep; see `minilm.models.cache.next_logits`."""
        return next_logits(self, contexts, cache)

    @property
    def cache_size(self) -> CacheSize:
        """What a `KVCache` has to hold."""
        config = self.config
        return CacheSize(config.n_layer, config.n_head, config.block_size, config.n_embd // config.n_head)

    def decoder(self, caches: list[LayerCache], batch: int) -> Decoder | None:
        """What computes one more token on plain arrays; None where a module of this model is not repeated there."""
        plain = is_plain(self, {GPT, Block, CausalSelfAttention, MLP} | LAYERS)
        return Decoder(self, caches, batch) if plain else None


def _norm(config: GPTConfig) -> nn.Module:
    if config.norm == "rms":
        return nn.RMSNorm(config.n_embd)
    return nn.LayerNorm(config.n_embd, bias=config.bias)


def _positions(config: GPTConfig) -> nn.Module | None:
    """The module that adds positions to the embeddings; None where attention rotates them in."""
    if config.position == "learned":
        return nn.LearnedPositions(config.block_size, config.n_embd)
    return nn.SinusoidalPositions(config.block_size, config.n_embd) if config.position == "sinusoidal" else None


__all__ = ["GPT", "MLP", "Block", "CausalSelfAttention", "GPTConfig", "KVCache"]
