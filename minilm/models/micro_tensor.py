"""The GPT of `minilm.models.micro`, of the engine's layers: the same numbers, all positions of a text at once.

Three things change. A vector is a Tensor. Keys and values of all tokens are there from the start, so a mask must hide the later ones.
And each operation has one derivative for whole arrays.
"""

from __future__ import annotations

import numpy as np

from minilm import nn
from minilm.models.ids import as_ids
from minilm.models.micro import Matrix, MicroGPT
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids


class Block(nn.Module):
    """Attention and the MLP, each on the normalized stream and added to it."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.norm = nn.RMSNorm(n_embd, elementwise_affine=False)
        self.query, self.key, self.value, self.out = (nn.Linear(n_embd, n_embd, bias=False) for _ in range(4))
        self.up = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.down = nn.Linear(4 * n_embd, n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        y = self.norm(x)
        q, k, v = (
            layer(y).reshape(B, T, self.n_head, -1).swapaxes(1, 2) for layer in (self.query, self.key, self.value)
        )
        found = F.scaled_dot_product_attention(q, k, v, causal=True)
        x = x + self.out(found.swapaxes(1, 2).reshape(B, T, C))
        return x + self.down(F.relu(self.up(self.norm(x))))


class MicroTensorGPT(nn.Module):
    """The GPT of `minilm.models.micro`, with a copy of a model's weights, in float64 as Python's numbers are."""

    def __init__(self, model: MicroGPT) -> None:
        super().__init__()
        self.block_size = model.block_size
        self.wte = nn.Embedding(model.vocab_size, model.n_embd)
        self.wpe = nn.Embedding(model.block_size, model.n_embd)
        self.blocks = nn.ModuleList([Block(model.n_embd, model.n_head) for _ in range(model.n_layer)])
        self.norm = nn.RMSNorm(model.n_embd, elementwise_affine=False)
        self.head = nn.Linear(model.n_embd, model.vocab_size, bias=False)
        self.to("float64")
        self.load_state_dict({f"{name}.weight": numbers(matrix) for name, matrix in model.weights.items()})

    def forward(self, ids: Ids) -> Tensor:
        """The logits of the token after each position: (B, T) -> (B, T, vocab_size).

        Raises:
            ValueError: the ids have not two axes, or a text is longer than `block_size`.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary.
        """
        ids = as_ids(ids, self.wte.weight)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.block_size:
            raise ValueError(f"expected ids of shape (batch, 1 to {self.block_size} tokens), got {ids.shape}.")
        x = self.wte(ids) + self.wpe(np.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def loss(self, ids: Ids, targets: Ids) -> Tensor:
        """The mean surprise of the targets (B, T) after the ids (B, T)."""
        logits = self(ids)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), as_ids(targets, self.wte.weight).reshape(-1))


def numbers(matrix: Matrix) -> HostArray:
    """The numbers of a matrix of `minilm.models.micro`."""
    return np.array([[value.data for value in row] for row in matrix])


def gradients(matrix: Matrix) -> HostArray:
    """Their derivatives."""
    return np.array([[value.grad for value in row] for row in matrix])


__all__ = ["MicroTensorGPT", "gradients", "numbers"]
