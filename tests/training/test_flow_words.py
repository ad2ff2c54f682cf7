"""What is far from usual is said; what is usual is not."""

import pytest

from minilm.training.flow_rows import Row
from minilm.training.flow_words import told, warnings

USUAL = Row(10, "a", 0.1, 5.0, 1e-3, 0.0, 1.0, 0.1, "relu")


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"dead": 0.97}, "layer a: 97 % of its units gave 0 for the whole batch (relu)."),
     ({"dead": 0.5, "activation": "tanh"}, "layer a: 50 % of its units were at 1 or -1 for the whole batch (tanh)."),
     ({"gradient_norm": 0.0, "update_ratio": 0.0}, "layer a: no gradient reaches it"),
     ({"gradient_norm": float("nan")}, "layer a: its gradient norm is not finite"),
     ({"update_ratio": 0.2}, "changes its weights by 0.2 of their size; 0.001 is usual. Is the learning rate too high?"),
     ({"update_ratio": 1e-8}, "changes its weights by 1e-08 of their size; 0.001 is usual. Is the learning rate too low?"),
     ({"std": 0.0}, "layer a: its output is the same number for every example."),
     ({"dead": 0.9, "layer": ""}, "the model: 90 % of its units")],
)  # fmt: skip
def test_each_warning(changes, says):
    found = warnings([USUAL._replace(**changes)])
    assert len(found) == 1
    assert says in found[0]


def test_what_is_usual():
    assert warnings([USUAL, USUAL._replace(layer="b", dead=0.49, update_ratio=2e-2, gradient_norm=1e-4)]) == []
    assert told([USUAL]) == "step 10:\n  nothing is far from usual."
    assert warnings([]) == []


def test_a_gradient_that_vanishes():
    (found,) = warnings([USUAL._replace(gradient_norm=1e-7, layer="first"), USUAL._replace(layer="last")])
    assert found == "the gradient is 1e+06 times smaller in layer first than in layer last: it vanishes on its way."


def test_only_the_last_step_counts():
    assert warnings([USUAL._replace(step=5, dead=1.0), USUAL]) == []
    assert warnings([USUAL._replace(step=5), USUAL._replace(dead=1.0)])


def test_the_worst_comes_first():
    rows = [
        USUAL._replace(update_ratio=0.5, layer="a"),
        USUAL._replace(layer="b", dead=1.0),
        USUAL._replace(layer="c", std=float("inf")),
    ]
    assert [text.split(":")[0] for text in warnings(rows)] == ["layer c", "layer b", "layer a"]
