"""Asks an answer the questions of its task, and notes what happened. No verdict is given here.

This is what runs beside the student's code, in a process of its own (`minilm.exercises.run`); what is right is decided elsewhere, from
the notes.
"""

from __future__ import annotations

import contextlib
import copy
import io
import time
import traceback
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test


@dataclass
class Trouble:
    """What stopped a run, or kept it from beginning.

    Attributes:
        kind: the exception's type, such as "ZeroDivisionError", or one of the grader's own: "no name", "no function", "time", "memory",
            "recursion", "exit", "killed", "input".
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
        printed: what it wrote to standard output.
        warned: the warnings, each in one line.
        changed: positions of the inputs that are no longer what they were.
        shares: positions of the inputs whose memory the result shares.
        again: the result of the same call with the same inputs, made after all others; where nothing is kept between calls it is the same.
    """

    value: Any = None
    trouble: Trouble | None = None
    seconds: float = 0.0
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    again: Any = None


def perform(task: Task, answer: Any, seed: int | None = None) -> list[Ran]:
    """Calls the answer with the inputs of each test, twice."""
    cases = task.cases(seed)
    rans = [call(answer, test, inputs) for test, inputs in cases]
    for (test, inputs), ran in zip(task.cases(seed), rans, strict=True):
        if ran.trouble is None:
            ran.again = call(answer, test, inputs).value
    return rans


def call(answer: Any, test: Test, inputs: tuple[Any, ...]) -> Ran:
    """One call, with what it printed, raised and changed."""
    before = copy.deepcopy(inputs)
    ran = Ran()
    out = io.StringIO()
    begin = time.perf_counter()
    with contextlib.redirect_stdout(out), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ran.value = test.use(answer, *inputs) if test.use else answer(*inputs)
        except Exception as error:
            ran.trouble = trouble_of(error)
    ran.seconds = time.perf_counter() - begin
    ran.printed = out.getvalue()
    ran.warned = [f"{w.category.__name__}: {w.message}" for w in caught]
    ran.changed = [i for i, (old, new) in enumerate(zip(before, inputs, strict=True)) if not same(old, new)]
    ran.shares = [i for i, x in enumerate(inputs) if shares_memory(x, ran.value)]
    return ran


def trouble_of(error: BaseException, filename: str = "<answer>") -> Trouble:
    """An exception, with the student's own line: the innermost one that stands in the answer."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == filename]
    line = (frames[-1].lineno or 0, (frames[-1].line or "").strip()) if frames else None
    return Trouble(type(error).__name__, str(error), line, frames[-1].name if frames else "")


def same(a: Any, b: Any) -> bool:
    """Whether two inputs hold the same values, NaN being equal to itself."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.random.Generator):
        return True  # to be drawn from is what it is for
    if isinstance(a, int | float | complex | str | bytes | bool | set | frozenset | np.generic | type(None)):
        return bool(a == b)
    return True  # an object without a comparison of its own: not judged


def shares_memory(x: Any, result: Any) -> bool:
    """Whether a result, or a part of it, is a view of an input."""
    if isinstance(result, list | tuple):
        return any(shares_memory(x, part) for part in result)
    return isinstance(x, np.ndarray) and isinstance(result, np.ndarray) and np.shares_memory(x, result)
