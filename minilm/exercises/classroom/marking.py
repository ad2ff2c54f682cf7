"""Grades all submissions of a course, and writes a table, and a file of full results per student."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from minilm.exercises.classroom import fingerprints
from minilm.exercises.classroom.course import Course, Student
from minilm.exercises.classroom.journal import Journal
from minilm.exercises.classroom.submissions import Submission
from minilm.exercises.classroom.tables import number, read_table, write_table
from minilm.exercises.classroom.workers import ask
from minilm.exercises.task import Task
from minilm.files import atomic_write, open_regular
from minilm.strict_json import JSONFault, object_from

Record = dict[str, Any]
LateRule = Callable[[float, float, str], float]
Manual = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]


@dataclass
class Marked:
    """A student's results.

    Attributes:
        student: whose they are.
        records: one per task, as `minilm.exercises.classroom.worker.record_of` makes them, or with a reason why there is none.
        notes: what a teacher should know.
        hours_late: None where the time of submission is not known.
        points: after the late rule; `raw` is before it.
    """

    student: Student
    records: dict[str, Record]
    notes: list[str] = field(default_factory=list)
    hours_late: float | None = None
    points: float = 0.0
    moodle: str = ""

    @property
    def raw(self) -> float:
        return sum(float(record["points"]) for record in self.records.values())

    @property
    def of(self) -> int:
        return sum(int(record["of"]) for record in self.records.values())


@dataclass(frozen=True)
class Limits:
    """What one task of one student may use.

    Attributes:
        time: seconds for all its tests.
        memory: MiB.
    """

    time: float = 10.0
    memory: int = 1024


def mark(
    course: Course,
    submissions: Sequence[Submission],
    journal: Journal,
    limits: Limits,
    jobs: int,
    progress: Callable[[int, int], None] = lambda done, all: None,
    manual: Manual | None = None,
) -> list[Marked]:
    """Grades what the journal does not know yet; the result does not depend on what it knew, nor on the number of processes."""
    prints = {task.id: fingerprints.fingerprint(fingerprints.parts(task)) for task in course.tasks}
    marked, questions = [], {}
    for one in submissions:
        records: dict[str, Record] = {}
        for task in course.tasks:
            record, question = _begun(one, task, course, prints[task.id], limits)
            records[task.id] = record
            if question is not None and question["key"] not in journal.known:
                questions[question["key"]] = question
        notes = one.notes if one.files else ["nothing was handed in."]
        marked.append(Marked(one.student, records, list(notes), moodle=one.moodle))
    known = len({r["key"] for m in marked for r in m.records.values() if r.get("key")}) - len(questions)
    total = known + len(questions)
    progress(known, total)
    count = known

    def done(question: Mapping[str, Any], record: Record) -> None:
        nonlocal count
        journal.add(str(question["key"]), record)
        count += 1
        progress(count, total)

    if questions:
        ask(list(questions.values()), jobs, done)
    for one_marked in marked:
        for task in course.tasks:
            record = one_marked.records[task.id]
            if key := record.get("key"):
                one_marked.records[task.id] = {**record, **journal.known[key]}
            elif not task.graded:
                _read_by_teacher(record, (manual or {}).get((one_marked.student.id, task.id)))
        one_marked.points = one_marked.raw
    return marked


def _begun(one: Submission, task: Task, course: Course, print_: str, limits: Limits) -> tuple[Record, Record | None]:
    """A record without points, and the question to the grader where there is one to ask."""
    text = one.answers.get(task.id)
    tests = [{"name": t.name, "points": 0, "of": t.points, "hidden": t.hidden} for t in task.tests]
    record: Record = {
        "status": "missing",
        "points": 0,
        "of": task.points,
        "tests": tests,
        "reason": "No answer was handed in.",
    }
    if text is None or not text.strip():
        return record, None
    record["sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    if not task.graded:
        return {**record, "status": "to read", "reason": "A teacher reads it.", "answer": text}, None
    if _bare(text) == _bare(task.start):
        return {**record, "status": "unchanged", "reason": "The answer is what was handed out, unchanged."}, None
    seed = course.seed(one.student.id, task)
    asked = {"task": task.id, "text": text, "seed": seed, "time": limits.time, "memory": limits.memory}
    key = hashlib.sha256(json.dumps([print_, asked]).encode("utf-8")).hexdigest()
    own = str(course.own) if course.own else ""
    return {**record, "status": "graded", "reason": "", "key": key, "seed": seed, "answer": text}, {
        **asked,
        "own": own,
        "key": key,
    }


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _read_by_teacher(record: Record, lines: Sequence[Mapping[str, Any]] | None) -> None:
    if lines is not None:
        record |= {
            "status": "read",
            "reason": "",
            "rubric": list(lines),
            "points": number(sum(line["points"] for line in lines)),
        }


def read_manual(path: Path, course: Course) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Points that a teacher gave: a CSV with the columns student, task, line (number of the rubric's line), points, and perhaps comment.

    An answer whose rows have no points yet waits for the teacher.

    Raises:
        ValueError: a row names no student, task or line that there is, or gives more points than the line has; or an answer has
            points in some of its rows and none in another.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    empty: dict[tuple[str, str], str] = {}
    by_id = {task.id: task for task in course.tasks if not task.graded}
    known = {student.id for student in course.students}
    for at, row in enumerate(read_table(path, ["student", "task", "line", "points"], "table of points"), start=2):
        where = f"{path}, line {at}"
        if known and row["student"] not in known:
            raise ValueError(f"{where}: there is no student {row['student']!r} in the roster.")
        if row["task"] not in by_id:
            raise ValueError(
                f"{where}: {row['task']!r} is no task that a teacher reads: {', '.join(by_id) or 'there is none'}."
            )
        rubric = by_id[row["task"]].rubric
        if not row["line"].isdecimal() or not 1 <= int(row["line"]) <= len(rubric):
            raise ValueError(
                f"{where}: the rubric of {row['task']} has the lines 1 to {len(rubric)}, not {row['line']!r}."
            )
        text, most = rubric[int(row["line"]) - 1]
        if not row["points"]:
            empty.setdefault((row["student"], row["task"]), where)
            continue
        try:
            points = float(row["points"])
        except ValueError:
            points = math.nan
        if not 0 <= points <= most:
            raise ValueError(f"{where}: expected points from 0 to {most}, got {row['points']!r}.")
        lines = found.setdefault((row["student"], row["task"]), [])
        if any(line["line"] == text for line in lines):
            raise ValueError(f"{where}: line {row['line']} of {row['task']} was given points above.")
        lines.append({"line": text, "points": number(points), "of": most, "comment": row.get("comment", "")})
    for (student, task), where in empty.items():
        if (student, task) in found:
            raise ValueError(
                f"{where}: no points, though other lines of {task} of {student} have some. Nothing earned is 0."
            )
    return found


def late_rule(path: Path) -> LateRule:
    """The teacher's function ``late(points, hours_late, student)``, from a Python file.

    Raises:
        ValueError: the file cannot be run, or does not define it.
    """
    with open_regular(path, ValueError, "late rule") as file:
        text = file.read()
    space: dict[str, Any] = {"__name__": "late_rule", "__file__": str(path)}
    try:
        exec(compile(text, str(path), "exec"), space)
    except Exception as error:
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    rule = space.get("late")
    if not callable(rule):
        raise ValueError(f"{path} does not define late(points, hours_late, student).")

    def asked(points: float, hours: float, student: str) -> float:
        try:
            value = rule(points, hours, student)
        except Exception as error:
            raise ValueError(
                f"{path}: late({points}, {hours:.2f}, {student!r}) raised {type(error).__name__}: {error}"
            ) from error
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{path}: late({points}, {hours:.2f}, {student!r}) returned {value!r}, expected a number.")
        return float(value)

    return asked


def apply_late(
    marked: Sequence[Marked],
    submissions: Sequence[Submission],
    due: datetime | None,
    times: Mapping[str, datetime],
    rule: LateRule | None,
) -> None:
    """Enters how late each student was, and what the rule makes of the points. Without a known time nothing is taken off."""
    for one, given in zip(marked, submissions, strict=True):
        when = times.get(one.student.id, given.submitted)
        if due is not None and when is not None:
            one.hours_late = round(max(0.0, (when - due).total_seconds() / 3600), 2)
        if rule is not None and one.hours_late is not None:
            one.points = rule(one.raw, one.hours_late, one.student.id)
        if given.late and one.hours_late is None:
            one.notes.append("late, as the export says; by how much is not known (--due and --times tell).")


def write(out: Path, course: Course, marked: Sequence[Marked], problems: Sequence[str], version: str) -> None:
    """The table at `out`, and beside it, in a folder of its name, the full results. The table comes last: it says that all is there."""
    folder = results_folder(out)
    (folder / "students").mkdir(parents=True, exist_ok=True)
    for one in marked:
        _write_json(folder / "students" / f"{one.student.id}.json", _document(one, course))
    seconds = {one.student.id: {id: r["seconds"] for id, r in one.records.items() if "seconds" in r} for one in marked}
    _write_json(folder / "seconds.json", seconds)
    described = {task.id: {"title": task.title, "parts": fingerprints.parts(task)} for task in course.tasks}
    run = {"course": course.name, "minilm": version, "tasks": described, "problems": list(problems)}
    _write_json(folder / "run.json", run)
    write_table(out, table(course, marked))


def results_folder(out: Path) -> Path:
    """Where the full results of a table are: grades.csv has grades/."""
    return out.with_suffix("")


def table(course: Course, marked: Sequence[Marked]) -> list[list[Any]]:
    """The rows of grades.csv."""
    rows: list[list[Any]] = [["student", "name", *course.ids, "raw", "of", "hours_late", "points", "notes"]]
    for one in marked:
        cells = [
            number(one.records[id]["points"]) if one.records[id]["status"] != "missing" else "" for id in course.ids
        ]
        late = "" if one.hours_late is None else one.hours_late
        reasons = [f"{id}: {r['reason']}" for id, r in one.records.items() if r["status"] == "failed"]
        notes = " ".join([*one.notes, *reasons])
        rows.append(
            [one.student.id, one.student.name, *cells, number(one.raw), one.of, late, number(one.points), notes]
        )
    return rows


def _document(one: Marked, course: Course) -> dict[str, Any]:
    records = {id: {k: v for k, v in record.items() if k != "seconds"} for id, record in one.records.items()}
    return {
        "student": one.student.id, "name": one.student.name, "course": course.name, "raw": number(one.raw), "of": one.of,
        "hours_late": one.hours_late, "points": number(one.points), "moodle": one.moodle, "notes": one.notes, "tasks": records,
    }  # fmt: skip


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write((json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


@dataclass(frozen=True)
class Results:
    """What `write` wrote, read back.

    Attributes:
        run: course, tasks with their parts' hashes, problems.
        students: the documents, in the order of their ids.
        seconds: student -> task -> how long grading took.
    """

    run: dict[str, Any]
    students: list[dict[str, Any]]
    seconds: dict[str, dict[str, float]]


def read_results(grades: Path) -> Results:
    """The full results beside a table, or in a folder.

    Raises:
        ValueError: there are none, or they are damaged.
    """
    folder = results_folder(grades) if grades.suffix == ".csv" else grades
    if not (folder / "run.json").is_file():
        raise ValueError(
            f"{folder} holds no results: expected the table or the folder that `minilm classroom grade` wrote."
        )
    students = [_read_json(path) for path in sorted((folder / "students").glob("*.json"))]
    return Results(_read_json(folder / "run.json"), students, _read_json(folder / "seconds.json"))


def _read_json(path: Path) -> dict[str, Any]:
    with open_regular(path, ValueError, "result") as file:
        content = file.read()
    try:
        return object_from(content, max_digits=25)
    except JSONFault as fault:
        raise ValueError(f"{path} {fault}.") from None
