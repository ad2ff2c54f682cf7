"""Notes of what an answer did, read from the process that it ran in. Nothing in them is believed: the answer may have written them."""

from __future__ import annotations

import json
import linecache
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from minilm.exercises.perform import ANSWER, Own, Ran, Trouble
from minilm.exercises.process import SLACK, Process
from minilm.exercises.values import Damaged, decode

STARTING = 60.0
LONGEST_LINE = 1 << 27
_FRAME = re.compile(r'^\s+File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


@dataclass
class Ended:
    """How a process ended, and what came of it.

    Attributes:
        rans: of the calls that returned.
        whole: whether it came to its end by itself.
        defined: why the text could not be run.
        at: the last call that began.
        late: whether the parent had to end it.
        trouble: what stopped it.
    """

    rans: list[Ran] = field(default_factory=list)
    whole: bool = False
    defined: Trouble | None = None
    at: int = -2
    late: bool = False
    trouble: Trouble | None = None
    seconds: float = 0.0


class Reader:
    """Reads notes, and believes nothing in them."""

    def __init__(self, process: Process, job: dict[str, Any], begin: int) -> None:
        self.process, self.job, self.begin = process, job, begin
        self.ended = Ended()
        self.deadline = time.monotonic() + STARTING
        self.buffer = bytearray()

    def read(self) -> Ended:
        try:
            for line in self._lines():
                self._note(_note(line))
                if self.ended.whole:
                    break
        except Damaged as damage:
            self.ended.whole = False
            self.ended.trouble = Trouble("stream", f"the answer disturbed the runner's own channel: {damage}")
        return self.ended

    def _lines(self) -> Iterator[bytes]:
        while True:
            line, found, rest = self.buffer.partition(b"\n")
            if found:
                self.buffer = rest
                yield bytes(line)
                continue
            if len(self.buffer) > LONGEST_LINE:
                raise Damaged("a note is too long.")
            chunk = self.process.chunk(self.deadline - time.monotonic())
            if chunk is None:
                self.ended.late = True
            if not chunk:
                return
            self.buffer += chunk

    def _note(self, note: list[Any]) -> None:
        kind, *rest = note
        ended, count = self.ended, len(self.job["budgets"]) - 1
        if kind == "begin" and not rest:
            self.deadline = time.monotonic() + STARTING
        elif kind in ("at", "again") and len(rest) == 1 and type(rest[0]) is int and -1 <= rest[0] < count:
            ended.at = rest[0]
            self.deadline = time.monotonic() + self.job["budgets"][rest[0]] * self.job["waiting"] + SLACK
        elif kind == "ran" and len(rest) == 2 and rest[0] == self.begin + len(ended.rans) == ended.at:
            ended.rans.append(_ran(rest[1]))
        elif (
            kind == "ran again"
            and len(rest) == 2
            and rest[0] == ended.at
            and 0 <= rest[0] - self.begin < len(ended.rans)
        ):
            first, second = ended.rans[rest[0] - self.begin], _ran(rest[1])
            first.again, first.again_trouble = second.value, second.trouble
        elif kind == "trouble" and len(rest) == 1:
            ended.defined, ended.whole = _trouble(rest[0]), True
        elif kind == "broken" and len(rest) == 1 and type(rest[0]) is dict:
            ended.trouble = Trouble(str(rest[0].get("kind", ""))[:100], str(rest[0].get("message", ""))[:500])
        elif kind == "end" and not rest and len(ended.rans) == count - self.begin:
            ended.whole = True
        else:
            raise Damaged(f"an unexpected note: {str(note)[:80]}")


def _note(line: bytes) -> list[Any]:
    def refuse(name: str) -> Any:
        raise Damaged(f"{name} is no JSON.")

    try:
        note = json.loads(line.decode("utf-8"), parse_constant=refuse)
    except Damaged:
        raise
    except (ValueError, RecursionError, MemoryError):
        raise Damaged(f"{line[:60]!r} is no note.") from None
    if type(note) is not list or not note or type(note[0]) is not str:
        raise Damaged(f"{line[:60]!r} is no note.")
    return note


def _ran(note: Any) -> Ran:
    names = {"seconds", "printed", "warned", "changed", "shares", "drawn", "global_random", "value", "trouble"}
    if type(note) is not dict or set(note) != names:
        raise Damaged("a note of a call lacks its fields.")
    lists = [note[name] for name in ("changed", "shares", "drawn")]
    if (
        type(note["seconds"]) is not float
        or type(note["printed"]) is not str
        or type(note["global_random"]) is not bool
        or not all(type(found) is list and all(type(i) is int for i in found) for found in lists)
        or type(note["warned"]) is not list
        or not all(type(line) is str for line in note["warned"])
    ):
        raise Damaged("a note of a call has a field of another type.")
    trouble = None if note["trouble"] is None else _trouble(note["trouble"])
    return Ran(**{**note, "value": decode(note["value"]), "trouble": trouble})


def _trouble(note: Any) -> Trouble:
    if type(note) is not dict or set(note) != {"kind", "message", "line", "where"}:
        raise Damaged("a note of a trouble lacks its fields.")
    line = note["line"]
    if line is not None and not (type(line) is list and len(line) == 2 and [type(x) for x in line] == [int, str]):
        raise Damaged("a note of a trouble has no line.")
    if not all(type(note[name]) is str for name in ("kind", "message", "where")):
        raise Damaged("a note of a trouble has a field of another type.")
    return Trouble(note["kind"], note["message"], (line[0], line[1]) if line else None, note["where"])


def why(process: Process, job: dict[str, Any], own: Own, text: str | None, late: bool, at: int) -> Trouble:
    """What ended a process that did not come to its end; `at` is the test that it was asked, below 0 while it defined the answer."""
    dump = _read_dump(job["dump"])
    line, where = _line_of(dump, own, text)
    status = process.status or 0
    seconds = job["budgets"][-1] if at < 0 else job["seconds"]
    out_of_time = [-int(getattr(signal, name, 0)) for name in ("SIGPROF", "SIGXCPU", "SIGVTALRM")]
    if late or status in out_of_time or "Timeout (" in dump:
        waited = "Timeout (" in dump or (late and status not in out_of_time)
        return Trouble("time", f"no result after {seconds * (job['waiting'] if waited else 1):g} s", line, where)
    if status == -getattr(signal, "SIGKILL", 9):
        return Trouble("memory", "the system ended the process, as it does when memory runs out", line, where)
    if status < 0:
        return Trouble("killed", f"the process was ended by {_signal(-status)}", line, where)
    if status > 255:
        return Trouble("killed", f"the process was ended by Windows, code {status:#x}", line, where)
    return Trouble("exit", f"the process was left with status {status}", line, where)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read_dump(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def _line_of(dump: str, own: Own, text: str | None) -> tuple[tuple[int, str] | None, str]:
    """The student's innermost line in what `faulthandler` wrote."""
    for name, number, where in _FRAME.findall(dump):
        if own(name):
            n = int(number)
            lines = text.splitlines() if text is not None and name == ANSWER else linecache.getlines(name)
            return (n, lines[n - 1].strip() if 0 < n <= len(lines) else ""), where
    return None, ""
