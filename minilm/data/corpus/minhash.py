r"""MinHash: a few numbers for a document, which agree with another's as often as the two are alike.

How alike two sets of shingles are is Jaccard's index,

.. math:: J(A, B) = \frac{|A \cap B|}{|A \cup B|}

Put all shingles in a random order: the first one of A is the first one of B with the probability J (Broder 1997, *On the resemblance
and containment of documents*). With k orders the share of agreements estimates J; its error is, in the root of the mean square,

.. math:: \sqrt{J \, (1 - J) / k}

`k_permutations` does that, and hashes each shingle k times. `one_permutation` takes one order and cuts it into k bins, with the first of
each (Li, Owen and Zhang 2012, *One permutation hashing*): each shingle is hashed once. A bin that is empty borrows from one that is not,
chosen at random, alike for all documents (Shrivastava 2017, *Optimal densification for fast and accurate minwise hashing*). It is as
accurate where a document has some times more shingles than there are bins; one that has fewer cannot tell more than its shingles do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilm.data.corpus.normalize import bare_codes
from minilm.data.corpus.ragged import Ragged, batches
from minilm.data.corpus.shingles import BLOCK, LENGTH, shingle_hashes
from minilm.indices import positions

BINS = 128
BATCH = 1 << 16  # characters of documents that are hashed together
EMPTY = 2**32 - 1
SPARSE = 4  # where a document fills this part of its bins or less, all empty ones are looked after at once
# splitmix64's, as are the shifts in `mix`
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def signatures(texts: Sequence[str], bins: int = BINS, *, n: int = LENGTH, seed: int = 0) -> NDArray[np.uint32]:
    """The signatures of documents, (documents, bins), from raw text: bare text, shingles of n characters, one permutation.

    Memory: the signatures, and about 16 bytes for each character of the longest document.
    """
    found = np.empty((len(texts), bins), np.uint32)
    filled = 0
    for batch in batches(texts, BATCH):
        hashes = shingle_hashes(bare_codes(batch), n)
        found[filled : filled + len(batch)] = one_permutation(hashes, bins, seed=seed)
        filled += len(batch)
    return found


def one_permutation(hashes: Ragged, bins: int = BINS, *, seed: int = 0) -> NDArray[np.uint32]:
    """The signatures of documents from their shingles, (documents, bins): the smallest number in each bin.

    Of a shingle's hash, mixed with the seed, the upper half names the bin and the lower half is the number.

    Args:
        hashes: the shingles of each document (`shingle_hashes`), one at least. One that occurs twice counts once.
        bins: how many numbers a document gets.
        seed: which of the random orders. Signatures can be compared where seed and bins are the same.

    Raises:
        ValueError: fewer than 1 bin, or a document without shingles.
    """
    if bins < 1:
        raise ValueError(f"a signature has 1 bin or more, got bins = {bins!r}.")
    if not hashes.counts.all():
        raise ValueError(f"document {int(np.argmin(hashes.counts))} has no shingle: a short document is one.")
    found = np.full((len(hashes.counts), bins), EMPTY, np.uint32)
    bounds, firsts = hashes.bounds, np.arange(len(hashes.counts)) * bins
    for start in range(0, len(hashes.values), BLOCK):
        mixed = mix(hashes.values[start : start + BLOCK], seed)
        within: NDArray[np.int64] = np.clip(bounds, start, start + len(mixed))
        bin_of = ((mixed >> np.uint64(32)) * np.uint64(bins) >> np.uint64(32)).astype(np.int64)
        number = np.minimum(mixed.astype(np.uint32), np.uint32(EMPTY - 1))
        np.minimum.at(found.reshape(-1), np.repeat(firsts, positions(np.diff(within))) + bin_of, number)
    return densified(found, seed)


def densified(found: NDArray[np.uint32], seed: int = 0) -> NDArray[np.uint32]:
    """Signatures in which each empty bin has the number of the first bin in its row of `donors` that was not empty."""
    full = found.copy()
    filled = np.count_nonzero(found != EMPTY, axis=1)
    sparse = (filled > 0) & (filled * SPARSE <= found.shape[1])
    full[sparse] = _from_few(found[sparse], seed)
    others = np.flatnonzero(~sparse)
    rows, columns = np.nonzero(found[others] == EMPTY)
    rows = others[rows]
    order = donors(found.shape[1], seed)
    for attempt in range(found.shape[1] - 1):
        if not len(rows):
            break
        number = found[rows, order[columns, attempt]]
        full[rows, columns] = number
        still = np.flatnonzero(number == EMPTY)
        rows, columns = rows[still], columns[still]
    return full


def _from_few(found: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """`densified` where few bins have a number, one at least: the first donor among these, instead of donor after donor."""
    bins = found.shape[1]
    first_of, (rows, columns) = _precedence(bins, seed), np.nonzero(found != EMPTY)
    counts = np.bincount(positions(rows), minlength=len(found))
    starts = np.cumsum(counts) - counts
    best = first_of[columns[starts]]
    for k in range(1, int(counts.max(initial=0))):
        more = np.flatnonzero(counts > k)
        best[more] = np.minimum(best[more], first_of[columns[starts[more] + k]])
    return np.take_along_axis(found, (best % bins).astype(np.intp), axis=1)


def one_permutation_plain(hashes: Iterable[int], bins: int = BINS, *, seed: int = 0) -> list[int]:
    """`one_permutation` for one document: a loop over its shingles, and one over the empty bins."""
    found = [EMPTY] * bins
    for mixed in mix(np.array([*hashes], np.uint64), seed).tolist():
        bin_of, number = ((mixed >> 32) * bins) >> 32, min(mixed % 2**32, EMPTY - 1)
        found[bin_of] = min(found[bin_of], number)
    order = donors(bins, seed).tolist()
    return [next(found[j] for j in (i, *order[i]) if found[j] != EMPTY) for i in range(bins)]


def k_permutations(hashes: Sequence[int], permutations: int = BINS, *, seed: int = 0) -> NDArray[np.uint64]:
    """MinHash as its definition says, for one document: the smallest shingle in each of many independent orders."""
    shingles = np.array([*hashes], np.uint64)
    return np.array([mix(shingles, seed * permutations + order).min() for order in range(permutations)])


def similarity(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """The estimate of Jaccard's index from signatures, (..., bins) and (..., bins): the share of numbers that agree."""
    return np.mean(first == second, axis=-1)


