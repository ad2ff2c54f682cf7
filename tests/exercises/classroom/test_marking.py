"""Grading: the table, the notes, what is late, what a teacher gives; killed and gone on with; in any number of processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises.classroom import marking
from minilm.exercises.classroom.course import Course, Student, load
from minilm.exercises.classroom.journal import Journal
from minilm.exercises.classroom.worker import only_loop, steady
from tests.exercises.classroom.conftest import Graded
from tests.exercises.classroom.synthetic import grade_arguments, make


def rows(path: Path) -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_the_table_has_a_row_per_student_and_a_column_per_task(graded: Graded) -> None:
    table = rows(graded.table)
    assert list(table) == [student.id for student in graded.course.students]
    assert list(table["s000"])[2:4] == ["1.1", "4.9"]
    assert float(table["s000"]["raw"]) == graded.course.points


def test_the_late_rule_changes_points_and_leaves_the_raw_score(graded: Graded) -> None:
    for row in rows(graded.table).values():
        days = -(-float(row["hours_late"]) // 24)
        assert float(row["points"]) == pytest.approx(float(row["raw"]) * (1 - 0.1 * days), abs=1e-4)
    assert any(float(row["hours_late"]) > 0 for row in rows(graded.table).values())


def test_results_hold_the_message_and_every_test(graded: Graded) -> None:
    record = graded.results.students[0]["tasks"]["4.9"]
    assert record["message"].startswith("4.9 ")
    assert sum(test["points"] for test in record["tests"]) == record["points"] == record["of"]


def test_nothing_is_written_over(graded: Graded, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classroom", *grade_arguments(graded.folder, graded.table)]) == 1
    assert "is there already, and nothing is written over" in capsys.readouterr().err


@pytest.mark.slow
def test_the_same_bytes_with_another_number_of_processes(graded: Graded, tmp_path: Path) -> None:
    assert main(["classroom", *grade_arguments(graded.folder, tmp_path / "grades.csv", jobs=1)]) == 0
    assert contents(tmp_path) == contents(graded.folder)


def contents(folder: Path) -> dict[str, bytes]:
    """The table and the full results; how long grading took is another thing."""
    files = [folder / "grades.csv", *(folder / "grades").rglob("*.json")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != "seconds.json"}


def test_a_half_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("a", {"points": 1})
        journal.add("b", {"points": 2})
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(path) as journal:
        assert journal.dropped
        assert journal.known == {"a": {"points": 1}}
        journal.add("c", {"points": 3})
    with Journal(path) as journal:
        assert list(journal.known) == ["a", "c"]


def test_a_journal_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("points\n")
    with pytest.raises(ValueError, match="line 1, is no line of a journal"):
        Journal(tmp_path / "j")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_killed_halfway_and_gone_on_with_gives_the_same_bytes(tmp_path: Path) -> None:
    make(tmp_path, 30, ("1.1", "1.2", "4.2", "4.9"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["classroom", *grade_arguments(tmp_path, whole / "grades.csv")]) == 0
    command = [sys.executable, "-m", "minilm", "classroom", *grade_arguments(tmp_path, cut / "grades.csv")]
    journal = cut / "grades.journal.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 30):
        time.sleep(0.01)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = journal.read_bytes().count(b"\n")
    with open(journal, "ab") as file:
        file.write(b'{"key": "cut')
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"Going on: {before} answers are graded already; a half line was dropped." in done.stdout
    assert not journal.exists()
    assert contents(cut) == contents(whole)


# --- the teacher's files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def late(points, hours_late, student):\n    return None\n", "returned None, expected a number"),
        ("def late(points, hours_late, student):\n    return points / 0\n", "raised ZeroDivisionError"),
        ("x = 1\n", "does not define late"),
        ("def late(:\n", "cannot be run: SyntaxError"),
    ],
)
def test_a_late_rule_that_cannot_be_used_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "late.py").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        marking.late_rule(tmp_path / "late.py")(3.0, 1.0, "ada")


def read_by_hand() -> Course:
    course = Course("c", ("4.4",), (Student("ada", "Ada"),))
    assert not course.tasks[0].graded
    return course


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("bob,4.4,1,1", "line 2: there is no student 'bob'"),
        ("ada,4.9,1,1", "'4.9' is no task that a teacher reads: 4.4"),
        ("ada,4.4,99,1", "not '99'"),
        ("ada,4.4,1,99", "expected points from 0 to"),
        ("ada,4.4,1,nan", "expected points from 0 to"),
    ],
)
def test_points_given_by_hand_are_looked_at(tmp_path: Path, row: str, complaint: str) -> None:
    (tmp_path / "points.csv").write_text(f"student,task,line,points\n{row}\n")
    with pytest.raises(ValueError, match=complaint):
        marking.read_manual(tmp_path / "points.csv", read_by_hand())


def test_a_table_of_points_may_be_half_filled(tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text("student,task,line,points\nada,4.4,1,\nada,4.4,2,\n")
    assert marking.read_manual(table, read_by_hand()) == {}
    table.write_text("student,task,line,points\nada,4.4,1,1\nada,4.4,2,\n")
    with pytest.raises(ValueError, match="line 3: no points, though other lines of 4.4 of ada have some"):
        marking.read_manual(table, read_by_hand())


def test_points_given_by_hand_count(tmp_path: Path) -> None:
    out, sent = tmp_path / "course", tmp_path / "sent"
    assert main(["classroom", "release", str(out), "--tasks", "4.4", "--course", "Proofs"]) == 0
    (sent / "ada").mkdir(parents=True)
    (sent / "ada" / "answers.py").write_text("# task 4.4\nBecause.\n")
    most = load(out).tasks[0].rubric[0][1]
    (tmp_path / "points.csv").write_text(f"student,task,line,points,comment\nada,4.4,1,{most},Good.\n")
    arguments = ["classroom", "grade", str(sent), "--release", str(out), "--out"]
    assert main([*arguments, str(tmp_path / "a.csv")]) == 0
    assert main([*arguments, str(tmp_path / "b.csv"), "--manual", str(tmp_path / "points.csv")]) == 0
    assert rows(tmp_path / "a.csv")["ada"]["raw"] == "0"
    assert rows(tmp_path / "b.csv")["ada"]["raw"] == str(most)
    document = json.loads((tmp_path / "b" / "students" / "ada.json").read_text())
    assert document["tasks"]["4.4"]["rubric"][0]["comment"] == "Good."


def test_a_name_that_a_spreadsheet_would_compute_is_guarded(tmp_path: Path) -> None:
    course = Course("c", ("4.9",))
    record = {"status": "missing", "points": 0, "of": 5, "tests": []}
    one = marking.Marked(Student("ada", "=HYPERLINK(0)"), {"4.9": record})
    marking.write(tmp_path / "g.csv", course, [one], [], "0")
    assert rows(tmp_path / "g.csv")["ada"]["name"] == "'=HYPERLINK(0)"


def test_where_a_loop_was_when_time_ran_out_is_chance_and_where_it_begins_is_not() -> None:
    assert only_loop("def f():\n    while True:\n        for i in x:\n            pass\n") == (2, "while True:")
    assert only_loop("for i in x:\n    pass\nfor i in x:\n    pass\n") is None
    assert only_loop("def f(:\n") is None


def test_a_message_has_nothing_that_differs_from_run_to_run() -> None:
    assert steady("<f at 0x7f001234abcd>: no result after 1.5 s") == "<f at 0x...>: no result in the time allowed"
