"""The course as an assignment of nbgrader, and the points back out of its gradebook. Needs the extra `teach` to be run, not to be written.

A task becomes a statement, an answer cell with the stub and the model solution between nbgrader's markers, and one test cell per test,
with its points. A hidden test stands between markers, too, so that students do not get it. The test cells ask this package's grader,
so that both give the same points; a task that asks for a test has one cell, whose value is nbgrader's partial credit. Proofs and open
questions are cells that nbgrader has a teacher read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minilm.exercises.classroom.course import Course, document, find
from minilm.exercises.classroom.release import proven
from minilm.exercises.grade import Result, grade
from minilm.exercises.notebook import heading
from minilm.exercises.run import Answer
from minilm.exercises.task import Task
from minilm.files import atomic_write

ASSIGNMENT = "minilm"
CONFIG = '''\
"""nbgrader's settings for this course."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = {course!r}
# The stub stands above the solution's markers: what replaces the solution is a comment, and no second stub.
c.ClearSolutions.code_stub = {{"python": "# Write your answer in place of the lines above."}}
c.Execute.timeout = 120
'''


def release(
    out: Path, course: Course, version: str, jobs: int, say: Callable[[str], None] = lambda line: None
) -> Course:
    """Writes a course folder of nbgrader: its settings, and ``source/minilm/chapter-4.ipynb``, a notebook per chapter.

    Raises:
        ValueError: the folder is not empty, a stub passes, a solution fails, or a task is not one of the book's.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already, and a release writes over nothing: choose a new folder.")
    if course.own:
        raise ValueError(
            "own tasks cannot go to nbgrader: its test cells find a task by its id in the installed package."
        )
    say(proven(course, jobs))
    source = out / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    for chapter in sorted({task.chapter for task in course.tasks}):
        notebook = source_notebook(
            [task for task in course.tasks if task.chapter == chapter], f"{course.name}: chapter {chapter}"
        )
        with atomic_write(source / f"chapter-{chapter}.ipynb") as file:
            file.write((json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
    identifier = re.sub(r"[^A-Za-z0-9._-]+", "-", course.name).strip("-") or "course"
    for name, content in (
        ("nbgrader_config.py", CONFIG.format(course=identifier).encode()),
        ("course.json", document(course, version)),
    ):
        with atomic_write(out / name) as file:
            file.write(content)
    return course


def source_notebook(tasks: list[Task], title: str) -> dict[str, Any]:
    """A notebook with solutions and tests, as ``nbgrader generate_assignment`` takes it."""
    cells = [_markdown(f"# {title}\n", "title")]
    for task in tasks:
        cells += _cells(task)
    language = {"name": "python"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cells(task: Task) -> list[dict[str, Any]]:
    name = task.id.replace(".", "-")
    cells = [
        _markdown(f"## {task.id} {task.title}\n\n{heading(task)}\n\n{task.asked().strip()}\n", f"statement-{name}")
    ]
    if not task.graded:
        rubric = "".join(f"- {text}: {points}\n" for text, points in task.rubric)
        text = f"### BEGIN SOLUTION\n{task.solution.strip()}\n\n{rubric}### END SOLUTION\n"
        return [*cells, _markdown(text, f"answer-{name}", grade=True, solution=True, points=task.points)]
    given = "\n".join(
        [task.setup.strip(), *(f"{key} = {_literal(value)}" for key, value in task.values().items())]
    ).strip()
    if given:
        cells.append(_code(given + "\n", f"given-{name}"))
    answer = f"{task.start.strip()}\n\n### BEGIN SOLUTION\n{task.solution.strip()}\n### END SOLUTION\n"
    cells.append(_code(answer, f"answer-{name}", solution=True))
    ask = "from minilm.exercises.classroom.teach import points_of, test_of\n\n"
    if task.kind == "write the test":
        return [
            *cells,
            _code(f"{ask}points_of({task.id!r}, {task.name})\n", f"test-{name}-1", grade=True, points=task.points),
        ]
    for number, test in enumerate(task.tests, start=1):
        call = f"test_of({task.id!r}, {number}, {task.name})\n"
        text = (
            f"{ask}{call}"
            if not test.hidden
            else f"# a hidden test\n### BEGIN HIDDEN TESTS\n{ask}{call}### END HIDDEN TESTS\n"
        )
        cells.append(_code(text, f"test-{name}-{number}", grade=True, points=test.points))
    return cells


def _literal(value: Any) -> str:
    """A value as Python text."""
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r}, dtype={value.dtype.name!r})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def _markdown(text: str, id: str, grade: bool = False, solution: bool = False, points: int = 0) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": id,
        "metadata": _metadata(id, "markdown", grade, solution, points),
        "source": text,
    }


def _code(text: str, id: str, grade: bool = False, solution: bool = False, points: int = 0) -> dict[str, Any]:
    metadata = _metadata(id, "code", grade, solution, points)
    return {"cell_type": "code", "id": id, "metadata": metadata, "execution_count": None, "outputs": [], "source": text}


def _metadata(id: str, kind: str, grade: bool, solution: bool, points: int) -> dict[str, Any]:
    """nbgrader's own metadata, schema version 3."""
    found: dict[str, Any] = {
        "schema_version": 3, "grade_id": id, "grade": grade, "solution": solution, "locked": not solution, "task": False,
    }  # fmt: skip
    if grade:
        found["points"] = points
    if not solution:
        found["cell_type"] = kind
    return {"nbgrader": found}


# --- what the test cells call --------------------------------------------------------------------------------------------------------

_last: tuple[str, Any, Result] | None = None


def _graded(id: str, answer: Any) -> Result:
    """The result of an answer; the cells of a task come one after the other and ask for the same."""
    global _last
    if _last is None or _last[0] != id or _last[1] is not answer:
        _last = (id, answer, grade(find(id), Answer(value=answer)))
    return _last[2]


def test_of(id: str, number: int, answer: Any) -> None:
    """Passes if the answer passes the test of this number.

    Raises:
        AssertionError: it does not; the message is the grader's.
    """
    result = _graded(id, answer)
    passed = number <= len(result.outcomes) and result.outcomes[number - 1].passed
    assert passed, str(result)


def points_of(id: str, answer: Any) -> int:
    """The points of an answer, as the value of a cell: nbgrader takes it for partial credit."""
    result = _graded(id, answer)
    if not result.passed:
        print(result)
    return result.points


test_of.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's
