"""Runs an answer beside the process that asks for it: whatever it does, that process goes on.

Three ways, behind one function:

- **fork**: a live object, as a notebook has it, runs in a forked copy of the process. POSIX.
- **fresh**: text runs in a new process. A live object does so where there is no fork (Windows), or where forking is unsafe (macOS):
  from its source, with the sources of the names it uses.
- **here**: where there are no processes at all (Pyodide), it runs in this one, under a counter of lines that ends a loop.

What "here" does not catch: a long call within C, a loop that catches every exception, memory, `os._exit`, a changed NumPy, files.
What no way catches is said in `minilm.exercises.child`: this is a fence against mistakes, not a sandbox.
"""

from __future__ import annotations

import builtins
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from types import FrameType
from typing import Any, Literal

from minilm.exercises import child, source, tasks
from minilm.exercises.child import Limits
from minilm.exercises.code import define, first_definition, run_text, solution_of
from minilm.exercises.notes import Ended, Reader, why
from minilm.exercises.perform import (
    ANSWER,
    NoInput,
    Own,
    Ran,
    TimeUp,
    TooMuchOutput,
    Trouble,
    call,
    line_now,
    no_input,
    of_notebook,
    of_text,
    perform,
    replaced_in_numpy,
    trouble_of,
)
from minilm.exercises.process import Forked, Fresh, Process
from minilm.exercises.task import Task, Test, with_bug

Way = Literal["fork", "fresh", "here"]
Mode = Literal["tests", "kills"]
MOST_KEPT = 256
_RAISED = (Exception, TimeUp, TooMuchOutput, SystemExit)
DEEPEST = 200
"""Calls within each other, where an answer runs "here". In a page each that goes through C takes of a stack of half a megabyte, and whoever
comes to its end loses the page's Python, not an exception."""
_kept: dict[tuple[str, int | None, int], tuple[Task, list[Ran]]] = {}


@dataclass
class Answer:
    """What a student hands in: Python text, or an object that is alive in a notebook.

    Attributes:
        text: the text; it is run after the task's set-up, and must define the task's name.
        value: the object, where there is no text.
    """

    text: str | None = None
    value: Any = None


def run(
    task: Task, answer: Answer, seed: int | None = None, limits: Limits | None = None, *, way: Way | None = None
) -> list[Ran] | Trouble:
    """What the answer does in each test, or why it cannot be run.

    Where a call had to be ended, its `Ran` has the trouble, and so have those of the tests after it, which were not asked.

    Args:
        seed: draws the inputs, and the numbers of the statement.
        limits: what the answer may take.
        way: how it is run; by default what suits the answer and the system. "fork" for text is the quickest for one who grades
            hundreds: the process that forks should be a clean one, without threads.
    """
    if trouble := _numpy_trouble(answer) or _no_function(task, answer):
        return trouble
    rans = expected(task, seed)
    return _Run(task, answer, seed, limits or Limits(), "tests", [ran.seconds for ran in rans]).result(way)


def kills(
    task: Task, answer: Answer, subjects: Sequence[str], seed: int | None = None, limits: Limits | None = None, *,
    way: Way | None = None,
) -> list[Ran] | Trouble:  # fmt: skip
    """For "write the test": what the student's test does with each subject.

    Args:
        subjects: Python texts, each of a function that is given to the test: ``task.setup`` and the right function, or a wrong one. A
            test that finds nothing wrong leaves no trouble in its `Ran`.
    """
    return _Run(task, answer, seed, limits or Limits(), "kills", [0.0] * len(subjects), list(subjects)).result(way)


def subjects_of(task: Task) -> list[str]:
    """The right subject of a "write the test", and then the wrong ones, as `kills` takes them."""
    return [task.setup + task.subject, *(task.setup + with_bug(task.subject, wrong) for wrong in task.wrong)]


