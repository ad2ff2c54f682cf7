"""A student's test is marked by the wrong versions that it refuses, if it passes the right one."""

import numpy as np
import pytest

from minilm.exercises import kills
from minilm.exercises.code import run_text
from minilm.exercises.perform import Trouble, trouble_of
from minilm.exercises.task import Task, Wrong

TASK = Task(
    id="0.1",
    title="A test for the mean",
    kind="write the test",
    minutes=10,
    difficulty=1,
    practises="tests",
    statement="Write it.",
    name="test_mean",
    subject="""
def mean(x):
    n = len(x)
    return sum(x) / n
""",
    solution="",
    wrong=(
        Wrong("sum-for-mean", "sum(x) / n", "sum(x)"),
        Wrong("integer-division", "sum(x) / n", "sum(x) // n", look="Are your means all whole?"),
        Wrong("", "sum(x) / n", "sum(x) / n + y", "It uses a name that is not there."),
    ),
)

GOOD = """
def test_mean(mean):
    assert mean([2.0, 4.0]) == 3.0
    assert mean([1, 2]) == 1.5
"""
HALF = """
def test_mean(mean):
    assert mean([2.0, 4.0]) == 3.0
"""
FALSE = """
def test_mean(mean):
    assert mean([2.0, 4.0]) == 3.0
    x = [1, 4]
    assert mean(x) == 2
"""
NONE = "def test_mean(mean):\n    pass\n"


def here(text, texts):
    """Runs an answer in this process."""
    try:
        test = run_text(text, "<answer>")["test_mean"]
    except Exception as error:
        return trouble_of(error)
    return kills.perform(TASK, test, texts)


def report(text):
    return kills.find(TASK, text, here)


def test_a_test_that_finds_all():
    found = report(GOOD)
    assert found.kills == {"sum-for-mean": True, "integer-division": True, "version-3": True}
    assert found.says() == ("", "", "", "")
    assert found.refusal is None


def test_what_is_raised_that_is_no_assertion_counts_and_is_said():
    assert report(GOOD).lines()[2] == "found  It uses a name that is not there (it raised NameError, not an assertion)"


def test_one_that_lives_on_is_hinted_at_not_named():
    found = report(HALF)
    assert list(found.kills.values()) == [True, False, True]
    name, what, _, look = found.says()
    assert name == "integer-division"
    assert what == "1 wrong version lives on: your test passes mean and version 2 of 3 alike."
    assert look == "Are your means all whole?"
    shown = "\n".join(found.lines())
    assert "alive  1 of 3" in shown
    assert "//" not in shown
    assert "//" in "\n".join(found.lines(told=True))


def test_a_test_that_asserts_nothing_earns_nothing():
    found = report(NONE)
    assert not any(found.kills.values())
    assert found.says()[1].startswith("3 wrong versions live on")


def test_a_test_that_refuses_the_right_function_earns_nothing():
    found = report(FALSE)
    assert not any(found.kills.values())
    name, what, shows, look = found.says()
    assert name == "right function refused"
    assert what == "test_mean refuses the right mean."
    assert shows == "Line 5: assert mean(x) == 2. The last call before it: mean([1, 4])."
    assert "by hand" in look


def test_another_error_on_the_right_function_is_no_refusal_but_a_mistake():
    _, what, shows, _ = report("def test_mean(mean):\n    mean(3)\n").says()
    assert what == "test_mean fails on the right mean: it raised TypeError."
    assert "mean(3)" in shows


def test_a_test_that_passes_at_one_time_only_is_noticed():
    text = "calls = []\ndef test_mean(mean):\n    calls.append(1)\n    assert len(calls) % 2\n"
    assert not any(report(text).kills.values())
    _, what, _, look = report(text).says()
    assert what == "test_mean refuses the right mean at one time and passes it at another."
    assert "default_rng" in look


def test_several_functions_give_a_matrix():
    text = (
        HALF.replace("test_mean", "test_whole")
        + "\ndef test_half(mean):\n    assert mean([1, 2]) < 1.6 and mean([1, 2]) > 1.4"
        + "\ndef test_idle(mean):\n    mean([1])\n    return\ndef testing_helper(a, b):\n    pass\n"
    ).replace("    mean([1])\n", "")
    found = report(text)
    assert all(found.kills.values())
    assert [row[0] for row in found.matrix()] == ["", "test_whole", "test_half", "test_idle"]
    assert [row[1:] for row in found.matrix()[1:]] == [["x", "", "x"], ["x", "x", "x"], ["", "", ""]]
    assert found.idle == ["test_idle"]
    assert "test_idle finds nothing" in found.lines()
    assert any("(test_half)" in line for line in found.lines())


def test_lines_of_several_functions_are_those_of_the_answer():
    for text in kills.tests_in(TASK, GOOD + "def test_b(mean):\n    assert mean([5]) == 5").values():
        assert text.startswith(GOOD)
        assert run_text(text, "<answer>")["test_mean"].__name__ in ("test_mean", "test_b")


@pytest.mark.parametrize("text", ["def test_mean(mean:", "x = 1", "raise KeyError"])
def test_what_cannot_be_run_is_a_trouble(text):
    found = kills.find(TASK, text, lambda part, texts: Trouble("no name", "the answer does not define test_mean."))
    assert found.trouble.kind == "no name"
    assert not any(found.kills.values())


def test_versions_that_were_not_asked_any_more_are_not_found():
    rans = kills.perform(TASK, run_text(GOOD, "<answer>")["test_mean"], kills.subjects(TASK))
    rans[3].trouble = Trouble("time", "not asked, since the call before did not end.")
    assert list(kills.judge(TASK, {"test_mean": rans}).kills.values()) == [True, True, False]


def test_names_are_different_where_a_bug_stands_twice():
    twice = Wrong("sum-for-mean", "n = len(x)", "n = 1")
    task = Task(**{**TASK.__dict__, "wrong": (*TASK.wrong, twice)})
    assert kills.names(task) == ["sum-for-mean", "integer-division", "version-3", "sum-for-mean-4"]


def test_long_arguments_are_shown_by_their_shape():
    space = run_text(kills.traced(TASK), "<subject of 0.1>")
    rans = kills.perform(TASK, lambda mean: mean(np.zeros((100, 3))[:, 0]), [kills.traced(TASK)])
    assert kills.last_call(rans[0].printed) == "mean(ndarray of shape (100,))"
    assert space["mean"]([1, 3]) == 2
