"""Connected components: what is linked, directly or through others, is one group.

The textbook's union-find follows pointers, one link at a time. Here all links are followed at once (Shiloach and Vishkin 1982, *An
O(log n) parallel connectivity algorithm*): every root that is linked to a smaller one is hung below it, and then every pointer jumps to
the pointer's pointer until all point to roots. A few rounds suffice, also for chains of a million.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def connected_components(n: int, links: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of 0 .. n-1 the smallest one of its component, (n,).

    Args:
        n: how many there are.
        links: which two belong together, (links, 2), in any order.

    Raises:
        IndexError: a link to one that there is not.
    """
    root = np.arange(n)
    while len(links):
        ends = root[links]
        ends = ends[ends[:, 0] != ends[:, 1]]
        np.minimum.at(root, ends.max(axis=1), ends.min(axis=1))
        while not np.array_equal(above := root[root], root):
            root = above
        links = ends
    return root


def connected_components_plain(n: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """The same, one link after the other: union-find."""
    above = list(range(n))

    def root(i: int) -> int:
        while above[i] != i:
            above[i] = above[above[i]]  # halves the way of the next one
            i = above[i]
        return i

    for i, j in links:
        i, j = root(i), root(j)
        above[max(i, j)] = min(i, j)
    return [root(i) for i in range(n)]


__all__ = ["connected_components", "connected_components_plain"]
