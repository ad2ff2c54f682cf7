"""Where an input was broadcast, its backward step shows the sum: over which axes, of what, and what comes out."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_host
from minilm.ops.op import REGISTRY
from minilm.trace.html import page
from minilm.trace.model import repeated_axes
from tests.trace.test_html import steps_of

FULL = (2, 3, 4)
SHAPES = [
    FULL,
    (3, 4),
    (4,),
    (),
    (1,),
    (1, 4),
    (3, 1),
    (1, 1),
    (2, 1, 4),
    (2, 3, 1),
    (2, 1, 1),
    (1, 3, 1),
    (1, 1, 4),
    (1, 1, 1),
]


def whole_sample(op):
    """A sample in which every input is an array; None where there is none."""
    return next((s for s in op.samples if sum(hasattr(a, "draw") for a in s.inputs) == len(op.input_names)), None)


RECORDS = [name for name, op in REGISTRY.items() if op.broadcasts is True and len(op.input_names) in (2, 3) and whole_sample(op)
           and name != "scaled_dot_product_attention"]  # fmt: skip


def arguments(op, shapes):
    """Tensors in the op's domain, drawn as its sample says, of other shapes."""
    rng, tensors, sample = np.random.default_rng(0), [], whole_sample(op)
    for arg, shape in zip(sample.inputs, shapes, strict=True):
        array = arg._replace(shape=shape).draw(rng)
        tensors.append(ml.tensor(array, requires_grad=array.dtype.kind == "f"))
    return tensors, sample.params


def traced(op, tensors, params):
    rng = np.random.default_rng(1)
    with ml.trace() as steps:
        y = op(*tensors, **params)
        if not y.requires_grad:
            return None
        y.backward(ml.tensor(rng.normal(size=y.shape).astype(y.dtype)))
    return steps


def held(steps):
    """How many contributions of the last step are sums; each is what it says, in the record, the text and the page."""
    step, count = steps[-1], 0
    text, item = str(step), steps_of(page(steps))[-1]
    for c in step.contributions:
        full, axes = c.product()
        expected = repeated_axes(c.call.outputs[0].shape, c.value.shape) if c.call.elementwise else axes
        assert axes == expected
        total = to_host(full).sum(axis=axes).reshape(c.value.shape)
        np.testing.assert_allclose(total, to_host(c.grad), rtol=1e-6, atol=1e-12)
        count += bool(axes)
    assert text.count("sum over ax") == item.count("its sum over ax") == count
    return count


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDS)
def test_every_pattern_of_every_op_that_broadcasts(name):
    op, sums, runs = REGISTRY[name], 0, 0
    inputs = len(op.input_names)
    patterns = [(FULL, *([shape] * (inputs - 1))) for shape in SHAPES]
    patterns += [(*([shape] * (inputs - 1)), FULL) for shape in SHAPES[1:]]
    patterns += [((FULL,) * (inputs - 1) + (shape,)) for shape in SHAPES[1:]]
    patterns += list(itertools.product([(3, 1), (4,)], repeat=inputs))
    for shapes in patterns:
        try:
            steps = traced(op, *arguments(op, shapes))
        except ValueError:  # an op may let one of its inputs only be broadcast
            continue
        if steps is not None and steps[-1].kind == "backward":
            sums, runs = sums + held(steps), runs + 1
    assert sums or not runs


def test_the_records_are_found():
    assert {"add", "sub", "mul", "div", "pow", "maximum", "where", "binary_cross_entropy_with_logits"} <= set(RECORDS)


@pytest.mark.parametrize(
    ("name", "shapes", "params", "axes"),
    [
        ("matmul", [(2, 3, 4), (4, 5)], {}, {"b": (0,)}),
        ("matmul", [(3, 4), (2, 4, 5)], {}, {"a": (0,)}),
        ("matmul", [(2, 1, 3, 4), (3, 4, 5)], {}, {"a": (1,), "b": (0,)}),
        ("linear", [(2, 3, 4), (5, 4), (5,)], {}, {"bias": (0, 1)}),
        ("linear", [(3, 4), (5, 4), (5,)], {}, {"bias": (0,)}),
        ("conv2d", [(2, 1, 4, 4), (3, 1, 2, 2), (3,)], {}, {"bias": (0, 2, 3)}),
        ("binary_cross_entropy_with_logits", [(2, 3), (2, 3), (3,)], {}, {"pos_weight": (0,)}),
        ("expand", [(3, 1)], {"shape": (2, 3, 4)}, {"x": (0, 2)}),
        ("scaled_dot_product_attention", [(2, 3, 4), (5, 4), (5, 4)], {}, {"k": (0,), "v": (0,)}),
        ("scaled_dot_product_attention", [(2, 3, 4), (2, 5, 4), (2, 5, 4), (3, 5)], {}, {"mask": (0,)}),
    ],
)  # fmt: skip
def test_ops_that_broadcast_some_axes(name, shapes, params, axes):
    rng = np.random.default_rng(0)
    op = REGISTRY[name]
    steps = traced(op, [ml.tensor(rng.normal(size=s), requires_grad=True) for s in shapes], params)
    found = {op.input_name(c.position): c.product()[1] for c in steps[-1].contributions}
    assert {k: v for k, v in found.items() if v} == axes
    assert held(steps) == len(axes)


def test_a_bias_added_to_rows():
    x, b = ml.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), ml.tensor([10.0, 20.0], requires_grad=True)
    with ml.trace() as steps:
        y = x + b
        (y * y).sum().backward()
    text = str(steps[-1])
    assert "their product     [[22, 44], [26, 48]]" in text
    assert "sum over axis 0   [48, 92]" in text
    assert text.count("sum over") == 1  # x has the shape of y
    item = steps_of(page(steps))[-1]
    assert "its sum over axis 0 =<table class=x><tr><td>48<td>92</table>" in item


def test_without_a_broadcast_the_product_is_the_gradient():
    x, y = ml.tensor([1.0, 2.0], requires_grad=True), ml.tensor([3.0, 4.0], requires_grad=True)
    with ml.trace() as steps:
        (x * y).sum().backward()
    assert all(c.product() == (c.grad, ()) for c in steps[-1].contributions)
    assert "sum over" not in str(steps[-1])
