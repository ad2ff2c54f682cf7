"""What every layer promises, checked from one table: derivatives, dtypes, devices, saving, and its place among the parameters."""

import inspect

import numpy as np
import pytest

import minilm as ml
from minilm import nn, random
from minilm.backend import to_device
from minilm.gradcheck import gradcheck, gradgradcheck
from tests.nn.table import ROWS

CASES = [pytest.param(row, id=row.name) for row in ROWS]


def build(row, device, dtype="float64", seed=0):
    """The layer with numbers that are nowhere special (no weight of 1, no bias of 0), and Tensors to call it with."""
    random.manual_seed(seed)
    layer, rng = row.make().to(device).to(dtype).train(row.train), np.random.default_rng(seed)
    for p in layer.parameters():
        nn.init.uniform_(p, -1.0, 1.0, rng)
    for name, b in layer.named_buffers():
        if b.dtype.kind == "f" and name.startswith("running"):
            nn.init.uniform_(b, 0.5, 1.5, rng)
    arrays = [arg.draw(rng, np.dtype(dtype)) for arg in row.inputs]
    inputs = [ml.Tensor(to_device(x, device), x.dtype.kind == "f") for x in arrays]
    return layer, inputs


def call(row, layer, inputs):
    """All outputs of a call, with the same dropout every time."""
    random.manual_seed(1)
    result = layer(*inputs, **row.named)
    return flat(result)


def flat(result):
    return [y for part in result for y in flat(part)] if isinstance(result, tuple) else [result]


def as_function(row, layer, inputs):
    """The layer as a function of its inputs and of all its parameters."""
    names = [name for name, _ in layer.named_parameters()]

    def function(*arguments):
        for name, value in zip(names, arguments[len(inputs) :], strict=True):
            layer_of, _, attribute = name.rpartition(".")
            owner = dict(layer.named_modules())[layer_of]
            owner.__dict__[attribute] = value
        return call(row, layer, arguments[: len(inputs)])

    return function, [*inputs, *layer.parameters()]


def test_the_table_holds_every_layer():
    public = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    made = {type(row.make()).__name__ for row in ROWS}
    assert public - made == {"Module", "ModuleList", "Parameter"}


@pytest.mark.parametrize("row", CASES)
def test_first_derivative(row, device):
    function, arguments = as_function(row, *build(row, device))
    large = sum(x.size for x in arguments) > 60
    gradcheck(function, *arguments, directions=3 if large else None)


@pytest.mark.parametrize("row", CASES)
def test_second_derivative(row, device):
    function, arguments = as_function(row, *build(row, device))
    gradgradcheck(function, *arguments, rtol=1e-4, atol=1e-6, directions=1)


@pytest.mark.parametrize("row", CASES)
def test_every_parameter_and_input_gets_a_gradient(row, device):
    layer, inputs = build(row, device)
    outputs = call(row, layer, inputs)
    rng = np.random.default_rng(2)
    sum((y * ml.Tensor(to_device(rng.standard_normal(y.shape), device))).sum() for y in outputs).backward()
    for name, p in layer.named_parameters():
        assert p.grad is not None, name
        assert p.grad.numpy().any(), name
    for x in inputs:
        assert x.grad is not None or not x.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", CASES)
def test_dtype_and_device_are_kept(row, dtype, device):
    layer, inputs = build(row, device, dtype)
    outputs = call(row, layer, inputs)
    for y in outputs:
        assert y.dtype == np.dtype(dtype)
        assert y.device is device
    sum(y.sum() for y in outputs).backward()
    for t in [*layer.parameters(), *inputs]:
        if t.requires_grad:
            assert t.grad.dtype == np.dtype(dtype)
            assert t.grad.device is device
    assert all(b.dtype == np.dtype(dtype) for b in layer.buffers() if b.dtype.kind == "f")


@pytest.mark.parametrize("row", CASES)
def test_state_dict_brings_the_same_outputs(row, device):
    source, inputs = build(row, device)
    target, _ = build(row, device, seed=5)
    target.load_state_dict(source.state_dict())
    for a, b in zip(call(row, source.eval(), inputs), call(row, target.eval(), inputs), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("row", CASES)
def test_repr_is_code_like_and_names_the_layer(row):
    layer = row.make()
    assert repr(layer).startswith(f"{type(layer).__name__}(")
    assert repr(layer).endswith(")")


@pytest.mark.parametrize("name", [name for name in nn.__all__ if inspect.isclass(getattr(nn, name))])
def test_every_class_is_documented(name):
    assert inspect.getdoc(getattr(nn, name))
