"""The GPT in plain Python against the same one written with PyTorch's functions."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")

from minilm.models.micro import Adam, MicroGPT
from minilm.models.micro_tensor import gradients, numbers
from tests.oracle.torch_micro import loss_of

TEXTS = [[4, 0, 1, 2, 3, 4], [4, 3, 3, 4], [4, 2, 1, 1, 4]]


@pytest.mark.parametrize(("n_layer", "n_head"), [(1, 1), (2, 2)])
def test_loss_gradients_and_three_steps_of_adam(n_layer, n_head):
    model = MicroGPT(5, 6, n_layer, n_head, 4, rng=random.Random(0), deviation=0.4)
    weights = {name: torch.tensor(numbers(matrix), requires_grad=True) for name, matrix in model.weights.items()}
    ours, theirs = Adam(model.parameters()), torch.optim.Adam(weights.values(), lr=0.01, betas=(0.9, 0.99))
    for tokens in TEXTS:
        loss, other = model.loss(tokens), loss_of(weights, tokens, n_layer, n_head)
        assert loss.data == pytest.approx(other.item(), rel=1e-9)
        theirs.zero_grad()
        loss.backward()
        other.backward()
        for name, matrix in model.weights.items():
            np.testing.assert_allclose(gradients(matrix), weights[name].grad.numpy(), rtol=1e-9, atol=1e-12)
        ours.step()
        theirs.step()
    for name, matrix in model.weights.items():
        np.testing.assert_allclose(numbers(matrix), weights[name].detach().numpy(), rtol=1e-9, atol=1e-12)
