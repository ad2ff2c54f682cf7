"""Asks an answer the questions of its task, and notes what happened. No verdict is given here.

This is what runs beside the student's code, in a process of its own (`minilm.exercises.run`); what is right is decided elsewhere, from
the notes.
"""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import os
import random
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test
from minilm.tensor import Tensor

MOST_PRINTED = 100_000
LONGEST_MESSAGE = 2000
ANSWER = "<answer>"
# Bound here, before any answer has run: what it replaces must not reach what looks at it.
_shares_memory, _get_state = np.shares_memory, np.random.get_state
_MODULES_OF_NUMPY = ("numpy", "builtins", "_operator", "math")
_MINILM = str(Path(__file__).resolve().parent.parent) + os.sep
_LIBRARIES = tuple(
    {
        str(Path(sysconfig.get_paths()[name]).resolve()) + os.sep
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
)


@dataclass
class Trouble:
    """What stopped a run, or kept it from beginning.

    Attributes:
        kind: the exception's type, such as "ZeroDivisionError", or one of the grader's own: "no name", "no function", "time", "memory",
            "recursion", "exit", "killed", "input", "output", "stream" (the answer wrote among the runner's notes), "numpy" (the
            notebook replaced a function of NumPy's).
        message: the exception's message.
        line: number and text of the student's own line; None where none is known.
        where: the student's function in which it stands.
    """

    kind: str
    message: str = ""
    line: tuple[int, str] | None = None
    where: str = ""


@dataclass
class Ran:
    """What one call gave.

    Attributes:
        value: the result.
        trouble: what was raised instead.
        seconds: how long it took.
        printed: what it wrote to standard output, the first 100,000 characters of it.
        warned: the warnings, each in one line; and what the runner saw, as "FileWritten: a.txt", "ThreadLeft: 1 thread still runs",
            "ProcessLeft: ...", "NumPyChanged: np.mean was replaced".
        changed: positions of the inputs that are no longer what they were.
        shares: positions of the inputs whose memory the result shares.
        again: the result of the same call with the same inputs, made after all others; where nothing is kept between calls it is the same.
        again_trouble: what the second call raised instead.
        drawn: positions of the inputs that are generators of random numbers, and were drawn from.
        global_random: whether numbers were drawn from the generator that NumPy or Python keeps for everybody.
    """

    value: Any = None
    trouble: Trouble | None = None
    seconds: float = 0.0
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    again: Any = None
    again_trouble: Trouble | None = None
    drawn: list[int] = field(default_factory=list)
    global_random: bool = False


class TimeUp(BaseException):
    """Raised within an answer whose time is over, where no process of its own can be ended."""


class InputAsked(EOFError):
    """Raised within an answer that reads from the keyboard."""


class TooMuchOutput(BaseException):
    """Raised within an answer that prints without end."""


OWN_KINDS: dict[type[BaseException], str] = {
    RecursionError: "recursion",
    MemoryError: "memory",
    SystemExit: "exit",
    InputAsked: "input",
    TooMuchOutput: "output",
    TimeUp: "time",
}
TOO_LARGE = ("array is too big", "Maximum allowed dimension exceeded")
"""How NumPy's ValueErrors begin where addresses could not hold an array."""
Own = Callable[[str], bool]
Catch = type[BaseException] | tuple[type[BaseException], ...]
Tell = Callable[[str, int, Ran | None], None]


def of_text(filename: str) -> bool:
    """Whether a line of this file is the student's, where the answer is text."""
    return filename == ANSWER


def of_notebook(filename: str) -> bool:
    """The same for a live object: all lines are that stand neither in a library nor in a task."""
    if filename == ANSWER:
        return True
    return not filename.startswith(
        ("<frozen", "<__array", "<string", "<solution of", "<set-up of", "<subject of", _MINILM, *_LIBRARIES)
    )


def perform(
    task: Task, answer: Any, seed: int | None = None, *, tell: Tell | None = None, own: Own = of_text, begin: int = 0,
    catch: Catch = Exception,
) -> list[Ran]:  # fmt: skip
    """Calls the answer with the inputs of each test, twice.

    Args:
        tell: called as ``tell("at", i, None)`` before the call of test i, ``tell("ran", i, ran)`` after it, and the same with "again"
            before and "ran again" after its second call.
        own: whether a file's lines are the student's.
        begin: the first test to ask.
        catch: what counts as raised by the answer; in a process of its own everything does.
    """
    tell = tell or (lambda event, i, ran: None)
    rans = []
    for i, (test, inputs) in enumerate(task.cases(seed)[begin:], begin):
        tell("at", i, None)
        rans.append(call(answer, test, inputs, own, catch))
        tell("ran", i, rans[-1])
    for i, ((test, inputs), ran) in enumerate(zip(task.cases(seed)[begin:], rans, strict=True), begin):
        if ran.trouble is None:
            tell("again", i, None)
            second = call(answer, test, inputs, own, catch)
            ran.again, ran.again_trouble = second.value, second.trouble
            tell("ran again", i, second)
    return rans


def call(answer: Any, test: Test, inputs: tuple[Any, ...], own: Own = of_text, catch: Catch = Exception) -> Ran:
    """One call, with what it printed, raised and changed."""
    before, states = [_copied(x) for x in inputs], _random_states(inputs)
    threads = threading.active_count()
    ran, printed = Ran(), Printed()
    begin = perf_counter()
    with contextlib.redirect_stdout(printed.stream), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # The clock's own thread, which Python 3.12 counts when an answer forks.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        warnings.simplefilter("ignore", ResourceWarning)  # a file left open is not what an exercise is about
        try:
            ran.value = _asked(answer, test, inputs)
        except catch as error:
            ran.trouble = trouble_of(error, own)
            error.__traceback__ = None  # and with it what its frames hold
    ran.seconds = perf_counter() - begin
    ran.printed = printed.text()
    ran.warned = [_told(w, own) for w in caught[:100]]
    if (left := threading.active_count() - threads) > 0:
        ran.warned.append(f"ThreadLeft: {left} thread{'s' * (left > 1)} still run{'s' * (left == 1)} after the call")
    ran.changed = [i for i, (old, new) in enumerate(zip(before, inputs, strict=True)) if not _same(old, new)]
    ran.shares = [i for i, x in enumerate(inputs) if shares_memory(x, ran.value)]
    after = _random_states(inputs)
    ran.drawn = [i for i in range(len(inputs)) if states[i] != after[i]]
    ran.global_random = states[-1] != after[-1]
    return ran


def _asked(answer: Any, test: Test, inputs: tuple[Any, ...]) -> Any:
    if test.use:
        return test.use(answer, *inputs)
    return answer(*inputs) if callable(answer) or inputs else answer


def _told(warning: warnings.WarningMessage, own: Own) -> str:
    """Its category and message, and the line of the student's in which it arose."""
    try:
        said = f"{warning.category.__name__}: {str(warning.message)[:LONGEST_MESSAGE]}"
        line = linecache.getline(warning.filename, warning.lineno).strip() if own(warning.filename) else ""
        return f"{said}, in line {warning.lineno}: {' '.join(line.split())[:90]}" if line else said
    except Exception:
        return warning.category.__name__


def _copied(x: Any) -> Any:
    """A copy to compare with afterwards; the object itself where it has none, which is then not judged."""
    try:
        return copy.deepcopy(x)
    except Exception:
        return x


def _random_states(inputs: tuple[Any, ...]) -> list[Any]:
    """The state of each generator among the inputs, and of those that NumPy and Python keep for everybody."""
    states: list[Any] = [str(x.bit_generator.state) if isinstance(x, np.random.Generator) else None for x in inputs]
    kept: Any = _get_state()
    return [*states, (kept[1].tobytes(), kept[2:], random.getstate())]


class Printed:
    """What an answer prints: the beginning is kept, and too much of it ends the call."""

    def __init__(self, most: int = 10_000_000) -> None:
        self._bytes = _Bounded(most)
        self.stream = io.TextIOWrapper(self._bytes, "utf-8", "backslashreplace", newline="\n", write_through=True)  # type: ignore[type-var]

    def text(self) -> str:
        with contextlib.suppress(Exception):  # an answer that closed it has printed nothing more
            self.stream.flush()
        return bytes(self._bytes.kept).decode("utf-8", "backslashreplace")


class _Bounded(io.RawIOBase):
    def __init__(self, most: int) -> None:
        self.kept, self.left = bytearray(), most

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = len(data)
        self.left -= size
        if len(self.kept) < MOST_PRINTED:
            self.kept += bytes(data)[: MOST_PRINTED - len(self.kept)]
        if self.left < 0:
            raise TooMuchOutput("more than 10,000,000 bytes were printed")
        return size


def trouble_of(error: BaseException, own: Own = of_text) -> Trouble:
    """An exception, with the student's own line: the innermost one that stands in the answer."""
    kind = next((OWN_KINDS[base] for base in type(error).__mro__ if base in OWN_KINDS), type(error).__name__)
    try:
        message = str(error)[:LONGEST_MESSAGE]
    except Exception:
        message = ""
    if isinstance(error, SyntaxError) and error.filename and own(error.filename):
        return Trouble(kind, error.msg or message, (error.lineno or 0, (error.text or "").strip()))
    if isinstance(error, ValueError) and message.startswith(TOO_LARGE):
        kind = OWN_KINDS[MemoryError]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if own(f.filename)]
    if isinstance(error, RecursionError):
        message = message.partition(" in ")[0].partition(" while ")[0]  # whatever came last
        counted = (frames[-1].line or "").startswith("def ") if len(frames) > 1 else False
        if counted:  # before its first line: the call is what is told
            frames.pop()
    line = (frames[-1].lineno or 0, (frames[-1].line or "").strip()) if frames else None
    return Trouble(kind, message, line, frames[-1].name if frames else "")