def expected_error(jaccard: ArrayLike, bins: int = BINS) -> NDArray[np.float64]:
    r"""The root of the mean square error of the estimate: :math:`\sqrt{J (1 - J) / k}`."""
    jaccard = np.asarray(jaccard, np.float64)
    return np.sqrt(jaccard * (1 - jaccard)) / math.sqrt(bins)


def mix(hashes: NDArray[np.uint64], seed: int = 0) -> NDArray[np.uint64]:
    """A permutation of the 64-bit numbers that leaves no pattern of them: splitmix64 (Steele, Lea and Flood 2014), one for each seed.

    The polynomial of a shingle needs it: its lowest bit is the sum of its characters' lowest bits.
    """
    mixed = hashes + np.uint64((seed + 1) * STEP % 2**64)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(FIRST)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(SECOND)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@cache
def donors(bins: int, seed: int = 0) -> NDArray[np.int64]:
    """For each bin the others in a random order, (bins, bins - 1): in this order it asks them for a number.

    The paper draws with replacement; the first bin that is not empty is each of them with the same probability either way.
    """
    order = np.argsort(mix(np.arange(bins * bins, dtype=np.uint64), seed).reshape(bins, bins), axis=1)
    return order[order != np.arange(bins)[:, None]].reshape(bins, bins - 1)


@cache
def _precedence(bins: int, seed: int) -> NDArray[Any]:
    """For bin j and each bin i: j + bins * (which donor of i it is, itself 0), (bins, bins): the smallest of some names the first donor."""
    place = np.zeros((bins, bins), np.int64)
    np.put_along_axis(place, donors(bins, seed), np.arange(1, bins), axis=1)
    return (place.T * bins + np.arange(bins)[:, None]).astype(np.min_scalar_type(bins * bins - 1))


__all__ = [
    "BINS", "donors", "expected_error", "k_permutations", "mix", "one_permutation", "one_permutation_plain", "signatures", "similarity",
]  # fmt: skip
