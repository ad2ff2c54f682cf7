"""Submissions of students who do not exist: right, half right, wrong in known ways, unfinished, broken, harmful, and late.

::

    python -m tests.exercises.classroom.synthetic OUT --students 200

makes a course and its submissions, seeded, and says how to grade them; with ``--grade`` it grades them, too, and measures the time.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from minilm.exercises.classroom.course import Course, Student, choose, load, read_roster
from minilm.exercises.classroom.release import release
from minilm.exercises.task import Generator, Task, with_bug

DUE = datetime(2026, 12, 1, 23, 59, tzinfo=timezone.utc)
KINDS = ("right", "right", "right", "wrong", "wrong", "wrong", "stub", "syntax", "missing", "raises", "prints", "none")
RARE = ("loop", "exit", "recursion", "memory")
FIRST = ("Ada", "Alan", "Grace", "Emmy", "Blaise", "Sofia", "Évariste", "Hypatia", "Kurt", "Mary", "Srinivasa", "Zoë")
LAST = (
    "Lovelace",
    "Turing",
    "Hopper",
    "Noether",
    "Pascal",
    "Kowalewskaja",
    "Galois",
    "O'Neil",
    "Gödel",
    "<Somerville>",
    "Ramanujan",
)


def answer(task: Task, kind: str, rng: Generator) -> str | None:
    """An answer of a kind; None where there is none."""
    if kind == "right" or (kind == "wrong" and not (task.wrong and task.kind in ("code", "number"))):
        return task.solution
    name = task.name
    return {
        "wrong": lambda: with_bug(task.solution, task.wrong[int(rng.integers(len(task.wrong)))]),
        "stub": lambda: task.start,
        "syntax": lambda: task.solution.replace("(", "((", 1) + "\n)]",
        "missing": lambda: None,
        "raises": lambda: f"def {name}(*args, **kwargs):\n    return args[0].no_such_attribute\n",
        "prints": lambda: f"def {name}(*args, **kwargs):\n    print(args)\n",
        "none": lambda: f"def {name}(*args, **kwargs):\n    pass\n",
        "loop": lambda: f"def {name}(*args, **kwargs):\n    while True:\n        pass\n",
        "exit": lambda: "import os\n\n\n" + f"def {name}(*args, **kwargs):\n    os._exit(0)\n",
        "recursion": lambda: f"def {name}(*args, **kwargs):\n    return {name}(*args, **kwargs)\n",
        "memory": lambda: f"def {name}(*args, **kwargs):\n    return [bytearray(1 << 30) for _ in range(64)]\n",
    }[kind]()


def fill(notebook: bytes, answers: dict[str, str | None]) -> bytes:
    """A student's notebook with answers in its cells."""
    document = json.loads(notebook)
    for cell in document["cells"]:
        mark = cell["metadata"].get("minilm", {})
        if mark.get("role") == "answer" and (text := answers.get(mark["task"])) is not None:
            cell["source"] = text
    return json.dumps(document, indent=1).encode()


def make(out: Path, students: int, ids: tuple[str, ...], seed: int = 0, jobs: int = 2) -> Course:
    """Writes out/course (the release), out/submissions and out/times.csv."""
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "roster.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "name", "email"])
        for i in range(students):
            name = f"{FIRST[i % len(FIRST)]} {LAST[(i // 3) % len(LAST)]}"
            rows.writerow([f"s{i:03d}", name, f"s{i:03d}@example.org"])
    course = Course("Synthetic 2026", ids, read_roster(out / "roster.csv"), individual=True, date="2026-11-01")
    release(out / "course", course, "0", jobs)
    times = [("student", "submitted")]
    for place, student in enumerate(course.students):
        times.append((student.id, (DUE + timedelta(hours=float(rng.integers(-200, 40)))).isoformat()))
        hand_in(out, course, student, place, rng)
    with open(out / "times.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(times)
    (out / "late.py").write_text(
        "def late(points, hours_late, student):\n    return max(0, points * (1 - 0.1 * -(-hours_late // 24)))\n"
    )
    return load(out / "course")


def hand_in(out: Path, course: Course, student: Student, place: int, rng: Generator) -> None:
    """One student's folder; some hand in nothing, or a broken notebook, or a Python file."""
    folder = out / "submissions" / student.id
    if place % 23 == 11:
        return
    folder.mkdir(parents=True)
    answers: dict[str, str | None] = {}
    for task in course.tasks:
        kind = RARE[int(rng.integers(len(RARE)))] if rng.random() < 0.01 else KINDS[int(rng.integers(len(KINDS)))]
        if place % 7 == 0:
            kind = "right"
        answers[task.id] = answer(task, kind, rng) if task.graded else "Because the sum of the parts is the whole."
    if place % 10 == 3:
        parts = [f"# task {id}\n{text}\n" for id, text in answers.items() if text is not None and "." in id]
        (folder / "answers.py").write_text("\n".join(parts), encoding="utf-8")
        return
    for path in sorted((out / "course" / "students" / student.id).glob("*.ipynb")):
        content = fill(path.read_bytes(), answers)
        (folder / path.name).write_bytes(content[: len(content) // 2] if place % 29 == 17 else content)


def main() -> None:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("out", type=Path)
    p.add_argument("--students", type=int, default=200)
    p.add_argument("--tasks", default="", help="ids, as 4.1,4.9 (default: chapters 1 to 5)")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--grade", action="store_true", help="grade them, and say how long it took")
    o = p.parse_args()
    from minilm.exercises.tasks import CHAPTERS

    ids = choose([] if o.tasks else CHAPTERS, o.tasks.split(",") if o.tasks else [])
    begin = time.perf_counter()
    make(o.out, o.students, ids, o.seed, o.jobs)
    print(f"{o.students} students, {len(ids)} tasks, made in {time.perf_counter() - begin:.1f} s")
    command = [sys.executable, "-m", "minilm", "classroom", *grade_arguments(o.out, o.out / "grades.csv", o.jobs)]
    print(" ".join(command))
    if o.grade:
        begin = time.perf_counter()
        subprocess.run(command, check=True)
        print(f"graded in {time.perf_counter() - begin:.1f} s with {o.jobs} processes")


def grade_arguments(out: Path, table: Path, jobs: int = 2) -> list[str]:
    """The command that grades them."""
    return ["grade", str(out / "submissions"), "--release", str(out / "course"), "--out", str(table), "--jobs", str(jobs),
            "--late", str(out / "late.py"), "--due", DUE.isoformat(), "--times", str(out / "times.csv")]  # fmt: skip


if __name__ == "__main__":
    main()
