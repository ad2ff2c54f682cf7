"""The stages that divide what is left: what is held out, which of its passages the training part must not have, and the first pass of
the shuffle, in which each document goes into a bucket of its part as often as its source weighs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus import decontaminate
from minilm.data.corpus.documents import Document
from minilm.data.corpus.draws import copies, held_out, smallest
from minilm.data.corpus.shuffle import MOST_BITS, shuffle_keys, write_buckets
from minilm.data.corpus.summary import Hit, Named
from minilm.indices import positions
from minilm.pipeline.copies import EXACT, GROUPS
from minilm.pipeline.counts import Drawn, added, example_draws, statistics
from minilm.pipeline.read import BATCH, records
from minilm.pipeline.work import Work, json_bytes

HELD, KNOWN, SCATTER = "held", "known", "scatter"
TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)
BUCKET_BYTES = 1 << 23
EXAMPLES = 5


def held_part(work: Work, part: int) -> dict[str, Any]:
    """What of a partition is held out.

    Writes `runs`, the runs of words in it (`decontaminate.runs_of`), and `copies`, a line for each document that is a copy, with the one
    that is kept.

    Returns:
        `bytes`: of the lines of the documents that stay, as often as each is taken, by part; `exact`, `near`: copies by source.
    """
    numbers, rows = _numbers(work, part), work.rows(part)
    exact, kept = (np.load(work.path(stage, 0, "kept"), mmap_mode="r")[numbers] for stage in (EXACT, GROUPS))
    stays = kept == numbers
    _write_copies(work, part, rows, numbers, exact, kept)
    held = stays & _is_held(work, rows)
    texts = (document.text for document in work.documents(part, np.flatnonzero(held)))
    with work.writing(HELD, part, "runs") as file:
        np.save(file, decontaminate.runs_of(texts))
    taken = _times(work, rows) * (stays & ~held)
    return {
        "bytes": {TRAIN: int((taken * rows["size"]).sum()), VALIDATION: int(rows["size"][held].sum())},
        "exact": _by_source(work, rows, exact != numbers),
        "near": _by_source(work, rows, (kept != numbers) & (exact == numbers)),
    }


def known_part(work: Work, part: int) -> dict[str, Any]:
    """All runs of words that the training part must not have: of what is held out, and of the evaluation sets.

    Writes `runs`.

    Returns:
        `bits`: of how many bits of a key a bucket is the number, by part; `sets`: of each evaluation set, how many documents it has, and
        their SHA-256.
    """
    found = [np.load(path) for path in work.paths(HELD, len(work.plan.partitions), "runs")]
    counts: dict[str, int] = {}
    digests: dict[str, Any] = {}
    for piece in work.plan.evaluation:
        texts = [record.text for record in records(work, [piece]) if isinstance(record, Document)]
        counts[piece.source] = counts.get(piece.source, 0) + len(texts)
        for text in texts:
            digests.setdefault(piece.source, hashlib.sha256()).update(f"{len(text)}:{text}".encode())
        found.append(decontaminate.runs_of(texts))
    with work.writing(KNOWN, part, "runs") as file:
        np.save(file, np.unique(np.concatenate(found)))
    sizes = added(result["bytes"] for result in work.results(HELD, len(work.plan.partitions)))
    bits = {name: min(max(0, (size - 1) // BUCKET_BYTES).bit_length(), MOST_BITS) for name, size in sizes.items()}
    sets = {
        name: {"documents": count, "sha256": digests[name].hexdigest()}
        for name, count in sorted(counts.items())
        if count
    }
    return {"bits": bits, "sets": sets}


def scatter_part(work: Work, part: int) -> dict[str, Any]:
    """The first pass of the shuffle: the documents of a partition in the buckets of their part.

    Those of the training part that hold too much of what is held out or asked are left out.

    Writes `train`, `validation` (`shuffle.write_buckets`), and `contaminated`, a line for each document that is left out for that.

    Returns:
        for each part statistics of the documents in it; by source `contaminated`, `left_out` (taken no time) and `repeated` (how many
        copies more than one are taken); `examples` of what is contaminated.
    """
    numbers, rows = _numbers(work, part), work.rows(part)
    stays = np.load(work.path(GROUPS, 0, "kept"), mmap_mode="r")[numbers] == numbers
    held = stays & _is_held(work, rows)
    bits = work.result(KNOWN)["bits"]
    clean, examples = _clean(work, part, np.flatnonzero(stays & ~held))
    found: dict[str, Any] = {}
    for name, which, times in (
        (TRAIN, clean, _times(work, rows)[clean]),
        (VALIDATION, np.flatnonzero(held), np.ones(np.count_nonzero(held), np.int64)),
    ):
        copy = np.arange(int(times.sum())) - np.repeat(np.cumsum(times) - times, positions(times))
        keys = shuffle_keys(np.repeat(rows["digest"][which], positions(times)), copy, work.settings.seed)
        lines = list(work.lines(part, which))
        write_buckets(
            work.path(SCATTER, part, name),
            keys,
            [lines[i] for i in np.repeat(np.arange(len(which)), positions(times))],
            bits[name],
        )
        source, characters, language = (
            rows[field][which].astype(np.int64) for field in ("source", "characters", "language")
        )
        found[name] = statistics(work.sources, source, characters, language, times)
    is_clean = np.zeros(len(rows), np.bool_)
    is_clean[clean] = True
    times = _times(work, rows) * is_clean
    return {
        **found,
        "contaminated": _by_source(work, rows, stays & ~held & ~is_clean),
        "left_out": _by_source(work, rows, is_clean & (times == 0)),
        "repeated": _by_source(work, rows, np.maximum(times - 1, 0)),
        "examples": examples,
    }


def _clean(work: Work, part: int, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Drawn]]:
    """Those of the documents that hold little of what is held out or asked; the others are written down."""
    known = np.load(work.path(KNOWN, 0, "runs"), mmap_mode="r")
    settings, clean, examples, at = work.settings, [np.empty(0, np.int64)], list[Drawn](), 0
    drawn = example_draws(work.rows(part)["digest"][which], settings.seed).tolist()
    with work.writing(SCATTER, part, "contaminated") as file:
        for documents in _batched(work.documents(part, which)):
            overlap = decontaminate.overlap([document.text for document in documents], known)
            gone = decontaminate.contaminated(overlap, settings.most_share, settings.most_runs)
            clean.append(which[at : at + len(documents)][~gone])
            for i in np.flatnonzero(gone).tolist():
                document = documents[i]
                hit = Hit(
                    Named.of(document),
                    decontaminate.passage(document.text, int(overlap.first[i])),
                    round(float(overlap.shares[i]), 4),
                    int(overlap.runs[i]),
                )
                file.write(
                    json_bytes({**hit.document._asdict(), "share": hit.share, "runs": hit.runs, "passage": hit.passage})
                )
                examples.append((drawn[at + i], hit))
            at += len(documents)
    return np.concatenate(clean), smallest(EXAMPLES, examples)


def _batched(documents: Iterator[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _numbers(work: Work, part: int) -> NDArray[np.int64]:
    """The numbers of a partition's documents among all."""
    return np.arange(work.bounds[part], work.bounds[part + 1])


