"""What students get, and apart from it what only the teacher sees."""

from __future__ import annotations

import csv
import datetime
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from minilm.exercises import notebook
from minilm.exercises.classroom import fingerprints
from minilm.exercises.classroom.course import Course, Student, document
from minilm.exercises.classroom.workers import ask
from minilm.exercises.task import Task
from minilm.files import atomic_write

README = """\
# {course}

{count} exercises, {points} points, in {files}.

## Install

You need Python 3.10 or newer.

```bash
pip install minilm jupyterlab       # or as your teacher says
jupyter lab                         # opens this folder; choose a notebook
```

## Check

Below each exercise stands a cell such as `ml.check("{example}")`. Run it: it says what is right, where your answer first differs from
what was expected, and what to look at. Some tests are hidden until you fail them; so "all tests that are shown pass" is good news,
and not yet the grade. `ml.hint("{example}")` opens the next of three levels of help.

Without a notebook: put a line `# task {example}` above each answer in a Python file, and run `minilm check {example} FILE`.

## Hand in

Save the notebook and hand in the file, under the name that it has{whose}. Keep the cells' headings: they say to which exercise an answer
belongs. An answer may use NumPy and what the cell above it imports; what you define for one exercise is not there in another.
"""
TEACHER = """\
# {course}: for the teacher

- `solutions/`: the model solution of each task, its tests, and the wrong answers that it knows
- `rubric.md`: what to look for in proofs and open questions; `points.csv` is to be filled in and given to `grade --manual`
- `roster.csv`, `tasks/`: the students and your own tasks, where there are any; grading reads them

Keep this folder to yourself. The next step, once submissions are in a folder:

    minilm classroom grade SUBMISSIONS --release {folder} --out grades.csv
"""


def release(
    out: Path, course: Course, version: str, jobs: int, say: Callable[[str], None] = lambda line: None
) -> Course:
    """Writes a release into a new folder: ``students/``, ``teacher/`` and ``course.json``.

    Nothing is written before every stub was seen to fail and every solution to pass.

    Raises:
        ValueError: the folder exists and is not empty; a stub passes, or a solution fails.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already, and a release writes over nothing: choose a new folder.")
    say(proven(course, jobs))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=out.parent) as temporary:
        made = Path(temporary) / "release"
        _write(made, out, course, version)
        if out.exists():
            out.rmdir()
        made.rename(out)
    return course


def proven(course: Course, jobs: int) -> str:
    """Grades stubs and solutions, with the numbers of the first student; returns the line that says so.

    Raises:
        ValueError: a stub passes, or a solution does not.
    """
    first = course.students[0].id if course.students else ""
    graded = [task for task in course.tasks if task.graded]
    own = str(course.own) if course.own else ""
    questions: list[dict[str, Any]] = []
    for task in graded:
        for what, text in (("stub", task.start), ("solution", task.solution)):
            seed = course.seed(first, task)
            questions.append(
                {"task": task.id, "text": text, "seed": seed, "own": own, "what": what, "time": 60.0, "memory": 4096}
            )
    faults: list[str] = []

    def done(question: dict[str, Any], record: dict[str, Any]) -> None:
        if record["status"] != "graded":
            faults.append(f"{question['task']}: {record['reason']}")
        elif question["what"] == "stub" and record["points"] >= record["of"]:
            faults.append(f"the stub of {question['task']} passes")
        elif question["what"] == "solution" and record["points"] != record["of"]:
            why = (record.get("trouble") or {}).get("message") or (record.get("cause") or {}).get("says") or ""
            faults.append(
                f"the solution of {question['task']} earns {record['points']} of {record['of']} points. {why}".strip()
            )

    if questions:
        ask(questions, jobs, done)
    if faults:
        raise ValueError("nothing was written: " + "; ".join(sorted(faults)))
    whose = f" (with the numbers of {first})" if course.individual else ""
    read = len(course.ids) - len(graded)
    return f"{len(graded)} stubs fail and {len(graded)} solutions pass{whose}; {read} tasks are read by a teacher."


def _write(made: Path, out: Path, course: Course, version: str) -> None:
    made.mkdir()
    prints = {task.id: {"fingerprint": fingerprints.fingerprint(fingerprints.parts(task))} for task in course.tasks}
    _save(made / "course.json", document(course, version, prints))
    if course.individual:
        for student in course.students:
            _write_student(made / "students" / student.id, course, version, student)
    else:
        _write_student(made / "students", course, version, None)
    _write_teacher(made / "teacher", out, course)


def _write_student(folder: Path, course: Course, version: str, student: Student | None) -> None:
    folder.mkdir(parents=True)
    chapters = sorted({task.chapter for task in course.tasks})
    for chapter in chapters:
        of_chapter = [task for task in course.tasks if task.chapter == chapter]
        seeds = {task.id: course.seed(student.id, task) for task in of_chapter} if student else {}
        _save(folder / f"chapter-{chapter}.ipynb", student_notebook(course, chapter, of_chapter, seeds))
    example = next((task.id for task in course.tasks if task.graded), course.ids[0])
    text = README.format(
        course=course.name,
        count=len(course.ids),
        points=course.points,
        files=", ".join(f"`chapter-{chapter}.ipynb`" for chapter in chapters),
        example=example,
        whose=f". The numbers in it are those of {student.id} alone" if student and course.individual else "",
    )
    _save(folder / "README.md", text.encode("utf-8"))
    _save(folder / "course.json", document(course, version))


def student_notebook(course: Course, chapter: int, tasks: Sequence[Task], seeds: dict[str, int | None]) -> bytes:
    """A chapter's notebook without solutions."""
    return notebook.student(tasks, title=f"{course.name}: chapter {chapter}", seeds=seeds)


