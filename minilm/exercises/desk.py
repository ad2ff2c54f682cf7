"""What a student calls: `check`, `hint`, `exercise` and `progress`, as ``ml.check("4.9", my_function)``.

Each returns an object that shows itself: HTML or Markdown in a notebook, text in a terminal.
"""

from __future__ import annotations

import contextlib
import html
import re
import sys
from dataclasses import dataclass
from typing import Any

from minilm.exercises import child, tasks
from minilm.exercises import progress as kept
from minilm.exercises.causes.running import unable
from minilm.exercises.grade import Result, grade
from minilm.exercises.notebook import heading, stub_of
from minilm.exercises.perform import Trouble
from minilm.exercises.progress import ProgressError, State
from minilm.exercises.run import Answer
from minilm.exercises.task import Task
from minilm.style import GREEN
from minilm.terminal import table

LEVELS = ("hint", "derivation", "solution")
_MISSING = object()


class ExerciseError(ValueError):
    """There is no such exercise, or an argument is none; the message says what there is."""

    def _render_traceback_(self) -> list[str]:
        """In a notebook the sentence alone: what stands above it is not the student's."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(repr=False)
class Page:
    """Something to read: Markdown in a notebook, the same as text in a terminal."""

    markdown: str

    def __str__(self) -> str:
        return self.markdown.strip()

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(repr=False)
class Checked:
    """What a check found, and what a student may see now.

    Attributes:
        result: points, outcomes and causes (`minilm.exercises.grade.Result`).
        kept: what went wrong with keeping progress; "" if nothing.
    """

    result: Result
    kept: str = ""

    @property
    def passed(self) -> bool:
        return self.result.passed

    @property
    def points(self) -> int:
        return self.result.points

    def __str__(self) -> str:
        parts = [str(self.result), *self._after_success(), *([self.kept] if self.kept else [])]
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [self.result._repr_html_()]
        if self.passed:
            levels = [(name, text) for name, text in helps(self.result.task) if name != "solution"]
            folded = [f"<details><summary>The {name}</summary>{_as_html(text)}</details>" for name, text in levels]
            parts.append(f"<div style='border-left:4px solid {GREEN};padding:0 .9em .3em'>{''.join(folded)}</div>")
        if self.kept:
            parts.append(f"<p>{html.escape(self.kept)}</p>")
        return "".join(parts)

    def _after_success(self) -> list[str]:
        """In a terminal the hint and the derivation are one call away: the message is to fit on a screen."""
        there = [name for name, _ in helps(self.result.task) if name != "solution"]
        if not self.passed or not there:
            return []
        calls = [f'ml.hint("{self.result.task.id}", level={i}) shows the {name}' for i, name in enumerate(there, 1)]
        return ["; ".join(calls) + "."]


def _as_html(markdown: str) -> str:
    """Paragraphs, code and bold of a short text; formulas stay for the notebook to set."""
    paragraphs = [html.escape(part.strip()) for part in re.split(r"\n\s*\n", markdown) if part.strip()]
    marked = [
        re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", re.sub(r"`([^`]+)`", r"<code>\1</code>", part)) for part in paragraphs
    ]
    return "".join(f"<p>{part}</p>" for part in marked)


def check(id: str, answer: Any = _MISSING, *, seed: int | None = None) -> Checked:
    """Checks an answer to an exercise, and says what is wrong with it.

    The answer runs beside this process: an endless loop in it is ended, and a crash harms nothing. The outcome is kept for `progress`,
    on this machine only.

    Args:
        id: the exercise, such as "4.9".
        answer: the function, class or number. Where it is left out, it is looked for under its own name where `check` is called.
        seed: of the numbers in the statement, where a teacher gave you others; the notebook has it.

    Raises:
        ExerciseError: there is no such exercise, the id is no text, or it is one that a teacher reads.
    """
    task = find(id)
    if child.inside:
        return Checked(Result(task, trouble=Trouble("no answer", "a check within an answer is not made.")))
    if not task.graded:
        raise ExerciseError(f"exercise {task.id} is a {task.kind}: a teacher reads it. ml.hint({task.id!r}) helps.")
    if answer is _MISSING:
        answer = _found(task.name, sys._getframe(1))
    if answer is _MISSING:
        trouble = Trouble("no name", f"there is no {task.name} here yet: run the cell that defines it, then this one.")
        return Checked(Result(task, trouble=trouble, causes=unable(task, trouble, None)))
    result = grade(task, Answer(value=answer), seed)
    return Checked(result, _keep(lambda: kept.note_check(task, result.points, result.passed)))


def _found(name: str, frame: Any) -> Any:
    """What stands under the name where a function was called."""
    for names in (frame.f_locals, frame.f_globals):
        if name in names:
            return names[name]
    return _MISSING


def _keep(note: Any) -> str:
    """Progress that cannot be kept is told, and no more than that."""
    try:
        note()
    except ProgressError as error:
        return f"Note: {error}"
    return ""


def find(id: Any) -> Task:
    """The exercise of this id.

    Raises:
        ExerciseError: there is none, or the id is no text.
    """
    if isinstance(id, float):
        raise ExerciseError(f'the id of an exercise is a text, since 4.10 is not 4.1: ml.check("{id}", ...).')
    if not isinstance(id, str):
        raise ExerciseError(f'first the id of an exercise, such as "4.9", then the answer; got {type(id).__name__}.')
    try:
        return tasks.find(id)
    except KeyError as error:
        raise ExerciseError(str(error.args[0])) from None


# --- help --------------------------------------------------------------------------------------------------------------------------


def helps(task: Task) -> list[tuple[str, str]]:
    """The levels of help that an exercise has, each with its text."""
    texts = zip(LEVELS, (task.hint, task.derivation, task.solution), strict=True)
    return [(name, text.strip("\n")) for name, text in texts if text.strip()]


CALLS = ('`ml.hint("{id}")` once more,', '`ml.hint("{id}", level={level})`')


def hint(id: str, level: int | None = None, *, spelled: tuple[str, ...] = CALLS) -> Page:
    """Opens the next level of help: first a hint, then a derivation, then the solution.

    The solution is asked for twice, or with ``level=3``. What was opened is kept for `progress`.

    Args:
        level: 1, 2 or 3, for one of them at once.
        spelled: how the two ways to the solution are told.

    Raises:
        ExerciseError: there is no such exercise or level.
    """
    task = find(id)
    there = helps(task)
    if level is not None and (type(level) is not int or not 1 <= level <= len(there)):
        raise ExerciseError(f"exercise {task.id} has help of level 1 to {len(there)}; got {level!r}.")
    opened, asked = _opened_here.get(task.id, 0), task.id in _asked_here  # where nothing can be kept
    with contextlib.suppress(ProgressError):
        opened = max(opened, kept.states().get(task.id, State(task.id)).hints)
        asked = asked or kept.asked_last(task)
    which = level or min(opened + 1, len(there))
    name, text = there[which - 1]
    if name == "solution" and level is None and opened < which and not asked:
        _asked_here.add(task.id)
        _keep(lambda: kept.note_hint(task, which, opened=False))
        calls = " or ".join(call.format(id=task.id, level=which) for call in spelled)
        return Page(f"The next one is the solution of {task.id}, the last of {len(there)}. To open it: {calls}.")
    _opened_here[task.id] = max(which, _opened_here.get(task.id, 0))
    _keep(lambda: kept.note_hint(task, which))
    body = f"```python\n{text}\n```" if name == "solution" and task.graded else text
    return Page(f"**{task.id}, {which} of {len(there)}: {name}**\n\n{body}\n")


_opened_here: dict[str, int] = {}
_asked_here: set[str] = set()


def exercise(id: str) -> Page:
    """The statement of an exercise, and the code to begin with.

    Raises:
        ExerciseError: there is no such exercise.
    """
    task = find(id)
    code = f"\n\n```python\n{stub_of(task)}```\n" if task.graded else "\n"
    return Page(f"### {task.id} {task.title}\n\n{heading(task)}\n\n{task.asked().strip()}{code}")


# --- progress ----------------------------------------------------------------------------------------------------------------------


@dataclass(repr=False)
class Progress:
    """How far a student is.

    Attributes:
        states: of each exercise that was tried, under its id.
    """

    states: dict[str, State]

    def rows(self) -> list[tuple[str, ...]]:
        """Exercise, points, checks, hints and title of each that was tried; one row per chapter above them."""
        found: list[tuple[str, ...]] = []
        for chapter in tasks.CHAPTERS:
            there = tasks.of_chapter(chapter)
            tried = [task for task in there if task.id in self.states]
            if not tried:
                continue
            points, whole = sum(self.states[task.id].points for task in tried), sum(task.points for task in there)
            solved = sum(bool(self.states[task.id].passed) for task in tried)
            title = f"chapter {chapter}: {solved} of {len(there)} solved"
            found.append((str(chapter), _of(points, whole), "", "", title))
            found += [_row(task, self.states[task.id]) for task in tried]
        return found

    def __str__(self) -> str:
        rows = self.rows()
        if not rows:
            return 'nothing was checked yet. ml.exercise("1.1") shows the first exercise.'
        return table([HEAD, *rows], None)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = self.rows()
        if not rows:
            return f"<p>{html.escape(str(self))}</p>"
        lines = [
            f"<tr>{''.join(f'<{kind} style=text-align:left>{html.escape(part)}</{kind}>' for part in row)}</tr>"
            for row in [HEAD, *rows]
            for kind in ["th" if row is HEAD or "." not in row[0] else "td"]
        ]
        return f"<table>{''.join(lines)}</table>"


HEAD = ("id", "points", "checks", "hints", "exercise")


def _row(task: Task, state: State) -> tuple[str, ...]:
    return (task.id, _of(state.points, task.points), str(state.checks), _of(state.hints, len(helps(task))), task.title)


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}"


def progress() -> Progress:
    """How far you are: points, checks and hints of each exercise that you tried. It is kept on this machine only.

    Raises:
        ProgressError: the file cannot be read.
    """
    return Progress(kept.states())
