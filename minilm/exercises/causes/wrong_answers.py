"""The first source of causes: the wrong answers that a task knows, run on the same inputs and compared with what was given.

A wrong answer explains a student's when both give the same in every test: the same wrong results where the wrong answer is wrong, and
right ones elsewhere. How sure that is depends on how much there was to agree on.
"""

from __future__ import annotations

import math
import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from types import FrameType
from typing import Any

import numpy as np

from minilm.exercises import bugs
from minilm.exercises.code import define
from minilm.exercises.compare import close, difference, leaves, tolerance
from minilm.exercises.perform import Ran, Trouble, call, perform
from minilm.exercises.task import Task, Wrong, with_bug
from minilm.exercises.verdict import Cause, Outcome

LINES = 1_000_000
"""So many lines of Python may all wrong answers run that are compared with one answer, so that the same answer gets the same cause on a
fast machine and on a slow one."""
EACH = 5_000
"""One of them may run ten times the lines of the solution and these; it may hold an endless loop."""
GUARD = 6.0
"""Seconds after which the search ends all the same."""


class TooSlow(BaseException):
    """A wrong answer has run too many lines. No answer catches it by `except Exception`."""


@dataclass
class Budget:
    """What a search for causes may still run.

    Attributes:
        lines: of Python, in all.
        each: of one answer in all tests.
        end: the guard of the clock.
        ran: lines that the last answer ran.
    """

    lines: int = LINES
    each: int = LINES
    end: float = field(default_factory=lambda: time.perf_counter() + GUARD)
    ran: int = 0

    @property
    def spent(self) -> bool:
        return self.lines <= 0 or time.perf_counter() > self.end


def budget(task: Task, seed: int | None) -> Budget:
    """For one search: what one answer may run is measured by what the solution runs."""
    found = Budget()
    performed(task, task.solution, f"<solution of {task.id}>", seed, found)
    found.each = 10 * found.ran + EACH
    found.lines = LINES
    return found


def known(task: Task, outcomes: list[Outcome], seed: int | None = None) -> list[Cause]:
    """Causes from the wrong answers that are known, and from two of them at once."""
    left = budget(task, seed)
    fits: list[tuple[tuple[Wrong, ...], list[Ran], float]] = []
    singles = [((wrong,), text) for wrong, text in variants(task)]
    for wrongs, text in (*singles, *_pairs(task)):
        if len(wrongs) == 2 and fits:
            break
        filename = f"<a wrong answer of {task.id}>"
        if not begins_alike(task, outcomes, text, filename, seed, left):
            continue
        ran = performed(task, text, filename, seed, left)
        if ran is not None and (fit := agreement(outcomes, ran)) is not None:
            fits.append((wrongs, ran, fit if len(wrongs) == 1 else 0.95 * fit))
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
    told, empty = 0.0, 0
    for outcome, ran in zip(outcomes, rans, strict=True):
        if not alike(outcome, ran):
            return None
        weight = weight_of(outcome, ran)
        told += weight or 0.0
        empty += weight is None
    if told:
        return 0.97 * (1 - 0.5 ** (told + 0.5 * empty))
    # nan and infinity alone: many mistakes end there, so other tests or elements must be right, and it stays a guess
    return min(0.97 * (1 - 0.5 ** (1.2 * empty)), NOT_FINITE) if empty and _partly_right(outcomes) else None


NOT_FINITE = 0.85


def _partly_right(outcomes: list[Outcome]) -> bool:
    """Whether a test passed, or some elements of one that failed are right."""
    wrong = [o.difference.wrong for o in outcomes if o.difference is not None and o.difference.wrong is not None]
    return any(o.passed for o in outcomes) or any(not np.all(mask) for mask in wrong)


def alike(outcome: Outcome, wrong: Ran) -> bool:
    """Whether an answer did in a test what the wrong one does."""
    given = outcome.ran
    if given.trouble or wrong.trouble:
        return bool(given.trouble and wrong.trouble and _raised(given.trouble) == _raised(wrong.trouble))
    test = outcome.test
    if difference(test, wrong.value, given.value) is not None:
        return False
    return not (test.unchanged and given.changed != wrong.changed) and not (test.fresh and given.shares != wrong.shares)


def _raised(trouble: Trouble) -> tuple[str, str]:
    if trouble.kind in ("FloatingPointError", "OverflowError"):
        return "overflow", ""  # np.exp says "overflow encountered in exp" where math.exp says "math range error"
    return trouble.kind, trouble.message


def weight_of(outcome: Outcome, wrong: Ran) -> float | None:
    """What agreement in this test tells: nothing where the wrong answer is right, else something per number that is wrong.

    None where all that is wrong is nan or infinite: that NaN equals NaN is no evidence.
    """
    if wrong.trouble:
        return 2.5
    found = difference(outcome.test, outcome.expected, wrong.value)
    if found is None:
        told = (outcome.test.unchanged and wrong.changed) or (outcome.test.fresh and wrong.shares)
        return 3.0 if told else 0.0
    if found.kind == "dtype":
        return 2.0
    bad = [x for _, e, g in leaves(outcome.expected, wrong.value) for x in wrong_numbers(outcome, e, g)]
    numbers = {x for x in bad if not isinstance(x, float) or math.isfinite(x)}
    if bad and not numbers:
        return None
    return max(2.0, sum(0.8 if simple_number(number) else 3.0 for number in list(numbers)[:20]))


