"""The grader's message: what it says, on one screen, in three forms."""

import html.parser
import json

import numpy as np
import pytest

from minilm.exercises import arrays, kills, message
from minilm.exercises.grade import Result, grade
from minilm.exercises.run import Answer
from minilm.exercises.task import Task, Test, with_bug
from minilm.exercises.tasks import find

TASK = find("4.9")
WRONG = [Answer(with_bug(TASK.solution, wrong)) for wrong in TASK.wrong]


@pytest.mark.slow
@pytest.mark.parametrize("answer", WRONG)
def test_what_is_said_is_said_in_order_on_one_screen(answer: Answer) -> None:
    lines = str(grade(TASK, answer)).split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    words = ["of 5 points", "The smallest input that fails", "expected", "got:", "Cause:", "Evidence:"]
    places = [text.index(word) for word in words]
    assert places == sorted(places)


@pytest.mark.slow
def test_only_what_differs_has_a_star() -> None:
    answer = Answer(TASK.solution.replace("y_bar.sum(axis=0)", "y_bar.sum(axis=0) + [0, 0.5, 0]"))
    task = Task(**{**vars(TASK), "tests": TASK.tests[:1]})
    got = next(line for line in str(grade(task, answer)).split("\n") if "got:" in line)
    assert [part.endswith("*") for part in got[got.index("[") + 1 : got.index("]")].split()] == [False, True, False]


def test_after_success_the_solution_shows_and_what_to_try_next() -> None:
    text = str(grade(TASK, Answer(TASK.solution)))
    assert "5 of 5 points" in text
    assert "x_hat * along" in text
    assert "Try next: Write RMSNorm's" in text


def test_hidden_tests_that_wait_are_told() -> None:
    text = str(grade(TASK, Answer(TASK.solution), hidden=False))
    assert "3 of 5 points" in text
    assert "hidden ones wait" in text
    assert "x_hat" not in text


@pytest.mark.slow
def test_a_failing_hidden_test_is_named() -> None:
    wrong = TASK.solution.replace("    centered", "    x = x.astype('float64')\n    centered")
    text = str(grade(TASK, Answer(wrong)))
    assert "float32 (hidden, 1)" in text


def test_the_json_holds_everything() -> None:
    found = json.loads(grade(TASK, WRONG[2]).to_json())
    assert found["format"] == 1
    assert found["points"] == 1
    assert found["smallest"]["test"] == "a batch"
    assert [entry["name"] for entry in found["smallest"]["inputs"]] == ["x", "w", "y_bar", "eps"]
    assert found["smallest"]["difference"] == {"kind": "values", "part": "[2]", "wrong": [[0], [1], [2]]}
    assert found["cause"]["name"] == "mean-over-the-batch"
    assert set(found["cause"]) == {"name", "source", "says", "evidence", "look", "confidence"}


def test_values_that_json_lacks_are_words() -> None:
    assert message.value([float("nan"), np.float32("inf"), 2**70, {1, 2}]) == [
        "nan",
        "inf",
        "1.18059162071741130e+21",
        "{1, 2}",
    ]


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_has_no_script() -> None:
    page = grade(TASK, WRONG[1])._repr_html_()
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert "script" not in tags.seen
    assert "class=ml-wrong" in page


def test_what_a_student_wrote_is_escaped() -> None:
    task = Task(
        "9.1",
        "<b>",
        "code",
        10,
        1,
        "",
        "",
        "def f(x):\n    return x\n",
        "f",
        tests=(Test("<i>", lambda rng: ("<u>",)),),
    )
    page = Result.__mro__[0]._repr_html_(grade(task, Answer("def f(x):\n    return '<script>alert(1)</script>'\n")))
    assert "<script>" not in page
    assert "<u>" not in page


def test_a_long_message_is_cut() -> None:
    tests = tuple(
        Test(f"a test with a long name, number {i}", lambda rng: (rng.standard_normal((8, 3)), 1)) for i in range(40)
    )
    task = Task("9.1", "many", "code", 10, 1, "", "", "def f(x, n):\n    return x\n", "f", tests=tests)
    lines = str(grade(task, Answer("def f(x, n):\n    return x**3 + 1\n"))).split("\n")
    assert len(lines) == 24
    assert "  ..." in lines
    assert lines[-1].endswith("beside it.")  # what it says of the cause is never cut


def test_a_test_of_the_students_is_told_how_many_wrong_versions_live_on_and_not_which() -> None:
    task = Task("9.2", "a test", "write the test", 10, 1, "", "", "", "test_f", wrong=TASK.wrong)
    first, *others = kills.names(task)
    text = str(Result(task, kills={first: True} | dict.fromkeys(others, False)))
    assert f"1 of {task.points} points" in text
    assert "found:  " + kills.title(task, first)[:30] in text
    assert f"missed: {len(others)} of {task.points} wrong versions" in text
    assert [name for name in others if name in text] == []
    assert "I do not know" not in text


def test_sets_stand_in_the_same_order_in_each_process():
    assert arrays.text({"opy", "cop", "a"}) == ["{'a', 'cop', 'opy'}"]
    assert arrays.text(frozenset({2, 1})) == ["frozenset({1, 2})"]
    assert arrays.text(set()) == ["set()"]
    many = [arrays.text({f"word {i}" for i in order}) for order in (range(50), reversed(range(50)))]
    assert many[0] == many[1]
