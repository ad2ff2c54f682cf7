"""Chooses among the causes: what went wrong in running comes first, then a known wrong answer, then a general relation."""

from __future__ import annotations

from minilm.exercises.causes import conduct, mutations, partly, relations, running, wrong_answers
from minilm.exercises.task import Task
from minilm.exercises.verdict import SHOWN, Cause, Outcome


def diagnose(task: Task, outcomes: list[Outcome], seed: int | None = None, text: str | None = None) -> list[Cause]:
    """The causes that fit, the likeliest first; empty where none does."""
    if all(outcome.passed for outcome in outcomes):
        return []
    if (constant := running.read_twice(task, outcomes, text) or conduct.constant_result(task, outcomes)) is not None:
        return [constant]  # such results agree with much, and tell nothing of it
    stopped = running.ran_into(task, outcomes, text)
    known = wrong_answers.known(task, outcomes, seed)
    if stopped and stopped[0].confidence >= SHOWN:
        if known and known[0].confidence >= 0.75:  # it explains the exception, too
            known[0].evidence = f"{stopped[0].evidence} {known[0].evidence}"
            return _without_twins([*known, *stopped])
        return stopped
    related = relations.related(task, outcomes)
    for cause in related:
        if cause.name == "state-kept-between-calls" and (where := running.lives_on(text)) is not None:
            cause.says, cause.look = f"{cause.says.rstrip('.')}: {where[0]}.", where[1]
    if known and known[0].confidence >= SHOWN:
        if related and related[0].confidence >= 0.8 and " + " not in known[0].name:
            known[0].evidence = f"{related[0].evidence} {known[0].evidence}"
            if known[0].confidence == wrong_answers.NOT_FINITE and related[0].confidence >= 0.9:
                known[0].confidence = 0.95  # right for small inputs and not for large ones: that is more than nan alone
        return _without_twins([*known, *related])
    changed = mutations.changed(task, outcomes, seed)
    found = [*related, *changed, *known, *stopped]
    if all(cause.confidence < SHOWN for cause in found):
        found += partly.known(task, outcomes, seed)
    return _without_twins(sorted(found, key=lambda cause: -cause.confidence))


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
