"""The grader as the page calls it: the same findings as `ml.check`, and nothing of an answer is left behind."""

import json
import math
import random

import numpy as np
import pytest

from chapters.tools.live.page import desk
from minilm.exercises import tasks
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer
from minilm.exercises.task import with_bug

SOFTMAX = """import numpy as np

def softmax(z, axis):
    {}
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
"""


@pytest.fixture(autouse=True)
def as_in_a_page(monkeypatch):
    """The way that answers run where there are no processes."""
    monkeypatch.setattr(desk, "grade", lambda task, answer: grade(task, answer, way="here"))


@pytest.mark.parametrize("id", ["4.3", "4.12", "4.34", "4.31"])  # a number, code, a test to write, a bug to find
def test_what_the_page_says_is_what_a_check_says(id):
    task = tasks.find(id)
    wrong = (
        "def test_softmax(softmax):\n    pass\n"
        if task.kind == "write the test"
        else with_bug(task.solution, task.wrong[0])
    )
    for text, passed in ((wrong, False), (task.solution, True)):
        found, native = desk.check(id, text), grade(task, Answer(text), way="fork")
        assert (found["passed"], found["points"], found["of"]) == (passed, native.points, task.points)
        assert found["message"] == str(native)
        assert found["html"] == native._repr_html_()
        assert found["trouble"] == ""
        json.dumps(found)


@pytest.mark.parametrize(
    ("text", "trouble", "says"),
    [
        ("def softmax(z, axis:\n", "SyntaxError", "line 1"),
        ("x = 1\n", "no name", "does not define softmax"),
        ("def softmax(z, axis):\n    return 1 / 0\n", "ZeroDivisionError", "line 2: return 1 / 0"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError", "nothing_of_this_name"),
    ],
)
def test_what_keeps_an_answer_from_running_is_said(text, trouble, says):
    found = desk.check("4.12", text)
    assert found["trouble"] == trouble
    assert says in " ".join(found["message"].split())


def drawn():
    """The state of the generator that NumPy keeps for everybody."""
    return np.random.get_state()[1].tolist()  # noqa: NPY002


def test_cells_of_the_page_find_numpy_and_random_numbers_as_they_were():
    before = np.exp, drawn(), random.getstate()
    meddling = "np.exp = np.log; np.extra = 1; np.random.seed(1); __import__('random').seed(1)"
    desk.check("4.12", SOFTMAX.format(meddling))
    assert (np.exp, drawn(), random.getstate()) == before
    assert math.isclose(np.exp(0.0), 1.0)


def test_what_an_answer_prints_as_it_is_defined_is_not_the_pages(capsys):
    desk.check("4.12", "print('here')\n" + SOFTMAX.format("pass"))
    assert capsys.readouterr().out == ""
