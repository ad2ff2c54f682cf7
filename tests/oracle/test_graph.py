"""The contrastive loss and steps over graphs, against PyTorch: the loss composed of its functions, graphs as dense matrices."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.nn import functional as F
from minilm.nn.graph import Graph

torch = pytest.importorskip("torch")
CLOSE = {"float32": {"rtol": 2e-4, "atol": 2e-6}, "float64": {"rtol": 1e-9, "atol": 1e-11}}


def twins(*arrays, dtype):
    """The same leaves in both."""
    arrays = [np.asarray(x, dtype) for x in arrays]
    ours = [ml.Tensor(x.copy(), requires_grad=True) for x in arrays]
    return ours, [torch.tensor(x, requires_grad=True) for x in arrays]


def agree(ours, theirs, dtype):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), **CLOSE[dtype])
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), **CLOSE[dtype])


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 2), (6, 4)])
def test_contrastive_loss(n, d, dtype):
    rng = np.random.default_rng(n)
    ours, theirs = twins(rng.standard_normal((n, d)), rng.standard_normal((n, d)), 5.0, dtype=dtype)
    loss = F.contrastive_loss(*ours)
    a, b = (torch.nn.functional.normalize(x, dim=1) for x in theirs[:2])
    logits, own = theirs[2] * a @ b.T, torch.arange(n)  # as the pseudocode of Radford et al., figure 3, has it
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    np.testing.assert_allclose(loss.item(), expected.item(), **CLOSE[dtype])
    (loss * 3).backward()
    (expected * 3).backward()
    agree(ours, theirs, dtype)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("sizes", [(3, 5), (5, 3)])
def test_two_convolutions(sizes, dtype):
    rng = np.random.default_rng(0)
    graph = Graph.normalized(rng.integers(0, 7, (2, 9)), 8)
    first, second = (nn.GraphConv(*s).to(dtype) for s in (sizes, sizes[::-1]))
    ours, theirs = twins(rng.standard_normal((8, sizes[0])), dtype=dtype)
    upstream = rng.standard_normal((8, sizes[0])).astype(dtype)
    y = second(first(ours[0], graph).tanh(), graph)
    (y * ml.Tensor(upstream)).sum().backward()
    mine = [*first.parameters(), *second.parameters()]
    weights = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in mine]
    matrix = torch.tensor(graph.dense().astype(dtype))
    h = torch.tanh(matrix @ theirs[0] @ weights[0].T + weights[1])
    expected = matrix @ h @ weights[2].T + weights[3]
    (expected * torch.tensor(upstream)).sum().backward()
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), **CLOSE[dtype])
    agree([*ours, *mine], [*theirs, *weights], dtype)


@pytest.mark.parametrize("dtype", CLOSE)
def test_message_passing(dtype):
    rng = np.random.default_rng(0)
    graph = Graph(rng.integers(0, 5, (2, 11)), 6, rng.standard_normal(11))
    layer = nn.MessagePassing(nn.Sequential(nn.Linear(6, 4), nn.Tanh()), nn.Linear(7, 2)).to(dtype)
    ours, theirs = twins(rng.standard_normal((6, 3)), dtype=dtype)
    upstream = rng.standard_normal((6, 2)).astype(dtype)
    y = layer(ours[0], graph)
    (y * ml.Tensor(upstream)).sum().backward()
    weights = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in layer.parameters()]
    h, (source, target) = theirs[0], torch.tensor(graph.edges)
    sent = torch.tanh(torch.cat([h[target], h[source]], 1) @ weights[0].T + weights[1])
    sent = sent * torch.tensor(graph.weights.astype(dtype))[:, None]
    heard = torch.zeros(6, 4, dtype=h.dtype).index_add(0, target, sent)
    expected = torch.cat([h, heard], 1) @ weights[2].T + weights[3]
    (expected * torch.tensor(upstream)).sum().backward()
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), **CLOSE[dtype])
    agree([*ours, *layer.parameters()], [*theirs, *weights], dtype)
