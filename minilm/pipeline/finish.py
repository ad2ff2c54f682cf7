"""The last stage: what was left out and why, from all partitions in a row; the report, the data card, and `corpus.json`."""

from __future__ import annotations

import hashlib
import shutil
import sys
from typing import Any

from minilm.data.corpus.card import card_of
from minilm.data.corpus.documents import json_line
from minilm.data.corpus.records import json_of
from minilm.data.corpus.report import html_of
from minilm.data.packed import CORPUS, FORMAT
from minilm.files import atomic_write
from minilm.pipeline.pack import GATHER, PACK, TOKENIZER, buckets_of, shards_of
from minilm.pipeline.read import STAGE as READ
from minilm.pipeline.split import HELD, SCATTER, SPLITS
from minilm.pipeline.summarize import summary_of
from minilm.pipeline.work import Work, save_json

STAGE = "finish"
LISTS = {"asides": READ, "removed": READ, "copies": HELD, "contaminated": SCATTER}


def finish_part(work: Work, part: int) -> dict[str, Any]:
    """Writes what stands in the corpus's folder besides texts and tokens; `corpus.json`, with which it is complete, at last."""
    parts = len(work.plan.partitions)
    for kind, stage in LISTS.items():
        with atomic_write(work.out / f"{kind}.jsonl") as file:
            if kind == "asides":
                file.writelines(json_line(aside) for aside in work.plan.asides)
            for path in work.paths(stage, parts, kind):
                with path.open("rb") as piece:
                    shutil.copyfileobj(piece, file)
    summary = summary_of(work)
    pages = {
        "summary.json": json_of(summary),
        "report.html": html_of(summary).encode(),
        "card.md": card_of(summary).encode(),
    }
    for name, content in pages.items():
        with atomic_write(work.out / name) as file:
            file.write(content)
    about = corpus_json(work)
    save_json(work.out / CORPUS, about)
    return {"sha256": about["sha256"]}


def corpus_json(work: Work) -> dict[str, Any]:
    """What is in the corpus."""
    splits: dict[str, dict[str, Any]] = {
        name: {"documents": 0, "characters": 0, "tokens": 0, "shards": [], "texts": []} for name in SPLITS
    }
    for (name, bucket), result in zip(buckets_of(work), work.results(GATHER, len(buckets_of(work))), strict=True):
        for field in ("documents", "characters", "tokens"):
            splits[name][field] += result[field]
        splits[name]["texts"].append({"file": f"{bucket:05d}.jsonl.gz", "sha256": result["sha256"]})
    for (name, shard), result in zip(shards_of(work), work.results(PACK, len(shards_of(work))), strict=True):
        file = {"file": f"{shard:05d}.tokens", "tokens": result["tokens"], "sha256": result["sha256"]}
        splits[name]["shards"].append(file)
    tokenizer = work.result(TOKENIZER)
    shards = [file["sha256"] for name in SPLITS for file in splits[name]["shards"]]
    return {
        "format": FORMAT,
        "version": sys.modules["minilm"].__version__,
        "sha256": hashlib.sha256(" ".join([tokenizer["sha256"], *shards]).encode()).hexdigest(),
        "input": work.plan.fingerprint,
        "settings": work.settings.to_json(),
        "sources": [{"name": collection.source, "licence": collection.licence} for collection in work.plan.collections],
        "splits": splits,
        "tokenizer": tokenizer,
    }


__all__ = ["CORPUS", "LISTS", "STAGE", "corpus_json", "finish_part"]
