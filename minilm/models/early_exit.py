r"""A network that may stop early: a head after each block, and the first one that is sure answers.

.. math:: h^\ell = \operatorname{ReLU}(W^\ell h^{\ell-1} + b^\ell), \qquad p^\ell = \operatorname{softmax}(V^\ell h^\ell + c^\ell), \qquad
    \hat\ell = \min \{ \ell : \max_k p^\ell_k \ge \tau \ \text{ or } \ \ell = L \}

All heads learn together (Teerapittayanon, McDanel, Kung 2016, *BranchyNet*, arXiv:1709.01686; there a low entropy says that a head
is sure). In shapes B is the batch, C the number of classes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minilm import nn
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.ops.shape import stack
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids


class Decision(NamedTuple):
    """What was answered, and after how many blocks, from 1: both ``(B,)`` on the host."""

    classes: HostArray
    blocks: HostArray


class EarlyExitMLP(nn.Module):
    """A multilayer perceptron with a head after each hidden layer.

    Args:
        inputs: numbers of an input.
        widths: of the hidden layers.
        classes: C.

    Raises:
        ValueError: there is no hidden layer.
    """

    def __init__(self, inputs: int, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        if not widths:
            raise ValueError("EarlyExitMLP: it needs a hidden layer at least, got none.")
        self.blocks = nn.ModuleList([nn.Linear(m, n) for m, n in itertools.pairwise((inputs, *widths))])
        self.heads = nn.ModuleList([nn.Linear(n, classes) for n in widths])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Logits (B, C) of each head; an input with more axes is flattened."""
        h, found = flat(x), []
        for block, head in zip(self.blocks, self.heads, strict=True):
            h = F.relu(block(h))
            found.append(head(h))
        return found

    def loss(self, x: Tensor, classes: Ids) -> Tensor:
        """The mean of the heads' cross-entropies.

        Raises:
            TypeError: a class is no integer.
        """
        targets = as_ids(classes, x, "classes")
        return stack([F.cross_entropy(logits, targets) for logits in self(x)]).mean()

    def decide(self, x: Tensor, threshold: float) -> Decision:
        """Answers; a block runs only for the inputs of which no head before it was sure.

        Args:
            threshold: of the largest probability, from which on a head answers; 0: the first head always, above 1: the last one.
        """
        h = flat(x)
        classes, blocks = np.zeros(len(h), np.int64), np.full(len(h), len(self.blocks))
        open_ = np.arange(len(h))  # which inputs are still in h
        for number, (block, head) in enumerate(zip(self.blocks, self.heads, strict=True), 1):
            h = F.relu(block(h))
            p = F.softmax(head(h)).numpy()
            sure = p.max(axis=1) >= threshold if number < len(self.blocks) else np.ones(len(p), bool)
            classes[open_[sure]], blocks[open_[sure]] = p[sure].argmax(axis=1), number
            h, open_ = h[np.flatnonzero(~sure)], open_[~sure]
            if not len(open_):
                break
        return Decision(classes, blocks)

    def costs(self) -> HostArray:
        """Multiplications that an answer takes after each block, with the heads on the way: ``(len(widths),)``."""
        each = [b.weight.size + h.weight.size for b, h in zip(self.blocks, self.heads, strict=True)]
        return np.cumsum(each)


def flat(x: Tensor) -> Tensor:
    """(B, ...) as (B, numbers), also where B is 0."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


__all__ = ["Decision", "EarlyExitMLP"]
