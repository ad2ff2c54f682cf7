"""The ten checks: each broken model is named by its check, and a model that is right passes all."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm.training.checks import CHECKS, Report, ten_checks
from minilm.training.trial import Trial
from tests.training.broken import (
    BROKEN,
    HELD_OUT,
    READING,
    Deep,
    Network,
    Reader,
    X,
    Y,
    biased,
    case,
    network,
    over_rows,
    rate,
    trial_of,
    updated,
)  # fmt: skip

each = pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
LONG = {"targets are shifted twice", "the learning rate is 100, by heart", "a step uphill", "classes from elsewhere"}
SOME = [pytest.param(b, id=b.name, marks=[pytest.mark.slow] if b.name in LONG else []) for b in BROKEN]
RIGHT = (
    case("a network", ""),
    pytest.param(case("one that reads", "", model=lambda: network(Reader), **READING), marks=pytest.mark.slow),
    pytest.param(
        case("deep, with residual connections", "", model=lambda: network(Deep, residual=True)), marks=pytest.mark.slow
    ),
    pytest.param(case("plain gradient descent", "", optimizer=rate(0.3, ml.optim.SGD)), marks=pytest.mark.slow),
)


@pytest.mark.parametrize("broken", SOME)
def test_a_broken_model_is_named_by_its_check(broken):
    passed, words = CHECKS[broken.check](Trial(**trial_of(broken)))
    assert passed is False, words


@pytest.mark.slow
@each
def test_what_other_checks_say_of_it(broken):
    """Those before the first training say nothing wrong where the bug is in the training alone, and none raises an error."""
    options = trial_of(broken)
    report = ten_checks(options.pop("model"), options.pop("x"), options.pop("y"), **options)
    assert broken.check in report.failed


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_model_that_is_right_passes_all(right):
    options = trial_of(right)
    report = ten_checks(options.pop("model"), options.pop("x"), options.pop("y"), **options)
    assert report.failed == [], report
    not_asked = [found.name for found in report.found if found.passed is None]
    assert not_asked == ([] if right.options.get("causal") else ["no look ahead"])


def test_the_model_is_left_as_it_was():
    ml.manual_seed(5)
    model = Network()
    model.dropout.eval()
    (model(X).sum() * 0.1).backward()
    before = {name: (p.numpy().copy(), p.grad.numpy().copy()) for name, p in model.named_parameters()}
    state = ml.random.get_state()
    ten_checks(model, X, Y, held_out=HELD_OUT, steps=20)
    assert ml.random.get_state() == state
    assert (model.training, model.dropout.training) == (True, False)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), before[name][0])
        np.testing.assert_array_equal(p.grad.numpy(), before[name][1])


@pytest.mark.parametrize(
    ("options", "says"),
    [({"loss": over_rows}, r"3.38, and ln 5 = 1.61; it is ln 32, the number of answers: does the softmax run over the wrong axis\?"),
     ({"update": updated(zero_grad=False)}, r"times the gradient of its batch: is zero_grad missing\?"),
     ({"model": lambda: biased(-10)}, "none reaches first.weight, first.bias, second.weight"),
     ({"optimizer": rate(100.0)}, "100; as the rate grows, the loss falls up to .*: it is too high"),
     ({"optimizer": rate(1e-9)}, "it is too low")],
)  # fmt: skip
def test_words(options, says):
    trial = Trial(**trial_of(case("", "", **options)))
    told = [CHECKS[name](trial)[1] for name in list(CHECKS)[:1] + list(CHECKS)[4:6] + ["learning rate"]]
    assert any(re.search(says, words) for words in told), told


def test_the_report_in_letters():
    report = ten_checks(network(), X, Y, steps=1)
    lines = str(report).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("✓ loss at the start: 1.75, and ln 5 = 1.61")
    assert lines[3] == "– no look ahead: not asked: the model may look at everything"
    assert lines[6].startswith("✗ one batch by heart: 1 updates with 8 examples: the loss goes from ")
    assert report.failed == ["one batch by heart"]
    assert repr(Report(())) == ""


def test_one_other_example_is_enough():
    class Neighbor(Network):
        def between(self, h):
            return self.second(ml.roll(h, 1, 0))

    passed, words = CHECKS["examples apart"](Trial(network(Neighbor), X, Y))
    assert passed is False
    assert "other examples change the answer to the first one" in words


def test_one_example():
    report = ten_checks(network(), X[:1], Y[:1], steps=1)
    assert {found.name: found.passed for found in report.found}["examples apart"] is None


def test_a_gradient_that_is_not_finite():
    model = network()
    with ml.no_grad():
        model.first.weight.copy_(np.full((24, 6), np.nan, np.float32))
    passed, words = CHECKS["gradients reach all"](Trial(model, X, Y))
    assert passed is False
    assert "not finite" in words


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [({"y": Y[:3]}, ValueError, "one row per example, at least one, got 200 and 3 rows"),
     ({"x": X[:0], "y": Y[:0]}, ValueError, "at least one, got 0 and 0"),
     ({"y": X[:, 0]}, TypeError, "y must be classes, integers from 0, got float32"),
     ({"steps": 0}, ValueError, "steps must be at least 1"),
     ({"causal": True, "x": X[:, 0]}, ValueError, "a second axis"),
     ({"held_out": (X, Y[:2])}, ValueError, "held_out: x and y need one row")],
)  # fmt: skip
def test_what_does_not_fit(changes, error, message):
    with pytest.raises(error, match=message):
        Trial(**trial_of(case("", "", **changes)))
