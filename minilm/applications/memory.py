r"""A memory of what was written for which text: a new one is like some of those, and so may be what is to be written for it.

Translators call this a translation memory; Nagao 1984, *A framework of a mechanical translation between Japanese and English by analogy
principle*, made a translator of it. How alike two texts are is the cosine of their TF-IDF vectors (`minilm.applications.ngrams` has the
formula), here of any pieces: words, or characters that stand side by side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from minilm.indices import positions
from minilm.types import HostArray

LETTERS = 3  # of a piece of a word


class Neighbor(NamedTuple):
    """What was written for a text that is like the one asked about, and how alike they are: 0 to 1."""

    written: str
    likeness: float


class Index(NamedTuple):
    """Which pieces stand where.

    Attributes:
        number: of each piece.
        weights: of each piece, how much it tells.
        starts: where the list of each piece begins, and behind the last one its end.
        texts, x: the lists, one behind the other: the numbers of texts, and the share of the piece in the vector of each.
    """

    number: dict[str, int]
    weights: HostArray
    starts: HostArray
    texts: HostArray
    x: HostArray


class Memory:
    """Texts, with what was written for each.

    Each piece has a list of the texts that it stands in. A question walks through the lists of its own pieces alone.

    Args:
        texts, written: one for each.
        pieces: what a text is made of.

    Raises:
        ValueError: there is not one of both for each.
    """

    def __init__(self, texts: Sequence[str], written: Sequence[str], pieces: Callable[[str], Sequence[str]]) -> None:
        if len(texts) != len(written):
            raise ValueError(f"a memory has what was written for each text: got {len(texts)} and {len(written)}.")
        self.read, self.written, self.pieces = list(texts), list(written), pieces

    @cached_property
    def index(self) -> Index:
        """Made when the first question comes: whoever only writes a run's files asks none."""
        number: dict[str, int] = {}
        counts = [Counter(self.pieces(text)) for text in self.read]
        piece = np.array([number.setdefault(p, len(number)) for c in counts for p in c], np.int64)
        text = np.repeat(np.arange(len(counts)), positions([len(c) for c in counts]))
        in_texts = np.bincount(positions(piece), minlength=len(number))
        weights: HostArray = 1 + np.log((1 + len(counts)) / (1 + in_texts))
        x = (1 + np.log(np.array([n for c in counts for n in c.values()], np.float64))) * weights[piece]
        norms = np.sqrt(np.bincount(positions(text), x * x, len(counts)))
        order = np.argsort(piece, kind="stable")
        starts = np.concatenate([[0], np.cumsum(in_texts)])
        return Index(number, weights, starts, text[order], (x / norms[text])[order])

    def nearest(self, text: str, count: int) -> list[Neighbor]:
        """The `count` texts that are most like this one, the nearest first, of equal ones the first; none with nothing in common."""
        index = self.index
        known = {index.number[p]: n for p, n in Counter(self.pieces(text)).items() if p in index.number}
        if not known:
            return []
        q = np.array([(1 + np.log(n)) * index.weights[piece] for piece, n in known.items()])
        q /= np.sqrt(q @ q)
        lists = [slice(index.starts[piece], index.starts[piece + 1]) for piece in known]
        shares = np.concatenate([x * index.x[here] for x, here in zip(q, lists, strict=True)])
        cosines = np.bincount(
            positions(np.concatenate([index.texts[here] for here in lists])), shares, len(self.written)
        )
        least = np.partition(cosines, -count)[-count] if count < len(cosines) else 0.0
        near = np.flatnonzero((cosines >= least) & (cosines > 0))
        best = near[np.argsort(-cosines[near], kind="stable")][:count]
        return [Neighbor(self.written[i], float(cosines[i])) for i in best]


def words(text: str) -> list[str]:
    """Its words, in lower case."""
    return re.findall(r"\w+", text.lower())


def letters(text: str) -> list[str]:
    """Three letters that stand side by side in a word, its ends among them: of "on" these are " on" and "on "."""
    words = [f" {word} " for word in re.findall(r"\w+|[^\w\s]", text.lower())]
    return [word[i : i + LETTERS] for word in words for i in range(max(1, len(word) - LETTERS + 1))]


__all__ = ["Memory", "Neighbor", "letters", "words"]
