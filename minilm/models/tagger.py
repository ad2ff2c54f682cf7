r"""A tagger of sequences: dilated convolutions look at each token's neighbors, a conditional random field chooses the tags together.

What a token is has several sides, the columns: the character itself, the pair with its neighbor, the beginning of a word. Each column has
a table of vectors, and a token's are joined, :math:`e_t = [E^1_{x_{t1}}; \dots; E^K_{x_{tK}}]`. Then, with dilations d = 1, 2, 4, ...,

.. math::
    h^0 = W e, \qquad
    h^\ell_t = h^{\ell-1}_t + \operatorname{ReLU}(W^\ell [n_{t-d}; n_t; n_{t+d}] + b^\ell), \quad n = \operatorname{LN}(h^{\ell-1})

Four layers with d = 1, 2, 4, 1 see 8 tokens to each side, in four products for a whole batch where a recurrent layer has one per token
(Strubell et al., *Fast and Accurate Entity Recognition with Iterated Dilated Convolutions*, 2017). :math:`\operatorname{LN}(h)` at the
last layer gives the emissions of `minilm.nn.LinearChainCRF`.

In the shape comments B is the batch, L the length in tokens, K the number of columns, C the width, N the number of tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minilm import nn
from minilm.backend import to_device
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.nn.crf import Allowed
from minilm.ops.shape import concat, pad
from minilm.tensor import Tensor
from minilm.types import HostArray

PADDING, UNKNOWN = 0, 1  # ids of every table; what is known begins at 2
KNOWN = 2
OTHERS_COUNT = 0.1  # by how much a label beside the tag counts
SPREAD = 0.3  # standard deviation of the tables' vectors in the beginning


class SequenceTagger(nn.Module):
    """Embeddings, dilated convolutions and a linear-chain conditional random field.

    Args:
        tables: of each table, how many ids it has, with padding and unknown, and how wide its vectors are.
        columns: of each column, which table it looks up.
        num_tags: N.
        others: how many labels a token can have beside its tag, such as parts of speech, of which 0 is unknown. A linear layer of its own
            says them: what the convolutions learn from many labels helps with the few tags (Caruana, *Multitask Learning*, 1997). 0: none.
        width: C.
        dilations: of each layer, how far away its neighbors are.
        dropout: probability of dropping a number of the embeddings, of a layer's addition, and of the last layer.
        allowed: which tags may follow which (`minilm.nn.crf.allowed_transitions`); default: all.
    """

    def __init__(
        self,
        tables: Sequence[tuple[int, int]],
        columns: Sequence[int],
        num_tags: int,
        *,
        others: int = 0,
        width: int = 128,
        dilations: Sequence[int] = (1, 2, 4, 1),
        dropout: float = 0.2,
        allowed: Allowed | None = None,
    ) -> None:
        super().__init__()
        self.columns, self.dilations = tuple(columns), tuple(dilations)
        self.tables = nn.ModuleList([nn.Embedding(size, dim, padding_idx=PADDING) for size, dim in tables])
        for table in self.tables:
            table.weight.data[KNOWN - 1 :] *= SPREAD
        self.dropout = nn.Dropout(dropout)
        self.into = nn.Linear(sum(tables[column][1] for column in columns), width)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in dilations])
        self.layers = nn.ModuleList([nn.Linear(3 * width, width) for _ in dilations])
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, num_tags)
        self.out_others = nn.Linear(width, others) if others else None
        self.crf = nn.LinearChainCRF(num_tags, allowed, reduction="mean")

    def forward(self, ids: HostArray, lengths: HostArray) -> Tensor:
        """The emissions (B, L, N) of token ids (B, L, K), where each row has `lengths` (B,) tokens."""
        y: Tensor = self.out(self.hidden(ids, lengths))
        return y

    def hidden(self, ids: HostArray, lengths: HostArray) -> Tensor:
        """What the tags are told from, (B, L, C)."""
        inside = self._inside(ids, lengths)
        at = as_ids(ids, self.into.weight)
        found = [self.tables[table](at[:, :, k]) for k, table in enumerate(self.columns)]
        x = self.into(self.dropout(concat(*found, axis=-1)))  # (B, L, C)
        for norm, layer, d in zip(self.norms, self.layers, self.dilations, strict=True):
            x = x + self.dropout(F.relu(layer(neighbors(norm(x) if inside is None else norm(x) * inside, d))))
        h: Tensor = self.dropout(self.norm(x))
        return h

    def loss(self, ids: HostArray, tags: HostArray, others: HostArray, lengths: HostArray) -> Tensor:
        """Minus the log-likelihood of the tags (B, L), the mean over rows, in nats per token of the longest row.

        Added are the cross-entropies of the labels `others` (B, L) that are known, `OTHERS_COUNT` of each, per token likewise.
        """
        length, h = ids.shape[1], self.hidden(ids, lengths)
        loss: Tensor = self.crf(self.out(h), tags, mask_of(lengths, length)) / float(length)
        if self.out_others is None or not others.any():
            return loss
        logits = self.out_others(h)  # (B, L, others)
        more: Tensor = F.cross_entropy(
            logits.reshape((-1, logits.shape[-1])), as_ids(others, logits).reshape(-1), ignore_index=0, reduction="sum"
        )
        return loss + more * (OTHERS_COUNT / others.size)

    def _inside(self, ids: HostArray, lengths: HostArray) -> Tensor | None:
        """1 on a row and 0 behind its end, (B, L, 1); None where all rows are as long as the batch."""
        mask = mask_of(lengths, ids.shape[1])
        if mask is None:
            return None
        weight = self.into.weight
        return Tensor(to_device(mask[:, :, None].astype(weight.dtype), weight.device))


def neighbors(x: Tensor, d: int) -> Tensor:
    """Each vector between those d places before and behind it, zeros beyond the edge: (B, L, C) to (B, L, 3 C)."""
    length = x.shape[1]
    framed = pad(x, ((0, 0), (d, d), (0, 0)))
    y: Tensor = concat(*(framed[:, k * d : k * d + length] for k in range(3)), axis=-1)
    return y


def mask_of(lengths: HostArray, length: int) -> HostArray | None:
    """True on each row and False behind its end, (B, L); None where all have this length."""
    return None if (lengths == length).all() else np.arange(length) < np.asarray(lengths)[:, None]


__all__ = ["KNOWN", "PADDING", "UNKNOWN", "SequenceTagger", "mask_of", "neighbors"]
