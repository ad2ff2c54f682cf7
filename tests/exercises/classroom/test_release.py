"""What is handed out: notebooks without solutions, other numbers for each student, nothing before it is proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises import tasks
from minilm.exercises.classroom.course import choose, load
from minilm.exercises.notebook import answers_in
from tests.exercises.classroom.conftest import Graded

OWN = """
from minilm.exercises.task import Task, Test

TASKS = (
    Task(
        id="4.99", title="Twice", kind="code", minutes=10, difficulty=1, practises="a product", statement="Write `twice(x)`.",
        name="twice", stub={stub!r}, solution={solution!r},
        tests=(
            Test("a number", lambda rng: (float(rng.standard_normal()),)),
            Test("an array", lambda rng: (rng.standard_normal(3),)),
        ),
    ),
)
"""
STUB, SOLUTION = "def twice(x):\n    raise NotImplementedError\n", "def twice(x):\n    return 2 * x\n"


def own(folder: Path, stub: str = STUB, solution: str = SOLUTION) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.py").write_text(OWN.format(stub=stub, solution=solution), encoding="utf-8")
    return folder


def test_students_get_stubs_and_no_solution(graded: Graded) -> None:
    for student in graded.course.students:
        folder = graded.folder / "course" / "students" / student.id
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["README.md", "chapter-1.ipynb", "chapter-4.ipynb", "course.json"]
        answers = answers_in(folder / "chapter-4.ipynb")
        assert "NotImplementedError" in answers["4.9"]
        text = (folder / "chapter-4.ipynb").read_text(encoding="utf-8")
        assert "along = (g * x_hat)" not in text
        assert "as many rows as columns" not in text  # a hidden test


def test_a_students_checks_have_the_students_seed(graded: Graded) -> None:
    task = tasks.find("4.9")
    for student in graded.course.students[:2]:
        text = (graded.folder / "course" / "students" / student.id / "chapter-4.ipynb").read_text(encoding="utf-8")
        assert f"seed={graded.course.seed(student.id, task)}" in text


def test_course_json_tells_what_was_handed_out(graded: Graded) -> None:
    document = json.loads((graded.folder / "course" / "course.json").read_text(encoding="utf-8"))
    assert document["course"] == "Synthetic 2026"
    assert [task["id"] for task in document["tasks"]] == ["1.1", "4.9"]
    assert document["points"] == sum(task["points"] for task in document["tasks"]) == graded.course.points


def test_solutions_are_the_teachers_alone(graded: Graded) -> None:
    teacher = graded.folder / "course" / "teacher"
    assert "along = (g * x_hat)" in (teacher / "solutions" / "4.9.md").read_text(encoding="utf-8")
    assert load(graded.folder / "course").students == graded.course.students


def test_nothing_is_written_over_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["classroom", "release", str(tmp_path), "--tasks", "4.9", "--course", "c"]) == 1
    assert "writes over nothing" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stub", "solution", "complaint"),
    [
        (SOLUTION, SOLUTION, "the stub of 4.99 passes"),
        (STUB, "def twice(x):\n    return [][0]\n", "the solution of 4.99 earns 0 of 2 points"),
    ],
)
def test_a_task_that_is_not_sound_is_not_handed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stub: str, solution: str, complaint: str
) -> None:
    folder = own(tmp_path / "own", stub, solution)
    assert main(["classroom", "release", str(tmp_path / "out"), "--own", str(folder), "--course", "c"]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_own_tasks_are_handed_out_and_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own(tmp_path / "own")
    assert main(["classroom", "release", str(tmp_path / "out"), "--own", str(folder), "--course", "c"]) == 0
    assert "1 stubs fail and 1 solutions pass" in capsys.readouterr().out
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "ada.py").write_text(f"# task 4.99\n{SOLUTION}")
    arguments = ["grade", str(tmp_path / "sent"), "--release", str(tmp_path / "out"), "--out", str(tmp_path / "g.csv")]
    assert main(["classroom", *arguments]) == 0
    assert "ada,ada,2,2,2,,2," in (tmp_path / "g.csv").read_text(encoding="utf-8")


def test_what_is_chosen_is_in_the_books_order() -> None:
    assert choose([], ["4.11", "4.9", "1.2"]) == ("1.2", "4.9", "4.11")
    with pytest.raises(ValueError, match=r"there is no exercise '4\.999'"):
        choose([], ["4.999"])
    with pytest.raises(ValueError, match="chapter 99 has no exercises"):
        choose([99], [])


@pytest.mark.parametrize("text", ["5-1", "one", "1-", ""])
def test_chapters_that_are_none_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classroom", "release", "x", f"--chapters={text}", "--course", "c"]) == 2
    assert "expected chapters such as 1-5" in capsys.readouterr().err
