"""The file of answers that a page saves: what is written by JavaScript is what the classroom reads, and what the page reads again."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from chapters.tools.live import desks
from minilm.exercises import notebook, tasks
from minilm.exercises.classroom.course import Course
from minilm.exercises.classroom.submissions import read

PAGE = Path(__file__).resolve().parents[2] / "chapters" / "tools" / "live" / "page"
ANSWER = 'def valid(A, B, W, a, x, y):\n    return {"a": "é", "b": 2}  # \\ "quoted"\n\n\n'
SCRIPT = """
import { filled, read, startsOf, fileName } from "./handed.js";
import { sound, together } from "./answers.js";
import { readFileSync } from "node:fs";
const { notebooks, states, texts, names, pairs } = JSON.parse(readFileSync(0, "utf8"));
const starts = startsOf(notebooks);
const given = new Map(Object.entries(states).map(([id, state]) => [id, sound(state)]));
const attempt = (text) => {
  try {
    return Object.fromEntries(read(text, starts));
  } catch (error) {
    return error.message;
  }
};
const saved = JSON.stringify(filled(notebooks, given, "Ada *L*"));
console.log(JSON.stringify({
  saved, again: attempt(saved), read: texts.map(attempt), names: names.map(([name, chapter]) => fileName(name, chapter)),
  together: pairs.map(([mine, other]) => together(sound(mine), sound(other))),
}));
"""
STATES = {
    "4.1": {"answer": ANSWER, "points": 2, "of": 3, "checks": 4, "hints": 1, "edited": "2026-11-29T10:00:00Z"},
    "4.4": {"answer": "By Jensen, $x$.\n"},
    "4.5": {"points": 1, "of": 2, "checks": 1},
    "1.2": {"answer": "x = 1\n", "checked": 1, "points": -3, "checks": 1e300, "passed": 5},
}


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    desks.write_notebooks((1, 4), folder)
    return [(folder / "exercises" / f"{chapter:02}-exercises.ipynb").read_text(encoding="utf-8") for chapter in (1, 4)]


@pytest.fixture(scope="module")
def found(notebooks, tmp_path_factory):
    """What the page's functions make of `STATES`, of files that are none, and of names."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node, which runs the page's JavaScript here")
    folder = tmp_path_factory.mktemp("page")
    for name in ("handed.js", "answers.js"):
        shutil.copy(PAGE / name, folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "run.js").write_text(SCRIPT, encoding="utf-8")
    worked_in = json.loads(notebooks[1])
    next(cell for cell in worked_in["cells"] if cell["id"] == "answer-4-1")["source"] = ANSWER
    mine, other = (
        {"answer": "old", "edited": "1", "points": 3, "checks": 2},
        {"answer": "new", "edited": "2", "hints": 1},
    )
    asked = {
        "notebooks": [json.loads(text) for text in notebooks],
        "states": STATES,
        "texts": [json.dumps(worked_in), notebooks[1], "no JSON", "[]", '{"cells": []}', '{"cells": [1, null]}'],
        "names": [("ada", 4), ("", 4), ("", 0), (" Łukasz/..:1 ", 0), ("...", 0), ("x" * 200, 0)],
        "pairs": [
            (mine, other),
            (other, mine),
            ({}, other),
            (mine, {}),
            (mine, {"answer": "same time", "edited": "1"}),
        ],
    }
    done = subprocess.run(
        [node, "run.js"], cwd=folder, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_classroom_finds_the_answers(found, tmp_path):
    (tmp_path / "Ada.ipynb").write_text(found["saved"], encoding="utf-8")
    [one], problems = read(tmp_path, Course("a course", ("1.2", "4.1", "4.4", "4.5")))
    assert one.student.id == "Ada"
    assert problems == one.notes == []
    assert set(one.answers) == {"1.2", "4.1", "4.4"}
    assert one.answers["4.1"].rstrip() == ANSWER.rstrip()
    assert one.answers["4.4"] == STATES["4.4"]["answer"]


def test_the_file_is_a_notebook_with_what_belongs_to_its_answers(found, notebooks):
    saved, handed_out = (
        json.loads(found["saved"]),
        {cell["id"]: cell for text in notebooks for cell in json.loads(text)["cells"]},
    )
    cells = saved["cells"]
    assert (saved["nbformat"], saved["nbformat_minor"], saved["metadata"]["kernelspec"]["name"]) == (4, 5, "python3")
    assert all(cell.keys() == handed_out[cell["id"]].keys() for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)
    roles = [(cell["metadata"]["minilm"]["role"], cell["metadata"]["minilm"].get("task")) for cell in cells]
    assert roles[:3] == [("introduction", None), ("imports", None), ("statement", "1.2")]
    assert ("check", "4.1") in roles
    assert not [task for _, task in roles if task == "4.5"]
    assert cells[0]["source"][0] == "# Exercises: answers of Ada \\*L\\*\n"


def test_the_page_reads_its_own_file_again(found):
    again = found["again"]
    assert set(again) == set(STATES)
    assert again["4.1"]["answer"] == ANSWER.rstrip() + "\n"
    assert (again["4.1"]["points"], again["4.1"]["checks"], again["4.1"]["hints"]) == (2, 4, 1)
    assert (again["4.5"]["answer"], again["4.5"]["points"]) == ("", 1)
    odd = again["1.2"]
    assert (odd["checked"], odd["points"], odd["checks"], odd["passed"]) == ("", 0, 0, "")


def test_a_notebook_that_was_handed_out_is_read_too(found):
    worked_in, untouched, *faults = found["read"]
    assert {id: state["answer"] for id, state in worked_in.items() if state["answer"]} == {
        "4.1": ANSWER.rstrip() + "\n"
    }
    assert not any(state["answer"] for state in untouched.values())
    none, empty = "This file is no notebook", "No answer was found in this notebook"
    assert [fault.partition(":")[0] for fault in faults] == [none, none, empty, empty]


def test_the_files_name_is_the_students(found):
    assert found["names"] == [
        "ada.ipynb",
        "exercises-of-chapter-4.ipynb",
        "exercises.ipynb",
        "Łukasz-..-1.ipynb",
        "exercises.ipynb",
        "x" * 80 + ".ipynb",
    ]


def test_of_two_states_the_newer_answer_and_the_most_points_stay(found):
    both, turned, *others = found["together"]
    assert both == turned
    assert (both["answer"], both["points"], both["checks"], both["hints"]) == ("new", 3, 2, 1)
    assert [state["answer"] for state in others] == ["new", "old", "old"]


def test_the_notebooks_begin_with_what_the_page_begins_with(notebooks, tmp_path):
    for text, chapter in zip(notebooks, (1, 4), strict=True):
        answers = notebook.answers_of(json.loads(text))
        assert answers == {
            task.id: desks.record(task)["start"] if task.graded else answers[task.id]
            for task in tasks.of_chapter(chapter)
        }
