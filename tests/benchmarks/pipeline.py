"""The whole pipeline on a real corpus: what each stage costs, and which near copies it finds beside all that there are.

    python -m tests.benchmarks.pipeline            Debian's package descriptions and Python's docstrings
    python -m tests.benchmarks.pipeline FOLDER     files of your own

Speeds are of documents that were read, per second of processor time, on one core: what a cluster of n cores takes is the n-th part, and
the stages of one part (groups, tokenizer) as they are. Near copies: of the first 20,000 documents, all pairs are compared exactly.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minilm.data import docstrings, package_descriptions
from minilm.data.components import connected_components
from minilm.data.corpus import (
    Document,
    band_keys,
    bare_codes,
    canonical_order,
    digest,
    kept_of_groups,
    shingle_hashes,
    signatures,
)
from minilm.data.corpus.duplicates import jaccard
from minilm.data.corpus.partitions import plan
from minilm.data.corpus.reading import read
from minilm.pipeline import Collection, Settings, build
from minilm.pipeline.stages import Stage

COMPARED = 20_000


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="files of your own (default: two published collections)")
    parser.add_argument(
        "--compared", type=int, default=COMPARED, metavar="N", help="documents of which all pairs are compared"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if options.folder:
            collections = [Collection("own", options.folder)]
        else:
            collections = published(Path(place))
        speeds(collections, Path(place) / "corpus")
        near_copies([document.text for document in documents_of(collections)][: options.compared])


def published(folder: Path) -> list[Collection]:
    """Two collections on disk, as they would come: several files of JSON lines, packed and not."""
    debian = [f"{package.synopsis}\n\n{package.text}" for package in package_descriptions()]
    found = {"debian": (debian, 6, "of each package, in its copyright file"), "python": (docstrings(), 1, "PSF-2.0")}
    for name, (texts, files, _) in found.items():
        (folder / name).mkdir()
        for number in range(files):
            lines = "".join(json.dumps({"text": str(text)}) + "\n" for text in list(texts)[number::files]).encode()
            path = folder / name / f"{number}.jsonl"
            if number % 2:
                path.write_bytes(lines)
            else:
                path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    return [Collection(name, str(folder / name), licence) for name, (_, _, licence) in found.items()]


def documents_of(collections: Sequence[Collection]) -> list[Document]:
    """The documents of the collections, in the order in which they are read."""
    pieces = (piece for name, path, _ in collections for some in plan(path, name)[0] for piece in some)
    return [record for piece in pieces for record in read(piece) if isinstance(record, Document)]


def speeds(collections: Sequence[Collection], folder: Path) -> None:
    """Builds the corpus in this process, and prints the processor time of each stage."""
    documents = documents_of(collections)
    characters = sum(len(document.text) for document in documents)
    print(f"{len(documents):,} documents of {characters / len(documents):,.0f} characters on the mean\n")
    spent: dict[str, float] = {}
    last = time.process_time()

    def progress(stage: Stage, done: int, parts: int) -> None:
        nonlocal last
        now = time.process_time()
        spent[stage.doing] = spent.get(stage.doing, 0.0) + (now - last if done else 0.0)
        last = now

    corpus = build(collections, folder, Settings(), progress=progress)
    print(f"{'stage':50} {'s':>7} {'documents / s':>14}")
    for name, seconds in [*spent.items(), ("all", sum(spent.values()))]:
        print(f"{name:50} {seconds:7.2f} {len(documents) / max(seconds, 1e-9):14,.0f}")
    splits = corpus.about["splits"]
    tokens = sum(splits[name]["tokens"] for name in splits)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{characters / sum(spent.values()):,.0f} characters read, {tokens / sum(spent.values()):,.0f} tokens written per second and "
        f"core; largest memory of the process {memory:,.0f} MiB\n"
    )


def near_copies(texts: Sequence[str], threshold: float = Settings().threshold) -> None:
    """Prints what is left out as near copies, beside what a comparison of all pairs leaves out."""
    pairs = alike_pairs(texts, threshold)
    order = canonical_order([len(text) for text in texts], [digest(text) for text in texts])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    everything = order[connected_components(len(texts), place[pairs])][place]
    gone = everything != np.arange(len(texts))
    print(
        f"{len(texts):,} documents, {len(pairs):,} pairs at Jaccard {threshold:g} or more; all of these linked, {gone.sum():,} go"
    )
    print(f"{'':30} {'go':>7} {'pairs found':>12} {'recall':>8} {'precision':>10}")
    keys = band_keys(signatures(texts), *Settings(threshold=threshold).bands)
    for name, check in (("as they meet", None), ("checked", lambda some: jaccard(texts, some) >= threshold)):
        kept = kept_of_groups(keys, order, check)
        ours = kept != np.arange(len(texts))
        found = (kept[pairs[:, 0]] == kept[pairs[:, 1]]).mean() if len(pairs) else float("nan")
        both = (ours & gone).sum()
        print(
            f"{name:30} {ours.sum():7,} {found:12.1%} {both / max(gone.sum(), 1):8.1%} {both / max(ours.sum(), 1):10.1%}"
        )


def alike_pairs(texts: Sequence[str], threshold: float) -> NDArray[np.int64]:
    """All pairs of texts whose Jaccard index is at least the threshold, (pairs, 2): every text against every one, exactly.

    For each text the lists of those that have its shingles are put together, and it is counted how often each stands there.
    """
    hashes = shingle_hashes(bare_codes(texts))
    sets = [np.unique(row) for row in hashes.rows()]
    sizes = np.array([len(some) for some in sets])
    values, owners = np.concatenate(sets), np.repeat(np.arange(len(sets)), sizes)
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    found = []
    for i, some in enumerate(sets):
        starts, ends = np.searchsorted(values, some, "left"), np.searchsorted(values, some, "right")
        spans = ends - starts
        at = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans) + np.repeat(starts, spans)
        common = np.bincount(owners[at], minlength=len(sets))
        likeness = common / (sizes[i] + sizes - common)
        others = np.flatnonzero(likeness[:i] >= threshold)
        found.append(np.column_stack([others, np.full(len(others), i)]))
    return np.concatenate(found)


if __name__ == "__main__":
    main()
