r"""A Transformer of nothing but attention: small enough that what it learned can be read off its weights.

.. math:: h^0_t = E_{x_t}, \qquad h^\ell = h^{\ell-1} + \operatorname{Attention}^\ell(h^{\ell-1}), \qquad
    p(x_{t+1} \mid x_{\le t}) = \operatorname{softmax}(U h^L_t)

No MLP, no norm, no bias: each logit is a sum over the paths through the heads (Elhage et al. 2021, *A Mathematical Framework for
Transformer Circuits*, transformer-circuits.pub). Queries and keys are rotated (Su et al. 2021), so that a head sees distances and no
absolute places.
"""

from __future__ import annotations

import math

import numpy as np

from minilm import nn
from minilm.models.gpt import CausalSelfAttention, GPTConfig
from minilm.models.ids import as_ids
from minilm.nn.checks import expect_sizes
from minilm.tensor import Tensor
from minilm.types import Ids


class AttentionLayer(nn.Module):
    """Causal attention, added to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attn = CausalSelfAttention(config)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(x)


class AttentionOnly(nn.Module):
    """Layers of causal attention on one residual stream.

    Args:
        vocab_size: number of different tokens.
        n_layer, n_head, n_embd: number of layers, heads in each, and width C.
        rng: draws the weights, normal with deviation :math:`1 / \\sqrt C`.

    Raises:
        ValueError: a number is not positive, the heads do not divide the width, or a head has an odd width.
    """

    def __init__(self, vocab_size: int, n_layer: int, n_head: int, n_embd: int, rng: np.random.Generator) -> None:
        super().__init__()
        expect_sizes("AttentionOnly", vocab_size=vocab_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
        config = GPTConfig(vocab_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd, bias=False, position="rotary")
        self.n_head = n_head
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.layers = nn.ModuleList([AttentionLayer(config) for _ in range(n_layer)])
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        for p in self.parameters():
            nn.init.normal_(p, 0.0, 1 / math.sqrt(n_embd), rng=rng)

    def forward(self, ids: Ids) -> Tensor:
        """The logits of the token after each position: (B, T) -> (B, T, vocab_size).

        Raises:
            ValueError: the ids have not two axes.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary.
        """
        ids = as_ids(ids, self.wte.weight)
        if ids.ndim != 2:
            raise ValueError(f"AttentionOnly: expected ids of shape (batch, tokens), got {ids.shape}.")
        x = self.wte(ids)  # (B, T, C)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(x)


__all__ = ["AttentionLayer", "AttentionOnly"]
