"""The first stage: a partition of the input is read, each document is judged by the rules, and those that stay get their row."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.bands import band_keys
from minilm.data.corpus.documents import Aside, Document, json_line
from minilm.data.corpus.draws import smallest
from minilm.data.corpus.duplicates import digest
from minilm.data.corpus.language import languages
from minilm.data.corpus.minhash import BATCH as AT_ONCE
from minilm.data.corpus.minhash import one_permutation
from minilm.data.corpus.normalize import bare_codes
from minilm.data.corpus.partitions import Piece
from minilm.data.corpus.quality import Fault, faults_of, measures
from minilm.data.corpus.ragged import batches
from minilm.data.corpus.reading import read
from minilm.data.corpus.shingles import shingle_hashes
from minilm.data.corpus.summary import Example
from minilm.data.errors import DataError
from minilm.files import shown
from minilm.pipeline.counts import LANGUAGES, Drawn, added, example_draws, statistics, tree
from minilm.pipeline.work import Work, json_bytes, stamp

STAGE = "read"
BATCH = 1 << 18  # characters of documents that are looked at together
EXAMPLES = 3


def read_part(work: Work, part: int) -> dict[str, Any]:
    """Reads, judges and hashes the documents of a partition.

    Writes `documents` (those that stay, a line of JSON each), `rows` (`work.row_type`), `asides` (what is no document) and `removed`
    (those that break a rule, with the reasons).

    Returns:
        `before`, `stay`: statistics of all documents, and of those that stay; `asides`: by source and reason; `rules`: by source and
        rule how many break it, `alone`: how many break no other; `aside_examples`, `rule_examples`: by reason and by rule.
    """
    reports: list[dict[str, Any]] = []
    with (
        work.writing(STAGE, part, "documents") as documents,
        work.writing(STAGE, part, "rows") as rows,
        work.writing(STAGE, part, "asides") as asides,
        work.writing(STAGE, part, "removed") as removed,
    ):
        place = 0
        for batch in batched(records(work, work.plan.partitions[part]), BATCH):
            found = [record for record in batch if isinstance(record, Document)]
            reports.append(report_asides([record for record in batch if isinstance(record, Aside)], work, asides))
            judged = judged_documents(found, work)
            reports.append(report_removed(judged, work, removed))
            place += write_documents(judged, work, place, documents, rows)
    return joined(reports)


def records(work: Work, pieces: Iterable[Piece]) -> Iterator[Document | Aside]:
    """What stands in pieces of the input.

    Raises:
        DataError: a file is not the one any more that was planned with.
    """
    for piece in pieces:
        if stamp(piece.path) != work.plan.stamps[piece.path]:
            raise DataError(
                f"{shown(piece.path)} has changed since the work began: put it back, or begin anew in another folder"
            )
        yield from read(piece, field=work.settings.field, max_bytes=work.settings.max_bytes)


def batched(found: Iterable[Document | Aside], characters: int) -> Iterator[list[Document | Aside]]:
    """Records in their order, as many at a time as have so many characters together; a longer one comes alone."""
    return batches(found, characters, lambda record: len(record.text if isinstance(record, Document) else record.found))


class Judged(NamedTuple):
    """Documents, and what the rules found.

    Attributes:
        documents: in their order.
        digests: of text, source and name, (documents,).
        source, characters, language: as numbers, (documents,).
        faults: for each document the rules that it breaks.
    """

    documents: list[Document]
    digests: NDArray[np.uint64]
    source: NDArray[np.int64]
    characters: NDArray[np.int64]
    language: NDArray[np.int64]
    faults: list[list[Fault]]

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which documents break no rule."""
        return np.array([not some for some in self.faults], np.bool_)


def judged_documents(documents: list[Document], work: Work) -> Judged:
    """What the rules say of documents."""
    texts = [document.text for document in documents]
    found = measures(texts)
    spoken = languages(found["unspaced_words"], found["english_words"], found["han"])
    return Judged(
        documents,
        np.array([digest(text, f"{source}:{name}") for text, source, name in documents], np.uint64),
        np.array([work.sources.index(document.source) for document in documents], np.int64),
        np.array([len(text) for text in texts], np.int64),
        np.array([LANGUAGES.index(name) for name in spoken.tolist()], np.int64),
        faults_of(found, work.settings.rules),
    )


