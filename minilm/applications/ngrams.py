r"""A text as a vector: which words and pairs of neighbors it has, weighted by how much they tell (TF-IDF).

An n-gram that stands :math:`n` times in a text and in :math:`d` of the :math:`N` texts of the training part has

.. math:: x = (1 + \ln n) \left( 1 + \ln \frac{1 + N}{1 + d} \right),

and the vector of a text is divided by its length (Salton and Buckley 1988, *Term-weighting approaches in automatic text retrieval*).
"""

from __future__ import annotations

import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minilm.types import HostArray

WORD = re.compile(r"\w+|[^\w\s]")  # or a character that is neither a letter nor white space: "!" and "$" say much


@dataclass(frozen=True)
class NGrams:
    """The n-grams that are known, each with its weight.

    Attributes:
        weights: of each n-gram, in the order of the vectors.
        longest: the characters of a text that are read; what is beyond them is not.
    """

    weights: dict[str, float]
    longest: int

    @classmethod
    def learn(cls, texts: Sequence[str], most: int, longest: int) -> NGrams:
        """The n-grams that stand in most of the texts, and in two of them at least; of those in equally many, the first in order."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(ngrams(text[:longest])))
        common = sorted((each for each in counts.items() if each[1] > 1), key=lambda each: (-each[1], each[0]))[:most]
        return cls({name: 1 + float(np.log((1 + len(texts)) / (1 + n))) for name, n in common}, longest)

    def vectors(self, texts: Iterable[str]) -> list[tuple[HostArray, HostArray]]:
        """Of each text the places of its n-grams, in order, and their numbers."""
        places = {name: i for i, name in enumerate(self.weights)}
        found = []
        for text in texts:
            known = sorted(
                (places[name], name, n) for name, n in Counter(ngrams(text[: self.longest])).items() if name in places
            )
            x = np.array([(1 + np.log(n)) * self.weights[name] for _, name, n in known], np.float32)
            found.append(
                (np.array([place for place, _, _ in known], np.int64), x / max(float(np.linalg.norm(x)), 1e-9))
            )
        return found

    def save(self) -> bytes:
        """What `load` reads."""
        return json.dumps({"longest": self.longest, "weights": self.weights}, ensure_ascii=False).encode()

    @classmethod
    def load(cls, path: Path) -> NGrams:
        """What `save` wrote."""
        return cls(**json.loads(path.read_text("utf-8")))


def ngrams(text: str) -> Iterator[str]:
    """The words of a text, in lower case, and its pairs of neighbors."""
    words = WORD.findall(text.lower())
    yield from words
    yield from (f"{first} {second}" for first, second in itertools.pairwise(words))


def dense(vectors: Sequence[tuple[HostArray, HostArray]], width: int) -> HostArray:
    """Vectors as rows of a matrix, (n, width), float32."""
    rows = np.zeros((len(vectors), width), np.float32)
    for row, (places, x) in zip(rows, vectors, strict=True):
        row[places] = x
    return rows


def hashed(texts: Sequence[str], width: int, longest: int) -> HostArray:
    r"""Texts as rows (n, width), float32, without a vocabulary: a hash tells each word its place, and whether it adds or takes away 1.

    .. math:: x_j = \sum_{w \in \text{text}} s(w)\, [h(w) = j], \qquad s(w) = \pm 1

    divided by the row's length. Words that meet in one place cancel on average (Weinberger, Dasgupta, Langford, Smola & Attenberg 2009,
    *Feature Hashing for Large Scale Multitask Learning*, ICML). Nothing is learned: a list of the words that stand in private mails, or how
    many mails have them, would itself tell about the mails. A word counts once; the hash is CRC-32.

    Args:
        width: places.
        longest: the characters of a text that are read.

    Raises:
        ValueError: `width` or `longest` is not positive.
    """
    if width < 1 or longest < 1:
        raise ValueError(f"width and longest must be positive, got {width} and {longest}.")
    rows = np.zeros((len(texts), width), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in set(WORD.findall(text[:longest].lower())):
            number = zlib.crc32(word.encode("utf-8", "surrogatepass"))
            row[number % width] += 1.0 if number >> 31 else -1.0
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-9))


__all__ = ["NGrams", "dense", "hashed", "ngrams"]
