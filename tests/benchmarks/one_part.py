"""What the stages that are one part hold in memory for each document: ``python -m tests.benchmarks.one_part``.

They look at the rows of all documents, on one machine, so they say how large it must be. The rows are made up: of a million documents a
tenth are exact copies, and two tenths near copies, each of which meets what it is a copy of in every second band. Memory is the largest
that is allocated; pages of files that are mapped are not among it. Of `links`, one of nine bands is measured.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.documents import Document, json_line
from minilm.pipeline import Collection, Settings
from minilm.pipeline.copies import EXACT, GROUPS, LINKS
from minilm.pipeline.read import STAGE as READ
from minilm.pipeline.stages import STAGES
from minilm.pipeline.work import Work, begin, make_plan

DOCUMENTS = 1_000_000


def main() -> None:
    """Prints a line for each stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=DOCUMENTS, metavar="N")
    count = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as place:
        work = made_up(Path(place), count)
        print(f"{count:,} documents; a row on disk has {work.row_type.itemsize} bytes\n")
        print(f"{'stage':40} {'bytes / document':>17} {'microseconds':>13}")
        for stage in STAGES:
            if stage.name in (EXACT, LINKS, GROUPS):
                for part in range(stage.parts(work)):
                    began = time.process_time()
                    work.done(stage.name, part, stage.run(work, part))
                    spent = time.process_time() - began
                tracemalloc.start()
                stage.run(work, part)
                held = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                print(f"{stage.doing:40} {held / count:17.0f} {1e6 * spent / count:13.2f}")


def made_up(folder: Path, count: int, seed: int = 0) -> Work:
    """The folder of a corpus whose first stage is done. All documents have one line, which is read for the examples."""
    line = json_line(Document("a text", "one", "one.jsonl:0"))
    source = folder / "one.jsonl"
    source.write_bytes(line)
    work = begin(
        folder / "out",
        make_plan([Collection("one", str(source))], Settings(), evaluation=(), tokenizer=None, size=1 << 23),
    )
    with work.writing(READ, 0, "documents") as file:
        file.write(line)
    with work.writing(READ, 0, "rows") as file:
        file.write(rows(work, count, len(line), np.random.default_rng(seed)).tobytes())
    return work


def rows(work: Work, count: int, size: int, rng: np.random.Generator) -> NDArray[Any]:
    """The rows of documents of one line."""
    table = np.zeros(count, work.row_type)
    for name in ("digest", "bare", "keys"):
        table[name] = rng.integers(0, 2**64, table[name].shape, np.uint64)
    table["characters"], table["size"] = rng.integers(200, 20_000, count), size
    originals, exact, near = np.split(rng.permutation(count), [7 * count // 10, 8 * count // 10])
    table["bare"][exact] = table["bare"][rng.choice(originals, len(exact))]
    meets = rng.random((len(near), table["keys"].shape[1])) < 0.5
    table["keys"][near] = np.where(meets, table["keys"][rng.choice(originals, len(near))], table["keys"][near])
    return table


if __name__ == "__main__":
    main()
