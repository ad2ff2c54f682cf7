"""What is drawn for a scope: boxes, edges, what comes from outside, what leaves."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.trace.panel import Drawing, Panel, in_box, svg


def panels(steps: ml.trace) -> tuple[Drawing, dict[str, Panel]]:
    drawing = Drawing(steps)
    return drawing, {s.path: drawing.panel(s, True) for s in drawing.scopes()}


def named_edges(panel: Panel) -> set[tuple[str, str]]:
    return {(panel.nodes[u].title, panel.nodes[v].title) for u, v, _ in panel.edges}


class Double(nn.Module):
    """Uses its input in two places, so that a gradient is a sum."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)

    def forward(self, x):
        return self.second(self.first(x)) + x


@pytest.fixture
def steps():
    model, x = Double(), ml.tensor([[1.0, 2.0]])
    with ml.trace() as recorded:
        y = model(x)
        loss = y.sum()
        loss.backward()
    return recorded


def test_the_root_shows_a_module_as_one_box(steps):
    _, found = panels(steps)
    root = found[""]
    assert [(n.kind, n.title) for n in root.nodes] == [("input", "x"), ("module", "model"), ("op", "loss")]
    assert named_edges(root) == {("x", "model"), ("model", "loss")}
    assert root.nodes[1].subtitle == "Double"
    assert root.nodes[1].tag == "12 parameters"


def test_a_module_shows_its_own_calls_its_children_and_where_values_come_from(steps):
    _, found = panels(steps)
    inner = found["model"]
    assert [(n.kind, n.title) for n in inner.nodes] == [
        ("port", "x"),
        ("module", "first"),
        ("module", "second"),
        ("op", "y"),
    ]
    assert named_edges(inner) == {("x", "first"), ("first", "second"), ("second", "y"), ("x", "y")}


def test_parameters_are_drawn_where_they_are_used_under_their_short_names(steps):
    _, found = panels(steps)
    first = found["model.first"]
    assert {n.title for n in first.nodes if n.kind == "parameter"} == {"weight", "bias"}
    assert not any(n.kind == "parameter" for n in found["model"].nodes)


def test_only_what_leaves_a_scope_is_marked(steps):
    _, found = panels(steps)
    assert [n.title for n in found["model"].nodes if n.leaves] == ["y"]
    assert [n.title for n in found[""].nodes if n.leaves] == ["loss"]


def test_a_shared_parameter_belongs_to_the_scope_around_its_uses():
    model = ml.models.GPT(ml.models.GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=4))
    with ml.trace() as steps:
        model(ml.tensor([[1, 2]]))
    _, found = panels(steps)
    outer = found["model"]
    assert [n.title for n in outer.nodes if n.kind == "parameter"] == ["wte.weight"]
    assert {("wte.weight", "wte"), ("wte.weight", "lm_head")} <= named_edges(outer)
    assert ("port", "wte.weight") in {(n.kind, n.title) for n in found["model.lm_head"].nodes}


def test_modules_in_which_nothing_happened_are_not_drawn():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0), nn.Linear(2, 2))
    with ml.trace() as steps:
        model(ml.tensor([[1.0, 2.0]]))
    _, found = panels(steps)
    assert [n.title for n in found["model"].nodes if n.kind == "module"] == ["0", "2"]


def test_inputs_and_outputs_of_a_scope(steps):
    drawing, _ = panels(steps)
    scope = next(s for s in steps.scopes if s.path == "model")
    assert [v.label for v in drawing.inputs(scope)] == ["x"]
    assert [v.label for v in drawing.outputs(scope)] == ["y"]


def test_a_value_used_twice_by_one_call_is_one_edge():
    x = ml.tensor([1.0, 2.0])
    with ml.trace() as steps:
        x * x
    _, found = panels(steps)
    assert len(found[""].edges) == 1


def test_views_are_small_boxes():
    x = ml.tensor(np.arange(6.0))
    with ml.trace() as steps:
        x.reshape(2, 3).exp()
    _, found = panels(steps)
    kinds = {n.kind: n.size for n in found[""].nodes}
    assert kinds["view"][1] < kinds["op"][1]


def test_boxes_are_in_topological_order_for_all_models(steps):
    _, found = panels(steps)
    assert all(u < v for panel in found.values() for u, v, _ in panel.edges)


def test_svg_draws_each_box_and_edge_once(steps):
    _, found = panels(steps)
    drawn = svg(found["model"], {}, {}, "model")
    assert len(re.findall(r'class="n ', drawn)) == 4
    assert len(re.findall(r'class="e"', drawn)) == 4
    assert drawn.count('tabindex="0"') == 2  # the two Modules open
    assert "<script" not in drawn


def test_names_are_escaped():
    x = ml.tensor([1.0]).named("<b>&")
    with ml.trace() as steps:
        x.exp()
    _, found = panels(steps)
    drawn = svg(found[""], {}, {}, "all")
    assert "<b>" not in drawn
    assert "&lt;b&gt;&amp;" in drawn


def test_what_fits_into_a_box():
    assert in_box(np.array(-0.12345)) == "−0.123"
    assert in_box(np.array([1.0, -2.0]), "∂ ") == "∂ 1, −2"
    assert in_box(np.array(1e-9)) == "1e-09"
    assert in_box(np.zeros((2, 3))) == "2×3"
    assert in_box(np.zeros((0, 3))) == "0×3"
    assert in_box(np.array([7, 123456])) == "7, 1.235e+05"


def test_a_module_shows_what_leaves_it_not_what_nobody_uses():
    """Batch norm updates its running statistics, which nothing uses afterwards."""
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2))
    with ml.trace() as steps:
        loss = model(ml.tensor(np.random.default_rng(0).normal(size=(2, 1, 3, 3)))).sum()
    box = next(n for n in Drawing(steps).panel(steps.scopes[0], False).nodes if n.kind == "module")
    assert box.values[0].shape == (2, 2, 2, 2)
    titles = [n.title for n in Drawing(steps).panel(steps.scopes[0], False).nodes]
    assert not [t for t in titles if "running" in t]  # buffers belong to their Module
    assert loss.shape == ()


def test_a_box_has_room_for_every_gradient_that_stands_in_it():
    """The longest of them need not be the last: ∂ −1.23e-05, −6.79e-05 and its opposite add up to 0."""
    x = ml.tensor(np.array([1.0, 2.0]), requires_grad=True)
    with ml.trace() as steps:
        (x * ml.tensor(np.array([-1.23e-05, -6.79e-05]))).sum().backward()
        (x * ml.tensor(np.array([1.23e-05, 6.79e-05]))).sum().backward()
    (box,) = [n for n in Drawing(steps).panel(steps.scopes[0], True).nodes if n.title == "x"]
    assert box.size[0] >= 5.5 * len("∂ −1.23e-05, −6.79e-05")


def test_the_drawing_has_room_for_all_that_is_in_it(steps):
    panel = Drawing(steps).panel(steps.scopes[0], True)
    for node, (x, _) in zip(panel.nodes, panel.layout.boxes, strict=True):
        assert x + node.size[0] <= panel.layout.width
