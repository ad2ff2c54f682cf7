"""The third source of causes: what went wrong in running."""

from __future__ import annotations

from minilm.exercises.perform import Trouble
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome


def unable(task: Task, trouble: Trouble, text: str | None = None) -> list[Cause]:
    """Why an answer could not be run at all."""
    return []


def ran_into(task: Task, outcomes: list[Outcome], text: str | None = None) -> list[Cause]:
    """What an answer ran into while it was tested."""
    return []
