"""What every record of the registry promises, checked from the record alone: a new op is tested by being entered."""

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_device
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.ops import REGISTRY, use_fused
from minilm.ops.op import Op
from minilm.ops.sample import Arg, Sample

pytestmark = pytest.mark.host  # it places its tensors itself
CASES = [
    pytest.param(op, sample, id=f"{name}-{i}") for name, op in REGISTRY.items() for i, sample in enumerate(op.samples)
]


def arguments(op, sample, device, dtype=np.float64, seed=0):
    """A sample's inputs as Tensors on the device; floats that the op differentiates require a gradient."""
    inputs = sample.draw(np.random.default_rng(seed), dtype)
    return [ml.Tensor(to_device(x, device), x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]


def outputs(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def differentiable(op, inputs):
    return not op.answers and any(isinstance(x, ml.Tensor) and x.requires_grad for x in inputs)


@pytest.mark.parametrize("name", REGISTRY)
def test_record_is_complete(name):
    op = REGISTRY[name]
    assert op.formula
    assert op.derivative
    assert op.samples
    assert op.backward or op.variadic or any(op.rules) or op.composed or op.answers


EVERYWHERE = [case for case in CASES if case.values[0].domain == Op.domain]


@pytest.mark.parametrize(("op", "sample"), EVERYWHERE)
def test_a_record_without_a_domain_is_smooth_everywhere(op, sample):
    """Its samples keep away from nothing, and on floats of either sign its results are finite."""
    drawn = [a for a in sample.inputs if isinstance(a, Arg)]
    assert not any(a.kinks or a.kind in ("distinct", "invertible", "positive") for a in drawn)
    wide = [a._replace(low=-3.0, high=3.0) if isinstance(a, Arg) and a.kind == "real" else a for a in sample.inputs]
    for y in outputs(op(*Sample(*wide).draw(np.random.default_rng(0)), **sample.params)):
        assert np.isfinite(y).all()


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.values[0].answers])
def test_a_question_has_no_gradient(op, sample, device):
    """Truth values and int64, of float inputs that require a gradient; and no rule that would never run."""
    inputs = arguments(op, sample, device)
    for y in outputs(op(*inputs, **sample.params)):
        assert y.dtype in (np.bool_, np.int64)
        assert not y.requires_grad
    assert not op.backward
    assert not any(op.rules)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_first_derivative(op, sample, device):
    inputs = arguments(op, sample, device)
    if differentiable(op, inputs):
        gradcheck(lambda *xs: op(*xs, **sample.params), *inputs)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_second_derivative(op, sample, device):
    inputs = arguments(op, sample, device)
    if differentiable(op, inputs):
        gradgradcheck(lambda *xs: op(*xs, **sample.params), *inputs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("op", "sample"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(op, sample, dtype, device):
    if op.name == "cast":
        return
    inputs = arguments(op, sample, device, dtype)
    results = outputs(op(*inputs, **sample.params))
    for y in results:
        assert y.dtype == dtype or y.dtype.kind in "iub"
        if y.requires_grad:
            y.backward(ml.Tensor(to_device(np.ones(y.shape, dtype), y.device)), retain_graph=True)
    for x in inputs:
        if isinstance(x, ml.Tensor) and x.grad is not None:
            assert x.grad.dtype == dtype
            assert x.grad.shape == x.shape


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_arrays_give_what_tensors_give(op, sample, device):
    inputs = arguments(op, sample, device)
    arrays = [x.data if isinstance(x, ml.Tensor) else x for x in inputs]
    for y, array in zip(outputs(op(*inputs, **sample.params)), outputs(op(*arrays, **sample.params)), strict=True):
        np.testing.assert_array_equal(y.numpy(), ml.Tensor(array).numpy())


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.values[0].composed])
def test_fused_equals_composed(op, sample, device):
    fused_inputs, inputs = arguments(op, sample, device), arguments(op, sample, device)
    fused = outputs(op(*fused_inputs, **sample.params))
    with use_fused(False):
        composed = outputs(op(*inputs, **sample.params))
    rng = np.random.default_rng(1)
    for a, b in zip(fused, composed, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)
        if a.requires_grad:
            v = ml.Tensor(to_device(rng.standard_normal(a.shape), device))
            a.backward(v, retain_graph=True)
            b.backward(v, retain_graph=True)
    for a, b in zip(fused_inputs, inputs, strict=True):
        if isinstance(a, ml.Tensor) and a.grad is not None:
            assert b.grad is not None, "the composition lost it"
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.values[0].name not in ("move",)])
def test_inputs_are_not_modified(op, sample, device):
    inputs = arguments(op, sample, device)
    before = [x.numpy().copy() if isinstance(x, ml.Tensor) else x for x in inputs]
    for y in outputs(op(*inputs, **sample.params)):
        if y.requires_grad:
            y.backward(ml.Tensor(to_device(np.ones(y.shape), device)), retain_graph=True)
    for x, old in zip(inputs, before, strict=True):
        if isinstance(x, ml.Tensor):
            np.testing.assert_array_equal(x.numpy(), old)
