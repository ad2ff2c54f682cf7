r"""Texts that are nearly the same: mails of one campaign, packages of one family. A split keeps them together (`minilm.data.three_parts`).

How alike two texts are is how many of their shingles, runs of three words, they share, of all that they have:

.. math:: J(A, B) = \frac{|A \cap B|}{|A \cup B|}

To compare every pair would take too long. MinHash (Broder 1997, *On the resemblance and containment of documents*) gives a text
`HASHES` numbers, each the smallest of its shingles under another hash function; two texts have the same one with the probability J. The
numbers are put into bands of `ROWS`, and only texts that agree in a whole band are compared at all: with J = 0.5 they do with
probability 0.64, with 0.8 in all but two cases of ten thousand.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .components import connected_components

HASHES, ROWS = 64, 4
WORDS = re.compile(r"[^\W\u3400-\u9fff]+|[\u3400-\u9fff]")  # a Chinese character counts as a word
SHINGLE = 3


def near_copies(texts: Sequence[str], least: float = 0.5) -> list[int]:
    """A group number for each text: texts that are alike, directly or through others, have the same.

    Two texts count as alike where at least the share `least` of their MinHash numbers agree, and a whole band. Case, white space,
    punctuation and digits' places do not matter beyond the words; texts of fewer than three words are compared as a whole.

    Raises:
        ValueError: `least` is no share above 0 and at most 1.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least is a share above 0 and at most 1, got {least!r}.")
    numbers, links = signatures(texts), []
    for start in range(0, HASHES, ROWS):
        seen: dict[bytes, int] = {}
        for i, band in enumerate(numbers[:, start : start + ROWS]):
            other = seen.setdefault(band.tobytes(), i)
            if other != i and (numbers[i] == numbers[other]).mean() >= least:
                links.append((i, other))
    return connected_components(len(texts), np.array(links, np.int64).reshape(-1, 2)).tolist()


def signatures(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The MinHash numbers of the texts, (texts, `HASHES`)."""
    rng = np.random.default_rng(0)
    factors, terms = rng.integers(0, 2**63, (2, HASHES), dtype=np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)
    found = np.empty((len(texts), HASHES), np.uint64)
    for i, text in enumerate(texts):
        hashes = np.fromiter(shingles(text), np.uint64)[:, None]
        found[i] = ((hashes * factors + terms) >> np.uint64(32)).min(
            axis=0
        )  # multiply and shift (Dietzfelbinger et al. 1997)
    return found


def shingles(text: str) -> set[int]:
    """The runs of three words of a text, as the CRC-32 of each."""
    words = WORDS.findall(text.lower())
    runs = range(max(1, len(words) - SHINGLE + 1))
    return {zlib.crc32(" ".join(words[i : i + SHINGLE]).encode("utf-8", "surrogatepass")) for i in runs}


__all__ = ["near_copies", "shingles", "signatures"]
