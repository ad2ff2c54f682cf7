r"""Vectors of words from counts alone: who stands beside whom more often than by chance.

.. math:: v_{wc} = \max\left(0,\; \ln \frac{n_{wc}\, n}{n_w\, n_c}\right)

with how often the word w and the word c stand within a window of each other, n_wc, and the sums of that over the one, the other, and
both. This is the positive pointwise mutual information (Church and Hanks 1990; Levy and Goldberg 2014, *Neural Word Embedding as
Implicit Matrix Factorization*, who show that word2vec factors such a table).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from minilm.indices import positions
from minilm.types import HostArray

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: letters, with an apostrophe within.

    >>> words_of("He's 8 years old; she isn't!")
    ["he's", 'years', 'old', 'she', "isn't"]
    """
    return WORD.findall(text.lower())


def cooccurrences(sentences: Iterable[Sequence[str]], vocabulary: Sequence[str], window: int = 5) -> HostArray:
    """How often each two words of the vocabulary stand at most `window` words apart in a sentence, (V, V), symmetric.

    Words that are not in the vocabulary keep their places.

    Raises:
        ValueError: the vocabulary is empty or has a word twice, a sentence is one text, or the window is no positive integer.
    """
    number = {word: i for i, word in enumerate(vocabulary)}
    if not number or len(number) != len(vocabulary):
        raise ValueError(f"expected each word of the vocabulary once, and at least one: got {len(vocabulary)} words.")
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise ValueError(f"the window must be a positive integer, got {window!r}.")
    ids = _in_a_row(sentences, number, window)
    table = np.zeros(len(number) ** 2)
    for apart in range(1, window + 1):
        left, right = ids[:-apart], ids[apart:]
        both = (left >= 0) & (right >= 0)
        table += np.bincount(positions(left[both] * len(number) + right[both]), minlength=len(table))
    square = table.reshape(len(number), -1)
    return np.asarray(square + square.T)


def positive_information(counts: HostArray) -> HostArray:
    """v of a table of counts (V, C); a word, or a context, that never occurs has zeros.

    Raises:
        ValueError: it is no table, or a count is negative or not finite.
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(f"expected a table of counts, none of them negative, got an array of shape {table.shape}.")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / max(table.sum(), 1e-300)
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.maximum(np.log(np.divide(table, expected, out=np.zeros_like(table), where=expected > 0)), 0)
        )


def frequent(sentences: Iterable[Sequence[str]], most: int) -> list[str]:
    """The most frequent words, the most frequent first, equal ones in the order of the alphabet."""
    counts = Counter(word for sentence in sentences for word in sentence)
    return sorted(counts, key=lambda word: (-counts[word], word))[:most]


def _in_a_row(sentences: Iterable[Sequence[str]], number: dict[str, int], window: int) -> HostArray:
    """The words' numbers, -1 for others; so many of those stand between two sentences that none sees the other."""
    ids: list[int] = []
    for sentence in sentences:
        if isinstance(sentence, str):
            raise ValueError(f"a sentence is a list of words, got one text: {sentence[:40]!r}.")
        ids += [number.get(word, -1) for word in sentence]
        ids += [-1] * window
    return np.array(ids, np.int64)


__all__ = ["cooccurrences", "frequent", "positive_information", "words_of"]
