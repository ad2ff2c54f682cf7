r"""The copy head: words of the source as answers, also such as the vocabulary lacks.

See, Liu and Manning 2017, *Get To The Point: Summarization with Pointer-Generator Networks*, section 2.2. A model either says a word of
its vocabulary or points at one in the source, and learns when to do which (eqs. 8 and 9):

.. math::
    p(w) &= p_{gen}\, P_{vocab}(w) + (1 - p_{gen}) \sum_{s :\, x_s = w} a_s \\
    p_{gen} &= \sigma(w_h^\top h^* + w_g^\top g + w_x^\top e + b), \qquad h^* = \sum_s a_s h_s

where h are the encoder's states, g is the decoder's, e the embedding of the token that it reads, and a an attention to the source. A
word that the vocabulary lacks has an id beyond it, V, V + 1 ..., which is its own in that example only (`ids_with_unknown`).

All is computed from logarithms, so that a token that one part alone can give, as improbable as it may be, has a gradient. What that
means, `probabilities_naive` says in the words of the paper.
In the shape comments B is the batch, S the length of the source and T that of the target in tokens, C the width, V the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minilm import nn
from minilm.nn import functional as F
from minilm.ops.arithmetic import exp, maximum, where
from minilm.ops.index import gather, masked_fill
from minilm.ops.logic import any
from minilm.ops.normalize import log_softmax
from minilm.ops.rectifier import logsigmoid
from minilm.ops.reduce import logsumexp
from minilm.ops.scatter import scatter
from minilm.ops.shape import concat, stack
from minilm.tensor import Tensor
from minilm.types import Ids


class Copying(NamedTuple):
    """What the head says of each target position, and the sources that it points into.

    Attributes:
        generate: the logarithm of p_gen, (B, T, 1).
        copy: that of 1 - p_gen, (B, T, 1).
        attention: that of the attention to each position of the source, (B, T, S).
        ids: the sources, (B, S).
        mask: True where they have a token, (B, S).
    """

    generate: Tensor
    copy: Tensor
    attention: Tensor
    ids: Tensor
    mask: Tensor

    def of(self, targets: Tensor, log_vocab: Tensor) -> Tensor:
        r"""The logarithm of p(w) of one token at each place: a log-sum-exp of both parts, each of which may be :math:`-\infty`.

        Args:
            targets: the tokens w, (B, T).
            log_vocab: the logarithms of P_vocab, (B, T, V).

        Returns:
            (B, T)
        """
        known = (targets < log_vocab.shape[-1])[..., None]
        generated = gather(log_vocab, where(known, targets[..., None], 0), axis=-1)
        there = targets[..., None] == self.ids[:, None, :]  # (B, T, S)
        copied = logsumexp(where(there, self.attention, -math.inf), axis=-1, keepdims=True)
        parts = where(known, self.generate + generated, -math.inf), self.copy + copied
        return logsumexp(concat(*parts, axis=-1), axis=-1)

    def of_all(self, size: int, log_vocab: Tensor) -> Tensor:
        """The logarithms of p(w) of all tokens w below `size`, those of the vocabulary and the sources'.

        Each position of a source gets the mass of all positions with the same token, and the first of them brings it to its place.

        Args:
            log_vocab: as for `of`.

        Returns:
            (B, T, size)
        """
        (B, T, S), xp = self.attention.shape, log_vocab.device.xp
        same = (self.ids[:, :, None] == self.ids[:, None, :]) & self.mask[:, None, :]  # (B, S, S)
        mass = logsumexp(where(same[:, None], self.attention[:, :, None, :], -math.inf), axis=-1)  # (B, T, S)
        again = any(same & Tensor(xp.tri(S, S, -1, dtype=bool)), axis=-1) | ~self.mask
        beyond = Tensor(size + xp.arange(S))  # what comes again goes to a place of its own, which is cut off
        places = where(again, beyond, self.ids)
        nothing = Tensor(xp.full((B, T, size + S), -math.inf, log_vocab.dtype))
        copied = scatter(nothing, places[:, None].expand((B, T, S)), mass, axis=-1)[..., :size]
        generated = F.pad(self.generate + log_vocab, (0, size - log_vocab.shape[-1]), value=-math.inf)
        return logsumexp(stack(generated, self.copy + copied, axis=0), axis=0)


class CopyHead(nn.Module):
    """Decides between the vocabulary and the source, and where in the source.

    The paper's attention is a small network (its eq. 1); here it is one head of scaled products, as everywhere in a Transformer.
    Where a source is nothing but padding there is nothing to copy, and p_gen is 1.

    Args:
        d_model: the width C.
        goes_on: whether a learned number is added to the scores of the places behind the token that the decoder reads: a copy that has
            begun goes on, without having to learn how (`Neighbors`).
    """

    def __init__(self, d_model: int, goes_on: bool = False) -> None:
        super().__init__()
        self.behind = nn.Parameter(np.zeros((), np.float32)) if goes_on else None
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.gate = nn.Linear(3 * d_model, 1)

    def forward(
        self, states: Tensor, inputs: Tensor, source: Tensor, mask: Tensor, ids: Tensor, behind: Tensor | None = None
    ) -> Copying:
        """What it says at each place of the target.

        Args:
            states, inputs: the decoder's states, and the embeddings of what it read, (B, T, C).
            source: the encoder's states, (B, S, C).
            mask, ids: as in `Copying`.
            behind: 1 at the places behind the token that was read, (B, T, S); only with `goes_on`.
        """
        scores = self.query(states) @ self.key(source).swapaxes(1, 2) * states.shape[-1] ** -0.5  # (B, T, S)
        if self.behind is not None and behind is not None:
            scores = scores + self.behind * behind
        attention = log_softmax(masked_fill(scores, ~mask[:, None, :], value=-math.inf), axis=-1)
        z = self.gate(concat(exp(attention) @ source, states, inputs, axis=-1))  # (B, T, 1)
        something = any(mask, axis=1)[:, None, None]
        generate, copy = where(something, logsigmoid(z), 0.0), where(something, logsigmoid(-z), -math.inf)
        return Copying(generate, copy, attention, ids, mask)


class Neighbors(NamedTuple):
    """Where in the sources the tokens stand that the decoder reads, as numbers 1 and 0.

    Attributes:
        here: the places with the same token, (B, T, S).
        behind: those one place behind, (B, T, S).
    """

    here: Tensor
    behind: Tensor

    @classmethod
    def of(cls, inputs: Tensor, source: Tensor, mask: Tensor, ids: Tensor) -> Neighbors:
        """Of the tokens (B, T) that the decoder reads; the other arguments are those of `CopyHead`."""
        there, xp = mask.data[:, None, :], source.device.xp
        here = (inputs[:, :, None] == ids[:, None, :]).data & there
        behind = xp.concatenate([xp.zeros_like(here[..., :1]), here[..., :-1]], axis=-1) & there
        return cls(*(Tensor(places.astype(source.dtype)) for places in (here, behind)))


class SelectiveRead(nn.Module):
    r"""Tells the decoder where in the source the token stands that it reads, and what stands behind it, so that copying can go on.

    Gu et al. 2016, *Incorporating Copying Mechanism in Sequence-to-Sequence Learning*, section 3.3: with the embedding of
    :math:`y_{t-1}` comes the encoder's state at the places with the same token. Here it is the mean of them, with the mean of the states
    one place behind; 0 where there is none:

    .. math:: \zeta_t = W \Bigl[ \frac{1}{|P|} \sum_{s \in P} h_s;\ \frac{1}{|Q|} \sum_{s \in Q} h_s \Bigr], \qquad
        P = \{s : x_s = y_{t-1}\}, \quad Q = \{s : x_{s-1} = y_{t-1}\}

    Args:
        d_model: the width C.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * d_model, d_model, bias=False)

    def forward(self, neighbors: Neighbors, source: Tensor) -> Tensor:
        """What is added to the embeddings, (B, T, C), given the encoder's states (B, S, C)."""
        means = [places / maximum(places.sum(axis=-1, keepdims=True), 1.0) @ source for places in neighbors]
        return self.project(concat(*means, axis=-1))


