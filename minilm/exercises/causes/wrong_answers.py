"""The first source of causes: the wrong answers that a task knows, run on the same inputs and compared with what was given.

A wrong answer explains a student's when both give the same in every test: the same wrong results where the wrong answer is wrong, and
right ones elsewhere. How sure that is depends on how much there was to agree on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from types import FrameType
from typing import Any

import numpy as np

from minilm.exercises import bugs
from minilm.exercises.code import define, solution_of
from minilm.exercises.compare import difference, leaves
from minilm.exercises.perform import Ran, perform
from minilm.exercises.task import Task, Wrong, with_bug
from minilm.exercises.verdict import Cause, Outcome

SECONDS = 0.3
"""One wrong answer may take so long; it may hold an endless loop."""
IN_ALL = 1.2


class TooSlow(BaseException):
    """A wrong answer's time is up. No answer catches it by `except Exception`."""


def known(task: Task, outcomes: list[Outcome], seed: int | None = None) -> list[Cause]:
    """Causes from the wrong answers that are known, and from two of them at once."""
    end = time.perf_counter() + IN_ALL
    runs = [(wrong, ran) for wrong in task.wrong if (ran := _run(task, wrong, seed, end)) is not None]
    fits: list[tuple[tuple[Wrong, ...], list[Ran], float]] = [
        ((wrong,), ran, fit) for wrong, ran in runs if (fit := agreement(outcomes, ran)) is not None
    ]
    if not fits:
        for pair in combinations([wrong for wrong, _ in runs], 2):
            ran = _run_both(task, pair, seed, end)
            if ran is not None and (fit := agreement(outcomes, ran)) is not None:
                fits.append((pair, ran, 0.95 * fit))
    fits.sort(key=lambda found: -found[2])
    causes = [_cause(task, wrongs, outcomes, ran, fit) for wrongs, ran, fit in fits]
    if len({cause.name for cause in causes}) > 1:  # the tests do not tell them apart
        for cause in causes:
            cause.confidence *= 0.75
    return causes


def agreement(outcomes: list[Outcome], rans: list[Ran]) -> float | None:
    """How sure it is that an answer is this wrong one; None where they differ in a test, or where the wrong one is right.

    Each number that the two share though it is wrong halves the doubt, or leaves an eighth of it if it is no small integer.
    """
    weight = 0.0
    for outcome, ran in zip(outcomes, rans, strict=True):
        if not _same(outcome, ran):
            return None
        weight += _weight(outcome, ran)
    return 0.97 * (1 - 0.5**weight) if weight else None


def _same(outcome: Outcome, wrong: Ran) -> bool:
    """Whether an answer did in a test what the wrong one does."""
    given = outcome.ran
    if given.trouble or wrong.trouble:
        return bool(given.trouble and wrong.trouble and given.trouble.kind == wrong.trouble.kind)
    test = outcome.test
    if difference(test, wrong.value, given.value) is not None:
        return False
    return not (test.unchanged and given.changed != wrong.changed) and not (test.fresh and given.shares != wrong.shares)


def _weight(outcome: Outcome, wrong: Ran) -> float:
    """What agreement in this test tells: nothing where the wrong answer is right, else something per number that is wrong."""
    if wrong.trouble:
        return 1.5
    found = difference(outcome.test, outcome.expected, wrong.value)
    if found is None:
        told = (outcome.test.unchanged and wrong.changed) or (outcome.test.fresh and wrong.shares)
        return 3.0 if told else 0.0
    if found.kind == "dtype":
        return 2.0
    numbers = {
        x for _, e, got in leaves(outcome.expected, wrong.value) if e.shape == got.shape for x in got[e != got].tolist()
    }
    return max(2.0, sum(0.8 if _simple(number) else 3.0 for number in list(numbers)[:20]))


def _simple(number: Any) -> bool:
    """Whether it is a number that many mistakes could give: 0, 1, 12, 1/4."""
    return isinstance(number, bool | int) or (
        isinstance(number, float) and (24 * number).is_integer() and abs(number) < 100
    )


def _run(task: Task, wrong: Wrong, seed: int | None, end: float) -> list[Ran] | None:
    try:
        with _deadline(end, f"<solution of {task.id}>"):
            return _perform(task, solution_of(task, seed, wrong), seed)
    except (TooSlow, Exception):
        return None


def _run_both(task: Task, pair: tuple[Wrong, Wrong], seed: int | None, end: float) -> list[Ran] | None:
    filename = f"<two wrong answers of {task.id}>"
    try:
        text = with_bug(with_bug(task.solution, pair[0]), pair[1])
        with _deadline(end, filename):
            return _perform(task, define(task, text, filename, seed), seed)
    except (TooSlow, Exception):  # the fragments overlap, or what comes of them does not run
        return None


def _perform(task: Task, answer: Any, seed: int | None) -> list[Ran]:
    with np.errstate(all="ignore"):
        return perform(task, answer, seed)


@contextmanager
def _deadline(end: float, filename: str) -> Iterator[None]:
    """Raises `TooSlow` in code of this file name when its time is up.

    A tracer does it, and not a signal or a process: it works in each thread and on each system, and costs no start.
    """
    stop = min(end, time.perf_counter() + SECONDS)
    if time.perf_counter() >= end:
        raise TooSlow

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != filename:
            return None
        if time.perf_counter() > stop:
            raise TooSlow
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def _cause(task: Task, wrongs: tuple[Wrong, ...], outcomes: list[Outcome], rans: list[Ran], fit: float) -> Cause:
    wrong_tests = [o for o, ran in zip(outcomes, rans, strict=True) if _weight(o, ran)]
    evidence = _evidence(len(wrong_tests), len(outcomes))
    if task.kind == "find the bug" and wrongs[0] is task.wrong[0]:
        return Cause(
            wrongs[0].bug or "the bug of the task",
            "wrong answer",
            "The bug is still in it: the function gives what it gave at the start.",
            evidence,
            "Work out the smallest failing input by hand, and follow the function line by line until a value differs from yours.",
            fit,
        )
    texts = [explained(task, wrong) for wrong in wrongs]
    return Cause(
        " + ".join(wrong.bug or f"{task.id}: {wrong.new.strip() or 'a line left out'}" for wrong in wrongs),
        "wrong answer",
        " And: ".join(why for why, _ in texts),
        evidence,
        " ".join(look for _, look in texts if look),
        fit,
    )


def _evidence(wrong: int, tests: int) -> str:
    what = "an answer with this mistake gives exactly your results"
    if wrong == tests:
        return f"{what}, in {'all ' + str(tests) + ' tests' if tests > 1 else 'the one test there is'}."
    return f"{what}: the same wrong ones in {wrong} of the {tests} tests, and right ones in the other{'s' * (tests - wrong > 1)}."


def explained(task: Task, wrong: Wrong) -> tuple[str, str]:
    """What happened and what to look at: the task's own words, or the library's."""
    bug = bugs.find(wrong.bug) if wrong.bug else None
    why = wrong.why or (bug.why if bug else "")
    look = wrong.look or (bug.look if bug else "")
    if not why:
        words = wrong.bug.replace("-", " ")
        why = f"A known mistake: {words}." if words else "A known mistake of this exercise."
    return why, look
