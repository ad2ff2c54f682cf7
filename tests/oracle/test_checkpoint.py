"""checkpoint() against torch.utils.checkpoint: first and second derivatives of a small network, and of a GPT."""

from importlib import import_module

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")

import minilm as ml
from minilm.models import GPT, GPTConfig
from tests.oracle.torch_gpt import TorchGPT, copy_weights

REFERENCE = import_module("torch.utils.checkpoint").checkpoint
RNG = np.random.default_rng(0)


def derivatives(library, checkpoint, x, w):
    """The gradients of a number, and those of the sum of their squares."""

    def inside(x):
        return (x @ w).tanh() @ w, (x * x).sum()

    def again(h):
        return (h.sin() @ w).exp()

    a, b = checkpoint(inside, x)
    gs = library.grad((checkpoint(again, a).sum() * b).log(), (x, w), create_graph=True)
    square = sum((g * g).sum() for g in gs)
    return [*gs, *library.grad(square, (x, w))]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_first_and_second_derivatives(dtype, tolerance):
    x, w = (0.5 * RNG.standard_normal(shape).astype(dtype) for shape in ((2, 4), (4, 4)))
    ours = derivatives(ml, ml.checkpoint, ml.tensor(x, requires_grad=True), ml.tensor(w, requires_grad=True))
    theirs = derivatives(
        torch.autograd,
        lambda f, x: REFERENCE(f, x, use_reentrant=False),
        *(torch.tensor(a, requires_grad=True) for a in (x, w)),
    )
    for a, b in zip(ours, theirs, strict=True):
        want = b.detach().numpy()
        assert np.linalg.norm(a.numpy() - want) <= tolerance * np.linalg.norm(want)


def test_gradients_of_a_gpt_in_segments():
    config = GPTConfig(vocab_size=13, block_size=8, n_layer=4, n_head=2, n_embd=16)
    model, oracle = GPT(config), TorchGPT(config)
    copy_weights(model, oracle)
    model.checkpoint_segments = 2
    x, y = RNG.integers(0, 13, (2, 3, 8))
    model.loss(x, y).backward()
    oracle.loss(torch.from_numpy(x), torch.from_numpy(y)).backward()
    named = dict(oracle.named_parameters())
    for name, p in model.named_parameters():
        want = named[name].grad.numpy()
        assert np.linalg.norm(p.grad.numpy() - want) <= 1e-5 * np.linalg.norm(want), name
