"""How far a student is: a file of JSON lines in the user's own folder. It is sent nowhere.

Each check and each hint is one line, appended at once, so that two notebooks may be open. A line that is damaged, as after a full
disk, goes to a file beside it, and the rest is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minilm.exercises.task import Task
from minilm.files import atomic_write
from minilm.strict_json import JSONFault, object_from

LARGEST = 1 << 20  # of a line


class ProgressError(OSError):
    """Progress cannot be kept or read; the message says what to do."""


@dataclass
class State:
    """How far one exercise is.

    Attributes:
        task: its id.
        points: the most that a check gave.
        of: what it can give.
        passed: when it was solved first, as 2026-11-28T06:33:22Z; "" before.
        checks: how often it was checked; solved_after: how many of them it took.
        hints: the highest level of help that was opened: 0 to 3.
        last: when it was last checked or a hint opened.
    """

    task: str
    points: int = 0
    of: int = 0
    passed: str = ""
    checks: int = 0
    solved_after: int = 0
    hints: int = 0
    last: str = ""


def home() -> Path:
    """The folder: `MINILM_HOME` if set; otherwise `minilm` in the user's data folder.

    `XDG_DATA_HOME` if set, `%LOCALAPPDATA%` on Windows, `~/Library/Application Support` on macOS, `~/.local/share` elsewhere.

    Raises:
        ProgressError: there is no home folder.
    """
    try:
        if chosen := os.environ.get("MINILM_HOME"):
            return Path(chosen).expanduser().absolute()
        if xdg := os.environ.get("XDG_DATA_HOME"):
            return Path(xdg).expanduser().absolute() / "minilm"
        if os.name == "nt":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "minilm"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Application Support" / "minilm"
        return Path.home() / ".local" / "share" / "minilm"
    except RuntimeError as error:
        raise ProgressError(
            f"there is no home folder ({error}): set the environment variable MINILM_HOME to a folder that you may write to."
        ) from None


def note_check(task: Task, points: int, passed: bool) -> None:
    """Keeps the outcome of a check.

    Raises:
        ProgressError: the file cannot be written.
    """
    _append({"event": "check", "task": task.id, "points": points, "of": task.points, "passed": passed})


def note_hint(task: Task, level: int, opened: bool = True) -> None:
    """Keeps that a level of help was opened, or, with `opened` False, asked for and not yet opened.

    Raises:
        ProgressError: the file cannot be written.
    """
    _append({"event": "hint" if opened else "asked", "task": task.id, "level": level})


def states() -> dict[str, State]:
    """What is known of each exercise that was ever tried, under its id.

    Raises:
        ProgressError: the file cannot be read.
    """
    found: dict[str, State] = {}
    for line in events():
        state = found.setdefault(line["task"], State(line["task"]))
        state.last = max(state.last, line["date"])
        if line["event"] == "check":
            state.checks += 1
            state.points, state.of = max(state.points, line["points"]), line["of"]
            if line["passed"] and not state.passed:
                state.passed, state.solved_after = line["date"], state.checks
        elif line["event"] == "hint":
            state.hints = max(state.hints, line["level"])
    return found


def asked_last(task: Task) -> bool:
    """Whether the last thing that was done with this exercise was to ask for its solution."""
    last = next((line for line in reversed(events()) if line["task"] == task.id), None)
    return last is not None and last["event"] == "asked"


def events() -> list[dict[str, Any]]:
    """All lines, in their order; damaged ones are set aside, into progress-damaged.jsonl.

    Raises:
        ProgressError: the file cannot be read.
    """
    path = home() / "progress.jsonl"
    with _explained(path):
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return []
        good, damaged = _sorted(content)
        if damaged:
            with _locked(path.parent):
                good, damaged = _sorted(path.read_bytes())
                _set_aside(path, good, damaged)
    return good


def _sorted(content: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    good, damaged = [], []
    for line in content.splitlines():
        event = _event(line)
        if event is not None:
            good.append(event)
        elif line.strip():
            damaged.append(line)
    return good, damaged


def _event(line: bytes) -> dict[str, Any] | None:
    """A line that is one of ours; None of any other."""
    if len(line) > LARGEST:
        return None
    try:
        event = object_from(line)
    except JSONFault:
        return None
    kinds: dict[str, type] = {"event": str, "task": str, "date": str}
    if event.get("event") == "check":
        kinds |= {"points": int, "of": int, "passed": bool}
    elif event.get("event") in ("hint", "asked"):
        kinds |= {"level": int}
    else:
        return None
    return event if all(type(event.get(name)) is kind for name, kind in kinds.items()) else None


def _set_aside(path: Path, good: list[dict[str, Any]], damaged: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be written to is read all the same
        with open(path.with_name("progress-damaged.jsonl"), "ab") as aside:
            aside.write(b"".join(line + b"\n" for line in damaged))
        with atomic_write(path) as file:
            file.write("".join(json.dumps(event, sort_keys=True) + "\n" for event in good).encode())


def _append(event: dict[str, Any]) -> None:
    event["date"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path = home() / "progress.jsonl"
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent), open(path, "a+b") as file:
            file.seek(0, os.SEEK_END)
            torn = False
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"  # a line that a full disk cut off must not take this one with it
            file.write(b"\n" * torn + json.dumps(event, sort_keys=True).encode() + b"\n")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except ProgressError:
        raise
    except OSError as error:
        raise ProgressError(
            f"progress cannot be kept in {path} ({error.strerror or error}): set the environment variable MINILM_HOME to a folder "
            "that you may write to."
        ) from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time. Where the file system has no locks, none is held."""
    with open(folder / "progress.lock", "ab") as file:
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            elif sys.platform != "emscripten":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def document() -> dict[str, Any]:
    """Progress as JSON: {"exercises": [State as an object, ...]}, in the order of the ids.

    Raises:
        ProgressError: the file cannot be read.
    """
    found = sorted(states().values(), key=lambda state: _order(state.task))
    return {"exercises": [asdict(state) for state in found]}


def _order(id: str) -> tuple[int, int, str]:
    chapter, _, number = id.partition(".")
    return (int(chapter), int(number), id) if chapter.isdecimal() and number.isdecimal() else (1 << 30, 0, id)
