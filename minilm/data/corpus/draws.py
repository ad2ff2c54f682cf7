r"""Draws that depend on nothing but the seed, a document and what is drawn for: how often it is taken, where it comes, on which side.

A generator would give its first number to the document that is read first. Here a document's number is a hash of its digest

.. math:: u = \mathrm{mix}(\mathrm{mix}(d, \text{seed}), \text{purpose})

uniform on 0 .. 2^64 - 1, so neither files nor workers nor their order change what is drawn. Each purpose has its own: with one number for
all, the documents that are taken once more would be those that are held out, and come first in the shuffle.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.minhash import mix
from minilm.data.corpus.shingles import text_hash

Source = TypeVar("Source", bound=Hashable)
Drawn = TypeVar("Drawn", bound="tuple[int, Any]")


def draws(digests: NDArray[np.uint64], seed: int, purpose: str) -> NDArray[np.uint64]:
    """A number for each document, (documents,): the same for the same digest, seed and purpose, without pattern otherwise.

    Args:
        digests: of the documents (`duplicates.digest`), of text and name where a text may come twice.
        seed: 0 or more.
        purpose: what is drawn for, in a word.

    Raises:
        ValueError: a seed below 0.
    """
    if seed < 0:
        raise ValueError(f"expected a seed of 0 or more, got {seed!r}.")
    return mix(mix(np.asarray(digests, np.uint64), seed), text_hash(purpose))


def below(drawn: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Which numbers lie in the first share of all: each with this probability.

    Raises:
        ValueError: a share outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share from 0 to 1, got {share!r}.")
    return drawn < np.uint64(int(share * 2**64)) if share < 1 else np.ones(len(drawn), np.bool_)


def copies(digests: NDArray[np.uint64], weights: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """How often each document is taken, (documents,): with the weight 2.3 twice, and 3 in 10 of them once more.

    On the mean over draws that is the weight, and it differs by less than one from it for each document.

    Args:
        digests: of the documents.
        weights: for each document that of its source: how many times the source is read, in epochs.
        seed: which of the draws.

    Raises:
        ValueError: a weight below 0, or one that is no number.
    """
    weights = np.asarray(weights, np.float64)
    if not np.all((weights >= 0) & (weights < 2**31)):
        raise ValueError(f"expected weights of 0 or more, got {weights[~((weights >= 0) & (weights < 2**31))][0]!r}.")
    whole = np.floor(weights)
    drawn = draws(digests, seed, "copies").astype(np.float64) / 2**64  # the last bits of a share matter to nobody
    return (whole + (drawn < weights - whole)).astype(np.int64)


def copies_plain(digest: int, weight: float, seed: int = 0) -> int:
    """`copies` of one document."""
    drawn = int(draws(np.array([digest], np.uint64), seed, "copies")[0])
    return int(weight) + (drawn / 2**64 < weight - int(weight))


def smallest(k: int, *parts: Iterable[Drawn]) -> list[Drawn]:
    """The k pairs (draw, example) with the smallest draws of all parts together, ascending: examples that are chosen at random.

    However documents are divided into parts, and those merged in whatever order, in one step or in many, the same are chosen:
    smallest(k, smallest(k, a), smallest(k, b)) is smallest(k, a, b). Of equal draws the smaller example comes first, so examples have
    an order among each other, as tuples have.
    """
    return heapq.nsmallest(k, chain(*parts))


def weights_of(
    shares: Mapping[Source, float], sizes: Mapping[Source, int], total: float | None = None
) -> dict[Source, float]:
    r"""The weights with which sources make up given shares of the whole:

    .. math:: w_s = \frac{p_s \, T}{n_s}, \qquad \sum_s p_s = 1

    Args:
        shares: how much of the whole each source shall be, p; what counts is how they stand to each other.
        sizes: how large each source is, n, in characters or tokens.
        total: how large the whole shall be, T. Without it, the largest for which no source is read more than once.

    Raises:
        KeyError: a source without size.
        ValueError: shares or sizes that are not above 0.
    """
    wrong = [source for source, share in shares.items() if not (share > 0 and sizes[source] > 0)]
    if wrong or not shares:
        raise ValueError(f"expected shares and sizes above 0, one source at least; not so: {wrong}.")
    whole = sum(shares.values())
    if total is None:
        total = min(sizes[source] * whole / share for source, share in shares.items())
    return {source: share / whole * total / sizes[source] for source, share in shares.items()}


def held_out(groups: NDArray[np.uint64], share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Which documents are held out, (documents,): of all groups about this share, each group as a whole.

    Args:
        groups: the digest of the group to which each document belongs (an article, a package, the kept one of near copies). A document
            that stands for itself is its own.
        share: how many of the groups, from 0 to 1.
        seed: which of the draws.

    Raises:
        ValueError: a share outside of 0 to 1.
    """
    return below(draws(groups, seed, "held-out"), share)


def held_out_plain(groups: Iterable[int], share: float, seed: int = 0) -> list[bool]:
    """`held_out`, one document after the other."""
    return [bool(draws(np.array([group], np.uint64), seed, "held-out")[0].item() < share * 2**64) for group in groups]


__all__ = ["below", "copies", "copies_plain", "draws", "held_out", "held_out_plain", "smallest", "weights_of"]