def _write_teacher(folder: Path, out: Path, course: Course) -> None:
    (folder / "solutions").mkdir(parents=True)
    for task in course.tasks:
        _save(folder / "solutions" / f"{task.id}.md", _solution(task).encode("utf-8"))
    _save(folder / "README.md", TEACHER.format(course=course.name, folder=out).encode("utf-8"))
    read = [task for task in course.tasks if not task.graded]
    _save(folder / "rubric.md", _rubric(read).encode("utf-8"))
    _save(
        folder / "points.csv",
        _csv([("student", "task", "line", "points", "comment"), *_to_fill(course.students, read)]),
    )
    if course.students:
        rows = [(s.id, s.name, s.email, s.login, s.section, s.canvas) for s in course.students]
        _save(folder / "roster.csv", _csv([("id", "name", "email", "login", "section", "canvas_id"), *rows]))
    if course.own:
        (folder / "tasks").mkdir()
        for path in sorted(course.own.glob("*.py")):
            shutil.copyfile(path, folder / "tasks" / path.name)


def _to_fill(students: Iterable[Student], read: Sequence[Task]) -> list[tuple[Any, ...]]:
    """A row without points for each student and each line of a rubric."""
    return [(s.id, task.id, line, "", "") for s in students for task in read for line in range(1, len(task.rubric) + 1)]


def _solution(task: Task) -> str:
    tests = "".join(f"| {t.name} | {t.points} | {'hidden' if t.hidden else 'shown'} |\n" for t in task.tests)
    wrong = "".join(f"- {w.bug or 'of this task alone'}: `{w.old.strip()}` → `{w.new.strip()}`\n" for w in task.wrong)
    code = task.kind not in ("proof", "open")
    parts = [
        f"# {task.id} {task.title}\n\n{task.kind}, {task.points} points, {task.minutes} minutes. Practises {task.practises}.\n",
        task.statement.strip() + "\n",
        f"## Solution\n\n```python\n{task.solution.strip()}\n```\n"
        if code
        else f"## Solution\n\n{task.solution.strip()}\n",
        f"## Derivation\n\n{task.derivation.strip()}\n" if task.derivation else "",
        f"## Tests\n\n| test | points | |\n|---|---|---|\n{tests}" if tests else "",
        f"## Wrong answers it knows\n\n{wrong}" if wrong else "",
    ]
    return "\n".join(part for part in parts if part)


def _rubric(read: Sequence[Task]) -> str:
    parts = ["# What to look for in proofs and open questions\n"]
    for task in read:
        lines = "".join(
            f"{i}. {text} ({points} point{'s' * (points != 1)})\n" for i, (text, points) in enumerate(task.rubric, 1)
        )
        parts.append(f"## {task.id} {task.title}\n\n{lines}")
    return "\n".join(parts) if read else parts[0] + "\nThis course has none.\n"


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8")


def _save(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def today() -> str:
    return datetime.date.today().isoformat()
