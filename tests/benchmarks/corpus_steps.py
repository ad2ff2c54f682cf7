"""What each step from raw text to packed tokens costs for a document, with the functions that the stages call.

Left out: the exact check of candidates, whose cost depends on how many near copies there are, and the writing of files between the
stages (but for the shuffle's buckets and the packed tokens, which are steps of their own). The tokenizer is trained on a part of
the documents; its times are of a second look at them, when the pieces of nearly all words are known.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from minilm.data.corpus import (
    Document,
    band_keys,
    bands_and_rows,
    canonical_order,
    digest,
    document_of,
    held_out,
    json_line,
    judge,
    kept_of_groups,
    nfc,
    plan,
    read,
    read_bucket,
    runs_of,
    shuffle_keys,
    signatures,
    write_buckets,
    write_shards,
)
from minilm.data.corpus.decontaminate import overlap
from minilm.data.corpus.shuffle import BITS
from minilm.text import BPETokenizer

VOCABULARY, TRAINED_ON, ASKED = 4096, 2_000_000, 20  # of the documents each 20th is what is asked in an evaluation


class Step(NamedTuple):
    """One step: what it does, how it is called, and whether its time is part of another step's."""

    name: str
    call: Callable[[], Any]
    part: bool = False


def steps(texts: Sequence[str], folder: Path) -> Iterator[Step]:
    """The steps in their order. Each works on what those before it would have handed on for all of the texts."""
    packed = folder / "documents.jsonl.gz"
    with gzip.open(packed, "wb") as file:
        file.writelines(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
    partitions, _ = plan(packed)
    yield Step(
        "read .jsonl.gz, NFC", lambda: [record for some in partitions for piece in some for record in read(piece)]
    )
    yield Step("NFC alone", lambda: [nfc(text) for text in texts], part=True)
    yield Step("length and quality rules", lambda: judge(texts))
    yield Step("signatures", lambda: signatures(texts))
    found = signatures(texts)
    yield Step("digest", lambda: [digest(text) for text in texts])
    digests = np.array([digest(text) for text in texts], np.uint64)
    cut = bands_and_rows()
    yield Step("band keys", lambda: band_keys(found, *cut))
    keys = band_keys(found, *cut)
    yield Step("groups of near copies", lambda: kept_of_groups(keys, canonical_order([*map(len, texts)], digests)))
    yield Step("split", lambda: held_out(digests, 0.01))
    records = [Document(text, "debian", str(i)) for i, text in enumerate(texts)]
    yield Step("documents to lines", lambda: [json_line(record) for record in records])
    lines = [json_line(record) for record in records]

    def shuffled() -> list[list[bytes]]:
        write_buckets(folder / "buckets", shuffle_keys(digests), lines)
        return [read_bucket([folder / "buckets"], bucket) for bucket in range(2**BITS)]

    yield Step("shuffle", shuffled)
    yield Step("lines to documents", lambda: [document_of(line) for line in lines])
    known = runs_of(texts[::ASKED])
    yield Step("decontamination", lambda: overlap(texts, known))
    size = sum(map(len, texts)) // len(texts)
    tokenizer = BPETokenizer.train(texts[: 1 + TRAINED_ON // size], vocab_size=VOCABULARY)
    yield Step("tokenizing (our BPE)", lambda: [tokenizer.encode_array(text) for text in texts])
    ids = [tokenizer.encode_array(text) for text in texts]
    yield Step("packing", lambda: write_shards(folder / "shards", ids, 0, VOCABULARY, 1 << 20))


def table(texts: Sequence[str], rounds: int, timed: Callable[..., tuple[float, Any]]) -> Iterator[str]:
    """A line for each step, and one for all."""
    yield f"{'step':28}{'us/document':>13}{'documents/s':>14}"
    total = 0.0
    with TemporaryDirectory() as folder:
        for step in steps(texts, Path(folder)):
            step.call()  # tables that are made once, pieces that are merged once
            seconds = min(timed(step.call)[0] for _ in range(rounds)) / len(texts)
            total += 0 if step.part else seconds
            yield f"{step.name:28}{seconds * 1e6:13.1f}{1 / max(seconds, 1e-9):14,.0f}"
    yield f"{'all':28}{total * 1e6:13.1f}{1 / total:14,.0f}"


__all__ = ["Step", "steps", "table"]
