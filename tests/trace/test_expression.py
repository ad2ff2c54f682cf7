"""Expressions: an index shows its ids; parameters of an op are shown as Python."""

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.ops.op import REGISTRY, Sample
from minilm.trace.expression import INDEXING, INFIX, expression
from minilm.trace.html import page
from tests.trace.test_html import steps_of
from tests.trace.test_labels import labels

TABLE = np.arange(12.0).reshape(4, 3)
IDS = np.array([2, 0, 2])


@pytest.mark.parametrize(
    ("choose", "shown"),
    [
        (lambda t, x: t[x], "t[x]"),
        (lambda t, x: t[x.numpy()], "t[x]"),
        (lambda t, x: t[x.numpy().tolist()], "t[x]"),
        (lambda t, x: t[x + 1], "t[[3, 1, 3]]"),
        (lambda t, x: t[[3, 1]], "t[[3, 1]]"),
        (lambda t, x: t[[3, 1], [0, 2]], "t[[3, 1], [0, 2]]"),
        (lambda t, x: t[x, 1], "t[x, 1]"),
        (lambda t, x: t[x, ::2], "t[x, ::2]"),
        (lambda t, x: t[1], "t[1]"),
        (lambda t, x: t[-1, 1:], "t[-1, 1:]"),
        (lambda t, x: t[..., 0], "t[..., 0]"),
        (lambda t, x: t[:, None, :2], "t[:, None, :2]"),
        (lambda t, x: t[:3][x > 1], "t[:3][[0, 2]]"),
        (lambda t, x: F.embedding(x, t), "embedding(t, x)"),
        (lambda t, x: t.gather(x.reshape(1, 3), axis=0), "t[[[2, 0, 2]], [0, 1, 2]]"),
    ],
)
def test_an_index_shows_what_it_chooses(choose, shown):
    with ml.trace() as steps:
        t, x = ml.tensor(TABLE, requires_grad=True), ml.tensor(IDS)
        choose(t, x)
    call = steps.calls[-1]
    assert expression(call) == shown
    for ids in call.indices.values():  # and its numbers stand in the step
        assert str(ids.numbers.tolist()) in str(steps[-1])
        cells = "".join(f"<td>{n}" for n in ids.numbers.reshape(-1, ids.shape[-1])[0].tolist())
        assert cells in steps_of(page(steps))[-1]


def test_a_mask_gives_its_name():
    with ml.trace() as steps:
        t, mask = ml.tensor([1.0, 2.0, 3.0]), ml.tensor([True, False, True])
        t[mask]
    assert expression(steps.calls[-1]) == "t[mask]"


def test_any_variable_may_stand_beside_an_index():
    class Slots:
        __slots__ = ("data", "dtype", "shape")

    things = [Slots, Slots(), np, np.float32, np.float32(1.0), memoryview(b"ab"), "text", None, np.zeros(3)]
    with ml.trace() as steps:
        kind, one, module, dtype, number, view, word, nothing, array = things
        t, ids = ml.tensor(TABLE), ml.tensor(IDS)
        t[ids]
    assert expression(steps.calls[-1]) == "t[ids]"
    assert (kind, one, module, dtype, number, view, word, nothing, array) is not None


def test_ids_are_one_box_however_often_they_choose():
    with ml.trace() as steps:
        t, u, ids = ml.tensor(TABLE), ml.tensor(TABLE), ml.tensor(IDS)
        t[ids] + u[ids]
    assert labels(steps).count("ids") == 1
    assert len({v.index for call in steps.calls for v in call.indices.values()}) == 1


SAMPLES = [(name, k) for name, op in REGISTRY.items() for k in range(len(op.samples))]


@pytest.mark.parametrize(("name", "k"), SAMPLES)
def test_every_parameter_of_every_op_is_shown(name, k):
    op, sample = REGISTRY[name], REGISTRY[name].samples[k]
    assert isinstance(sample, Sample)
    inputs = [ml.tensor(a) if isinstance(a, np.ndarray) else a for a in sample.draw(np.random.default_rng(0))]
    with ml.trace() as steps, np.errstate(all="ignore"):
        op(*inputs, **sample.params)
    for call in steps.calls:
        shown = expression(call)
        assert "<" not in shown
        assert "object" not in shown
        assert "array(" not in shown
        if call.op.name in INDEXING:
            assert shown.endswith("]")
            continue
        if call.op.name in INFIX or call.op.name == "neg":
            continue
        for key, value in call.params.items():
            default = call.op.params[key]
            if hasattr(value, "shape") or (value is not default and value != default):
                assert f"{key}=" in shown
    assert str(steps)
    assert all(str(step) for step in steps)
    assert page(steps)
