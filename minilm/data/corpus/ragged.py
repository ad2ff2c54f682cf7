"""Rows of different lengths, one behind the other in one array: the characters of many documents, or their shingles.

One operation of NumPy then serves all documents at once. A loop over documents would cost more than the work inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from minilm.indices import positions

Text = TypeVar("Text")


class Ragged(NamedTuple):
    """Rows of different lengths.

    Attributes:
        values: all rows, one behind the other, (sum of counts,).
        counts: how long each row is, int64, (rows,); a row may be empty.
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Where the rows begin, and where the last one ends, (rows + 1,): row i is values[bounds[i] : bounds[i + 1]]."""
        bounds = np.zeros(len(self.counts) + 1, np.int64)
        np.cumsum(self.counts, out=bounds[1:])
        return bounds

    def rows(self) -> Iterator[NDArray[Any]]:
        """The rows, one at a time."""
        return (self.values[start:end] for start, end in pairwise(self.bounds))

    def only(self, kept: NDArray[np.bool_]) -> Ragged:
        """The rows that are `kept`, a mask over the rows."""
        return Ragged(self.values[np.repeat(kept, positions(self.counts))], self.counts[kept])

    def where(self, kept: NDArray[np.bool_]) -> Ragged:
        """The rows without the values that are not `kept`, a mask over all values."""
        before = np.zeros(len(self.values) + 1, np.int64)
        np.cumsum(kept, out=before[1:])
        return Ragged(self.values[kept], np.diff(before[self.bounds]))

    def sums(self) -> NDArray[np.int64]:
        """The sum of each row of whole numbers, or how many of a row of masks are set, (rows,)."""
        before = np.zeros(len(self.values) + 1, np.int64)
        np.cumsum(self.values, out=before[1:])
        return np.diff(before[self.bounds])


def batches(texts: Iterable[Text], characters: int, length: Callable[[Any], int] = len) -> Iterator[list[Text]]:
    """The texts in their order, as many at a time as have `characters` together; one that is longer comes alone.

    They may be anything of which `length` says how many characters it has.
    """
    batch: list[Text] = []
    size = 0
    for text in texts:
        more = length(text)
        if batch and size + more > characters:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += more + 1  # empty texts take room, too
    if batch:
        yield batch


__all__ = ["Ragged", "batches"]
