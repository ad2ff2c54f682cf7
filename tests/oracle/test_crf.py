"""The conditional random field against a plain loop in PyTorch, with the same scores: values, and gradients of every input."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import minilm as ml
from minilm import nn


def torch_loss(x, y, mask, starts, pairs, ends):
    """The sum of the losses, sequence by sequence and step by step."""
    total = 0.0
    for row, tags, inside in zip(x, y, mask, strict=True):
        n = int(inside.sum())
        alpha, score = starts + row[0], starts[tags[0]] + row[0, tags[0]] + ends[tags[n - 1]]
        for k in range(1, n):
            alpha = torch.logsumexp(alpha[:, None] + pairs, 0) + row[k]
            score = score + pairs[tags[k - 1], tags[k]] + row[k, tags[k]]
        total = total + torch.logsumexp(alpha + ends, 0) - score
    return total


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float64", 1e-10, 1e-12), ("float32", 3e-5, 3e-4)])
def test_loss_and_gradients(dtype, rtol, atol, scale):
    rng = np.random.default_rng(0)
    tags, lengths = 7, np.array([12, 1, 9, 4])
    x = (rng.standard_normal((4, 12, tags)) * scale).astype(dtype)
    y, mask = rng.integers(0, tags, (4, 12)), np.arange(12) < lengths[:, None]
    crf = nn.LinearChainCRF(tags, reduction="sum").to(dtype)
    for p in crf.parameters():
        nn.init.uniform_(p, -scale, scale, rng)
    ours = ml.Tensor(x, requires_grad=True)
    loss = crf(ours, y, mask)
    loss.backward()
    scores = [crf.start_transitions, crf.transitions, crf.end_transitions]
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, *(p.numpy() for p in scores))]
    expected = torch_loss(theirs[0], torch.tensor(y), torch.tensor(mask), *theirs[1:])
    expected.backward()
    np.testing.assert_allclose(float(loss.detach()), float(expected.detach()), rtol=rtol)
    for a, b in zip((ours, *scores), theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=rtol, atol=atol)


def test_the_package_pytorch_crf_where_it_is_installed():
    """Its parameters have the same names, and so its state_dict is read as it is."""
    torchcrf = pytest.importorskip("torchcrf")
    theirs, rng = torchcrf.CRF(5, batch_first=True), np.random.default_rng(0)
    crf = nn.LinearChainCRF(5)
    crf.load_state_dict({name: p.numpy() for name, p in theirs.state_dict().items()})
    x, y = rng.standard_normal((3, 6, 5)).astype(np.float32), rng.integers(0, 5, (3, 6))
    mask = np.arange(6) < np.array([[6], [2], [4]])
    expected = -theirs(torch.tensor(x), torch.tensor(y), torch.tensor(mask), reduction="mean")
    np.testing.assert_allclose(float(crf(ml.tensor(x), y, mask).detach()), float(expected.detach()), rtol=1e-5)
    assert crf.decode(x, mask) == theirs.decode(torch.tensor(x), torch.tensor(mask))
