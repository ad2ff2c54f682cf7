"""What the parts of a stage report, and how their reports are put together: sums, and the examples with the smallest numbers.

Both are the same however the documents were divided. That is why an example is not the first one found, but one of those to which a
hash gives the smallest numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.draws import draws

Tree = Mapping[str, Any]
"""Numbers by names, by names of names, and so on."""

Drawn = tuple[int, Any]
"""A number from `example_draws`, and what is shown."""

LANGUAGES = ("other", "en", "zh")


def added(trees: Iterable[Tree]) -> dict[str, Any]:
    """The sum of trees of numbers, name by name, sorted by names."""
    total: dict[str, Any] = {}
    for tree in trees:
        for name, value in tree.items():
            if isinstance(value, Mapping):
                total[name] = added([total.get(name, {}), value])
            else:
                total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


def tree(counts: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """Numbers by paths of names as a tree."""
    root: dict[str, Any] = {}
    for path, count in counts.items():
        place = root
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = count
    return root


def example_draws(digests: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """The numbers by which examples are chosen."""
    return draws(digests, seed, "example")


def statistics(
    sources: Sequence[str], source: NDArray[np.int64], characters: NDArray[np.int64], language: NDArray[np.int64],
    times: NDArray[np.int64] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Documents, characters, lengths and languages of documents, by source.

    Args:
        sources: the names.
        source: the number of each document's, (documents,).
        characters: their lengths.
        language: the number of each one's language in `LANGUAGES`.
        times: how often each counts; None: once.

    Returns:
        for each source `documents`, `characters`, `lengths` (by the power of 2 that a length reaches: "7" for 128 to 255) and
        `languages`.
    """
    times = np.ones(len(source), np.int64) if times is None else times
    power = np.frexp(np.maximum(characters, 1).astype(np.float64))[1] - 1
    found = {}
    for number, name in enumerate(sources):
        here = source == number
        if here.any():
            found[name] = {
                "documents": int(times[here].sum()),
                "characters": int((times * characters)[here].sum()),
                "lengths": _counted(power[here], times[here], str),
                "languages": _counted(language[here], times[here], LANGUAGES.__getitem__),
            }
    return found


def _counted(values: NDArray[Any], times: NDArray[np.int64], name: Any) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for value in np.unique(values).tolist():
        counts[name(value)] = int(times[values == value].sum())
    return dict(counts)


__all__ = ["LANGUAGES", "Drawn", "Tree", "added", "example_draws", "statistics", "tree"]