def probabilities_naive(vocab: Tensor, p_gen: Tensor, attention: Tensor, ids: Ids, size: int) -> Tensor:
    r"""Equation 9 as it is printed, the specification of `Copying.of_all`: (B, T, size).

    Args:
        vocab: :math:`P_{vocab}`, (B, T, V).
        p_gen: (B, T, 1).
        attention: a, (B, T, S), 0 where a source is padded.
        ids: the sources, (B, S).
    """
    copied = attention @ F.one_hot(ids, size, vocab.dtype)
    return p_gen * F.pad(vocab, (0, size - vocab.shape[-1])) + (1.0 - p_gen) * copied


def ids_with_unknown(
    words: Sequence[str],
    vocabulary: Mapping[str, int],
    vocab_size: int,
    unk_token_id: int,
    unknown: Sequence[str] | None = None,
) -> tuple[list[int], list[str]]:
    """The ids of words, where those that the vocabulary lacks get ids beyond it, in the order in which they come.

    A source is numbered first; its target, given the source's unknown words, may name those too. Any other word is unk_token_id. What
    a model writes stands for ``unknown[id - vocab_size]`` where an id is not below vocab_size.

    Args:
        unknown: the words beyond the vocabulary that have numbers; None: those that are found get them.

    Returns:
        the ids, and the words beyond the vocabulary.
    """
    lacking = dict.fromkeys(w for w in words if w not in vocabulary) if unknown is None else unknown
    beyond = {word: vocab_size + i for i, word in enumerate(lacking)}
    return [vocabulary.get(word, beyond.get(word, unk_token_id)) for word in words], list(beyond)


__all__ = ["CopyHead", "Copying", "Neighbors", "SelectiveRead", "ids_with_unknown", "probabilities_naive"]
