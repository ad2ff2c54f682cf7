"""From raw text to tokens, and near copies beside datasketch, rensa and datatrove: ``python -m tests.benchmarks.corpus``.

Printed:

- signatures of near copies, by each package that is here (`corpus_peers` says with which settings), for English and Chinese documents of
  about 1,250 characters, short ones and one of 10 MB (`corpus_texts`); all on one thread, in turns in one process, the processor's time,
  the best of all rounds; and the error of each estimate on neighboring English documents beside theory, sqrt(J (1 - J) / k);
- the search from signatures to groups beside datasketch's index;
- what documents of each shape cost ours, with the peak of the memory that was taken for it (`tracemalloc`);
- what each step from raw text to packed tokens costs (`corpus_steps`).

What is not installed is named, and left out: ``pip install -e ".[oracle]"``. Without the data sets the documents are made up.
"""

from __future__ import annotations

import os

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # rensa's, before it is imported

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from minilm.data.components import connected_components_plain
from minilm.data.corpus import (
    band_keys,
    bands_and_rows,
    canonical_order,
    digest,
    expected_error,
    kept_of_groups,
    signatures,
)
from tests.benchmarks import corpus_peers, corpus_steps
from tests.benchmarks.corpus_peers import BINS, Peer
from tests.benchmarks.corpus_texts import Shape, shapes

CUT = bands_and_rows(0.8, BINS)  # which is datasketch's choice, too
ALIKE = 0.05  # pairs below it tell nothing of the error


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The processor's seconds of a call, and what came out."""
    before = time.process_time()
    found = function(*arguments)
    return time.process_time() - before, found


def beside(peers: Sequence[Peer], documents: Sequence[Shape], rounds: int) -> Iterator[str]:
    """The table of signatures: documents per second, how many times as long as ours each peer takes, and the error of its estimate."""
    best = {(peer.name, shape.name): float("inf") for peer in peers for shape in documents}
    sketches = {
        peer.name: peer.make(documents[0].texts[:2]) for peer in peers
    }  # what is made once for all, such as tables
    for _ in range(rounds):
        for shape in documents:
            for peer in peers:
                seconds, found = timed(peer.make, shape.texts)
                best[peer.name, shape.name] = min(best[peer.name, shape.name], seconds)
                if shape is documents[0]:
                    sketches[peer.name] = found
    yield f"signatures, documents per second of the processor (x: times as long as minilm), best of {rounds}"
    for shape in documents:
        size = sum(map(len, shape.texts)) / len(shape.texts)
        made_up = "" if shape.real else ", made up"
        yield f"  {shape.name}: {len(shape.texts):,} documents of {size:,.0f} characters{made_up}"
    yield f"{'':24}" + "".join(f"{shape.name:>22}" for shape in documents) + f"{'error / theory':>18}"
    for peer in peers:
        cells = []
        for shape in documents:
            seconds = best[peer.name, shape.name]
            ratio = seconds / best[peers[0].name, shape.name]
            cells.append(f"{len(shape.texts) / seconds:12,.1f} ({ratio:6.2f}x)")
        yield f"{peer.name:24}" + "".join(cells) + f"{error(peer, sketches[peer.name], documents[0].texts):18.2f}"


def error(peer: Peer, sketches: Any, texts: Sequence[str]) -> float:
    """The root of the mean square error of a peer's estimates over that of theory, on neighbors that are alike at all."""
    pairs = np.column_stack([np.arange(len(texts) - 1), np.arange(1, len(texts))])
    exact = peer.exact(texts, pairs)
    pairs, exact = pairs[exact > ALIKE], exact[exact > ALIKE]
    theory = np.mean(expected_error(exact, peer.numbers) ** 2)
    return float(np.sqrt(np.mean((peer.estimate(sketches, pairs) - exact) ** 2) / theory))


def our_search(found: Any, texts: Sequence[str]) -> int:
    """Signatures to the number of documents that are kept, without a check."""
    order = canonical_order([len(text) for text in texts], [digest(text) for text in texts])
    return len(np.unique(kept_of_groups(band_keys(found, *CUT), order)))


def their_search(found: Any, texts: Sequence[str]) -> int:
    """The same by datasketch's index, with union-find over what it answers."""
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=BINS, params=CUT)
    links = []
    for i, sketch in enumerate(found):
        links += [(i, other) for other in index.query(sketch)]
        index.insert(i, sketch)
    return len(set(connected_components_plain(len(found), links)))


def searches(peers: Sequence[Peer], texts: Sequence[str], rounds: int) -> Iterator[str]:
    """The table of the search."""
    sides = [("minilm", peers[0], our_search)]
    if find_spec("datasketch") is not None:
        sides.append(("datasketch", next(peer for peer in peers if peer.name.startswith("datasketch")), their_search))
    sketches = {name: peer.make(texts) for name, peer, _ in sides}
    times = {name: min(timed(search, sketches[name], texts)[0] for _ in range(rounds)) for name, _, search in sides}
    yield f"{'from signatures to groups':28}{'documents/s':>14}{'ratio':>8}{'kept':>8}"
    for name, _, search in sides:
        kept = search(sketches[name], texts)
        yield f"{name:28}{len(texts) / times[name]:14,.0f}{times[name] / times['minilm']:8.1f}{kept:8,}"


def memory(documents: Sequence[Shape]) -> Iterator[str]:
    """What the signatures of each shape cost us."""
    yield f"{'ours':28}{'documents':>12}{'MB/s':>8}{'peak MB':>10}{'bytes per character':>22}"
    for shape in documents:
        seconds = min(timed(signatures, shape.texts)[0] for _ in range(2))
        tracemalloc.start()
        signatures(shape.texts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = sum(map(len, shape.texts))
        yield f"{shape.name:28}{len(shape.texts):12,}{size / seconds / 1e6:8.1f}{peak / 1e6:10.1f}{peak / size:22.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints all four."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--documents", type=int, default=1500, help="how many English texts at most; of Chinese ones a quarter"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", type=int, default=20_000, help="how many texts of 20 characters")
    parser.add_argument("--megabytes", type=float, default=10.0, help="how long the long text is")
    chosen = parser.parse_args(arguments)
    documents = shapes(chosen.documents, chosen.short, chosen.megabytes)
    peers, missing = corpus_peers.peers()
    found = ", ".join(f"{name} {version}" for name, version in corpus_peers.versions().items())
    print(f"beside {found or 'nobody'}" + (f"; not installed: {', '.join(missing)}" if missing else ""))
    for lines in (
        beside(peers, documents, chosen.rounds),
        searches(peers, documents[0].texts, chosen.rounds),
        memory(documents),
        corpus_steps.table(documents[0].texts, chosen.rounds, timed),
    ):
        print(*lines, sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
