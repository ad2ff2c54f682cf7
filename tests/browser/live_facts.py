"""What runs on this machine, without a browser, show of each cell: its seconds, whether it draws random numbers that all cells share or
changes a setting, and whether it shows the same when nothing ran before it but what it needs.

::

    python -m tests.browser.live_facts FOLDER [NAMES ...] [--quick]

Runs each notebook in a process of its own and writes FOLDER/NAME.json; `live_times` puts them into ``chapters/results/live.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from chapters.tools.live import limits
from chapters.tools.live.cells import digest
from chapters.tools.live.needs import Facts, needs
from tests.browser.live_cells import ROOT, Here, code_cells, difference, sequences, stems, verdict

LONGEST = 40  # seconds that the cells before one may take for it to be run with nothing else


def drawn() -> str:
    """Where the random numbers that cells share are."""
    import minilm.random as shared

    state = shared._state
    engine = (state.seed, state.counter, state.generator.bit_generator.state) if state.seed is not None else None
    return hashed([engine, np.random.get_state(), random.getstate()])  # noqa: NPY002


def settings() -> str:
    """What holds for all that follows: of NumPy, of minilm, of matplotlib, of the process."""
    import minilm as ml

    mpl = sys.modules.get("matplotlib")
    style = {} if mpl is None else {key: repr(value) for key, value in mpl.rcParams.items()}
    return hashed([np.get_printoptions(), np.geterr(), str(ml.get_default_dtype()), style, dict(os.environ), os.getcwd(), sys.path,
                   sys.getrecursionlimit(), sorted(os.listdir(".")), ml.is_grad_enabled()])  # fmt: skip


def hashed(thing) -> str:
    return hashlib.sha256(pickle.dumps(thing)).hexdigest()


def measured(cells) -> list[dict]:
    """Runs all cells in order; of each what is seen from outside."""
    here, found = Here(), []
    drawn(), settings()  # imports minilm: else the first cell would be the one that changes its state
    for cell in cells:
        if limits.cannot(cell.id, cell.metadata.get("tags", ()), cell.source):
            found.append({"text": digest(cell.source), "does": "draws sets"})
            continue
        before, begin = (drawn(), settings()), time.process_time()
        out = here.run(cell)
        seconds, after = time.process_time() - begin, (drawn(), settings())
        does = [word for word, a, b in zip(("draws", "sets"), before, after, strict=True) if a != b]
        if "sets" in does and only_imports(cell):
            does.remove("sets")
        found.append(
            {
                "text": digest(cell.source),
                "does": " ".join(does),
                "native": round(seconds, 2),
                "here": verdict(cell, out),
            }
        )
        print(
            cell.id, found[-1], difference(cell, out) if found[-1]["here"] in ("differs", "fails") else "", flush=True
        )
    return found


def only_imports(cell) -> bool:
    """Whether it is not the set-up of a chapter: what a figure's first cell changes in matplotlib, by importing it, is no setting."""
    return "setup" not in cell.metadata.get("tags", ()) and "rcParams" not in cell.source


def alone(cells, found) -> dict[str, str]:
    """The verdict on each cell that ran with nothing but what it needs, by its id; forks of this process do it."""
    facts = [Facts("draws" in one["does"], "sets" in one["does"]) for one in found]
    tree: dict = {}
    for sequence in sequences(needs([cell.source for cell in cells], facts)):
        if sum(found[k].get("native", 1e9) for k in sequence) <= LONGEST:
            node = tree
            for k in sequence:
                node = node.setdefault(k, {})
            node["ends"] = True
    path = Path(tempfile.mkstemp()[1])
    here = None

    def walk(node):
        for k, below in node.items():
            if k == "ends":
                continue
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                continue
            try:
                nonlocal here
                here = here or Here()
                out = here.run(cells[k])
                if "ends" in below:
                    said = verdict(cells[k], out)
                    more = difference(cells[k], out) if said in ("differs", "fails") else ""
                    with path.open("a") as file:
                        file.write(json.dumps([cells[k].id, said, more]) + "\n")
                walk(below)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)

    walk(tree)
    said = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    for id, word, more in said:
        if more:
            print(f"{id} alone {word}: {more}", flush=True)
    return {id: word for id, word, _ in said}


def main(folder: Path, names: list[str], quick: bool = False) -> None:
    """Each notebook in a fork of this process; if `quick`, no cell is run with nothing but its needs."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    for stem in names or stems():
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        try:
            cells = code_cells(stem)
            reader, writer = os.pipe()
            if os.fork() == 0:
                with os.fdopen(writer, "w") as file:
                    json.dump(measured(cells), file)
                os._exit(0)
            os.close(writer)
            with os.fdopen(reader) as file:
                found = json.loads(file.read())
            os.wait()
            for id, word in ({} if quick else alone(cells, found)).items():
                next(one for one, cell in zip(found, cells, strict=True) if cell.id == id)["alone"] = word
            answer = {cell.id: one for cell, one in zip(cells, found, strict=True)}
            (folder / f"{stem}.json").write_text(json.dumps(answer, indent=1))
            print(stem, "written", flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--quick"]
    main(Path(given[0]), given[1:], "--quick" in sys.argv)
