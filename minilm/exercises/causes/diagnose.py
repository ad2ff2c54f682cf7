"""Chooses among the causes: what went wrong in running comes first, then a known wrong answer, then a general relation."""

from __future__ import annotations

from minilm.exercises.causes import running, wrong_answers
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome


def diagnose(task: Task, outcomes: list[Outcome], seed: int | None = None, text: str | None = None) -> list[Cause]:
    """The causes that fit, the likeliest first; empty where none does."""
    if all(outcome.passed for outcome in outcomes):
        return []
    return [*running.ran_into(task, outcomes, text), *wrong_answers.known(task, outcomes, seed)]