def _is_held(work: Work, rows: NDArray[Any]) -> NDArray[np.bool_]:
    return held_out(rows["digest"], work.settings.held_out, work.settings.seed)


def _times(work: Work, rows: NDArray[Any]) -> NDArray[np.int64]:
    """How often each document is taken for training."""
    weights = np.array([work.settings.weights.get(name, 1.0) for name in work.sources])
    return copies(rows["digest"], weights[rows["source"]], work.settings.seed)


def _by_source(work: Work, rows: NDArray[Any], counts: NDArray[Any]) -> dict[str, int]:
    """The sums of the documents' counts (or of those that are marked) over each source."""
    totals = np.bincount(positions(rows["source"]), counts, len(work.sources)).astype(np.int64).tolist()
    return {name: total for name, total in zip(work.sources, totals, strict=True) if total}


def _write_copies(
    work: Work,
    part: int,
    rows: NDArray[Any],
    numbers: NDArray[np.int64],
    exact: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> None:
    which = np.flatnonzero(kept != numbers)
    with work.writing(HELD, part, "copies") as file:
        for place, document in zip(which.tolist(), work.documents(part, which), strict=True):
            first = work.document(int(kept[place]))
            kind = "near" if exact[place] == numbers[place] else "exact"
            told = {
                "source": document.source,
                "name": document.name,
                "of": f"{first.source}/{first.name}",
                "kind": kind,
            }
            file.write(json_bytes(told))


__all__ = ["HELD", "KNOWN", "SCATTER", "SPLITS", "TRAIN", "VALIDATION", "held_part", "known_part", "scatter_part"]
