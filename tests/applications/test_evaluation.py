"""Systems beside each other: what is asked, what is measured, and what their numbers differ by."""

import pytest

from minilm.applications.evaluation import baselines, differences, measured
from minilm.metrics import Score
from tests.applications.made_up import Color, Example

EXAMPLES = [Example(f"text {i}", ("red", "green", "blue")[i % 3]) for i in range(30)]


def always(color):
    return lambda questions: [{"color": color} for _ in questions]


def test_a_system_is_asked_the_questions_in_order_and_not_the_answers():
    asked = []

    def system(questions):
        asked.extend(questions)
        return always("red")(questions)

    found = measured(Color(), "minilm", system, EXAMPLES)
    assert asked == [example.text for example in EXAMPLES]
    assert (found.name, found.learning, found.scores[0].value) == ("minilm", None, pytest.approx(1 / 3))
    assert found.answers == always("red")(EXAMPLES)
    assert 0 <= found.answering < 1


def test_without_examples_nothing_is_measured():
    with pytest.raises(ValueError, match="no examples"):
        measured(Color(), "minilm", always("red"), [])


def test_simple_methods_learn_from_the_split_one_after_the_other(monkeypatch):
    learned = []
    methods = {color: lambda split, color=color: learned.append(color) or always(color) for color in ("red", "blue")}
    monkeypatch.setattr(Color, "baselines", lambda self: methods)
    found = baselines(Color(), Color().split(), EXAMPLES)
    assert learned == []
    assert next(found).name == "red"
    assert learned == ["red"]
    assert [(each.name, each.answers[0]["color"]) for each in found] == [("blue", "blue")]


def test_what_stands_beside_a_run_is_told_the_run(monkeypatch):
    def beside(self, folder, device):
        return {f"{folder} on {device}": lambda split: always("red")}

    monkeypatch.setattr(Color, "beside", beside)
    (found,) = baselines(Color(), Color().split(), EXAMPLES, "runs/color-1", "cpu")
    assert found.name == "runs/color-1 on cpu"


def test_differences_are_paired_and_of_the_same_number():
    right = [1.0] * 20 + [0.0] * 10
    first = measured(Color(), "one", always("red"), EXAMPLES)
    one = first.__class__("one", first.answers, [Score.mean("accuracy", right), Score.mean("own", right)], None, 0.0)
    other = first.__class__("other", first.answers, [Score.mean("accuracy", [0.0, *right[1:]])], None, 0.0)
    (difference,) = differences(one, other)
    assert (difference.name, difference.value) == ("accuracy", pytest.approx(1 / 30))
    assert difference.interval is not None
    assert difference.interval.low == 0
    assert differences(one, one)[0].interval[:2] == (0, 0)
