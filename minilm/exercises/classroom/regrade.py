"""After a test was mended: who has other points now, by how much, and which test is the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minilm.exercises.classroom import fingerprints
from minilm.exercises.classroom.course import Course
from minilm.exercises.classroom.marking import Marked, Results
from minilm.exercises.classroom.tables import number


@dataclass(frozen=True)
class Change:
    """One task of one student that has other points than before.

    Attributes:
        student, task: whose.
        before, after: points.
        tests: of each test that differs: its name, points before and after; None where it was not there.
        why: what of the task changed, or that the answer did.
    """

    student: str
    task: str
    before: float
    after: float
    tests: tuple[tuple[str, float | None, float | None], ...]
    why: str

    @property
    def shown_tests(self) -> str:
        def points(value: float | None) -> str:
            return "none" if value is None else str(value)

        return "; ".join(f"{name}: {points(old)} -> {points(new)}" for name, old, new in self.tests)


def known(old: Results) -> dict[str, dict[str, Any]]:
    """What an earlier run graded, under its keys: an answer, a task and limits that are the same are not graded again."""
    records = (record for student in old.students for record in student["tasks"].values())
    result = ("status", "points", "of", "tests", "cause", "trouble", "message", "reason")
    return {r["key"]: {k: r[k] for k in result if k in r} for r in records if r.get("key") and r["status"] == "graded"}


def changed_parts(old: Results, course: Course) -> dict[str, list[str]]:
    """Task -> the parts of it that changed since, of those that a grade can depend on or a student reads."""
    before = old.run["tasks"]
    found = {}
    for task in course.tasks:
        parts = fingerprints.parts(task)
        differ = fingerprints.changed(before[task.id]["parts"], parts) if task.id in before else ["the task (new)"]
        if differ:
            found[task.id] = differ
    return found


def forgotten(old: Results, late: bool, manual: bool) -> str:
    """What an earlier run was given and the new one is not, and what would be lost by that; "" if nothing."""
    if not late and any(student["points"] != student["raw"] for student in old.students):
        return "points were taken off for late work then: give --late, --due and --times as you did."
    records = (record for student in old.students for record in student["tasks"].values())
    if not manual and any(record["status"] == "read" for record in records):
        return "a teacher's points counted then: give --manual as you did."
    return ""


def changes(old: Results, marked: Sequence[Marked], parts: Mapping[str, Sequence[str]]) -> list[Change]:
    """Who has other points, in the order of students and tasks."""
    before = {student["student"]: student["tasks"] for student in old.students}
    found = []
    for one in marked:
        for id, record in one.records.items():
            was = before.get(one.student.id, {}).get(id, {"points": 0, "tests": []})
            if was["points"] != record["points"]:
                why = _why(was, record, parts.get(id, []))
                tests = tuple(_tests(was, record))
                found.append(Change(one.student.id, id, was["points"], record["points"], tests, why))
    return found


def _tests(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, float | None, float | None]]:
    old = {test["name"]: test["points"] for test in was.get("tests", [])}
    new = {test["name"]: test["points"] for test in now.get("tests", [])}
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _why(was: Mapping[str, Any], now: Mapping[str, Any], parts: Sequence[str]) -> str:
    reasons = []
    if was.get("sha256") != now.get("sha256"):
        reasons.append("the answer changed")
    if graded := [part for part in parts if part not in fingerprints.READ_ONLY]:
        reasons.append("changed in the task: " + ", ".join(graded))
    if was.get("rubric") != now.get("rubric"):
        reasons.append("a teacher's points changed")
    return "; ".join(reasons) or "the same answer and task: the grader itself, or the limits, changed"


def rows(found: Sequence[Change]) -> list[list[Any]]:
    """The rows of a CSV file."""
    header = ["student", "task", "before", "after", "difference", "tests", "why"]
    return [
        header,
        *([c.student, c.task, c.before, c.after, number(c.after - c.before), c.shown_tests, c.why] for c in found),
    ]
