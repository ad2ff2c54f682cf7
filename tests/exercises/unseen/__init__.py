"""Wrong answers that the grader does not know, with the cause that a teacher would give: how often is it right?

`python -m tests.exercises.unseen` prints them all, each with the cause that the grader gave.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from minilm.exercises.grade import Result, grade
from minilm.exercises.run import Answer
from minilm.exercises.task import Task
from minilm.exercises.verdict import SHOWN


@dataclass(frozen=True)
class Unseen:
    """A wrong answer.

    Attributes:
        task: the exercise.
        what: what the student did.
        causes: names that are right.
        text: the answer; or else the solution with `edits` made in it.
        edits: pairs of a fragment of the solution and what takes its place.
    """

    task: Task
    what: str
    causes: tuple[str, ...]
    text: str = ""
    edits: tuple[tuple[str, str], ...] = ()

    @property
    def answer(self) -> Answer:
        if self.text:
            return Answer(self.text)
        text = self.task.solution
        for old, new in self.edits:
            assert text.count(old) == 1, f"{self.task.id}: {old!r} occurs {text.count(old)} times"
            text = text.replace(old, new)
        return Answer(text)


@dataclass
class Judged:
    """An unseen answer, what the grader said, and how many seconds of computing it took, in all its processes."""

    unseen: Unseen
    result: Result
    seconds: float

    @property
    def verdict(self) -> str:
        """ "right", "wrong" or "not given"."""
        cause = self.result.cause
        if cause is None or cause.confidence < SHOWN:
            return "not given"
        return "right" if set(cause.name.split(" + ")) & set(self.unseen.causes) else "wrong"


def judged(unseen: list[Unseen]) -> list[Judged]:
    found = []
    for one in unseen:
        begin = computed()
        result = grade(one.task, one.answer)
        found.append(Judged(one, result, computed() - begin))
    return found


def computed() -> float:
    """Seconds that this process and those that it waited for have computed: other programs beside them do not count."""
    return sum(os.times()[:4])
