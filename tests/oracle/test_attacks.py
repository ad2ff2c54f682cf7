"""Attacks and adversarial training against a plain loop in PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import minilm as ml
from minilm import nn
from minilm.attacks import adversarial_loss, fgsm, pgd
from minilm.nn import functional as F


def both_networks(dtype):
    """One network with the same weights on both sides, inputs and labels."""
    rng = np.random.default_rng(0)
    ours = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)).to(dtype)
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)).to(
        getattr(torch, dtype)
    )
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        value = rng.standard_normal(p.shape).astype(dtype)
        with ml.no_grad():
            p.copy_(ml.tensor(value))
        q.data = torch.tensor(value)
    return ours, theirs, rng.standard_normal((20, 6)).astype(dtype), rng.integers(0, 3, 20)


def step(network, at, clean, y, eta, epsilon, norm):
    """One step of the published loop, for all examples of a batch."""
    at = at.clone().requires_grad_(True)
    (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(network(at), y, reduction="sum"), at)
    if norm == "inf":
        return clean + (at + eta * g.sign() - clean).clamp(-epsilon, epsilon).detach()
    delta = (at + eta * g / g.norm(dim=1, keepdim=True) - clean).detach()
    return clean + delta * (epsilon / delta.norm(dim=1, keepdim=True)).clamp(max=1)


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-4)])
def test_one_step_and_many(norm, dtype, tolerance):
    ours, theirs, x, y = both_networks(dtype)
    loss = lambda z: F.cross_entropy(ours(z), y, reduction="none")  # noqa: E731
    clean, truth = torch.tensor(x), torch.tensor(y)
    one = step(theirs, clean, clean, truth, 0.2, 0.2, norm)
    np.testing.assert_allclose(fgsm(loss, x, 0.2, norm), one.numpy(), rtol=tolerance, atol=tolerance)
    # The loop keeps the last point, ours the one with the highest loss: small steps go up all the way.
    at = clean
    for _ in range(5):
        at = step(theirs, at, clean, truth, 0.03, 0.1, norm)
    found = pgd(loss, x, 0.1, norm, steps=5, step=0.03)
    higher = loss(ml.tensor(found)).numpy() - loss(ml.tensor(at.numpy())).numpy()
    assert (higher >= -1e-6).all()
    same = np.isclose(found, at.numpy(), rtol=tolerance, atol=tolerance).all(axis=1)
    assert same.sum() >= 16


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_gradients_of_adversarial_training(norm):
    ours, theirs, x, y = both_networks("float64")
    table = np.random.default_rng(1).standard_normal((20, 6))
    v, w = ml.Tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    loss = adversarial_loss(
        lambda z: F.cross_entropy(ours(z), y, reduction="none"), v * ml.tensor(x), 0.3, norm, share=0.25
    )
    loss.mean().backward()
    theirs_at, truth = w * torch.tensor(x), torch.tensor(y)
    delta = step(theirs, theirs_at.detach(), theirs_at.detach(), truth, 0.3, 0.3, norm) - theirs_at.detach()
    entropy = torch.nn.functional.cross_entropy
    (0.75 * entropy(theirs(theirs_at), truth) + 0.25 * entropy(theirs(theirs_at + delta), truth)).backward()
    np.testing.assert_allclose(v.grad.numpy(), w.grad.numpy(), rtol=1e-9, atol=1e-12)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)
