r"""Shingles: the runs of n characters of a text, as hashes. Texts that share most of them are nearly the same.

The hash of a run is a polynomial of its code points (Karp and Rabin 1987, *Efficient randomized pattern-matching algorithms*):

.. math:: h(c_0 \dots c_{m-1}) = \sum_{j=0}^{m-1} (c_j + 1) \, B^j \bmod 2^{64}

With B odd there is an inverse of it, and so all runs of a text come from one sum that goes on from its first character to its last:

.. math:: h(c_i \dots c_{i+n-1}) = (S_{i+n} - S_i) \, B^{-i}, \qquad S_i = \sum_{j<i} (c_j + 1) \, B^j

That is a product, a sum, a difference and a product for each character, however long the shingles are, for all documents in a
row; a run that reaches from one document into the next is masked out.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.ragged import Ragged
from minilm.indices import positions

LENGTH = 13  # SlimPajama's
BASE = 0xD1342543DE82EF95  # odd, and a good multiplier (Steele and Vigna 2021); not the step from seed to seed of `minhash.mix`
BLOCK = 1 << 14  # so many characters at a time stay in the cache


def text_hash(text: str) -> int:
    """The hash of a text: the polynomial, by Horner's rule."""
    total = 0
    for character in reversed(text):
        total = (total * BASE + ord(character) + 1) % 2**64
    return total


def shingles_plain(text: str, n: int = LENGTH) -> list[int]:
    """The hashes of a text's runs of n characters, in their order: a loop over slices, what `shingle_hashes` computes for many texts.

    A text that is shorter than n is one shingle, also an empty one: so two short texts are alike where they are equal.
    """
    return [text_hash(text[i : i + n]) for i in range(max(1, len(text) - n + 1))]


def shingle_hashes(codes: Ragged, n: int = LENGTH) -> Ragged:
    """The hashes of all documents' runs of n characters, uint64, each document's in their order.

    Args:
        codes: the documents as code points (`bare_codes`).
        n: how many characters a shingle has.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"a shingle has 1 character or more, got n = {n!r}.")
    whole = np.maximum(codes.counts - n + 1, 0)  # runs that lie within their document
    begins_one = np.repeat(
        np.tile([True, False], len(whole)), positions(np.column_stack([whole, codes.counts - whole]).reshape(-1))
    )
    hashes = np.empty(int(whole.sum()), np.uint64)
    filled = 0
    for start in range(0, len(codes.values), BLOCK):
        runs = _runs(codes.values[start : start + BLOCK + n - 1], n)
        runs = runs[begins_one[start : start + len(runs)]]
        hashes[filled : filled + len(runs)] = runs
        filled += len(runs)
    short = np.flatnonzero(whole == 0)
    if len(short):
        hashes = np.insert(hashes, np.cumsum(whole)[short], _whole_texts(codes, short))
    return Ragged(hashes, np.maximum(whole, 1))


def _runs(codes: NDArray[np.uint32], n: int) -> NDArray[np.uint64]:
    """The hash of each run of n code points."""
    powers, inverse = _powers(BLOCK + n)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum((codes + np.uint64(1)) * powers[: len(codes)], out=sums[1:])
    runs = sums[n:] - sums[:-n]
    runs *= inverse[: len(runs)]
    return runs


def _whole_texts(codes: Ragged, which: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hashes of whole documents, short ones."""
    starts, counts = codes.bounds[which], codes.counts[which]
    hashes = np.zeros(len(which), np.uint64)
    for j in range(int(counts.max())):
        there = counts > j
        hashes[there] += (codes.values[starts[there] + j] + np.uint64(1)) * np.uint64(pow(BASE, j, 2**64))
    return hashes


@cache
def _powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """B, B^2, B^3 ... and the inverse of each."""
    powers = np.cumprod(np.full(size, BASE, np.uint64), dtype=np.uint64)
    inverse = np.cumprod(np.full(size, pow(BASE, -1, 2**64), np.uint64), dtype=np.uint64)
    powers.flags.writeable = inverse.flags.writeable = False
    return powers, inverse


__all__ = ["LENGTH", "shingle_hashes", "shingles_plain", "text_hash"]
