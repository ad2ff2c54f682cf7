"""What an exercise is: one record, from which the notebook, the page, the command line and the teacher's kit are made.

The code in a record is text, since a student sees it as text: the stub, the solution, and each wrong answer, which is the
solution with one fragment replaced. What asks is code: a `Test` draws inputs and calls the answer with them, and what is expected
is what the solution gives on the same inputs. So a record holds no expected number, and none can be out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "code", "find the bug", "write the test", "proof", "open"]
KINDS: tuple[Kind, ...] = ("number", "code", "find the bug", "write the test", "proof", "open")
Generator = np.random.Generator


@dataclass(frozen=True)
class Test:
    """One question to an answer, with the points for getting it right.

    Attributes:
        name: what is asked, as a student reads it beside the points: "one row", "a batch", "large inputs".
        inputs: draws the arguments of the call from a generator. The tests of a task go from the smallest inputs to the largest, and a
            generator of the same seed gives the same arguments, so that a student's test can be run again.
        points: for this test.
        hidden: whether a student is told of the test before it fails.
        use: ``use(answer, *inputs)`` gives the result to compare, where that is more than ``answer(*inputs)``: an object that is
            made and then asked, a function that is called twice. It is run with the answer and with the solution.
        call: how `use` reads, for the message: "step(w, g) three times". By default the call itself is shown.
        rtol, atol: what counts as equal: ``|got - expected| <= atol + rtol * |expected|``. None takes what suits the dtype.
        unchanged: whether the answer must leave its inputs as they are.
        fresh: whether the result may not share memory with an input.
        labels: names of sizes in the inputs, for the cause of a factor: ``{"the batch": 4}`` or a function of the inputs.
    """

    __test__ = False  # not one of pytest's

    name: str
    inputs: Callable[[Generator], tuple[Any, ...]] = field(default=lambda rng: ())
    points: int = 1
    hidden: bool = False
    use: Callable[..., Any] | None = None
    call: str = ""
    rtol: float | None = None
    atol: float | None = None
    unchanged: bool = True
    fresh: bool = False
    labels: Mapping[str, int] | Callable[..., Mapping[str, int]] | None = None


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that is known: the solution with one fragment replaced.

    Attributes:
        bug: its name in the library of bugs (`minilm.exercises.bugs`), which explains it; "" for one of this task alone.
        old: a fragment that occurs exactly once in the solution (of a task of kind "write the test": in its subject).
        new: what takes its place.
        why: what happened, in one sentence of this task. Where it is empty, the library's explanation stands for it.
        look: what to look at now. The same.
    """

    bug: str
    old: str
    new: str
    why: str = ""
    look: str = ""


@dataclass(frozen=True)
class Task:
    """An exercise.

    Attributes:
        id: chapter and number: "4.9".
        title: as in the book.
        kind: "number" (a value and its tolerance), "code" (a function or class), "find the bug" (the stub holds one, and is to be
            mended), "write the test" (a function that raises AssertionError for a wrong answer), "proof" or "open" (read by a teacher).
        minutes: 10, 20 or 40.
        difficulty: 1, 2 or 3.
        practises: what it practises, in a few words.
        statement: what is asked, in Markdown. Fields such as ``{x}`` stand for the numbers that `data` draws.
        solution: Python text that defines `name`. It is shown after success.
        name: what the answer must define: a function, a class, or for a number "answer".
        stub: what a student begins with: signature, docstring, a body that runs and fails. For "find the bug" it is made.
        hint, derivation: the first two levels of help, in Markdown; the third is the solution.
        tests: from the smallest inputs to the largest. "write the test" needs none: its points are the bugs that are found.
        wrong: wrong answers that are known. The first one of "find the bug" is the bug. "write the test" is marked by them.
        subject: for "write the test", the right function, as text; the student's test is given it and its wrong versions.
        setup: Python text that runs before stub, solution and answer; a student sees it.
        data: draws the numbers of the statement, which `setup`, solution and answer find as global names, for each student others.
        group: tasks of one group draw the same data.
        rubric: what a teacher looks for, a line each, with points: for "proof" and "open".
        after: what to try next, shown after success.
    """

    id: str
    title: str
    kind: Kind
    minutes: int
    difficulty: int
    practises: str
    statement: str
    solution: str
    name: str = "answer"
    stub: str = ""
    hint: str = ""
    derivation: str = ""
    tests: tuple[Test, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    subject: str = ""
    setup: str = "import numpy as np\n"
    data: Callable[[Generator], dict[str, Any]] | None = None
    group: str = ""
    rubric: tuple[tuple[str, int], ...] = ()
    after: str = ""

    @property
    def chapter(self) -> int:
        return int(self.id.partition(".")[0])

    @property
    def number(self) -> int:
        return int(self.id.partition(".")[2])

    @property
    def graded(self) -> bool:
        """Whether a program can mark it."""
        return self.kind not in ("proof", "open")

    @property
    def points(self) -> int:
        """What a whole answer earns."""
        if not self.graded:
            return sum(points for _, points in self.rubric)
        return len(self.wrong) if self.kind == "write the test" else sum(test.points for test in self.tests)

    @property
    def start(self) -> str:
        """The code that a student begins with."""
        return with_bug(self.solution, self.wrong[0]) if self.kind == "find the bug" else self.stub

    def asked(self, seed: int | None = None) -> str:
        """The statement, with this student's numbers in it."""
        shown = {name: _shown(value) for name, value in self.values(seed).items()}
        return re.sub(r"\{(\w+)\}", lambda field: shown.get(field[1], field[0]), self.statement)

    def values(self, seed: int | None = None) -> dict[str, Any]:
        """The numbers that the statement gives this student."""
        return {} if self.data is None else self.data(generator(seed, self.group or self.id))

    def cases(self, seed: int | None = None) -> list[tuple[Test, tuple[Any, ...]]]:
        """Each test with its inputs: the same for the same seed, and for all tasks of a group."""
        return [(t, tuple(t.inputs(generator(seed, self.group or self.id, i)))) for i, t in enumerate(self.tests)]


def generator(seed: int | None, *path: str | int) -> Generator:
    """Random numbers for one purpose: the same for the same seed and path, on every machine."""
    words = [seed or 0, *(part if isinstance(part, int) else int.from_bytes(part.encode(), "little") for part in path)]
    return np.random.default_rng(words)


def with_bug(code: str, wrong: Wrong) -> str:
    """The code with the fragment replaced.

    Raises:
        ValueError: the fragment does not occur exactly once.
    """
    if code.count(wrong.old) != 1:
        raise ValueError(f"a fragment must occur once, this one does {code.count(wrong.old)} times: {wrong.old!r}.")
    return code.replace(wrong.old, wrong.new)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    return f"{value:g}" if isinstance(value, float) else str(value)
