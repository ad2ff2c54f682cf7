r"""Documents that are nearly the same, and the one of each group that is kept.

Documents that meet in a bucket (`bands`) are linked, each group of linked ones is a component, and of each component the first document
in the canonical order is kept: the longest, of two that are as long the one with the smaller digest. This order knows nothing of files,
workers and partitions, so what is kept does not depend on them either.

Two ways to link:

- **without a check**, all documents of a bucket are linked to its first one. That is as good as a link of each to each, and a bucket of
  100,000 equal documents has 99,999 links, not five thousand millions. It believes the hashes: two that meet by chance are linked.
- **with a check** of Jaccard's index itself, that short cut would be wrong: b and c may be alike where a, the first, is like neither. So
  the first is compared with all others, then the second with all that are not yet in its component, and so on. With equal documents
  there is nothing left to compare after the first. `leaders` bounds how many are compared with the rest of their bucket: what is found is
  exact for buckets of up to leaders + 1 documents, and in larger ones two that are alike are missed if both come after the leaders and
  neither another bucket nor a third document links them.

Both give the same groups however the buckets are divided among workers: the links of all parts together are what counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilm.data.components import connected_components, connected_components_plain
from minilm.data.corpus.bands import THRESHOLD, band_keys, bands_and_rows, buckets
from minilm.data.corpus.minhash import BINS, signatures
from minilm.data.corpus.normalize import bare_codes, bare_text
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import LENGTH, shingle_hashes, shingles_plain
from minilm.indices import positions

Check: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.bool_]]

LEADERS = 16
CHARACTERS = 1 << 19  # of documents that are compared at a time: their shingles are in memory together


def near_duplicates(
    texts: Sequence[str], threshold: float = THRESHOLD, *, bins: int = BINS, n: int = LENGTH, check: bool = True
) -> NDArray[np.int64]:
    """For each text the index of the one that is kept of its group; a text that is kept has its own.

    All steps in a row, for texts that fit into memory. With `check`, two texts are linked only if their Jaccard index is at least
    `threshold`; those that never met in a bucket are missed, as the S-curve says (`bands_and_rows`).
    """
    bands, rows = bands_and_rows(threshold, bins)
    keys = band_keys(signatures(texts, bins, n=n), bands, rows)
    order = canonical_order([len(text) for text in texts], [digest(text) for text in texts])

    def alike(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        return jaccard(texts, pairs, n) >= threshold

    return kept_of_groups(keys, order, alike if check else None)


def digest(text: str, name: str = "") -> int:
    """A number of 64 bits for a document, from its text and, where equal texts are to be told apart, its name."""
    content = f"{len(text)}:{text}{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def canonical_order(lengths: ArrayLike, digests: ArrayLike) -> NDArray[np.int64]:
    """The indices of documents from the longest to the shortest, by their digests where lengths are equal."""
    return np.lexsort((np.asarray(digests, np.uint64), -np.asarray(lengths, np.int64)))


def kept_of_groups(
    keys: NDArray[np.uint64], order: NDArray[np.int64], alike: Check | None = None, *, leaders: int = LEADERS
) -> NDArray[np.int64]:
    """For each document the index of the one that is kept of its group.

    Args:
        keys: the bands of each document's signature, (documents, bands), from `band_keys`.
        order: the documents from the one that is kept first to the last (`canonical_order`).
        alike: the check: of pairs of indices, (pairs, 2), which are alike. Without it, all of a bucket are.
        leaders: see the module's text.
    """
    found = buckets(keys[order])
    if alike is None:
        links = star(found)
    else:
        links = checked_links(found, len(order), lambda pairs: alike(order[pairs]), leaders=leaders)
    kept = np.empty_like(order)
    kept[order] = order[connected_components(len(order), links)]
    return kept


def star(found: Ragged, leader: int = 0) -> NDArray[np.int64]:
    """The member number `leader` of each bucket with every one behind it, (pairs, 2)."""
    found = found.where(np.arange(len(found.values)) >= np.repeat(found.bounds[:-1] + leader, positions(found.counts)))
    found = found.only(found.counts > 1)
    leading = np.repeat(found.values[found.bounds[:-1]], positions(found.counts))
    pairs = np.column_stack([leading, found.values])
    return pairs[pairs[:, 0] != pairs[:, 1]]


def checked_links(found: Ragged, n: int, alike: Check, *, leaders: int = LEADERS) -> NDArray[np.int64]:
    """Of the pairs within buckets those that are alike, without pairs that others link already.

    Args:
        found: the buckets, with members 0 .. n-1 in ascending order.
        n: how many documents there are.
        alike: of pairs of members, (pairs, 2), which are alike.
        leaders: how many members of a bucket are compared with those behind them.
    """
    links = np.empty((0, 2), np.int64)
    group = np.arange(n)
    for leader in range(leaders):
        groups, starts = group[found.values], found.bounds[:-1]
        torn = np.minimum.reduceat(groups, positions(starts)) != np.maximum.reduceat(groups, positions(starts))
        found = found.only(torn & (found.counts > leader + 1))
        if not len(found.counts):
            break
        pairs = star(found, leader)
        pairs = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
        pairs = np.column_stack(np.divmod(np.unique(pairs[:, 0] * n + pairs[:, 1]), n))
        links = np.concatenate([links, pairs[alike(pairs)]])
        group = connected_components(n, links)
    return links


def jaccard(texts: Sequence[str], pairs: NDArray[np.int64], n: int = LENGTH) -> NDArray[np.float64]:
    """Jaccard's index of the shingles of two texts, for pairs of indices, (pairs, 2); exact but for equal hashes of 64 bits."""
    found: list[float] = []
    sizes = np.cumsum([len(texts[i]) + len(texts[j]) for i, j in pairs])
    for some in np.split(pairs, np.flatnonzero(np.diff(sizes // CHARACTERS)) + 1):
        which, place = np.unique(some, return_inverse=True)
        hashes = shingle_hashes(bare_codes([texts[i] for i in which]), n)
        sets = [np.unique(row) for row in hashes.rows()]
        for first, second in place.reshape(-1, 2):
            both = len(np.intersect1d(sets[first], sets[second], assume_unique=True))
            found.append(both / (len(sets[first]) + len(sets[second]) - both))
    return np.array(found)


def near_duplicates_plain(texts: Sequence[str], threshold: float = THRESHOLD, *, n: int = LENGTH) -> list[int]:
    """What `near_duplicates` would find if it compared all pairs, which this does."""
    sets = [set(shingles_plain(bare_text(text), n)) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), digest(texts[i])))
    links = [
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if len(sets[order[i]] & sets[order[j]]) / len(sets[order[i]] | sets[order[j]]) >= threshold
    ]
    kept = [0] * len(texts)
    for place, first in enumerate(connected_components_plain(len(texts), links)):
        kept[order[place]] = order[first]
    return kept


__all__ = [
    "LEADERS", "Check", "canonical_order", "checked_links", "digest", "jaccard", "kept_of_groups", "near_duplicates",
    "near_duplicates_plain", "star",
]  # fmt: skip