def line_now(frame: Any, own: Own) -> tuple[tuple[int, str] | None, str]:
    """The innermost line of the student's in a running frame's stack, and its function."""
    while frame is not None:
        name = frame.f_code.co_filename
        if own(name):
            return (frame.f_lineno, linecache.getline(name, frame.f_lineno).strip()), frame.f_code.co_name
        frame = frame.f_back
    return None, ""


def _same(old: Any, new: Any) -> bool:
    """As `same`, of inputs into which an answer may have put anything."""
    try:
        return same(old, new)
    except Exception:
        return False


def same(a: Any, b: Any) -> bool:
    """Whether two inputs hold the same values, NaN being equal to itself."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype.hasobject:
            return a.shape == b.shape and same(a.tolist(), b.tolist())
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.random.Generator):
        return True  # to be drawn from is what it is for
    if isinstance(a, int | float | complex | str | bytes | bool | set | frozenset | np.generic | type(None)):
        return bool(a == b) or (a != a and b != b)
    return True  # an object without a comparison of its own: not judged


def shares_memory(x: Any, result: Any, depth: int = 0) -> bool:
    """Whether a result, or a part of it, is a view of an input."""
    if depth > 5:
        return False
    if isinstance(result, list | tuple):
        return any(shares_memory(x, part, depth + 1) for part in result[:1000])
    if isinstance(result, dict):
        return any(shares_memory(x, part, depth + 1) for part in list(result.values())[:1000])
    a, b = _memory(x), _memory(result)
    if a is None or b is None:
        return False
    try:
        return bool(_shares_memory(a, b, max_work=100_000))  # type: ignore[arg-type]
    except Exception:  # too hard to tell
        return True


def _memory(x: Any) -> Any:
    if type(x) is Tensor:
        x = x.data
    return x if isinstance(x, np.ndarray) else None


def replaced_in_numpy() -> list[str]:
    """Names of NumPy's functions under which something else stands, such as "np.mean"."""
    found = []
    for name, there in vars(np).items():
        module = (getattr(there, "__module__", "") or "numpy").partition(".")[0]
        public = not name.startswith("_") and callable(there)
        if public and not isinstance(there, np.ufunc | type) and module not in _MODULES_OF_NUMPY:
            found.append(f"np.{name}")
    return found


def no_input(prompt: object = "") -> str:
    """In place of Python's `input`: nobody sits at the keyboard of a grader.

    Raises:
        InputAsked: always.
    """
    raise InputAsked(f"the answer reads from the keyboard{f': {str(prompt)[:80]!r}' if prompt else ''}")


class NoInput(io.TextIOBase):
    """In place of standard input."""

    encoding = "utf-8"

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> str:
        return no_input()

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return no_input()