def wrong_numbers(outcome: Outcome, e: Any, g: Any) -> list[Any]:
    """The elements of a part that are not what was expected; none where the shapes differ."""
    return g[~close(e, g, *tolerance(outcome.test, e, g))].tolist() if e.shape == g.shape else []


def simple_number(number: Any) -> bool:
    """Whether it is a number that many mistakes could give: 0, 1, 12, 1/4."""
    return isinstance(number, bool | int) or (
        isinstance(number, float) and (24 * number).is_integer() and abs(number) < 100
    )


def _text(task: Task, wrongs: tuple[Wrong, ...]) -> str | None:
    """The solution with these mistakes; None where their fragments overlap."""
    text = task.solution
    try:
        for wrong in wrongs:
            text = with_bug(text, wrong)
    except ValueError:
        return None
    return text


def variants(task: Task) -> list[tuple[Wrong, str]]:
    """Each wrong answer with its text."""
    return [(wrong, text) for wrong in task.wrong if (text := _text(task, (wrong,))) is not None]


def _pairs(task: Task) -> Iterator[tuple[tuple[Wrong, ...], str]]:
    for pair in combinations(task.wrong, 2):
        if (text := _text(task, pair)) is not None:
            yield pair, text


def begins_alike(task: Task, outcomes: list[Outcome], text: str, filename: str, seed: int | None, left: Budget) -> bool:
    """Whether an answer of ours gives what the student gave in the first test that failed. Most do not, and are not asked further."""
    first = next(i for i, o in enumerate(outcomes) if not o.passed)
    rans = performed(task, text, filename, seed, left, only=first)
    return rans is not None and alike(outcomes[first], rans[0])


def performed(
    task: Task, text: str, filename: str, seed: int | None, left: Budget, only: int | None = None
) -> list[Ran] | None:
    """What an answer of ours does, in all tests or in one; None where it does not run, or not in time."""
    try:
        with _counted(left, filename), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = define(task, text, filename, seed)
            if only is None:
                return perform(task, answer, seed)
            test, inputs = task.cases(seed)[only]
            return [call(answer, test, inputs)]
    except (TooSlow, Exception):
        return None


@contextmanager
def _counted(left: Budget, filename: str) -> Iterator[None]:
    """Raises `TooSlow` in code of this file name when it has run too many lines.

    A tracer counts them, and no signal or process does: it works in each thread and on each system, and costs no start.
    """
    if left.spent:
        raise TooSlow
    most = min(left.each, left.lines)
    left.ran = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != filename:
            return None
        left.ran += 1
        if left.ran > most or (left.ran % 64 == 0 and time.perf_counter() > left.end):
            raise TooSlow
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
        left.lines -= left.ran


def _cause(task: Task, wrongs: tuple[Wrong, ...], outcomes: list[Outcome], rans: list[Ran], fit: float) -> Cause:
    wrong_tests = [o for o, ran in zip(outcomes, rans, strict=True) if weight_of(o, ran) != 0]
    evidence = _evidence(len(wrong_tests), len(outcomes))
    if task.kind == "find the bug" and wrongs[0] is task.wrong[0]:
        return Cause(
            wrongs[0].bug or "the bug of the task",
            "wrong answer",
            "The bug is still in it: the function gives what it gave at the start.",
            evidence,
            "Work out the smallest failing input by hand, and follow the function line by line until a value "
            "differs from yours.",
            fit,
        )
    texts = list(dict.fromkeys(explained(task, wrong) for wrong in wrongs))  # one mistake at two places is said once
    return Cause(
        " + ".join(name_of(task, wrong) for wrong in wrongs),
        "wrong answer",
        " And: ".join(why for why, _ in texts),
        evidence,
        " ".join(look for _, look in texts if look),
        fit,
    )


def _evidence(wrong: int, tests: int) -> str:
    what = "An answer with this mistake gives exactly your results"
    if wrong == tests:
        return f"{what}, in {'all ' + str(tests) + ' tests' if tests > 1 else 'the one test there is'}."
    return (
        f"{what}: the same wrong ones in {wrong} of the {tests} tests, and right ones in the "
        f"other{'s' * (tests - wrong > 1)}."
    )


def name_of(task: Task, wrong: Wrong) -> str:
    """The name of its bug; of one of this task alone, the first words of what it explains: "4.9: the weight is missing"."""
    if wrong.bug:
        return wrong.bug
    first = re.split(r"[.,:;(]", wrong.why.replace("`", "").strip(), maxsplit=1)[0].split()
    words = " ".join(first[:5] if len(first) <= 5 else _whole(first[:5]))
    return f"{task.id}: {words[:1].lower() + words[1:] if not words[1:2].isupper() else words}" if words else task.id


_OPEN = re.compile(
    "(an?|the|th(is|at)|its|of|in|on|at|to|by|from|after|before|with|for|and|or|is|are|was|as|over|each|every|per|than)$"
)


def _whole(words: list[str]) -> list[str]:
    """Without words at the end that promise another: "the weight is missing", not "the weight is missing on"."""
    while len(words) > 2 and _OPEN.match(words[-1].lower()):
        words = words[:-1]
    return words


def explained(task: Task, wrong: Wrong) -> tuple[str, str]:
    """What happened and what to look at: the task's own words, or the library's."""
    bug = bugs.find(wrong.bug) if wrong.bug else None
    why = wrong.why or (bug.why if bug else "")
    look = wrong.look or (bug.look if bug else "")
    if not why:
        words = wrong.bug.replace("-", " ")
        why = f"A known mistake: {words}." if words else "A known mistake of this exercise."
    return why, look
