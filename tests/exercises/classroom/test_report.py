"""Pages: what they say, that they load nothing, that a name is text; a comment that reaches all; files for other systems."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises.classroom import comments, exports, report
from minilm.exercises.classroom.charts import histogram
from minilm.exercises.classroom.marking import Results
from tests.exercises.classroom.conftest import Graded

VOID = {"meta"}


class Balanced(HTMLParser):
    """Elements are closed in the order in which they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def wrong_record(name: str = "sum-for-mean") -> dict[str, object]:
    cause = {"name": name, "source": "relation", "says": "s", "evidence": "e", "look": "l", "confidence": 1.0}
    tests = [
        {"name": "one <row>", "points": 0, "of": 1, "hidden": True},
        {"name": "a batch", "points": 1, "of": 1, "hidden": False},
    ]
    return {"status": "graded", "points": 1, "of": 2, "tests": tests, "cause": cause, "trouble": None,
            "message": "<script>alert(1)</script>", "answer": "a < b"}  # fmt: skip


def results(count: int = 2) -> Results:
    students = [
        {"student": f"s{i}", "name": f"<b>Name {i}</b>", "course": "c", "raw": 1, "of": 2, "hours_late": 0.0, "points": 1,
         "moodle": "7", "notes": [], "tasks": {"4.9": wrong_record()}}
        for i in range(count)
    ]  # fmt: skip
    return Results(
        {"course": "A & B", "tasks": {"4.9": {"title": "T <1>", "parts": {}}}, "problems": []},
        students,
        {"s0": {"4.9": 0.1}},
    )


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_names_code_and_messages_are_text(count: int) -> None:
    page = report.class_page(results(count), {})
    pages = [page, *(report.student_page(s, results().run, {}) for s in results(count).students)]
    for text in pages:
        assert "<b>Name" not in text
        assert "<script" not in text
        assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(""", text)
        parser = Balanced()
        parser.feed(text.partition("\n")[2])
        assert parser.open == []


def test_a_students_page_names_nobody_else() -> None:
    page = report.student_page(results().students[0], results().run, {})
    assert "Name 1" not in page
    assert "s1" not in page


def test_the_class_page_counts_tests_and_causes() -> None:
    page = report.class_page(results(4), {})
    assert "0 of 4 passed" in page
    assert re.search(r'<td class="n">4</td><td>sum-for-mean<', page)
    assert "one &lt;row&gt; (hidden)" in page


def test_a_histogram_puts_the_whole_points_into_the_last_bar() -> None:
    assert "1 from 9 to 10" in histogram([10.0], 10, "Points")
    assert "2 from 0 to 1" in histogram([0.0, 0.9], 10, "Points")


def test_pages_and_a_comment_for_all_who_have_the_cause(graded: Graded, tmp_path: Path) -> None:
    causes = [
        (name, s["student"])
        for s in graded.results.students
        for r in s["tasks"].values()
        if (name := comments.cause_of(r))
    ]
    name, _ = causes[0]
    reached = {student for cause, student in causes if cause == name}
    assert main(["classroom", "comment", str(graded.table), "--cause", name, "--text", "Look again at <page 3>."]) == 0
    assert main(["classroom", "report", str(graded.table), "--out", str(tmp_path / "pages")]) == 0
    for student in graded.results.students:
        page = (tmp_path / "pages" / "students" / f"{student['student']}.html").read_text(encoding="utf-8")
        assert ("Look again at &lt;page 3&gt;." in page) == (student["student"] in reached)
    assert (tmp_path / "pages" / "index.html").is_file()
    assert main(["classroom", "report", str(graded.table), "--out", str(tmp_path / "pages")]) == 1


def test_a_cause_that_nobody_has_gets_no_comment(graded: Graded, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classroom", "comment", str(graded.table), "--cause", "no-such-cause", "--text", "x"]) == 1
    assert "no answer has the cause 'no-such-cause'" in capsys.readouterr().err


# --- other systems ---------------------------------------------------------------------------------------------------------------------


def test_canvas_and_moodle_find_students_by_what_the_roster_says(graded: Graded, tmp_path: Path) -> None:
    for system in ("canvas", "moodle"):
        arguments = [
            str(graded.table),
            "--to",
            system,
            "--out",
            str(tmp_path / f"{system}.csv"),
            "--release",
            str(graded.folder / "course"),
        ]
        assert main(["classroom", "export", *arguments]) == 0
    with open(tmp_path / "canvas.csv", encoding="utf-8", newline="") as file:
        header, possible, *rows = csv.reader(file)
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Synthetic 2026"]
    assert possible == ["    Points Possible", "", "", "", "", str(graded.course.points)]
    assert [row[2] for row in rows] == [student.id for student in graded.course.students]
    with open(tmp_path / "moodle.csv", encoding="utf-8", newline="") as file:
        moodle = list(csv.DictReader(file))
    assert [row["Email address"] for row in moodle] == [student.email for student in graded.course.students]
    assert [row["Grade"] for row in moodle] == [row[5] for row in rows]


def test_gradescope_gets_a_test_per_test(tmp_path: Path) -> None:
    exports.write("gradescope", tmp_path / "g", results(), (), "c", {("sum-for-mean", ""): "Divide."})
    document = json.loads((tmp_path / "g" / "s0" / "results.json").read_text(encoding="utf-8"))
    assert document["score"] == sum(test["score"] for test in document["tests"]) == 1
    assert [test["visibility"] for test in document["tests"]] == ["after_published", "visible"]
    assert document["tests"][0]["output"].endswith("Divide.")
    with pytest.raises(ValueError, match="is there already"):
        exports.write("gradescope", tmp_path / "g", results(), (), "c", {})


def test_sentences_of_a_message_are_one_line_each() -> None:
    message = """4.9 LayerNorm: 1 of 5 points
  passed: one row (1), a batch of
          rows (2)
  failed: float32 (hidden, 1)

The smallest input that fails: one row
  f(x)
    x = [[1. 2.]
         [3. 4.]]

Cause: log 0 is minus
  infinity.
Evidence: it is
  nan.
"""
    assert report.reflowed(message).splitlines() == [
        "4.9 LayerNorm: 1 of 5 points",
        "  passed: one row (1), a batch of rows (2)",
        "  failed: float32 (hidden, 1)",
        "",
        "The smallest input that fails: one row",
        "  f(x)",
        "    x = [[1. 2.]",
        "         [3. 4.]]",
        "",
        "Cause: log 0 is minus infinity.",
        "Evidence: it is nan.",
    ]


def test_rare_causes_are_folded(graded: Graded) -> None:
    results = graded.results
    for at, student in enumerate(results.students):
        for id, record in student["tasks"].items():
            record |= {
                "status": "graded",
                "points": 0,
                "cause": {"name": f"cause-{at}-{id}", "says": f"Because of {at}."},
            }
    page = report.class_page(results, {})
    assert f"<summary>{8 * 2 - report.OFTEN} more</summary>" in page
    assert 'cause-0-1.1<div class="soft">Because of 0.</div>' in page
