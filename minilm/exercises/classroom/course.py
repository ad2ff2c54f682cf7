"""A course: its name, its tasks and its students, as `release` wrote them down."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minilm.exercises import tasks
from minilm.exercises.classroom.seeds import seed_of
from minilm.exercises.classroom.tables import read_table
from minilm.exercises.task import Task
from minilm.files import open_regular, shown
from minilm.strict_json import JSONFault, object_from
from minilm.terminal import did_you_mean

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")


@dataclass(frozen=True)
class Student:
    """A line of the roster.

    Attributes:
        id: names the student's folder, and draws the student's numbers.
        name: as in lists; by default the id.
        email, login, section: for the gradebooks of other systems; may be empty.
        canvas: Canvas's own number of the student (its column "ID").
    """

    id: str
    name: str = ""
    email: str = ""
    login: str = ""
    section: str = ""
    canvas: str = ""


@dataclass(frozen=True)
class Course:
    """What was released.

    Attributes:
        name: of the course; it goes into the seeds.
        ids: of the tasks, in order.
        students: the roster; empty where there is none.
        individual: whether each student has other numbers.
        own: folder of the teacher's own tasks, or None.
        date: of the release.
    """

    name: str
    ids: tuple[str, ...]
    students: tuple[Student, ...] = ()
    individual: bool = False
    own: Path | None = None
    date: str = ""

    @property
    def tasks(self) -> list[Task]:
        return [find(id, self.own) for id in self.ids]

    @property
    def points(self) -> int:
        return sum(task.points for task in self.tasks)

    def seed(self, student: str, task: Task) -> int | None:
        """Draws the numbers of a task for a student; None where all have the same."""
        return seed_of(self.name, student, task.group or task.id) if self.individual else None

    def student(self, id: str) -> Student:
        return next((student for student in self.students if student.id == id), Student(id, id))


def find(id: str, own: Path | None = None) -> Task:
    """A task of the book, or of the teacher's folder, which comes first.

    Raises:
        ValueError: there is none; the message names what there is.
    """
    mine = own_tasks(own) if own else {}
    if id in mine:
        return mine[id]
    try:
        return tasks.find(id)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None


def choose(chapters: Sequence[int], ids: Sequence[str], own: Path | None = None) -> tuple[str, ...]:
    """Ids of the tasks asked for, in the order of the book, the teacher's own after those of their chapter.

    Raises:
        ValueError: a chapter or a task does not exist.
    """
    mine = own_tasks(own) if own else {}
    chosen: dict[str, Task] = {}
    for chapter in chapters:
        there = [task for task in mine.values() if task.chapter == chapter]
        try:
            there += [task for task in tasks.of_chapter(chapter) if task.id not in mine]
        except (KeyError, ModuleNotFoundError) as error:
            if not there:
                reason = error.args[0] if isinstance(error, KeyError) else f"chapter {chapter} has no exercises."
                raise ValueError(str(reason)) from None
        chosen |= {task.id: task for task in there}
    chosen |= {id: find(id, own) for id in ids}
    if not chapters and not ids:
        chosen = mine
    return tuple(sorted(chosen, key=lambda id: (chosen[id].chapter, chosen[id].number)))


@functools.cache
def own_tasks(folder: Path) -> dict[str, Task]:
    """The tasks of a teacher's folder: each Python file in it defines TASKS, records as those of the book.

    Raises:
        ValueError: there is no such folder, or no file in it defines TASKS, or one cannot be run.
    """
    files = sorted(folder.glob("*.py"))
    if not files:
        raise ValueError(f"{folder} holds no Python file: expected a folder of files that define TASKS.")
    found: dict[str, Task] = {}
    for path in files:
        name = f"own_tasks_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
        for task in getattr(module, "TASKS", ()):
            if not isinstance(task, Task):
                raise ValueError(f"{path}: TASKS holds {type(task).__name__}, expected records of type Task.")
            if task.id in found:
                raise ValueError(f"{path}: the id {task.id} is taken by another file of the folder.")
            found[task.id] = task
    if not found:
        raise ValueError(f"no file of {folder} defines TASKS: expected a tuple of Task records.")
    return found


def read_roster(path: Path) -> tuple[Student, ...]:
    """The students of a CSV file with a column ``id``, and perhaps name, email, login, section, canvas_id.

    Raises:
        ValueError: an id is missing, occurs twice, or cannot name a folder.
    """
    students: list[Student] = []
    for line, row in enumerate(read_table(path, ["id"], "roster"), start=2):
        id = row["id"]
        if not SAFE.fullmatch(id) or ".." in id:
            raise ValueError(
                f"{path}, line {line}: the id {id!r} cannot name a folder: letters, digits and . _ @ - are allowed, at most 80."
            )
        if id.casefold() in {student.id.casefold() for student in students}:
            raise ValueError(
                f"{path}, line {line}: the id {id!r} occurs twice (upper and lower case are the same to some file systems)."
            )
        columns = ("name", "email", "login", "section", "canvas_id")
        name, email, login, section, canvas = (row.get(column, "") for column in columns)
        students.append(Student(id, name or id, email, login, section, canvas))
    if not students:
        raise ValueError(f"{path} names no students: expected one per line below the first.")
    return tuple(students)


def load(folder: Path) -> Course:
    """The course that `release` wrote into a folder.

    Raises:
        ValueError: the folder holds no course.json, or one that is damaged.
    """
    path = folder / "course.json"
    with open_regular(path, ValueError, "course") as file:
        content = file.read()
    try:
        document = object_from(content)
        ids = tuple(str(task["id"]) for task in document["tasks"])
        name, individual, date = str(document["course"]), bool(document["individual"]), str(document["date"])
    except (JSONFault, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a course as `minilm classroom release` writes it: {error}.") from None
    roster, own = folder / "teacher" / "roster.csv", folder / "teacher" / "tasks"
    students = read_roster(roster) if roster.exists() else ()
    return Course(name, ids, students, individual, own if own.is_dir() else None, date)


def find_course(near: Iterable[Path]) -> Path:
    """The first of the folders that holds a course.json of a teacher.

    Raises:
        ValueError: none does.
    """
    folders = list(near)
    for folder in folders:
        if (folder / "course.json").is_file() and (folder / "teacher").is_dir():
            return folder
    looked = ", ".join(shown(folder) for folder in folders)
    raise ValueError(f"no released course found (looked in {looked}): give its folder with --release FOLDER.")


def listed(ids: Sequence[str], known: Sequence[str]) -> list[str]:
    """The ids, each of which must be known.

    Raises:
        ValueError: one is not.
    """
    for id in ids:
        if id not in known:
            raise ValueError(f"the course has no task {id!r}: {', '.join(known)}.{did_you_mean(id, known)}")
    return list(ids)


def document(course: Course, version: str, extra: dict[str, dict[str, Any]] | None = None) -> bytes:
    """course.json as bytes; `extra` adds fields to tasks."""
    described = [
        {
            "id": t.id,
            "title": t.title,
            "kind": t.kind,
            "points": t.points,
            "minutes": t.minutes,
            **(extra or {}).get(t.id, {}),
        }
        for t in course.tasks
    ]
    content = {
        "course": course.name,
        "date": course.date,
        "minilm": version,
        "individual": course.individual,
        "points": course.points,
        "tasks": described,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