def expected(task: Task, seed: int | None = None) -> list[Ran]:
    """What the solution does in each test. It is kept, since hundreds of answers are compared with the same."""
    key = (task.id, seed, len(task.tests))
    there = _kept.get(key)
    if there is None or (there[0] is not task and there[0] != task):
        there = (task, perform(task, solution_of(task, seed), seed))
        while len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = there
    return there[1]


def _numpy_trouble(answer: Answer) -> Trouble | None:
    """A live answer comes from a process in which somebody may have replaced NumPy's functions: the solution needs them, too."""
    names = replaced_in_numpy() if answer.text is None else []
    if not names:
        return None
    return Trouble(
        "numpy", f"{names[0]} is not NumPy's any more in this process: restart it, and give your function another name."
    )


def _no_function(task: Task, answer: Answer) -> Trouble | None:
    if answer.text is not None or task.kind == "number" or callable(answer.value):
        return None
    return Trouble("no function", f"{task.name} is of type {type(answer.value).__name__}, not a function or class.")


# --- one run -----------------------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    task: Task
    answer: Answer
    seed: int | None
    limits: Limits
    mode: Mode
    took: list[float]
    subjects: list[str] = field(default_factory=list)

    def result(self, way: Way | None) -> list[Ran] | Trouble:
        way = way or self._way()
        answer = self.answer
        if way == "here":
            return self._here()
        if way == "fresh" and answer.text is None:
            try:
                text = source.of(answer.value, self.task.name)
            except source.NoSource as error:
                if not hasattr(os, "fork"):
                    return Trouble("no function", str(error))
                way = "fork"
            else:
                answer = Answer(text)
        rans: list[Ran] = []
        begin, left = 0, self.limits
        while True:
            ended = self._ask(answer, way, begin, left)
            if isinstance(ended, Trouble):
                return ended
            rans += ended.rans
            if ended.trouble is None:
                return rans
            if len(rans) < len(self.took):
                rans.append(Ran(trouble=ended.trouble))
            begin, left = len(rans), replace(left, total=left.total - ended.seconds)
            if begin == len(self.took):
                if 0 <= ended.at < begin and rans[ended.at].trouble is None:
                    rans[ended.at].again_trouble = ended.trouble
                return rans
            if self.mode == "tests" or left.total <= 0:
                rest = replace(ended.trouble, message="not asked, since the call before did not end.")
                return rans + [Ran(trouble=rest) for _ in self.took[begin:]]

    def _way(self) -> Way:
        if sys.platform == "emscripten":
            return "here"
        if not hasattr(os, "fork"):
            return "fresh"
        if self.answer.text is not None:
            return "fresh" if _is_entered(self.task) else "fork"
        return "fresh" if sys.platform == "darwin" else "fork"

    def _job(self, answer: Answer, begin: int, limits: Limits, folder: str) -> dict[str, Any]:
        budgets = [max(limits.seconds, 20 * seconds) for seconds in self.took]
        defining = limits.seconds * (IMPORTING if _imports(answer.text) else 1)
        return {"task": self.task.id, "tests": [test.name for test in self.task.tests],
                "seed": self.seed, "mode": self.mode, "subjects": self.subjects, "begin": begin,
                "text": answer.text, "budgets": [*budgets, defining], "folder": os.path.join(folder, "work"),
                "dump": os.path.join(folder, "dump"), **asdict(limits)}  # fmt: skip

    def _ask(self, answer: Answer, way: Way, begin: int, limits: Limits) -> Ended | Trouble:
        """One process, from its start to its end."""
        folder = tempfile.mkdtemp(prefix="minilm-")
        try:
            os.mkdir(os.path.join(folder, "work"))
            job = self._job(answer, begin, limits, folder)
            own: Own = of_text if answer.text is not None else of_notebook
            start = time.monotonic()
            process: Process
            if way == "fork":
                process = Forked(lambda notes, dump: child.serve(self.task, answer.value, job, notes, dump, own), job)
            else:
                process = Fresh(job)
            try:
                ended = Reader(process, job, begin).read()
            finally:
                process.kill()
            ended.seconds = time.monotonic() - start
            if ended.whole:
                return ended.defined or ended
            trouble = ended.trouble or why(process, job, own, answer.text, ended.late, ended.at)
            if ended.at < begin and answer.text is not None and not ended.rans:
                return trouble  # it did not even define its function
            ended.trouble = trouble
            return ended
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _here(self) -> list[Ran] | Trouble:
        """In this process; a counter of lines ends what loops."""
        own: Own = of_notebook if self.answer.text is None else of_text
        answer = self.answer.value
        longest = min(20 * max(self.took, default=0.0), self.limits.total)  # as long as in a process of its own
        with _Alarm(replace(self.limits, seconds=max(self.limits.seconds, longest)), own) as alarm:
            if self.answer.text is not None:
                try:
                    answer = define(self.task, self.answer.text, ANSWER, self.seed)
                except KeyError:
                    return Trouble("no name", f"the answer does not define {self.task.name}.")
                except (Exception, TimeUp, SystemExit) as error:
                    return trouble_of(error, own)
                if trouble := _no_function(self.task, Answer(value=answer)):
                    return trouble
            if self.mode == "kills":
                given = [run_text(text, "<subject>")[first_definition(text)] for text in self.subjects]
                return [
                    call(alarm.counted(answer), Test("the student's test"), (s,), own, BaseException) for s in given
                ]
            return perform(self.task, alarm.counted(answer), self.seed, own=own, catch=BaseException)


