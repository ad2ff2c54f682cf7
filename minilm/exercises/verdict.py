"""What the grader found: outcomes of the tests, and causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minilm.exercises.compare import Difference
from minilm.exercises.perform import Ran, Trouble
from minilm.exercises.task import Task, Test

SHOWN = 0.6
"""A cause below this confidence is not shown."""


@dataclass
class Cause:
    """Why an answer is wrong, as far as the evidence goes.

    Attributes:
        name: a word for statistics: a name in the library of bugs, or one of the general relations such as "factor of a size".
        source: "running", "wrong answer" or "relation".
        says: what went wrong, in one sentence.
        evidence: what shows it, with numbers.
        look: what to look at.
        confidence: from 0 to 1: how sure it is. Below `SHOWN` it is not given as the cause.
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
class Verdict:
    """What was found about an answer.

    Attributes:
        task: the exercise.
        outcomes: one per test, in the order of the task; empty where the answer could not be run at all.
        trouble: why it could not be run.
        causes: the likeliest first; one is shown.
        kills: for "write the test": name of each bug -> whether the student's test found it.
        found_by: where the answer has several test functions: name of each -> the bugs that it finds.
        waiting: points of hidden tests that were not asked yet.
    """

    task: Task
    outcomes: list[Outcome] = field(default_factory=list)
    trouble: Trouble | None = None
    causes: list[Cause] = field(default_factory=list)
    kills: dict[str, bool] = field(default_factory=dict)
    found_by: dict[str, list[str]] = field(default_factory=dict)
    waiting: int = 0

    @property
    def points(self) -> int:
        return sum(self.kills.values()) if self.task.kind == "write the test" else sum(o.points for o in self.outcomes)

    @property
    def passed(self) -> bool:
        return self.task.graded and self.points == self.task.points

    @property
    def cause(self) -> Cause | None:
        """The one that is shown; None where nothing fits well enough."""
        return self.causes[0] if self.causes and self.causes[0].confidence >= SHOWN else None

    @property
    def first_failing(self) -> Outcome | None:
        """The failing test with the smallest inputs."""
        return next((o for o in self.outcomes if not o.passed), None)
