"""What every application is worth beside the simple methods: ``python -m tests.results``.

Each application is measured by its own command, ``minilm task NAME evaluate --baselines --json``, in a process of its own: the last run
in runs/NAME-* that has ended, on its test part; where there is none (or with ``--train``) one is trained first. The simple methods learn
anew each time. An application that asks what another one trained is measured with that one's run, and `generation` with the last run of
``minilm train``, runs/default-*. Seconds are the processor's, of all threads; those of our training are known where it was trained here.

    python -m tests.results                                     # all applications, printed as a table
    python -m tests.results spam topics --json chapters/results # these two, kept in the record that the book quotes
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minilm import cli_task
from minilm.applications import PLACES, Application, find
from minilm.applications.trained import Trained
from minilm.book.results import COMMAND, table
from minilm.files import atomic_write
from minilm.training.language_model import LanguageModel
from tests.benchmarks import machine

RECIPE = "default"  # of ``minilm train``: its runs are opened by an application that trains nothing itself


class Failed(Exception):
    """A command of an application did not end well; the message is what it said last."""


def minilm(*arguments: str) -> tuple[str, str, float]:
    """Runs ``minilm`` with these arguments: what it wrote, what it said beside, and the seconds of processor time it took.

    Raises:
        Failed: it says so.
    """
    before = _children()
    command = [sys.executable, "-m", "minilm", *arguments]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"}
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        raise Failed(f"minilm {' '.join(arguments)}: {' '.join(lines[-3:])}")
    return done.stdout, done.stderr, _children() - before


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def measured(name: str, train: bool, run: Callable[..., tuple[str, str, float]] = minilm) -> dict[str, Any]:
    """An application's entry of the record.

    Args:
        name: of the application.
        train: whether a new run is trained although there is one.
        run: what runs ``minilm``.

    Raises:
        Failed: a command did not end well.
    """
    application, which = find(name), []
    learning: float | None = 0.0  # of what is not trained
    trained = trained_for(application)
    if trained:
        learning = None
        command = ["train"] if trained == RECIPE else ["task", trained, "train"]
        if last_run(trained) is None or (train and trained in (name, RECIPE)):
            *_, learning = run(*command, "--quiet")
        which = ["--run", last_run(trained) or ""] if trained != name else []
    found = json.loads(run("task", name, "evaluate", "--baselines", "--json", *which)[0])
    for system in found["systems"]:
        system.pop("details", None)  # tables of each class: for the application's own section
    found["systems"][0]["seconds"]["learning"] = learning
    return {
        "order": list(PLACES).index(name),
        "title": application.title,
        "date": machine.now()[:10],
        "machine": in_words(machine.machine()),
        **{key: found[key] for key in ("run", "examples", "about", "confidence", "systems", "ours_less")},
    }


def trained_for(application: Application[Any]) -> str | None:
    """Whose run an application is measured with: sentiment-intensity asks what sentiment-en trained; None where nothing is trained."""
    if isinstance(application, Trained):
        return application.task.name
    return RECIPE if application.opens_runs else None


def last_run(name: str) -> str | None:
    """The last of runs/NAME-* that has ended, for an application or the recipe; None if there is none."""
    application = None if name == RECIPE else find(name)
    task = application.task if isinstance(application, Trained) else LanguageModel
    folder = cli_task.last_run(name, task)
    return None if folder is None else str(folder)


def in_words(found: dict[str, Any]) -> str:
    """The machine as a sentence has it."""
    cores = found["cores"]
    memory = f", {found['memory_bytes'] / 2**30:.0f} GiB" if found.get("memory_bytes") else ""
    return f"on {cores} core{'s' * (cores != 1)} of {found['processor']}{memory}, Python {found['python']}, NumPy {found['numpy']}"


def keep(found: dict[str, Any], path: Path) -> None:
    """Writes an entry of the record. Of a run whose training was timed before, one with the same numbers, the seconds stay known."""
    ours = found["systems"][0]
    if ours["seconds"]["learning"] is None and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))["systems"][0]
        if before["numbers"] == ours["numbers"]:
            ours["seconds"]["learning"] = before["seconds"]["learning"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write((json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("names", nargs="*", metavar="NAME", help="applications (default: all of `minilm task list`)")
    found.add_argument("--train", action="store_true", help="train each anew, and measure what that costs")
    found.add_argument("--all", action="store_true", help="print all numbers, not only the one that decides")
    found.add_argument(
        "--json", type=Path, metavar="FOLDER", help="keep what was found there, a file per application: NAME.json"
    )
    return found


def main(
    arguments: Sequence[str] | None = None,
    run: Callable[..., tuple[str, str, float]] = minilm,
    show: Callable[[str], None] = print,
) -> int:
    """Returns the exit status: 1 where an application could not be measured; the others are measured all the same."""
    given = parser().parse_args(arguments)
    for name in given.names:
        if name not in PLACES:
            parser().error(f"there is no application {name!r}; there are {', '.join(PLACES)}")
    found: dict[str, Any] = {}
    failed = []
    for name in given.names or PLACES:
        print(f"{name} ...", file=sys.stderr)
        try:
            found[name] = measured(name, given.train, run)
        except Failed as error:
            failed.append(f"{name}: {error}")
        else:
            if given.json:
                keep(found[name], given.json / f"{name}.json")
    if found:
        show(repr(table(found, 99 if given.all else 1)))
    for message in failed:
        print(f"not measured: {message}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
