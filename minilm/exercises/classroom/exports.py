"""Files that other systems read: Canvas's gradebook, Moodle's gradebook, Gradescope's results.json.

- Canvas (Grades > Import): columns Student, ID, SIS User ID, SIS Login ID, Section, then the assignment; the second line holds the
  points possible. A student is found by ID or login; an assignment of a new name is made.
- Moodle (Grades > Import > CSV file): a line per student; the id is mapped to "ID number" or the e-mail address to "Email address", the
  grade to the item. "Identifier", where it is known, is that of an offline grading worksheet.
- Gradescope: one results.json per submission, as an autograder writes it to /autograder/results/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minilm.exercises.classroom.comments import Comments, comment_on
from minilm.exercises.classroom.course import Student
from minilm.exercises.classroom.marking import Results
from minilm.exercises.classroom.tables import guard, write_table
from minilm.files import atomic_write


def write(system: str, out: Path, results: Results, roster: Sequence[Student], name: str, comments: Comments) -> None:
    """Writes the file, or for Gradescope the folder, of a system.

    Raises:
        ValueError: it is there already.
    """
    if out.exists():
        raise ValueError(f"{out} is there already, and nothing is written over: choose another --out.")
    known = {student.id: student for student in roster}
    people = [known.get(s["student"], Student(s["student"], s["name"])) for s in results.students]
    if system == "gradescope":
        out.mkdir(parents=True)
        for student in results.students:
            content = json.dumps(gradescope(student, comments), indent=1, ensure_ascii=False) + "\n"
            (out / student["student"]).mkdir()
            with atomic_write(out / student["student"] / "results.json") as file:
                file.write(content.encode("utf-8"))
        return
    rows = canvas(results, people, name) if system == "canvas" else moodle(results, people, name, comments)
    write_table(out, rows, guarded=False)


def canvas(results: Results, people: Sequence[Student], name: str) -> list[list[Any]]:
    """The rows of a gradebook of Canvas with one assignment."""
    of = max((student["of"] for student in results.students), default=0)
    rows: list[list[Any]] = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", name],
        ["    Points Possible", "", "", "", "", of],
    ]
    for student, person in zip(results.students, people, strict=True):
        login = person.login or person.email or person.id
        rows.append([guard(person.name), person.canvas, person.id, login, person.section, student["points"]])
    return rows


def moodle(results: Results, people: Sequence[Student], name: str, comments: Comments) -> list[list[Any]]:
    """The rows of a table for Moodle's import of grades."""
    rows: list[list[Any]] = [
        ["Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum Grade", "Feedback comments"]
    ]
    for student, person in zip(results.students, people, strict=True):
        identifier = f"Participant {student['moodle']}" if student["moodle"] else ""
        feedback = f"{name}: {feedback_of(student, comments)}"
        row = [identifier, guard(person.name), person.id, person.email, student["points"], student["of"], feedback]
        rows.append(row)
    return rows


def feedback_of(student: dict[str, Any], comments: Comments) -> str:
    """Points per task, and the teacher's comments, on one line."""
    parts = [f"{id} {record['points']}/{record['of']}" for id, record in student["tasks"].items()]
    said = [f"{id}: {text}" for id, r in student["tasks"].items() if (text := comment_on(r, id, comments))]
    return ", ".join(parts) + (". " + " ".join(said) if said else "")


def gradescope(student: dict[str, Any], comments: Comments) -> dict[str, Any]:
    """results.json: a test per test, hidden ones visible once grades are published."""
    tests = []
    for id, record in student["tasks"].items():
        texts = [record.get("message") or record.get("reason") or "", comment_on(record, id, comments)]
        rows = record.get("rubric") or record["tests"]
        if not rows:
            rows = [{"name": "read by a teacher", "points": record["points"], "of": record["of"]}]
        for place, row in enumerate(rows):
            tests.append({
                "name": f"{id}: {row.get('name') or row.get('line')}",
                "score": row["points"],
                "max_score": row["of"],
                "status": "passed" if row["points"] == row["of"] else "failed",
                "output": "\n\n".join(text for text in texts if text) if place == 0 else "",
                "visibility": "after_published" if row.get("hidden") else "visible",
            })  # fmt: skip
    result = {"score": student["points"], "output_format": "text", "visibility": "visible", "tests": tests}
    if student["points"] != student["raw"]:
        result["output"] = f"{student['raw']} points before the late rule."
    return result