def report_asides(asides: Sequence[Aside], work: Work, file: BinaryIO) -> dict[str, Any]:
    """Writes down what is no document, and counts it."""
    file.writelines(json_line(aside) for aside in asides)
    digests = np.array(
        [digest(aside.found, f"{aside.source}:{aside.file}:{aside.offset}") for aside in asides], np.uint64
    )
    drawn = example_draws(digests, work.settings.seed).tolist()
    return {
        "asides": tree(Counter((aside.source, aside.reason) for aside in asides)),
        "aside_examples": _by_name(
            (aside.reason, (number, aside)) for number, aside in zip(drawn, asides, strict=True)
        ),
    }


def report_removed(judged: Judged, work: Work, file: BinaryIO) -> dict[str, Any]:
    """Writes down the documents that break rules, with the reasons, and counts all."""
    drawn = example_draws(judged.digests, work.settings.seed).tolist()
    counts: Counter[tuple[str, ...]] = Counter()
    examples: list[tuple[str, Drawn]] = []
    for document, faults, number in zip(judged.documents, judged.faults, drawn, strict=True):
        if not faults:
            continue
        told = {"source": document.source, "name": document.name, "characters": len(document.text)}
        file.write(json_bytes({**told, "reasons": {fault.rule: fault.reason for fault in faults}}))
        for fault in faults:
            counts["rules", document.source, fault.rule] += 1
            counts["alone", document.source, fault.rule] += len(faults) == 1
            examples.append((fault.rule, (number, Example.of(document, fault))))
    some, stays = (judged.source, judged.characters, judged.language), judged.stays
    return {
        **tree(counts),
        "before": statistics(work.sources, *some),
        "stay": statistics(work.sources, *(column[stays] for column in some)),
        "rule_examples": _by_name(examples),
    }


def write_documents(judged: Judged, work: Work, start: int, documents: BinaryIO, rows: BinaryIO) -> int:
    """Writes the documents that break no rule, and their rows; the first line begins at `start`. Returns the bytes of the lines."""
    stays = np.flatnonzero(judged.stays)
    found = [judged.documents[i] for i in stays]
    lines = [json_line(document) for document in found]
    table = np.zeros(len(found), work.row_type)
    table["digest"], table["source"] = judged.digests[stays], judged.source[stays]
    table["characters"], table["language"] = judged.characters[stays], judged.language[stays]
    table["size"] = [len(line) for line in lines]
    table["start"] = start + np.cumsum(table["size"]) - table["size"]
    filled = 0
    for batch in batches((document.text for document in found), AT_ONCE):
        bare, here = bare_codes(batch), slice(filled, filled + len(batch))
        table["bare"][here] = [_number(row.tobytes()) for row in bare.rows()]
        table["keys"][here] = band_keys(one_permutation(shingle_hashes(bare)), *work.settings.bands)
        filled += len(batch)
    documents.writelines(lines)
    rows.write(table.tobytes())
    return int(table["size"].sum())


def joined(reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The reports of parts as one."""
    reports = list(reports)
    names = [name for report in reports for name in report]
    examples = {name for name in names if name.endswith("_examples")}
    total = added({name: value for name, value in report.items() if name not in examples} for report in reports)
    for name in sorted(examples):
        total[name] = _by_name(
            (key, one) for report in reports for key, some in report.get(name, {}).items() for one in some
        )
    return total


def _by_name(examples: Iterable[tuple[str, Drawn]]) -> dict[str, list[Drawn]]:
    found: dict[str, list[Drawn]] = {}
    for name, example in examples:
        found.setdefault(name, []).append(example)
    return {name: smallest(EXAMPLES, some) for name, some in sorted(found.items())}


def _number(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


__all__ = ["STAGE", "joined", "read_part"]
