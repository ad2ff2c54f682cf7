"""The book's classifier."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import MLP
from minilm.nn import functional as F


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "gelu", "none"])
def test_gradients(activation):
    ml.random.manual_seed(0)
    model = MLP((5, 4, 3), activation).to("float64")
    x = ml.tensor(np.random.default_rng(0).standard_normal((6, 5)), requires_grad=True)
    targets = ml.tensor([0, 1, 2, 2, 1, 0])
    gradcheck(lambda *_: F.cross_entropy(model(x), targets), x, *model.parameters())
    gradgradcheck(lambda *_: F.cross_entropy(model(x), targets), x, *model.parameters(), rtol=1e-4, atol=1e-6)


def test_two_linear_layers_without_an_activation_are_one():
    model = MLP((6, 4, 3), "none").to("float64")
    x = np.random.default_rng(0).standard_normal((5, 6))
    first, last = model.layers
    w = last.weight.numpy() @ first.weight.numpy()
    b = last.weight.numpy() @ first.bias.numpy() + last.bias.numpy()
    np.testing.assert_allclose(model(ml.tensor(x)).numpy(), x @ w.T + b)


def test_images_are_flattened():
    assert MLP((784, 8, 10))(ml.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(("arguments", "message"), [(((5,),), "at least"), (((5, 2), "swish"), "activation must be")])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(*arguments)
