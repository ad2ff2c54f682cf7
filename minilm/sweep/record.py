"""The folder of a sweep: what is swept, and a line for each run that ended.

- ``sweep.json``: what is run, and the names of the options that vary; written first, replaced as a whole
- ``results.jsonl``: an object per line: a run that ended, well or not (`Row`); appended, and on the disk before the next run begins
- ``sweep.lock``: who sweeps, while somebody does
- ``sweep.png``: the picture; written when a sweep ends or is stopped
- ``runs/``, ``logs/``: of a command: the folder of each run, and what it wrote to the terminal

A line that a kill cut short is passed over: its run counts as missing. Of several lines of one run the last holds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from minilm.files import atomic_write, read_regular, remove_leftovers
from minilm.lock import FolderLock
from minilm.strict_json import JSONFault, object_from
from minilm.sweep.table import SweepError, key_of
from minilm.training import journal
from minilm.training.checkpoint import CheckpointError
from minilm.types import Pathish

ABOUT, RESULTS, LOCK = "sweep.json", "results.jsonl", "sweep.lock"
MOST_BYTES = 1 << 28


@dataclasses.dataclass(frozen=True)
class Row:
    """A run that ended.

    Attributes:
        settings: its options.
        seed: its seed.
        numbers: what it measured, by name; empty if it failed.
        seconds: that it took, by the clock.
        reason: why it failed; None if it did not.
    """

    settings: Mapping[str, Any]
    seed: int
    numbers: Mapping[str, float]
    seconds: float
    reason: str | None = None

    @property
    def key(self) -> str:
        """The same for the same settings and seed."""
        return f"{key_of(self.settings)} {self.seed}"


class Record:
    """The folder, held by this process until `release`; made if it is not there.

    Args:
        folder: the sweep's.
        what: what is run, as JSON has it: a sweep of something else is refused.
        names: of the options that vary.

    Raises:
        SweepError: the folder holds something else, a sweep of something else, or another process sweeps in it.
    """

    def __init__(self, folder: Pathish, what: Sequence[str], names: Sequence[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SweepError(f"--out: {folder} cannot be made ({error.strerror}): choose another folder.") from None
        if not (self.folder / ABOUT).exists() and {each for each in os.listdir(folder) if not each.startswith(".")} - {
            LOCK
        }:
            raise SweepError(f"--out: {folder} is not empty and holds no sweep: choose another folder.")
        self._lock = FolderLock(self.folder, LOCK, SweepError, "the folder's new place")
        try:
            self._begin({"format": "minilm sweep", "version": 1, "what": list(what), "options": sorted(names)})
        except BaseException:
            self.release()
            raise

    def _begin(self, about: dict[str, Any]) -> None:
        remove_leftovers(self.folder)
        if not (self.folder / ABOUT).exists():
            with atomic_write(self.folder / ABOUT) as file:
                file.write(json.dumps(about, indent=2).encode() + b"\n")
        found = read_about(self.folder)
        if found["what"] != about["what"]:
            raise SweepError(
                f"--out: {self.folder} holds a sweep of something else, `{' '.join(found['what'])}`, not of `{' '.join(about['what'])}`: "
                "choose another folder, or the same command."
            )
        if found["options"] != about["options"]:
            raise SweepError(
                f"--out: the sweep in {self.folder} varies {', '.join(found['options'])}, this one "
                f"{', '.join(about['options'])}: give values of the same options, or choose another folder."
            )
        if (content := _content(self.folder)) and not content.endswith(b"\n"):
            journal.append(self.folder / RESULTS, b"\n")  # a kill cut the last line

    def rows(self) -> list[Row]:
        """The runs that ended."""
        return read_rows(self.folder)

    def append(self, row: Row) -> None:
        """Adds a run, which is on the disk afterwards.

        Raises:
            SweepError: the folder is not the one any more that was locked.
        """
        self._lock.check()
        line = json.dumps(dataclasses.asdict(row), allow_nan=False).encode("ascii") + b"\n"
        journal.append(self.folder / RESULTS, line)
        journal.sync(self.folder / RESULTS)

    def release(self) -> None:
        """Gives the folder to others."""
        self._lock.release()


@contextlib.contextmanager
def recording(folder: Pathish, what: Sequence[str], names: Sequence[str]) -> Iterator[Record]:
    """A `Record` that is released at the end."""
    record = Record(folder, what, names)
    try:
        yield record
    finally:
        record.release()


def read_about(folder: Pathish) -> dict[str, Any]:
    """What is swept in a folder: {"what": [word, ...], "options": [name, ...], ...}.

    Raises:
        SweepError: there is no sweep, or its sweep.json is damaged.
    """
    path = Path(folder) / ABOUT
    if not path.exists():
        raise SweepError(f"{folder} holds no sweep: expected a folder that `minilm sweep` made, with {ABOUT} in it.")
    try:
        about = object_from(read_regular(path, SweepError, max_bytes=1 << 20, remedy="restore it from a copy"))
    except JSONFault as fault:
        raise SweepError(f"{path} {fault}.") from None
    texts = [about.get(name) for name in ("what", "options")]
    whole = all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in texts)
    if about.get("format") != "minilm sweep" or about.get("version") != 1 or not whole:
        raise SweepError(f"{path} is not that of a sweep, or of a later version of minilm: restore it from a copy.")
    return about


def read_rows(folder: Pathish) -> list[Row]:
    """The runs that ended, in the order in which they first did; reading needs no lock.

    Raises:
        SweepError: results.jsonl cannot be read.
    """
    rows: dict[str, Row] = {}
    for line in _content(folder).split(b"\n"):
        if row := _row_from(line):
            rows[row.key] = row
    return list(rows.values())


def _content(folder: Pathish) -> bytes:
    """results.jsonl as it stands; nothing where there is none."""
    try:
        return journal.content_of(Path(folder) / RESULTS)
    except CheckpointError as error:
        raise SweepError(str(error)) from None


def _row_from(line: bytes) -> Row | None:
    """The row of a line; None if the line is none."""
    try:
        found = object_from(line)
        row = Row(**found)
    except (JSONFault, TypeError, ValueError):
        return None
    kinds = (
        isinstance(row.settings, dict)
        and all(value is None or isinstance(value, str | int | float) for value in row.settings.values()),
        type(row.seed) is int,
        isinstance(row.numbers, dict) and all(type(value) in (int, float) for value in row.numbers.values()),
        type(row.seconds) in (int, float) and math.isfinite(row.seconds),
        row.reason is None or isinstance(row.reason, str),
    )
    return row if all(kinds) else None


__all__ = ["LOCK", "RESULTS", "Record", "Row", "read_about", "read_rows", "recording"]
