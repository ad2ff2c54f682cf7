"""Systems measured on the same examples: the one of an application and the simple methods beside it, each difference paired.

Time is the processor's, of all threads of this process: what else the machine does does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from minilm.applications.application import Answer, Application, Split, System
from minilm.metrics.interval import Interval
from minilm.metrics.score import Score

OURS = "minilm"


@dataclass(frozen=True)
class Measured:
    """What a system is worth on some examples.

    Attributes:
        name: of the system: "minilm", or that of a simple method.
        answers: to the examples, in their order.
        scores: the numbers, the one that decides first.
        learning, answering: seconds of processor time; of learning None where it was done elsewhere.
    """

    name: str
    answers: list[Answer]
    scores: list[Score]
    learning: float | None
    answering: float


class Difference(NamedTuple):
    """A number of one system less that of another over the same examples, with its paired interval; None for one example."""

    name: str
    value: float
    interval: Interval | None


def measured(
    application: Application[Any], name: str, system: System, examples: Sequence[Any], learning: float | None = None
) -> Measured:
    """Asks a system the questions of the examples, and measures its answers.

    Raises:
        ValueError: there are no examples.
    """
    if not examples:
        raise ValueError("there are no examples to measure on.")
    began = time.process_time()
    answers = system([application.question(example) for example in examples])
    answering = time.process_time() - began
    return Measured(name, answers, application.measure(examples, answers), learning, answering)


def baselines(
    application: Application[Any],
    split: Split[Any],
    examples: Sequence[Any],
    folder: Path | None = None,
    device: str = "cpu",
) -> Iterator[Measured]:
    """What stands beside an application's system, one after the other: each learns from the split, and is measured on the examples.

    Args:
        folder, device: of the run that they stand beside (`Application.beside`).

    Raises:
        ImportError: a library is missing; the message says what to install.
    """
    for name, learn in application.beside(folder, device).items():
        began = time.process_time()
        system = learn(split)
        yield measured(application, name, system, examples, time.process_time() - began)


def differences(first: Measured, second: Measured) -> list[Difference]:
    """The numbers of the first system less those of the second, of the same names, over the same examples."""
    others = {score.name: score for score in second.scores}
    return [
        Difference(score.name, score.value - others[score.name].value, score.minus(others[score.name]))
        for score in first.scores
        if score.name in others
    ]


__all__ = ["OURS", "Difference", "Measured", "baselines", "differences", "measured"]
