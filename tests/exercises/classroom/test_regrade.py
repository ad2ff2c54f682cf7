"""A mended test: only what can have changed is graded again, and the list says who, by how much, and why."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises import tasks
from minilm.exercises.classroom import comments, fingerprints, regrade, workers
from minilm.exercises.classroom.marking import Results
from minilm.exercises.task import Generator, Test
from tests.exercises.classroom.conftest import Graded
from tests.exercises.classroom.synthetic import grade_arguments
from tests.exercises.classroom.test_release import SOLUTION, own


@pytest.mark.slow
def test_a_mended_test_lists_who_has_other_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, out, sent = own(tmp_path / "own"), tmp_path / "out", tmp_path / "sent"
    assert main(["classroom", "release", str(out), "--own", str(mine), "--tasks", "4.9,4.99", "--course", "c"]) == 0
    sent.mkdir()
    other = "# task 4.9\n" + tasks.find("4.9").solution
    for name, text in {
        "ada": SOLUTION,
        "bob": "def twice(x):\n    return 3.0\n",
        "eve": "def twice(x):\n    return x\n",
    }.items():
        (sent / f"{name}.py").write_text(f"# task 4.99\n{text}\n{other}")
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    assert main(["classroom", "grade", str(sent), "--release", str(out), "--out", str(old)]) == 0
    text = (mine / "mine.py").read_text()
    draw = "1.5"
    assert text.count("float(rng.standard_normal())") == 1
    mended = tmp_path / "mended"
    mended.mkdir()
    (mended / "mine.py").write_text(text.replace("float(rng.standard_normal())", draw))

    asked: list[str] = []
    ask = workers.ask
    monkeypatch.setattr(
        "minilm.exercises.classroom.marking.ask", lambda q, *rest: (asked.extend(x["task"] for x in q), ask(q, *rest))
    )
    arguments = ["--release", str(out), "--own", str(mended), "--since", str(old), "--out", str(new)]
    assert main(["classroom", "regrade", str(sent), *arguments]) == 0
    assert set(asked) == {"4.99"}
    with open(tmp_path / "new.changes.csv", encoding="utf-8", newline="") as file:
        changes = list(csv.DictReader(file))
    assert [c["student"] for c in changes] == ["bob"]
    assert changes[0]["difference"] == "1"
    assert changes[0]["tests"] == "a number: 0 -> 1"
    assert changes[0]["why"] == "changed in the task: test: a number"


def test_what_the_earlier_run_was_given_is_asked_for_again(
    tmp_path: Path, graded: Graded, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["classroom", "regrade", *grade_arguments(graded.folder, tmp_path / "new.csv")[1:]]
    command += ["--since", str(graded.table)]
    at = command.index("--late")
    assert main([*command[:at], *command[at + 2 :]]) == 1
    assert "points were taken off for late work then: give --late, --due and --times" in capsys.readouterr().err
    assert main(command) == 0
    assert "Nobody's points changed." in capsys.readouterr().out


def test_points_given_by_hand_are_not_lost() -> None:
    student = {"points": 2, "raw": 2, "tasks": {"4.4": {"status": "read"}}}
    assert "give --manual" in regrade.forgotten(Results({}, [student], {}), late=False, manual=False)
    assert regrade.forgotten(Results({}, [student], {}), late=False, manual=True) == ""


def test_comments_come_along(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    comments.carry(old, new)
    assert comments.read(new) == {}
    comments.path_of(old).write_text("cause,task,comment\nsum-for-mean,,Divide.\n")
    comments.carry(old, new)
    assert comments.read(new) == {("sum-for-mean", ""): "Divide."}
    comments.path_of(old).write_text("cause,task,comment\nsum-for-mean,,Other.\n")
    comments.carry(old, new)
    assert comments.read(new) == {("sum-for-mean", ""): "Divide."}


# --- fingerprints ----------------------------------------------------------------------------------------------------------------------

TASK = tasks.find("4.9")


def rows(n: int):  # type: ignore[no-untyped-def]
    return lambda rng: (rng.standard_normal(n),)


def test_a_fingerprint_is_the_same_again() -> None:
    assert fingerprints.parts(TASK) == fingerprints.parts(dataclasses.replace(TASK))
    for task in tasks.every():
        assert len(fingerprints.fingerprint(fingerprints.parts(task))) == 64


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"statement": "Do it."}, "statement"),
        ({"solution": TASK.solution + "\n"}, "solution"),
        ({"tests": (*TASK.tests[:-1], dataclasses.replace(TASK.tests[-1], points=9))}, f"test: {TASK.tests[-1].name}"),
        (
            {"tests": (*TASK.tests[:-1], dataclasses.replace(TASK.tests[-1], inputs=rows(2)))},
            f"test: {TASK.tests[-1].name}",
        ),
    ],
)
def test_a_change_is_named(change: dict[str, object], part: str) -> None:
    old, new = fingerprints.parts(TASK), fingerprints.parts(dataclasses.replace(TASK, **change))  # type: ignore[arg-type]
    assert fingerprints.changed(old, new) == [part]
    assert (fingerprints.fingerprint(old) == fingerprints.fingerprint(new)) == (part == "statement")


def test_what_a_test_was_closed_over_counts() -> None:
    assert fingerprints.described(rows(2)) == fingerprints.described(rows(2))
    assert fingerprints.described(rows(2)) != fingerprints.described(rows(3))


def test_a_test_that_is_gone_or_new_is_called_so() -> None:
    def task(*names: str) -> tasks.Task:
        return dataclasses.replace(TASK, tests=tuple(Test(name, draw) for name in names))

    differ = fingerprints.changed(fingerprints.parts(task("a", "b")), fingerprints.parts(task("a", "c")))
    assert differ == ["order of the tests", "test: c (new)", "test: b (gone)"]


def draw(rng: Generator) -> tuple[float]:
    return (1.0,)
