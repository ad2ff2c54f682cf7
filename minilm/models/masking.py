"""What is hidden from a masked language model, and what it is asked: pure functions of ids and a generator.

Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding*, 2018, 3.1, task 1: of each text 15 % of
the tokens are to be predicted. Of these 80 % are replaced by [MASK], 10 % by a random token, and 10 % stay: since any token may have to
be predicted, the model keeps a vector of what it saw at every place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minilm.models.bert import NO_TARGET
from minilm.types import HostArray


def mask_tokens(
    ids: HostArray,
    rng: np.random.Generator,
    *,
    mask_id: int,
    vocab_size: int,
    special_ids: Sequence[int] = (),
    share: float = 0.15,
    words: HostArray | None = None,
) -> tuple[HostArray, HostArray]:
    r"""Texts with some tokens hidden, and the tokens that stood there.

    Of the n tokens of a row that are not special, :math:`\max(1, \operatorname{round}(\text{share} \cdot n))` are chosen, any of them
    as likely as any other: as in the program published with the paper, their number is no matter of chance. Each is then replaced by
    `mask_id` with probability 0.8, by a token that is not special, drawn uniformly, with probability 0.1, and else stays.

    Args:
        ids: (B, T) tokens.
        mask_id: the token [MASK], which counts as special.
        special_ids: tokens that are never chosen and never put in place of another: [CLS], [SEP], [PAD] ...
        share: of the tokens to choose.
        words: (B, T), the number of the word to which each token belongs (`word_numbers`): then whole words are chosen in random order,
            those that would make too many tokens being passed over, so that a row may have a few tokens less.

    Returns:
        the masked ids, and the targets: the ids at the chosen places and `NO_TARGET` elsewhere; both (B, T) int64. A row without a
        token that can be chosen has no target.

    Raises:
        ValueError: the ids have not two axes, `words` has another shape, a special token is not in the vocabulary, no token is left to
            draw, or `share` is not above 0 and at most 1.
        TypeError: the ids are not integers.
        IndexError: an id is not in the vocabulary.
    """
    ids = np.asarray(ids)
    special = _special(mask_id, special_ids, vocab_size)
    _check(ids, words, share, vocab_size)
    if ids.size == 0:
        return ids.astype(np.int64), ids.astype(np.int64)
    candidate = ~special[ids]
    count = candidate.sum(axis=1)
    wanted = np.where(count > 0, np.maximum(1, np.rint(share * count)), 0).astype(np.int64)
    order = rng.random(ids.shape)
    if words is None:
        chosen = np.where(candidate, order, np.inf).argsort(axis=1).argsort(axis=1) < wanted[:, None]
    else:
        chosen = _whole_words(order, np.asarray(words), candidate, wanted)
    ordinary = np.flatnonzero(~special)
    lot, drawn = rng.random(ids.shape), ordinary[rng.integers(0, len(ordinary), ids.shape)]
    masked = np.where(chosen & (lot < 0.8), mask_id, np.where(chosen & (lot >= 0.9), drawn, ids))
    return masked.astype(np.int64), np.where(chosen, ids, NO_TARGET).astype(np.int64)


def word_numbers(ids: HostArray, continues: HostArray) -> HostArray:
    """Which word of its row each token belongs to: (B, T), counted from 0.

    Args:
        continues: (vocab_size,), whether a token continues the word before it, as WordPiece's tokens with "##" do.
    """
    first = ~np.asarray(continues)[ids]
    first[:, :1] = True
    return np.cumsum(first, axis=1) - 1


def _whole_words(order: HostArray, words: HostArray, candidate: HostArray, wanted: HostArray) -> HostArray:
    """Which tokens are chosen where words are chosen whole, in the order of their first tokens."""
    chosen = np.zeros(order.shape, bool)
    for row in range(len(order)):
        numbers, first = np.unique(words[row], return_index=True)
        room = wanted[row]
        for number in numbers[order[row, first].argsort()]:
            members = (words[row] == number) & candidate[row]
            size = int(members.sum())
            if size <= room:
                chosen[row] |= members
                room -= size
    return chosen


def _special(mask_id: int, special_ids: Sequence[int], vocab_size: int) -> HostArray:
    """Which tokens of the vocabulary are special, (vocab_size,)."""
    special = np.zeros(vocab_size, bool)
    for id in (mask_id, *special_ids):
        if not 0 <= id < vocab_size:
            raise ValueError(f"mask_tokens: the special token {id} is none of the {vocab_size} tokens.")
        special[id] = True
    if special.all():
        raise ValueError(f"mask_tokens: all {vocab_size} tokens are special; none is left to hide, or to draw.")
    return special


def _check(ids: HostArray, words: HostArray | None, share: float, vocab_size: int) -> None:
    if ids.dtype.kind not in "iu":
        raise TypeError(f"mask_tokens: ids must be integers, got {ids.dtype}.")
    if ids.ndim != 2:
        raise ValueError(f"mask_tokens: expected ids of shape (batch, length), got {ids.shape}.")
    if ids.size and not (ids.min() >= 0 and ids.max() < vocab_size):
        raise IndexError(f"mask_tokens: ids must be in 0 to {vocab_size - 1}, got {ids.min()} to {ids.max()}.")
    if words is not None and np.shape(words) != ids.shape:
        raise ValueError(f"mask_tokens: words has shape {np.shape(words)}, expected {ids.shape}, that of the ids.")
    if not 0 < share <= 1:
        raise ValueError(f"mask_tokens: share must be above 0 and at most 1, got {share!r}.")


__all__ = ["mask_tokens", "word_numbers"]
