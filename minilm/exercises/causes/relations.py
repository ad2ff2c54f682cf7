"""The second source of causes: general relations between what was expected and what was given.

A relation of a part is a law: it must hold in each test that can show it, with the same key ("times the batch"), and also in the tests
that passed, where it must be one that changes nothing there. Relations of the whole answer look at all tests at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minilm.exercises.causes import arrangement, magnitude
from minilm.exercises.causes.case import Case, Fit, cases_of
from minilm.exercises.causes.conduct import CONDUCT
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome

Law = Callable[[Case], "list[Fit] | None"]

LAWS: tuple[Law, ...] = (
    magnitude.factor,
    magnitude.an_input_as_factor,
    magnitude.an_input_more,
    magnitude.derivative_elsewhere,
    magnitude.forgotten,
    magnitude.summand,
    magnitude.rounded,
    magnitude.value_for_index,
    arrangement.other_shape,
    arrangement.transposed,
    arrangement.one_too_few,
    arrangement.shifted,
    arrangement.rows_of_one,
    magnitude.clipped,
    magnitude.factor_per_row,
    arrangement.permuted,
    arrangement.only_some_places,
)
"""The relations of a part, in the order in which one is preferred to another that fits as well."""

CONDITIONAL = {
    magnitude.value_for_index,
    arrangement.permuted,
    arrangement.only_some_places,
    arrangement.rows_of_one,
    arrangement.other_shape,
    arrangement.one_too_few,
    magnitude.clipped,
}
"""Those that need not hold in tests that passed."""


EVERYWHERE = {magnitude.forgotten, magnitude.rounded}
"""Those that must show in each failing test: a step that is missing is missing in all of them."""


def related(task: Task, outcomes: list[Outcome]) -> list[Cause]:
    """Causes from general relations, the surest first."""
    found = [cause for relation in CONDUCT if (cause := relation(task, outcomes)) is not None]
    parts = cases_of(task, outcomes)
    wrong = {part: cases for part, cases in parts.items() if any(case.failing for case in cases)}
    for law in LAWS:
        with np.errstate(all="ignore"):
            here = [_causes(law, cases, part, len(wrong)) for part, cases in wrong.items()]
        if law is arrangement.one_too_few and not all(here):  # of the other values that are wrong it says nothing
            for cause in [cause for causes in here for cause in causes]:
                cause.confidence = round(0.65 * cause.confidence, 4)
        found += [cause for causes in here for cause in causes]
    found.sort(key=lambda cause: -cause.confidence)
    return found


def _causes(law: Law, cases: list[Case], part: str, parts: int) -> list[Cause]:
    fits = holds(law, cases)
    where = f"In the {_ordinal(part)} value: " if part.startswith("[") else ""
    share = 0.97 if parts > 1 else 1.0
    causes = []
    for i, (fit, weight) in enumerate(fits):
        confidence = share * fit.base * (1 - 0.5**weight) * (1.0 if len(fits) == 1 else 0.97 if not i else 0.9)
        says = where + fit.says
        evidence = fit.evidence[0].upper() + fit.evidence[1:]
        causes.append(Cause(fit.name, "relation", says, evidence, fit.look, round(confidence, 4)))
    return causes


def holds(law: Law, cases: list[Case]) -> list[tuple[Fit, float]]:
    """The forms in which a law holds in all cases that can show it, with how much they tell; empty where one speaks against it."""
    left: dict[str, tuple[Fit, float]] | None = None
    shown = 0
    for case in sorted(cases, key=lambda case: not case.failing):
        if not case.failing and law in CONDITIONAL:
            continue
        fits = law(case)
        if fits is None:
            continue
        here = {fit.key: fit for fit in reversed(fits)}
        tells = {key: fit.weight if case.failing else 1.0 for key, fit in here.items()}
        if left is None:
            left = {fit.key: (fit, fit.weight) for fit in fits} if case.failing else None
            if left is None:
                continue
        else:
            left = {key: (fit, total + tells[key]) for key, (fit, total) in left.items() if key in here}
        shown += case.failing
        if not left:
            return []
    if left is None:
        return []
    able = sum(case.failing for case in cases)
    if law in EVERYWHERE and shown < able:
        return []
    return [(fit, weight * shown / able) for fit, weight in left.values()]


def _ordinal(part: str) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    index = part[1:].partition("]")[0]
    return words[int(index)] if index.isdecimal() and int(index) < len(words) else part
