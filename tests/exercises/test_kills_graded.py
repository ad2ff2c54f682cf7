"""A student's test is graded in a process of its own, and the message says what to mend."""

import json

import numpy as np
import pytest

from minilm.exercises import tasks
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer

TASK = tasks.find("4.34")
X = np.zeros((1, 2))


def text(*lines):
    return "\n".join(["def test_softmax(softmax):", *(f"    {line}" for line in lines)]) + "\n"


def test_the_model_test_earns_all():
    result = grade(TASK, Answer(TASK.solution))
    assert result.passed
    assert len(result.kills) == TASK.points == len(TASK.wrong)
    assert result.causes == []
    assert result.found_by == {}  # one test needs no table


@pytest.mark.slow
def test_what_lives_on_is_counted_and_hinted_at():
    result = grade(TASK, Answer(text("assert np.isfinite(softmax(np.array([[1e4, 0.0]]), 1)).all()")))
    assert 0 < result.points < TASK.points
    shown = str(result)
    assert f"missed: {TASK.points - result.points} of {TASK.points} wrong versions" in shown
    assert "live on: your test passes softmax and version" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ["x = np.zeros((1, 2))", "assert softmax(x, 1).sum() == 3"],
            ["Line 3: assert softmax(x, 1).sum() == 3.", "softmax(array([[0., 0.]]), 1)"],
        ),
        pytest.param(
            ["while True:", "    pass"],
            ["test_softmax fails on the right softmax: it did not end in time."],
            marks=pytest.mark.slow,
        ),
        (["softmax(1)"], ["test_softmax fails on the right softmax: it raised TypeError."]),
    ],
)
def test_a_test_that_refuses_the_right_function(lines, says):
    result = grade(TASK, Answer(text(*lines)))
    assert result.points == 0
    shown = " ".join(str(result).split())
    assert [part for part in says if part not in shown] == []


def test_no_test_is_named():
    result = grade(TASK, Answer("def check(softmax):\n    pass\n"))
    assert result.points == 0
    assert result.trouble.kind == "no name"


def test_a_live_function():
    def test_softmax(softmax):
        assert softmax(X, 0).shape == (1, 2)

    result = grade(TASK, Answer(value=test_softmax))
    assert result.trouble is None
    assert not any(result.kills.values())


@pytest.mark.slow
def test_which_of_several_tests_found_which_bug():
    idle = "def test_nothing(softmax):\n    softmax(np.zeros((1, 2)), 1)\n"
    stable = text("assert np.isfinite(softmax(np.array([[1e4, 0.0]]), 1)).all()").replace("test_softmax", "test_large")
    result = grade(TASK, Answer(idle + stable))
    assert result.found_by["test_nothing"] == []
    assert result.found_by["test_large"] == [name for name, found in result.kills.items() if found] != []
    shown = " ".join(str(result).split())
    assert "(test_large)" in shown
    assert "find nothing: test_nothing" in shown
    page = result._repr_html_()
    assert '<th scope="col">test_large</th>' in page
    assert page.count("<td>found</td>") == result.points
    assert json.loads(result.to_json())["found_by"]["test_nothing"] == []
