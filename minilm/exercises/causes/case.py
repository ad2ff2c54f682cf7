"""What a relation looks at: one part of the result in one test, expected and got; and what it says when it fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minilm.exercises import inputs
from minilm.exercises.compare import close, leaves, tolerance
from minilm.exercises.task import Task
from minilm.exercises.verdict import Outcome
from minilm.tensor import Tensor


@dataclass
class Case:
    """One part of the result in one test.

    Attributes:
        outcome: the test.
        part: where in the result: "[1]" or "".
        expected, got: arrays, those without axes included.
        sizes: sizes in the inputs, by name.
        scalars: numbers among the inputs that are no sizes, such as a learning rate.
        arrays: the arrays among the inputs, by name.
        wrong: which elements differ; None where the shapes do.
    """

    outcome: Outcome
    part: str
    expected: Any
    got: Any
    sizes: dict[str, int] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    wrong: Any = None

    @property
    def alike(self) -> bool:
        """Whether the two have one shape."""
        return bool(self.expected.shape == self.got.shape)

    @property
    def failing(self) -> bool:
        return self.wrong is None or bool(self.wrong.any())

    @property
    def numeric(self) -> bool:
        """Whether both are numbers with an order, and finite."""
        good = {self.expected.dtype.kind, self.got.dtype.kind} <= set("iuf")
        return (
            good and self.expected.size > 0 and bool(np.isfinite(self.expected).all() and np.isfinite(self.got).all())
        )

    def equal(self, a: Any, b: Any) -> bool:
        """Whether two arrays are one up to rounding, at this test's tolerance.

        In a failing test the absolute tolerance is no larger than the relative one of the largest number: else all tiny numbers are one.
        """
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return False
        rtol, atol = tolerance(self.outcome.test, *self._precise(a, b))
        rtol, atol = max(rtol, 1e-7), max(atol, 1e-9)
        if self.failing and a.size and a.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                atol = min(atol, rtol * float(np.max(np.abs(a))))
        return bool(close(a, b, rtol, atol).all())

    def _precise(self, a: Any, b: Any) -> tuple[Any, Any]:
        """The less precise of what was compared decides, also after it has been computed with."""
        return (self.got, b) if self.got.dtype.kind == "f" and self.got.dtype.itemsize < 8 else (a, b)


@dataclass
class Fit:
    """A relation that holds in a case.

    Attributes:
        key: what must be the same in all cases for the relation to hold: "times the batch".
        says, evidence, look: for the cause.
        name: of the cause.
        base: how sure it is where there is much to agree on.
        weight: how much there is to agree on.
    """

    key: str
    name: str
    says: str
    evidence: str
    look: str = ""
    base: float = 0.85
    weight: float = 3.0


def cases_of(task: Task, outcomes: list[Outcome]) -> dict[str, list[Case]]:
    """The parts of the result, each with its cases, from the smallest test to the largest."""
    found: dict[str, list[Case]] = {}
    for outcome in outcomes:
        if outcome.ran.trouble is not None:
            continue
        named = dict(zip(inputs.names(task, outcome.test, len(outcome.inputs)), outcome.inputs, strict=True))
        sizes = inputs.sizes(task, outcome.test, outcome.inputs)
        scalars = {n: float(x) for n, x in named.items() if isinstance(x, float | np.floating)}
        arrays = {
            n: x.numpy() if isinstance(x, Tensor) else x for n, x in named.items() if isinstance(x, np.ndarray | Tensor)
        }
        for part, e, g in leaves(outcome.expected, outcome.ran.value):
            wrong = ~close(e, g, *tolerance(outcome.test, e, g)) if e.shape == g.shape else None
            found.setdefault(part, []).append(Case(outcome, part, e, g, sizes, scalars, arrays, wrong))
    return found


def information(case: Case, free: int = 0) -> float:
    """How much the wrong elements tell: those that many mistakes could give (0, 1, 1/4) little, others much."""
    places = case.got.ravel() if case.wrong is None else case.got[case.wrong].ravel()
    numbers = set(places[:50].tolist())
    tells = sorted((0.5 if simple(x) else 3.0 for x in numbers), reverse=True)
    return sum(tells[free:20]) + 0.2 * min(max(places.size - 1 - free, 0), 10)


def simple(x: Any) -> bool:
    """Whether it is a number that many mistakes could give."""
    return not isinstance(x, float) or ((24 * x).is_integer() and abs(x) < 100)


def span(numbers: Iterable[Any]) -> str:
    """The first numbers, in few characters."""
    shown = [f"{float(x):.4g}" for x in numbers]
    return ", ".join(shown[:4]) + (", ..." if len(shown) > 4 else "")
