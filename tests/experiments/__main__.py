"""What the chapters quote of longer experiments: ``python -m tests.experiments``.

Each module of this folder is one. Its function `measure` returns rows, mappings from a column's name to a text, a number, or a number
with its interval, [value, low, high]. Seconds are the processor's, of this process and of those that it started.

    python -m tests.experiments scale           # measured, and printed as a table
    python -m tests.experiments scale --keep    # kept in chapters/experiments, too, which the book quotes
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minilm.book.experiments import EXPERIMENTS, MEASURE, Experiment
from minilm.files import atomic_write
from tests import experiments
from tests.benchmarks import machine
from tests.results.__main__ import in_words

NAMES = tuple(
    m.name
    for m in pkgutil.iter_modules(experiments.__path__)
    if not m.name.startswith("_") and not m.name.startswith("test_")
)


def measured(name: str, measure: Callable[[], Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """An experiment's entry of the record."""
    before = _seconds()
    rows = list(measure())
    return {
        "experiment": name,
        "date": machine.now()[:10],
        "machine": in_words(machine.machine()),
        "seconds": round(_seconds() - before, 1),
        "rows": rows,
    }


def _seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(arguments: Sequence[str] | None = None, folder: Path = EXPERIMENTS) -> int:
    parser = argparse.ArgumentParser(
        prog=MEASURE, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    parser.add_argument("--keep", action="store_true", help="keep what was found in chapters/experiments")
    given = parser.parse_args(arguments)
    for name in given.names:
        found = measured(name, importlib.import_module(f"tests.experiments.{name}").measure)
        print(Experiment(found))
        if given.keep:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(folder / f"{name}.json") as file:
                file.write((json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