IMPORTING = 5
"""So many times longer than a call may the answer's definition take where it imports modules: that is no endless loop."""


def _imports(text: str | None) -> bool:
    return bool(re.search(r"^(import|from)\s+(?!numpy\b|math\b)", text or "", re.MULTILINE))


def _is_entered(task: Task) -> bool:
    """Whether another process finds the task by its id, with at least these tests."""
    try:
        there = tasks.find(task.id)
    except KeyError:
        return False
    names = [test.name for test in task.tests]
    asked = tuple(test for test in there.tests if test.name in names)
    return task is there or (len(asked) == len(names) and replace(there, tests=asked) == task)


def _depth() -> int:
    """How many calls this one lies within."""
    frame: FrameType | None = sys._getframe()
    depth = 0
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


class _Alarm:
    """Raises `TimeUp` in an answer that lasts too long; it looks at the clock at every hundredth line."""

    def __init__(self, limits: Limits, own: Own) -> None:
        self.seconds, self.own, self.lines, self.end = limits.seconds * limits.waiting, own, 0, float("inf")
        self.out = False

    def __enter__(self) -> _Alarm:
        self.before, self.deepest = sys.gettrace(), sys.getrecursionlimit()
        sys.setrecursionlimit(min(self.deepest, _depth() + DEEPEST))
        self.input, self.stdin = builtins.input, sys.stdin
        builtins.input, sys.stdin = no_input, NoInput()
        self.end = time.perf_counter() + self.seconds
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)
        sys.setrecursionlimit(self.deepest)
        builtins.input, sys.stdin = self.input, self.stdin

    def counted(self, function: Any) -> Any:
        """The function, each call of which begins the time anew."""
        if not callable(function):
            return function

        def asked(*arguments: Any, **options: Any) -> Any:
            if self.out:
                raise TimeUp("not asked, since the call before did not end.")
            self.end = time.perf_counter() + self.seconds
            sys.settrace(self._trace)
            return function(*arguments, **options)

        return asked

    def _trace(self, frame: Any, event: str, argument: Any) -> Any:
        self.lines += 1
        if self.lines % 100 == 0 and time.perf_counter() > self.end and line_now(frame, self.own)[0]:
            self.out = True
            self.end += self.seconds  # an answer that catches it is told again
            raise TimeUp(f"no result after {self.seconds:g} s")
        return self._trace
