"""A tensor without axes has one of a single element where an op asks for an axis: 0 and -1 name it, as in PyTorch."""

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY
from minilm.ops.sample import Arg

ALONG = [name for name, op in REGISTRY.items() if {"axis", "axis0", "axes"} & op.params.keys()]
REFUSES = {
    "concat",
    "split",
    "transpose",
    "glu",
    "tensordot",
}  # there is nothing to join, cut or sum along, and no order of no axes
NEW = {"unsqueeze", "stack", "repeat_interleave"}  # their axis is one of the output, which has one


def call(name, x, axis):
    """The op along one axis, its other arguments from a sample."""
    op = REGISTRY[name]
    given = {key: value for key, value in op.samples[0].params.items() if not key.startswith("ax")}
    given.update({key: axis for key in op.params if key in ("axis", "axis0", "axis1")})
    if "axes" in op.params:
        given["axes"] = (axis,)
    if "k" in given:
        given["k"] = 1
    extra = []
    for i, arg in enumerate(op.samples[0].inputs[1:], 1):
        if isinstance(arg, Arg) and arg.kind == "integer":
            extra.append(ml.tensor(np.zeros(x.shape if name in ("gather", "scatter", "scatter_add") else 1, int)))
        elif op.input_name(i) in ("src", "source", "b"):
            extra.append(x.detach() * 2.0)
    y = op(x, *extra, **given)
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", [name for name in ALONG if name not in REFUSES | NEW])
def test_as_on_a_vector_of_one_element(name, axis):
    x, v = ml.tensor(1.5, requires_grad=True), ml.tensor([1.5], requires_grad=True)
    y, z = call(name, x, axis), call(name, v, axis)
    assert y.shape == ()
    np.testing.assert_array_equal(y.numpy(), z.numpy().reshape(()))
    if REGISTRY[name].answers:
        return
    (y * 2.0).sum().backward()
    (z * 2.0).sum().backward()
    assert x.grad.shape == ()
    np.testing.assert_array_equal(x.grad.numpy(), v.grad.numpy().reshape(()))


@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize("name", [name for name in ALONG if name not in REFUSES | NEW])
def test_no_other_axis_is_there(name, axis):
    with pytest.raises(ValueError, match=f"^{name}: axis {axis} does not exist"):
        call(name, ml.tensor(1.5), axis)


@pytest.mark.parametrize("name", sorted(REFUSES))
def test_what_needs_an_axis_says_so(name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call(name, ml.tensor(1.5), 0)


def test_every_axis_of_nothing_is_no_axis_twice():
    x = ml.tensor(1.5)
    assert x.sum(()).item() == x.sum(axis=(0,), keepdims=True).item() == 1.5
    with pytest.raises(ValueError, match="names an axis twice"):
        x.sum((0, -1))
    with pytest.raises(TypeError, match="axis must be an integer"):
        x.sum(True)
