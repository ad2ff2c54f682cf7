"""What a bug that is put into the sources is made of."""

from __future__ import annotations

from typing import NamedTuple

from minilm.exercises import bugs


class Mutant(NamedTuple):
    """One bug.

    Attributes:
        name: the bug, in words.
        file: the source that it is put into.
        old: a fragment that occurs exactly once in the file.
        new: what takes its place.
        tests: node ids of the tests that must fail, separated by blanks. One test suffices in most cases.
        needs: the package without which these tests are skipped, and the bug with them.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    needs: str | None = None


def of(name: str, tests: str) -> Mutant:
    """A bug of the library (`minilm.exercises.bugs`), as it stands there for the engine."""
    bug = bugs.LIBRARY[name]
    return Mutant(bug.title, bug.file, bug.old, bug.new, tests)


def derivative(*samples: str) -> str:
    """The check of first derivatives against central differences, on samples of the registry such as ``softmax-0``."""
    return " ".join(f"tests/ops/test_registry.py::test_first_derivative[{sample}]" for sample in samples)
