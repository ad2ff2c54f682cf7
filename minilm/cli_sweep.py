"""The command line for sweeps: ``minilm sweep``."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minilm import options as kinds
from minilm import terminal
from minilm.options import UsageError
from minilm.terminal import say

if TYPE_CHECKING:
    from minilm.sweep import Results

DESCRIPTION = """\
Run `train`, or `task NAME train`, with every combination of some options, and
several seeds: each run in a process and a folder of its own. Started again, a
sweep goes on with what is missing; with more values or seeds it grows.
"""
EXAMPLES = """\
examples:
  minilm sweep --out runs/rates --seeds 3 learning-rate=3e-4,1e-3,3e-3 batch-size=8,16 -- train --steps 200
  minilm sweep --out runs/rates            what it found so far
"""
OWN = {"seed": "--seeds N gives each run its own", "out": "each run has a folder in that of the sweep",
       "resume": "a sweep that is started again goes on by itself"}  # fmt: skip


def add_parser(commands: Any) -> None:
    """Adds the command; the other commands are those that it can run."""
    p = commands.add_parser(
        "sweep",
        help="train with every combination of some options, and several seeds",
        usage="minilm sweep [--out FOLDER] [options] [NAME=VALUE,... ...] [-- train|task NAME train ...]",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.behind = "words"
    p.set_defaults(command=functools.partial(run_sweep, commands))
    p.add_argument("table", nargs="*", metavar="TABLE", type=kinds.any_text,
                   help="an option with its values, as learning-rate=1e-4,1e-3; behind -- what to run")  # fmt: skip
    p.add_argument("--out", type=kinds.path, metavar="FOLDER",
                   help="the sweep's folder, new or that of this sweep (default: runs/sweep-1, -2, ...)")  # fmt: skip
    p.add_argument("--seeds", type=kinds.integer(1, 1000), default=3, metavar="N",
                   help="runs of each combination, with the seeds 0 to N - 1 (default 3)")  # fmt: skip
    p.add_argument("--processes", type=kinds.integer(1, 256), metavar="N",
                   help="runs at the same time, with a core each (default: one for each core)")  # fmt: skip
    p.add_argument("--again", action="store_true", help="run once more what failed")
    p.add_argument("--number", type=kinds.some_text, metavar="NAME",
                   help="the number that decides (default: the final validation loss)")  # fmt: skip
    p.add_argument("--highest", action="store_true", help="more of it is better, as of an accuracy")


def run_sweep(commands: Any, options: argparse.Namespace) -> int:
    """``minilm sweep``"""
    from minilm.sweep import read

    if not options.words:
        if options.table or options.out is None:
            raise UsageError(
                "what is to be run stands behind --, as in: minilm sweep --out runs/a batch-size=8,16 -- train --steps 200"
            )
        return _tell(read(options.out, options.number, options.highest), options.out)
    options.out = options.out or kinds.free_folder("sweep")
    stopped = _sweep(commands, options)
    found = read(options.out, options.number, options.highest)
    if found.rows:
        _tell(found, options.out)
    if stopped:
        say("Stopped; nothing is lost. The same command goes on.")
    return 130 if stopped else 0


def _sweep(commands: Any, options: argparse.Namespace) -> bool:
    from minilm.backend.threads import processors
    from minilm.sweep.processes import asked_of, run_all
    from minilm.sweep.record import recording
    from minilm.sweep.table import parse_table

    table = parse_table(options.table)
    _check(commands, options.words, table)
    asked = asked_of(table, options.seeds)
    with recording(options.out, options.words, list(table)) as record:
        ended = {row.key: row for row in record.rows() if not (options.again and row.reason)}
        missing = [each for each in asked if each.row.key not in ended]
        count = min(options.processes or processors(), max(len(missing), 1))
        say(
            f"{len(asked):,} runs, {len(asked) - len(missing):,} of them there already; {count} at a time; folder {options.out}"
        )
        return run_all(record, options.words, missing, count, say)


def _check(commands: Any, words: Sequence[str], table: Mapping[str, Sequence[str]]) -> None:
    """Refuses a command that is none, and an option or a value that it does not take, before anything is run."""
    trains = words[0] == "train" or (words[0] == "task" and words[2:3] == ["train"])
    if not trains:
        said = terminal.shortened(" ".join(words), 60)
        raise UsageError(
            f"behind --: expected `train ...` or `task NAME train ...`, got {said!r}: nothing else can be swept."
        )
    parse = commands.choices[words[0]].parse_args
    given = parse(list(words[1:]))
    for name, why in OWN.items():
        if getattr(given, name, None) is not None:
            raise UsageError(f"behind --: there is no --{name} in a sweep: {why}.")
        if name in table:
            raise UsageError(f"TABLE: {name} is not to be swept: {why}.")
    for name, texts in table.items():
        if any(word.split("=")[0] == f"--{name}" for word in words):
            raise UsageError(f"TABLE: --{name} stands behind --, too: give it in one place.")
        for text in texts:
            parse([*words[1:], f"--{name}={text}"])


def _tell(found: Results, folder: Path) -> int:
    """The table, what failed, and the picture."""
    from minilm.sweep.picture import save

    terminal.write(terminal.table(found.table(), terminal.columns()) + "\n")
    for row in found.failures():
        say(
            f"failed: {' '.join(f'{name}={value}' for name, value in row.settings.items())} seed={row.seed}: {row.reason}"
        )
    if any(row.reason is None for row in found.rows):
        if (few := max(found.mean(each).seeds for each in found.settings())) < 2:
            say("One seed says nothing of how much a result varies: there are no intervals. Give more --seeds.")
        elif few < 5:
            say(
                "Intervals are Student's t over seeds. The best of many is the luckiest, too: measure it again with new seeds."
            )
        save(found, folder / "sweep.png")
        say(f"picture: {folder / 'sweep.png'}")
    return 0
