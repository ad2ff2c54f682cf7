"""The library of classic bugs: what each is, how it looks in code, how it shows, and what to look at.

One source for the grader's explanations, for the tasks in which a bug is to be found or a test to be written, and for the project's
own proof that its tests find them (tests/mutants.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A mistake that people make again and again.

    Attributes:
        name: a short name in words, with hyphens: "sum-for-mean".
        title: the bug in one line.
        why: what happened, and why it is wrong, in one or two sentences.
        right, wrong: the line as it should be, and with the bug.
        shows: how it shows: what a reader sees in the numbers.
        look: what to look at when it is suspected.
        family: "gradients", "reductions", "shapes", "softmax and losses", "normalization", "attention", "optimizers", "data", "text",
            "numbers", "training" or "Python".
        file, old, new: the same bug in the engine: a file of minilm/, a fragment that occurs once in it, and what takes its place.
    """

    name: str
    title: str
    why: str
    right: str
    wrong: str
    shows: str
    look: str
    family: str
    file: str = ""
    old: str = ""
    new: str = ""


LIBRARY: dict[str, Bug] = {}
"""The bugs, by name."""


def find(name: str) -> Bug | None:
    """The bug of this name; None where the library has none."""
    return LIBRARY.get(name)
