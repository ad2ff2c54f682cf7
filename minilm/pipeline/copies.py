"""The stages that find copies: exact ones, then for each band the documents that may be near copies, then the groups of them.

Only numbers are handed on here, 120 bytes for each document: no stage holds texts, except for those that are compared (`check`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from minilm.data.components import connected_components
from minilm.data.corpus.bands import buckets
from minilm.data.corpus.documents import Document
from minilm.data.corpus.duplicates import canonical_order, checked_links, jaccard, kept_of_groups, star
from minilm.data.corpus.summary import MEMBERS, Cluster, Copy, Named, Pair
from minilm.indices import positions
from minilm.pipeline.counts import example_draws
from minilm.pipeline.work import Work

EXACT, LINKS, GROUPS = "exact", "links", "groups"
EXAMPLES, CLUSTERS = 5, 5


def exact_part(work: Work, part: int) -> dict[str, Any]:
    """The exact copies: documents of one bare text. Of each group the one that comes first in the canonical order is kept.

    Writes `kept`, for each document the number of the one that is kept of its group; its own, if that is it.
    """
    order = canonical_order(work.column("characters"), work.column("digest"))
    kept = kept_of_groups(work.column("bare")[:, None], order)
    _write(work, EXACT, part, "kept", kept)
    return {"copies": int(np.count_nonzero(kept != np.arange(len(kept))))}


def bands_of(work: Work) -> int:
    """How many bands there are."""
    return work.settings.bands[0]


def links_part(work: Work, band: int) -> dict[str, Any]:
    """The links between documents that meet in a bucket of this band; with `check` only between those that are alike.

    Writes `links`, (links, 2), places in the canonical order of the documents that are no exact copies.
    """
    order = unique_order(work)
    found = buckets(work.column("keys", band)[order][:, None])
    if work.settings.check:
        texts = Texts(work, order)
        links = checked_links(found, len(order), lambda pairs: jaccard(texts, pairs) >= work.settings.threshold)
    else:
        links = star(found)
    _write(work, LINKS, band, "links", links)
    return {"links": len(links)}


def groups_part(work: Work, part: int) -> dict[str, Any]:
    """The groups of near copies, from the links of all bands.

    Writes `kept`, as `exact_part` does, for both kinds of copies.

    Returns:
        `copies`: how many are left out; `clusters`: how many groups there are of each size; `largest`: the largest ones
        (`Cluster`); `near_examples` (`Pair`), `exact_examples` (`Copy`): what is left out beside what is kept for it.
    """
    order = unique_order(work)
    links = [np.load(path) for path in work.paths(LINKS, bands_of(work), "links")]
    root = connected_components(len(order), np.concatenate(links))
    exact = np.load(work.path(EXACT, 0, "kept"))
    near = np.arange(len(exact))
    near[order] = order[root]
    kept = near[exact]
    _write(work, GROUPS, part, "kept", kept)
    sizes = np.bincount(positions(root), minlength=len(order))
    return {
        "copies": int(np.count_nonzero(near != np.arange(len(near)))),
        "clusters": {
            str(size): count for size, count in enumerate(np.bincount(positions(sizes)).tolist()) if size > 1 and count
        },
        "largest": _largest(work, order, root, sizes),
        "near_examples": [_pair(*both) for both in _examples(work, near)],
        "exact_examples": [Copy.of(*both) for both in _examples(work, exact)],
    }


def unique_order(work: Work) -> NDArray[np.int64]:
    """The numbers of the documents that are no exact copies, in the canonical order."""
    kept = np.load(work.path(EXACT, 0, "kept"))
    unique = np.flatnonzero(kept == np.arange(len(kept)))
    return unique[canonical_order(work.column("characters")[unique], work.column("digest")[unique])]


class Texts(Sequence[str]):
    """The texts of documents, read when they are asked for."""

    def __init__(self, work: Work, numbers: NDArray[np.int64]) -> None:
        self.work, self.numbers = work, numbers
        self._text = lru_cache(64)(self._read)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._text(int(index))

    def _read(self, index: int) -> str:
        return self.work.document(int(self.numbers[index])).text


def _largest(work: Work, order: NDArray[np.int64], root: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[Cluster]:
    """The largest groups; those of one size in the canonical order."""
    found = []
    for first in np.argsort(-sizes, kind="stable")[:CLUSTERS].tolist():
        if sizes[first] > 1:
            members = [
                Named.of(work.document(int(order[place]))) for place in np.flatnonzero(root == first)[: 1 + MEMBERS]
            ]
            found.append(Cluster(int(sizes[first]), members[0], tuple(members[1:])))
    return found


def _examples(work: Work, kept: NDArray[np.int64]) -> list[tuple[Document, Document]]:
    """Some documents that are left out, each with the one that is kept for it."""
    removed = np.flatnonzero(kept != np.arange(len(kept)))
    drawn = example_draws(work.column("digest")[removed], work.settings.seed)
    chosen = removed[np.argsort(drawn, kind="stable")[:EXAMPLES]]
    return [(work.document(int(kept[number])), work.document(int(number))) for number in chosen]


def _pair(kept: Document, removed: Document) -> Pair:
    return Pair.of(kept, removed, float(jaccard([kept.text, removed.text], np.array([[0, 1]]))[0]))


def _write(work: Work, stage: str, part: int, kind: str, values: NDArray[np.int64]) -> None:
    with work.writing(stage, part, kind) as file:
        np.save(file, values)


__all__ = ["EXACT", "GROUPS", "LINKS", "Texts", "bands_of", "exact_part", "groups_part", "links_part", "unique_order"]
