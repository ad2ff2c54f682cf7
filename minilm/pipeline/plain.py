"""The pipeline without stages, partitions and files, for documents that fit into memory: what `build` must equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.bands import band_keys
from minilm.data.corpus.decontaminate import contaminated, overlap, runs_of
from minilm.data.corpus.documents import Document, json_line
from minilm.data.corpus.draws import copies_plain, held_out_plain
from minilm.data.corpus.duplicates import canonical_order, digest, jaccard, kept_of_groups
from minilm.data.corpus.minhash import signatures
from minilm.data.corpus.normalize import bare_text
from minilm.data.corpus.quality import judge_plain
from minilm.data.corpus.shuffle import in_order, shuffle_keys
from minilm.pipeline.settings import Settings


def plain_corpus(
    documents: Sequence[Document], settings: Settings, evaluation: Sequence[str] = ()
) -> tuple[list[Document], list[Document]]:
    """The training part and what is held out, in their order.

    Args:
        documents: of all sources, in any order.
        settings: the corpus's.
        evaluation: the texts of evaluation sets.
    """
    stay = [document for document in documents if not judge_plain(document.text, settings.rules)]
    unique = _first_of_each([_number(bare_text(document.text)) for document in stay], stay)
    kept = _without_near_copies(unique, settings)

    held = held_out_plain(map(_digest, kept), settings.held_out, settings.seed)
    validation = [document for document, out in zip(kept, held, strict=True) if out]
    train = [document for document, out in zip(kept, held, strict=True) if not out]
    found = overlap(
        [document.text for document in train],
        runs_of([*(document.text for document in validation), *evaluation]),
    )
    gone = contaminated(found, settings.most_share, settings.most_runs)
    clean = [document for document, left_out in zip(train, gone, strict=True) if not left_out]

    copies = [
        (document, number)
        for document in clean
        for number in range(copies_plain(_digest(document), settings.weights.get(document.source, 1.0), settings.seed))
    ]
    return _shuffled(copies, settings), _shuffled([(document, 0) for document in validation], settings)


def _without_near_copies(documents: list[Document], settings: Settings) -> list[Document]:
    texts = [document.text for document in documents]

    def alike(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        return jaccard(texts, pairs) >= settings.threshold

    keys = band_keys(signatures(texts), *settings.bands)
    kept = kept_of_groups(keys, _order(documents), alike if settings.check else None)
    return [documents[i] for i in np.unique(kept)]


def _first_of_each(groups: list[int], documents: list[Document]) -> list[Document]:
    """Of the documents of each group the first one in the canonical order."""
    seen: dict[int, Document] = {}
    for i in _order(documents):
        seen.setdefault(groups[i], documents[i])
    return list(seen.values())


def _order(documents: list[Document]) -> NDArray[np.int64]:
    return canonical_order(
        [len(document.text) for document in documents], [_digest(document) for document in documents]
    )


def _shuffled(copies: list[tuple[Document, int]], settings: Settings) -> list[Document]:
    digests = np.array([_digest(document) for document, _ in copies], np.uint64)
    keys = shuffle_keys(digests, np.array([number for _, number in copies], np.int64), settings.seed)
    lines = [json_line(document) for document, _ in copies]
    place = {line: document for line, (document, _) in zip(lines, copies, strict=True)}
    return [place[line] for line in in_order(keys.tolist(), lines)]


def _digest(document: Document) -> int:
    return digest(document.text, f"{document.source}:{document.name}")


def _number(text: str) -> int:
    return digest(text)


__all__ = ["plain_corpus"]
