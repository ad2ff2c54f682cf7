"""There and back through nbgrader: a release, three students, its autograder, its export; the points are those of this package."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises import tasks
from minilm.exercises.classroom import teach
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer
from minilm.exercises.task import Task, with_bug

TASK = tasks.find("4.9")


def test_a_notebook_for_nbgrader_has_a_cell_per_test_and_hides_the_hidden() -> None:
    cells = {cell["id"]: cell for cell in teach.source_notebook([TASK], "c")["cells"]}
    points = [cell["metadata"]["nbgrader"].get("points", 0) for cell in cells.values()]
    assert sum(points) == TASK.points
    for number, test in enumerate(TASK.tests, 1):
        assert ("### BEGIN HIDDEN TESTS" in cells[f"test-4-9-{number}"]["source"]) == test.hidden
    answer = cells["answer-4-9"]
    assert answer["metadata"]["nbgrader"]["solution"]
    assert answer["source"].index(TASK.start.strip()) < answer["source"].index("### BEGIN SOLUTION")


def test_a_test_cell_raises_with_the_graders_message() -> None:
    with pytest.raises(AssertionError, match=r"4\.9 LayerNorm"):
        teach.test_of("4.9", 1, lambda x, w, y_bar, eps: None)
    teach.test_of("4.9", 1, teach_solution())


def teach_solution() -> object:
    from minilm.exercises.code import solution_of

    return solution_of(TASK)


@pytest.mark.slow
def test_the_points_that_nbgrader_exports_are_ours(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader", reason="needs nbgrader: pip install 'minilm[teach]'")
    course = tmp_path / "course"
    assert (
        main(["classroom", "release", str(course), "--tasks", "4.9,1.1", "--course", "There and back", "--nbgrader"])
        == 0
    )
    nbgrader(course, "generate_assignment", teach.ASSIGNMENT)
    text = (course / "release" / teach.ASSIGNMENT / "chapter-4.ipynb").read_text(encoding="utf-8")
    assert "BEGIN" not in text
    assert "x_bar = (g - g.mean" not in text
    assert '"as many rows as columns"' not in text
    other = tasks.find("1.1")
    half = next(a for w in TASK.wrong if 0 < points(TASK, a := with_bug(TASK.solution, w)) < TASK.points)
    wrong = f"def {TASK.name}(*args):\n    return None\n"
    answers = {
        "right": {"4.9": TASK.solution, "1.1": other.solution},
        "half": {"4.9": half, "1.1": other.solution},
        "wrong": {"4.9": wrong, "1.1": other.start},
    }
    for student, given in answers.items():
        for id, answer in given.items():
            hand_in(course, student, id, answer)
    nbgrader(course, "autograde", teach.ASSIGNMENT, "--create")
    nbgrader(course, "export", "--to", "out.csv")
    with open(course / "out.csv", encoding="utf-8", newline="") as file:
        exported = {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)}
    assert exported == {
        student: sum(points(tasks.find(id), a) for id, a in given.items()) for student, given in answers.items()
    }
    assert exported["right"] > exported["half"] > exported["wrong"] == 0


def points(task: Task, answer: str) -> int:
    return grade(task, Answer(text=answer)).points


def hand_in(course: Path, student: str, id: str, answer: str) -> None:
    """Puts an answer into the cell of the released notebook."""
    name = f"chapter-{id.partition('.')[0]}.ipynb"
    document = json.loads((course / "release" / teach.ASSIGNMENT / name).read_text(encoding="utf-8"))
    cell = next(
        c for c in document["cells"] if c["metadata"]["nbgrader"]["grade_id"] == f"answer-{id.replace('.', '-')}"
    )
    cell["source"] = answer
    target = course / "submitted" / student / teach.ASSIGNMENT / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document), encoding="utf-8")


def nbgrader(course: Path, *arguments: str) -> None:
    # nbgrader starts `alembic` by its name, and that need not be on the PATH of who runs the tests.
    scripts = {path.locate().resolve().parent for path in files("alembic") or () if path.stem == "alembic"}
    beside = os.pathsep.join([*map(str, sorted(scripts)), os.environ["PATH"]])
    home = {"PATH": beside, "JUPYTER_CONFIG_DIR": str(course / ".jupyter"), "IPYTHONDIR": str(course / ".ipython")}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        capture_output=True,
        text=True,
        env={**os.environ, **home},
    )
    assert done.returncode == 0, done.stdout + done.stderr
