"""From an answer to a result: run it, compare it, find the cause, count the points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minilm.exercises import kills, message, run
from minilm.exercises.causes import diagnose
from minilm.exercises.causes.running import unable
from minilm.exercises.child import Limits
from minilm.exercises.compare import difference
from minilm.exercises.perform import Ran, Trouble
from minilm.exercises.task import Task, Test
from minilm.exercises.verdict import Cause, Outcome, Verdict

__all__ = ["Cause", "Outcome", "Result", "grade", "judge"]


class Result(Verdict):
    """What the grader found, with its faces: text in a terminal, HTML in a notebook, JSON for a program."""

    def __str__(self) -> str:
        return message.text(self)

    def __repr__(self) -> str:
        return message.text(self)

    def _repr_html_(self) -> str:
        return message.html(self)

    def more(self) -> str:
        """The message with the causes that are less likely."""
        return message.text(self, more=True)

    def to_json(self) -> str:
        """Everything that was found, as JSON."""
        return message.to_json(self)


def grade(
    task: Task,
    answer: run.Answer,
    seed: int | None = None,
    hidden: bool = True,
    limits: Limits | None = None,
    way: run.Way | None = None,
) -> Result:
    """Grades an answer, in a process of its own.

    Args:
        seed: draws the numbers of the statement and the inputs of the tests; None for those who learn alone.
        hidden: whether the hidden tests are asked, too. Without them the result says that they wait.
        limits, way: what the answer may take, and how it is run, as in `minilm.exercises.run.run`.
    """
    if task.kind == "write the test":
        return _of_a_test(task, answer, seed, limits, way)
    asked = task if hidden else replace(task, tests=tuple(test for test in task.tests if not test.hidden))
    rans = run.run(asked, answer, seed, limits, way=way)
    if isinstance(rans, Trouble):
        return Result(task, trouble=rans, causes=unable(task, rans, answer.text))
    result = judge(asked, rans, seed, answer.text)
    result.task, result.waiting = task, task.points - asked.points
    return result


def _of_a_test(task: Task, answer: run.Answer, seed: int | None, limits: Limits | None, way: run.Way | None) -> Result:
    """For "write the test": by the wrong versions that it finds."""

    def ask(text: str | None, texts: list[str]) -> list[Ran] | Trouble:
        return run.kills(task, run.Answer(text, answer.value), texts, seed, limits, way=way)

    report = kills.find(task, answer.text, ask)
    if report.trouble:
        causes = unable(task, report.trouble, answer.text)
        return Result(task, trouble=report.trouble, causes=causes, kills=report.kills)
    name, says, evidence, look = report.says()
    causes = [Cause(name, "running", says, evidence, look, 1.0)] if says else []
    return Result(task, causes=causes, kills=report.kills, found_by=report.found_by)


def judge(task: Task, rans: list[Ran], seed: int | None = None, text: str | None = None) -> Result:
    """The result, from what the answer did.

    Args:
        text: the answer, where it is text: names in it can be told.
    """
    right = run.expected(task, seed)
    outcomes = [
        _outcome(test, inputs, expected, ran)
        for (test, inputs), expected, ran in zip(task.cases(seed), right, rans, strict=True)
    ]
    return Result(task, outcomes, causes=diagnose(task, outcomes, seed, text))


def _outcome(test: Test, inputs: tuple[Any, ...], right: Ran, ran: Ran) -> Outcome:
    found = None if ran.trouble else difference(test, right.value, ran.value)
    fault = ""
    if ran.trouble is None and found is None:
        fault = _fault(test, right, ran)
    return Outcome(test, inputs, right.value, ran, found, fault)


NOT_TOLD = ("time", "memory", "killed")
"""What ended a second call from outside, and tells nothing of what it would have given."""


def _fault(test: Test, right: Ran, ran: Ran) -> str:
    """What is wrong though the values are right."""
    if test.unchanged and ran.changed:
        return "an input was changed"
    if test.fresh and ran.shares:
        return "the result is a view of an input"
    if ran.again_trouble is not None and ran.again_trouble.kind in NOT_TOLD:
        return ""
    steady = difference(test, right.value, right.again) is None
    if steady and difference(test, right.value, ran.again) is not None:
        return "the same call gives something else the second time"
    return ""
