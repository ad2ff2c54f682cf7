"""A table of vectors, one for each id."""

from __future__ import annotations

from minilm.creation import zeros
from minilm.graph import no_grad
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.tensor import Tensor
from minilm.types import Ids


class Embedding(Module):
    r"""The vector of each id.

    .. math:: y_{i j} = W_{x_i j}

    Shapes: ids ``(...)`` of integers, W ``(num_embeddings, embedding_dim)``, y ``(..., embedding_dim)``. W starts standard normal.

    Args:
        padding_idx: an id whose vector starts at zero and gets no gradient, so that it stays zero.

    Raises:
        TypeError: the ids are not integers.
        IndexError: an id is outside the table.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        super().__init__()
        expect_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx {padding_idx} is none of the {num_embeddings} ids.")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(zeros(num_embeddings, embedding_dim))
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, ids: Ids) -> Tensor:
        return F.embedding(ids, self.weight, padding_idx=self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}{padding}"


__all__ = ["Embedding"]
