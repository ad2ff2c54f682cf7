"""The library of classic bugs: what each is, how it looks in code, how it shows, and what to look at.

One source for the grader's explanations, for the tasks in which a bug is to be found or a test to be written, and for the project's
own proof that its tests find them (tests/mutants/).
"""

from __future__ import annotations

from minilm.exercises.bugs import (
    attention,
    data,
    gradients,
    losses,
    normalization,
    numbers,
    optimizers,
    python,
    reductions,
    shapes,
    text,
    training,
)
from minilm.exercises.bugs.record import Bug

__all__ = ["FAMILIES", "LIBRARY", "Bug", "find"]

_FILES = (
    gradients,
    reductions,
    shapes,
    losses,
    normalization,
    attention,
    optimizers,
    data,
    text,
    numbers,
    training,
    python,
)

FAMILIES: dict[str, tuple[Bug, ...]] = {file.BUGS[0].family: file.BUGS for file in _FILES}
"""The bugs of each family, in the order in which they are best read."""

LIBRARY: dict[str, Bug] = {bug.name: bug for bugs in FAMILIES.values() for bug in bugs}
"""All bugs, by name."""


def find(name: str) -> Bug | None:
    """The bug of this name, or None."""
    return LIBRARY.get(name)
