"""Wrong answers that explain a part of what was given: there is a second slip beside them.

Such a cause is at most likely. It is said with exactly what agrees: in how many of the failing tests, or which of several values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.causes.wrong_answers import (
    alike,
    budget,
    explained,
    name_of,
    performed,
    simple_number,
    variants,
    weight_of,
    wrong_numbers,
)
from minilm.exercises.compare import close, leaves, tolerance
from minilm.exercises.perform import Ran
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome

WORDS = ("first", "second", "third", "fourth", "fifth", "sixth")


def known(task: Task, outcomes: list[Outcome], seed: int | None = None) -> list[Cause]:
    """Causes from known wrong answers that agree in most failing tests, or in one of several values."""
    if task.kind == "find the bug":
        return []
    left = budget(task, seed)
    found = []
    for wrong, text in variants(task):
        rans = performed(task, text, f"<a wrong answer of {task.id}>", seed, left)
        fit = None if rans is None else agreement(outcomes, rans)
        if fit is not None:
            why, look = explained(task, wrong)
            evidence, confidence = fit
            found.append(Cause(name_of(task, wrong), "wrong answer", why, evidence, look, round(confidence, 4)))
    found.sort(key=lambda cause: -cause.confidence)
    if len({cause.name for cause in found}) > 1 and found[1].confidence > 0.8 * found[0].confidence:
        for cause in found:
            cause.confidence *= 0.7
    return found


def agreement(
    outcomes: list[Outcome], rans: list[Ran], least: float = 2.5, share: float = 0.5
) -> tuple[str, float] | None:
    """What agrees, as evidence, and how sure it is; None where it is not enough, or where something speaks against it.

    Args:
        least: what the numbers that agree must tell.
        share: more of the failing tests than this must agree.
    """
    fits = [fit for fit in (_tests(outcomes, rans, least, share), _parts(outcomes, rans, least)) if fit is not None]
    return max(fits, key=lambda fit: fit[1]) if fits else None


def one_part(outcomes: list[Outcome], rans: list[Ran]) -> bool:
    """Whether one of several values could be that of a wrong answer, as far as these tests tell."""
    return _parts(outcomes, rans, 2.5, tests_needed=1) is not None


def _tests(outcomes: list[Outcome], rans: list[Ran], least: float, share: float) -> tuple[str, float] | None:
    """The smallest failing test and most of the others agree, and the wrong answer is right wherever the student's is."""
    failing = [(o, ran) for o, ran in zip(outcomes, rans, strict=True) if not o.passed]
    if any(not alike(o, ran) for o, ran in zip(outcomes, rans, strict=True) if o.passed):
        return None
    weights = [_told(o, ran) if alike(o, ran) else None for o, ran in failing]
    hits = [weight for weight in weights if weight]
    if not weights[0] or len(hits) <= share * len(failing) or len(hits) == len(failing) or sum(hits) < least:
        return None
    evidence = (
        f"In {len(hits)} of the {len(failing)} failing tests your results are those of an answer with this mistake; "
        "in the others something else is wrong, too."
    )
    return evidence, 0.8 * (1 - 0.5 ** sum(hits))


def _told(o: Outcome, ran: Ran) -> float:
    """What agreement in a failing test tells here: only finite numbers that few mistakes could give count."""
    if ran.trouble is not None:
        return 0.0
    bad = {x for _, e, g in leaves(o.expected, ran.value) for x in wrong_numbers(o, e, g)}
    if not any(isinstance(x, float) and np.isfinite(x) and not simple_number(x) for x in bad):
        return 0.0
    return weight_of(o, ran) or 0.0


def _parts(outcomes: list[Outcome], rans: list[Ran], least: float, tests_needed: int = 2) -> tuple[str, float] | None:
    """One of several values agrees in all tests, and is wrong there, in finite numbers."""
    if any(o.ran.trouble or ran.trouble for o, ran in zip(outcomes, rans, strict=True)):
        return None
    given = [list(leaves(o.expected, o.ran.value)) for o in outcomes]
    theirs = [list(leaves(o.expected, ran.value)) for o, ran in zip(outcomes, rans, strict=True)]
    places = [[part for part, _, _ in parts] for parts in given]
    if len(places[0]) < 2 or any(p != places[0] for p in places) or any(len(t) != len(places[0]) for t in theirs):
        return None
    best: tuple[str, float] | None = None
    for i, place in enumerate(places[0]):
        told, tests = 0.0, 0
        for o, mine, their in zip(outcomes, given, theirs, strict=True):
            _, e, g = mine[i]
            if not _equal(o, their[i][2], g):
                break
            bad = [x for x in wrong_numbers(o, e, g) if not isinstance(x, float) or np.isfinite(x)]
            clear = [x for x in set(bad) if not simple_number(x)]
            told += 0.5 * (len(set(bad)) - len(clear)) + 3.0 * len(clear)
            tests += bool(clear)
        else:
            if told >= least and tests >= tests_needed and (best is None or told > best[1]):
                index = place[1:-1]
                word = WORDS[int(index)] if index.isdecimal() and int(index) < len(WORDS) else place
                evidence = (
                    f"In all {len(outcomes)} tests your {word} value is exactly that of an answer with this mistake; "
                    "the others are not."
                )
                best = evidence, told
    return None if best is None else (best[0], 0.78 * (1 - 0.5 ** best[1]))


def _equal(o: Outcome, a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and close(a, b, *tolerance(o.test, a, b)).all())
