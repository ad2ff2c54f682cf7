"""From an answer to a result: run it, compare it, find the cause, count the points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minilm.exercises import run
from minilm.exercises.code import solution_of
from minilm.exercises.compare import Difference, difference
from minilm.exercises.perform import Ran, Trouble, perform
from minilm.exercises.task import Task, Test


@dataclass
class Cause:
    """Why an answer is wrong, as far as the evidence goes.

    Attributes:
        name: a word for statistics: a name in the library of bugs, or one of the general relations such as "factor of a size".
        source: "running", "wrong answer" or "relation".
        says: what went wrong, in one sentence.
        evidence: what shows it, with numbers.
        look: what to look at.
        confidence: from 0 to 1: the share of such findings that are right (measured on wrong answers of all kinds).
    """

    name: str
    source: str
    says: str
    evidence: str
    look: str = ""
    confidence: float = 0.5


@dataclass
class Outcome:
    """One test: what was asked, expected and given.

    Attributes:
        test, inputs: the question.
        expected: the solution's result.
        ran: what the answer did.
        difference: None where it is right.
        fault: "" or what is wrong though the values are right: "an input was changed", "the result is a view of an input".
    """

    test: Test
    inputs: tuple[Any, ...]
    expected: Any
    ran: Ran
    difference: Difference | None = None
    fault: str = ""

    @property
    def passed(self) -> bool:
        return self.ran.trouble is None and self.difference is None and not self.fault

    @property
    def points(self) -> int:
        return self.test.points if self.passed else 0


@dataclass
class Result:
    """What the grader found.

    Attributes:
        task: the exercise.
        outcomes: one per test, in the order of the task; empty where the answer could not be run at all.
        trouble: why it could not be run.
        causes: the likeliest first; one is shown.
        kills: for "write the test": name of each bug -> whether the student's test found it.
    """

    task: Task
    outcomes: list[Outcome] = field(default_factory=list)
    trouble: Trouble | None = None
    causes: list[Cause] = field(default_factory=list)
    kills: dict[str, bool] = field(default_factory=dict)

    @property
    def points(self) -> int:
        return sum(self.kills.values()) if self.task.kind == "write the test" else sum(o.points for o in self.outcomes)

    @property
    def passed(self) -> bool:
        return self.task.graded and self.points == self.task.points


def grade(task: Task, answer: run.Answer, seed: int | None = None) -> Result:
    """Grades an answer, in a process of its own.

    Args:
        seed: draws the numbers of the statement and the inputs of the tests; None for those who learn alone.
    """
    rans = run.run(task, answer, seed)
    return Result(task, trouble=rans) if isinstance(rans, Trouble) else judge(task, rans, seed)


def judge(task: Task, rans: list[Ran], seed: int | None = None) -> Result:
    """The result, from what the answer did."""
    expected = [ran.value for ran in perform(task, solution_of(task, seed), seed)]
    outcomes = [
        _outcome(test, inputs, right, ran)
        for (test, inputs), right, ran in zip(task.cases(seed), expected, rans, strict=True)
    ]
    return Result(task, outcomes)


def _outcome(test: Test, inputs: tuple[Any, ...], expected: Any, ran: Ran) -> Outcome:
    found = None if ran.trouble else difference(test, expected, ran.value)
    fault = ""
    if test.unchanged and ran.changed:
        fault = "an input was changed"
    elif test.fresh and ran.shares:
        fault = "the result is a view of an input"
    return Outcome(test, inputs, expected, ran, found, fault)
