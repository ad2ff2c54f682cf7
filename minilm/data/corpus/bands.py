r"""Locality-sensitive hashing: documents that may be alike are found without a comparison of all pairs.

A signature is cut into b bands of r numbers. Two documents of similarity J agree in a whole band, in one at least, with the probability

.. math:: P(J) = 1 - (1 - J^r)^b

an S-curve: near 0 for small J, near 1 for large ones, steep in between (Leskovec, Rajaraman and Ullman 2020, *Mining of massive
datasets*, section 3.4). Documents that agree in a band lie in one bucket of it, and only they are compared.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilm.data.corpus.minhash import BINS, mix
from minilm.data.corpus.ragged import Ragged

THRESHOLD = 0.8  # SlimPajama's
STEPS = 1000


def probability(jaccard: ArrayLike, bands: int, rows: int) -> NDArray[np.float64]:
    """The S-curve: how likely two documents of this similarity meet in one bucket at least."""
    return 1 - (1 - np.asarray(jaccard, np.float64) ** rows) ** bands


@cache
def bands_and_rows(threshold: float = THRESHOLD, bins: int = BINS, *, misses: float = 0.5) -> tuple[int, int]:
    r"""The bands and rows, at most `bins` numbers together, whose S-curve is nearest to a step at the threshold t.

    They minimize what datasketch minimizes, the areas between the curve and the step, by the midpoint rule:

    .. math:: (1 - w) \int_0^t P(J) \, dJ + w \int_t^1 (1 - P(J)) \, dJ

    For 0.8 and 128 these are 9 bands of 13, which SlimPajama used: of pairs at J = 0.8 they find 40 %, at 0.9 93 %, at 0.7 8 %.

    Args:
        threshold: from which similarity on two documents shall meet.
        bins: how many numbers a signature has.
        misses: the weight w of a pair that is missed, from 0 to 1; one that meets in vain weighs 1 - w.

    Raises:
        ValueError: a threshold or a weight outside of 0 to 1, or no bin.
    """
    if not 0 < threshold < 1 or not 0 <= misses <= 1 or bins < 1:
        raise ValueError(
            f"expected a threshold between 0 and 1, a weight from 0 to 1 and 1 bin or more, got {threshold!r}, {misses!r} and {bins!r}."
        )
    middles = (np.arange(STEPS) + 0.5) / STEPS
    below, above = middles * threshold, threshold + middles * (1 - threshold)

    def cost(choice: tuple[int, int]) -> float:
        false = threshold * probability(below, *choice).mean()
        missed = (1 - threshold) * (1 - probability(above, *choice)).mean()
        return (1 - misses) * float(false) + misses * float(missed)

    return min(((b, r) for b in range(1, bins + 1) for r in range(1, bins // b + 1)), key=cost)


def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Each band of each signature as one number, (documents, bands): equal where the whole band is, and by chance once in 2^64.

    Raises:
        ValueError: the signatures are shorter than the bands.
    """
    if bands < 1 or rows < 1 or bands * rows > signatures.shape[1]:
        raise ValueError(
            f"{bands} bands of {rows} need {bands * rows} numbers, but the signatures have {signatures.shape[1]}."
        )
    keys = np.zeros((len(signatures), bands), np.uint64)
    for row in range(rows):
        keys = mix(keys) ^ signatures[:, row : bands * rows : rows]
    return keys


def buckets(keys: NDArray[np.uint64]) -> Ragged:
    """The buckets of all bands in which two documents or more lie: their numbers 0 .. documents - 1, ascending in each.

    Found by sorting each band; no table of buckets is kept.
    """
    members, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for band in keys.T:
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        starts = np.flatnonzero(np.concatenate([[len(ordered) > 0], ordered[1:] != ordered[:-1]]))
        found = Ragged(order, np.diff(starts, append=len(ordered)))
        found = found.only(found.counts > 1)
        members.append(found.values)
        counts.append(found.counts)
    return Ragged(np.concatenate(members), np.concatenate(counts))


__all__ = ["THRESHOLD", "band_keys", "bands_and_rows", "buckets", "probability"]
