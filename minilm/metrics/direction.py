r"""One direction in a space of vectors that pairs of words share, such as *she* and *he*: found, taken out, and what is left of it.

Bolukbasi, Chang, Zou, Saligrama, Kalai (2016), *Man is to Computer Programmer as Woman is to Homemaker? Debiasing Word Embeddings*,
NeurIPS, take what a word says along the direction g off its vector:

.. math:: w' = \frac{w - (w \cdot g)\, g}{\lVert w - (w \cdot g)\, g \rVert}, \qquad w' \cdot g = 0

Gonen and Goldberg (2019), *Lipstick on a Pig: Debiasing Methods Cover up Systematic Gender Biases in Word Embeddings But do not Remove
Them*, NAACL, ask who a word's neighbors are: they are as before (`neighbor_share`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.metrics.checks import unit_rows
from minilm.types import HostArray

AT_ONCE = 1 << 24  # cosines in memory


def pair_direction(first: Any, second: Any) -> HostArray:
    """The direction of length 1 in which the words of pairs differ, pointing to the first ones, (d,).

    It is the first principal component of the words, each less the middle of its pair (Bolukbasi et al. 2016).

    Args:
        first, second: vectors, row by row the words of one pair, (n, d); each is brought to length 1.

    Raises:
        ValueError: there is no pair, the shapes differ, a number is not finite, a vector is zero, or all pairs are of equal words.
    """
    first, second = unit_rows("first", first), unit_rows("second", second)
    if first.shape != second.shape:
        raise ValueError(f"expected the two words of each pair, got shapes {first.shape} and {second.shape}.")
    halves = (first - second) / 2  # the middle is taken off: the words of a pair are this and its opposite
    if not halves.any():
        raise ValueError("the two words of each pair have the same vector: there is no direction between them.")
    direction = np.linalg.svd(halves, full_matrices=False)[2][0]
    return np.asarray(direction * (1 if (halves @ direction).sum() >= 0 else -1))


def along(vectors: Any, direction: Any) -> HostArray:
    """The cosine of each vector with a direction, (n,).

    Raises:
        ValueError: the widths differ, a number is not finite, or a vector is zero.
    """
    vectors, g = _with(vectors, direction)
    return np.asarray(vectors @ g)


def without(vectors: Any, direction: Any) -> HostArray:
    """The vectors less what they have along the direction, of length 1, (n, d).

    Raises:
        ValueError: as `along`; or a vector points along the direction: nothing is left of it.
    """
    vectors, g = _with(vectors, direction)
    rest = vectors - np.outer(vectors @ g, g)
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    if (length < 1e-9).any():
        raise ValueError(f"row {int(length.argmin())} points along the direction: nothing is left of it without that.")
    return np.asarray(rest / length)


def neighbor_share(vectors: Any, marked: Any, k: int = 100, rows: Any = None) -> HostArray:
    """Of each word's k nearest neighbors by cosine, itself left out, the share that is marked, (n,).

    Args:
        vectors: one per word, (n, d). All words are neighbors.
        marked: (n,) yes or no.
        k: how many neighbors.
        rows: the numbers of the words that are asked, (m,): then the result is (m,); None: all.

    Raises:
        ValueError: there is not one mark per word, there are not 1 <= k < n neighbors, or a row that does not exist; or as `along`.
    """
    vectors, marks = unit_rows("vectors", vectors), np.asarray(marked)
    if marks.shape != (len(vectors),) or not np.isin(marks, (0, 1)).all():
        raise ValueError(f"expected yes or no for each of {len(vectors)} words, got an array of shape {marks.shape}.")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k < len(vectors):
        raise ValueError(f"k, the number of neighbors, is from 1 to {len(vectors) - 1}, got {k!r}.")
    asked = np.arange(len(vectors)) if rows is None else np.asarray(rows, np.int64).reshape(-1)
    if len(asked) and not 0 <= asked.min() <= asked.max() < len(vectors):
        raise ValueError(
            f"rows are numbers of words, from 0 to {len(vectors) - 1}, got {asked.min()} to {asked.max()}."
        )
    found = np.zeros(len(asked))
    for start in range(0, len(asked), at_once := max(1, AT_ONCE // len(vectors))):
        some = asked[start : start + at_once]
        near = vectors[some] @ vectors.T
        near[np.arange(len(some)), some] = -np.inf
        found[start : start + at_once] = marks[np.argpartition(-near, k - 1, axis=1)[:, :k]].mean(axis=1)
    return found


def _with(vectors: Any, direction: Any) -> tuple[HostArray, HostArray]:
    vectors, (g,) = unit_rows("vectors", vectors), unit_rows("direction", np.asarray(direction)[None])
    if vectors.shape[1:] != g.shape:
        raise ValueError(f"the vectors have {vectors.shape[1]} numbers, and the direction {len(g)}.")
    return vectors, g


__all__ = ["along", "neighbor_share", "pair_direction", "without"]
