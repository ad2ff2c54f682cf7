"""What a student calls in a notebook."""

import dataclasses

import numpy as np
import pytest

import minilm as ml
from minilm.exercises import desk, progress, run, tasks
from minilm.exercises.desk import ExerciseError

pytestmark = pytest.mark.host
TASK = tasks.find("4.9")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(desk, "_opened_here", {})
    monkeypatch.setattr(desk, "_asked_here", set())
    return tmp_path / "home"


def solution():
    space = {"np": np}
    exec(TASK.solution, space)
    return space["layer_norm_backward"]


def right():
    layer_norm_backward = solution()
    checked = ml.check("4.9")  # finds the name here
    assert ml.check("4.9", layer_norm_backward).passed
    return checked


def test_a_check_from_its_first_failure_to_success():
    def layer_norm_backward(x, w, y_bar, eps):
        return x

    checked = ml.check("4.9")
    assert not checked.passed
    assert checked.points == 0
    assert "layer_norm_backward" not in globals()
    checked = right()
    assert checked.passed
    assert "<details><summary>The hint" in checked._repr_html_()
    assert 'ml.hint("4.9", level=1)' in str(checked)
    assert progress.states()["4.9"].solved_after == 2


def test_a_name_that_is_not_there_is_told():
    trouble = ml.check("4.9").result.trouble
    assert (trouble.kind, "run the cell" in trouble.message) == ("no name", True)
    assert not progress.states()


@pytest.mark.parametrize(("id", "message"), [
    ("4.99", "Did you mean"), ("", "there is no exercise"), ("11.1", "there is no exercise"), ("4.9 ", "4.9"), (4.1, "is a text"),
    (abs, "first the id"), (None, "first the id"), ("x" * 1000, "there is no exercise"), ("³.1", "there is no exercise"),
])  # fmt: skip
def test_a_wrong_id_is_explained(id, message):
    for function in (ml.check, ml.hint, ml.exercise):
        with pytest.raises(ExerciseError, match=message):
            function(id)


def test_hints_open_one_after_the_other_and_the_solution_is_asked_for_twice():
    assert "1 of 3: hint" in str(ml.hint("4.9"))
    assert "2 of 3: derivation" in str(ml.hint("4.9"))
    assert TASK.solution.strip() not in str(ml.hint("4.9"))
    assert progress.states()["4.9"].hints == 2
    assert TASK.solution.strip() in str(ml.hint("4.9"))
    assert TASK.solution.strip() in str(ml.hint("4.9"))
    assert "1 of 3: hint" in str(ml.hint("4.9", level=1))
    for level in (0, 4, "2", True, 1.0):
        with pytest.raises(ExerciseError, match="level 1 to 3"):
            ml.hint("4.9", level=level)


def test_the_solution_at_once():
    assert TASK.solution.strip() in str(ml.hint("4.9", level=3))
    assert progress.states()["4.9"].hints == 3


def test_hints_where_nothing_can_be_kept(place):
    place.write_text("no folder")
    assert [str(ml.hint("4.9"))[7:13] for _ in range(2)] == ["1 of 3", "2 of 3"]
    assert "once more" in str(ml.hint("4.9"))
    assert "3 of 3" in str(ml.hint("4.9"))
    assert "MINILM_HOME" in str(ml.check("4.9", solution()))


def test_a_statement_with_its_stub():
    page = ml.exercise("4.9")
    assert page._repr_markdown_().startswith("### 4.9 LayerNorm")
    assert "raise NotImplementedError" in str(page)


def test_progress_shows_points_and_hints():
    assert "nothing was checked" in str(ml.progress())
    ml.hint("4.9")
    ml.check("4.9", solution())
    shown = ml.progress()
    assert "4.9" in str(shown)
    assert f"{TASK.points} of {TASK.points}" in str(shown)
    assert "<td" in shown._repr_html_()


def test_what_a_teacher_reads_is_not_checked(monkeypatch):
    proof = dataclasses.replace(TASK, kind="proof")
    monkeypatch.setattr(tasks, "find", lambda id: proof)
    with pytest.raises(ExerciseError, match="a teacher reads it"):
        ml.check("4.9", 1)


def test_a_check_within_an_answer_does_nothing():
    text = TASK.solution + 'import minilm as ml\nprint(ml.check("4.9", layer_norm_backward))\n'
    assert all(ran.trouble is None for ran in run.run(TASK, run.Answer(text), way="fork"))
    assert not progress.states()


def test_a_notebook_shows_a_wrong_id_as_one_sentence():
    with pytest.raises(ExerciseError) as caught:
        ml.check(4.9)
    (line,) = caught.value._render_traceback_()
    assert line.startswith("ExerciseError: the id of an exercise is a text")


def test_help_after_success_keeps_its_formulas():
    assert desk._as_html("a **b** `c<d`\n\n$x_1$") == "<p>a <b>b</b> <code>c&lt;d</code></p><p>$x_1$</p>"
