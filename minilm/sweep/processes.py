"""Runs a command of minilm with every combination of options and every seed, several at once, each in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from minilm import isolated
from minilm.sweep.record import Record, Row
from minilm.sweep.table import SweepError, combinations, shown, value_of
from minilm.training.checkpoint import CheckpointError, load_sealed
from minilm.training.journal import read_lines
from minilm.training.run import WEIGHTS
from minilm.training.stops import stop_requests

LOOK_EVERY = 0.05  # seconds
FINAL = "final_validation_loss"


class Asked(NamedTuple):
    """A run that is asked for: its row as it stands before it has run, and its options as they were typed."""

    row: Row
    typed: Mapping[str, str]

    @property
    def name(self) -> str:
        """Of its folder: "learning-rate=1e-3,seed=0"; what a file's name does not have in all systems is written as %2f."""
        whole = ",".join([*(f"{name}={value}" for name, value in self.row.settings.items()), f"seed={self.row.seed}"])
        return "".join(c if c.isascii() and (c.isalnum() or c in "=,.-+_") else f"%{ord(c):02x}" for c in whole)


@dataclasses.dataclass
class Running:
    """A run whose process was begun; `started` is by `time.perf_counter`."""

    asked: Asked
    process: subprocess.Popen[bytes]
    started: float
    asked_to_stop: bool = False


def asked_of(table: Mapping[str, Sequence[str]], seeds: int) -> list[Asked]:
    """The runs of a table of options as they were typed, seed by seed: after the first seeds there is a first picture."""
    return [
        Asked(Row({name: value_of(text) for name, text in typed.items()}, seed, {}, 0.0), typed)
        for seed in range(seeds)
        for typed in combinations(table)
    ]


def run_all(
    record: Record, command: Sequence[str], asked: Sequence[Asked], processes: int, tell: Callable[[str], None]
) -> bool:
    """Runs what is asked for, and adds a row for each that ended.

    A run whose folder is there already goes on where its checkpoint is; its row then has the seconds since. The first Ctrl-C, or
    polite kill, lets every process save and stop, the second one ends them at once; either way the record holds all that ended before.

    Args:
        command: ["train", "--steps", "200"], or that of a task.
        processes: how many at once.
        tell: gets a line on each that ended.

    Returns:
        whether it was stopped.

    Raises:
        SweepError: the command line cannot be understood.
    """
    waiting, done = list(reversed(asked)), 0
    running: dict[str, Running] = {}
    (record.folder / "logs").mkdir(exist_ok=True)
    with stop_requests() as stopping, contextlib.ExitStack() as ending:
        ending.callback(_end, running)
        while running or (waiting and not stopping()):
            while waiting and len(running) < processes and not stopping():
                each = waiting.pop()
                running[each.name] = Running(each, _start(record.folder, command, each), time.perf_counter())
            if stopping():
                _ask_to_stop(running)
            for ended in [each for each in running.values() if each.process.poll() is not None]:
                del running[ended.asked.name]
                row = _ended(record.folder, ended)
                if stopping() and row.reason is not None:
                    continue  # it was stopped, and goes on next time
                record.append(row)
                done += 1
                tell(f"{done} of {len(asked)}: {shown(row.settings)} seed={row.seed}: {_told(row)}")
            time.sleep(LOOK_EVERY)
        return stopping()


def _ask_to_stop(running: Mapping[str, Running]) -> None:
    """Politely, once: each saves after the step that it computes. A second time would end it at once."""
    for each in running.values():
        if not each.asked_to_stop:
            each.process.terminate()
            each.asked_to_stop = True


def _end(running: Mapping[str, Running]) -> None:
    for each in running.values():
        each.process.kill()
    for each in running.values():
        each.process.wait()


def _start(folder: Path, command: Sequence[str], asked: Asked) -> subprocess.Popen[bytes]:
    place = folder / "runs" / asked.name
    if (place / "config.json").exists():
        words = [*_verb(command), "--resume", str(place), *_device(command)]
    else:
        options = [f"--{name}={text}" for name, text in asked.typed.items()]
        words = [*command, *options, f"--seed={asked.row.seed}", f"--out={place}"]
    with open(folder / "logs" / f"{asked.name}.txt", "ab") as log:
        return isolated.start("minilm.cli", isolated.module_path(), [*words, "--quiet"], log)


def _verb(command: Sequence[str]) -> Sequence[str]:
    """["train"], or ["task", "spam", "train"]."""
    return command[: 1 if command[0] == "train" else 3]


def _device(command: Sequence[str]) -> Iterator[str]:
    """The device of a run is no setting that it remembers."""
    for word, value in zip(command, [*command[1:], ""], strict=True):
        if word == "--device":
            yield from (word, value)
        elif word.startswith("--device="):
            yield word


def _ended(folder: Path, ended: Running) -> Row:
    """The row of a run that ended."""
    asked, status, seconds = ended.asked, ended.process.returncode, time.perf_counter() - ended.started
    settings, seed, place = asked.row.settings, asked.row.seed, folder / "runs" / asked.name
    if status == 0:
        try:
            return Row(settings, seed, numbers_of(place), seconds)
        except CheckpointError as error:
            return Row(settings, seed, {}, seconds, str(error))
    said = _last_words(folder / "logs" / f"{asked.name}.txt")
    if status == 2:
        raise SweepError(f"the command cannot be run: {said}")
    if status < 0:
        said = f"killed by {signal.Signals(-status).name}"
    return Row(settings, seed, {}, seconds, said)


def numbers_of(folder: Path) -> dict[str, float]:
    """What a run that has ended measured: its last losses, its measures, its steps and parameters.

    Raises:
        CheckpointError: it has not ended, or a file of it is damaged.
    """
    lines = [line for line, _ in read_lines(folder / "metrics.jsonl")[0]]
    finals = [line for line in lines if line.get(FINAL) is not None]
    if not finals:
        raise CheckpointError(f"{folder} has no {FINAL}: the run has not ended.")
    losses = {
        name: [line[name] for line in lines if line.get(name) is not None] for name in ("validation_loss", "loss")
    }
    numbers = {name: value for name, value in finals[-1].items() if type(value) in (int, float) and name != "step"}
    if losses["validation_loss"]:
        numbers |= {
            "best_validation_loss": min(losses["validation_loss"]),
            "last_validation_loss": losses["validation_loss"][-1],
        }
    if losses["loss"]:
        numbers["training_loss"] = losses["loss"][-1]
    arrays, _ = load_sealed(folder / "model.safetensors", WEIGHTS)
    return {**numbers, "steps": finals[-1]["step"], "parameters": sum(array.size for array in arrays.values())}


def _last_words(log: Path) -> str:
    """The error at the end of what a command wrote, on one line."""
    text = log.read_bytes()[-4000:].decode("utf-8", "replace").strip()
    said = text.rpartition("minilm: ")[2] if "minilm: " in text else text.rpartition("\n")[2]
    return " ".join(said.split())[:500] or "it ended without a word"


def _told(row: Row) -> str:
    if row.reason is not None:
        return f"failed: {row.reason}"
    return f"{next(iter(row.numbers.values())):.4f} ({row.seconds:.0f} s)"


__all__ = ["Asked", "asked_of", "numbers_of", "run_all"]
