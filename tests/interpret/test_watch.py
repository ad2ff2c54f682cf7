"""Outputs of modules inside a model, read and replaced."""

import numpy as np
import pytest

import minilm as ml
from minilm.interpret import outputs_of, with_output
from minilm.models import MLP


def network():
    ml.manual_seed(0)
    return MLP((3, 4, 2), "tanh").to("float64"), ml.tensor(np.random.default_rng(0).standard_normal((5, 3)))


def test_outputs_are_those_of_each_call_in_order():
    model, x = network()
    first, last = model.layers
    with outputs_of([last, first]) as found:
        y = model(x)
    np.testing.assert_array_equal(found[0].numpy(), first(x).numpy())
    assert found[1] is y
    model(x)
    assert len(found) == 2  # the hooks are gone


def test_a_replaced_output_is_what_follows_is_made_of():
    model, x = network()
    first, last = model.layers
    h = ml.tensor(np.zeros((5, 4)), requires_grad=True)
    with with_output(first, h):
        y = model(x)
    np.testing.assert_allclose(y.numpy(), np.broadcast_to(last.bias.numpy(), (5, 2)))
    y.sum().backward()
    np.testing.assert_allclose(h.grad.numpy(), np.broadcast_to(last.weight.numpy().sum(axis=0), (5, 4)))
    assert first.weight.grad is None
    assert not np.allclose(model(x).numpy(), y.numpy())


def test_hooks_are_gone_after_an_error():
    model, x = network()
    with (
        pytest.raises(ValueError, match=r"gives shape \(5, 4\) here, the value has \(1, 4\)"),
        with_output(model.layers[0], ml.tensor(np.zeros((1, 4)))),
    ):
        model(x)
    with pytest.raises(RuntimeError, match="stop"), outputs_of(model.layers) as found:
        raise RuntimeError("stop")
    model(x)
    assert found == []
