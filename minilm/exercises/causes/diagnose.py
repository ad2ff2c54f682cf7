"""Chooses among the causes: what went wrong in running comes first, then a known wrong answer, then a general relation."""

from __future__ import annotations

from minilm.exercises.causes import mutations, relations, running, wrong_answers
from minilm.exercises.task import Task
from minilm.exercises.verdict import SHOWN, Cause, Outcome


def diagnose(task: Task, outcomes: list[Outcome], seed: int | None = None, text: str | None = None) -> list[Cause]:
    """The causes that fit, the likeliest first; empty where none does."""
    if all(outcome.passed for outcome in outcomes):
        return []
    stopped = running.ran_into(task, outcomes, text)
    known = wrong_answers.known(task, outcomes, seed)
    if stopped and stopped[0].confidence >= SHOWN:
        if known and known[0].confidence >= 0.75:  # it explains the exception, too
            known[0].evidence = f"{stopped[0].evidence} {known[0].evidence}"
            return _without_twins([*known, *stopped])
        return stopped
    related = relations.related(task, outcomes)
    if known and known[0].confidence >= SHOWN:
        if related and related[0].confidence >= 0.8 and " + " not in known[0].name:
            known[0].evidence = f"{related[0].evidence} {known[0].evidence}"
        return _without_twins([*known, *related])
    changed = mutations.changed(task, outcomes, seed)
    return _without_twins(sorted([*related, *changed, *known, *stopped], key=lambda cause: -cause.confidence))


def _without_twins(causes: list[Cause]) -> list[Cause]:
    """Each name once; what a relation shows in numbers stands before what only a change of the solution shows."""
    first: dict[str, Cause] = {}
    for cause in causes:
        there = first.setdefault(cause.name, cause)
        if (
            mutations.EVIDENCE in there.evidence
            and mutations.EVIDENCE not in cause.evidence
            and cause.confidence >= SHOWN
        ):
            there.says, there.evidence, there.look = cause.says, cause.evidence, cause.look
    return list(first.values())
