"""Ops along axis 0 and -1 of a tensor without axes, and padding by negative widths, against PyTorch."""

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY

torch = pytest.importorskip("torch")
F = torch.nn.functional

CALLS = {
    "sum": (lambda x, a: x.sum(a), lambda x, a: x.sum(a)),
    "mean": (lambda x, a: x.mean(a), lambda x, a: x.mean(a)),
    "var": (lambda x, a: x.var(a, correction=0), lambda x, a: x.var(a, correction=0)),
    "max": (lambda x, a: x.max(a), lambda x, a: x.amax(a)),
    "min": (lambda x, a: x.min(a), lambda x, a: x.amin(a)),
    "prod": (lambda x, a: x.prod(a), lambda x, a: x.prod(a)),
    "logsumexp": (lambda x, a: x.logsumexp(a), lambda x, a: x.logsumexp(a)),
    "cumsum": (lambda x, a: x.cumsum(a), lambda x, a: x.cumsum(a)),
    "softmax": (lambda x, a: x.softmax(a), lambda x, a: x.softmax(a)),
    "log_softmax": (lambda x, a: x.log_softmax(a), lambda x, a: x.log_softmax(a)),
    "squeeze": (lambda x, a: x.squeeze(a), lambda x, a: x.squeeze(a)),
    "flip": (lambda x, a: x.flip(a), lambda x, a: x.flip(a)),
    "swapaxes": (lambda x, a: x.swapaxes(a, 0), lambda x, a: x.swapaxes(a, 0)),
    "unsqueeze": (lambda x, a: x.unsqueeze(a), lambda x, a: x.unsqueeze(a)),
    "gather": (lambda x, a: x.gather(ml.tensor(0), a), lambda x, a: x.gather(a, torch.tensor(0))),
}


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", CALLS)
def test_without_axes(name, axis):
    ours, theirs = CALLS[name]
    x, z = ml.tensor(1.5, requires_grad=True), torch.tensor(1.5, requires_grad=True)
    y, w = ours(x, axis), theirs(z, axis)
    assert y.shape == tuple(w.shape)
    np.testing.assert_allclose(y.numpy(), w.detach().numpy(), rtol=1e-6)
    y.sum().backward()
    w.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "widths", [((-1, 0), (0, -2)), ((2, -1), (-1, 3)), ((-1, -1), (-2, -1)), ((0, 0), (-4, 2)), ((1, 2), (0, -3))]
)
def test_negative_padding(widths):
    x = np.arange(12.0).reshape(3, 4)
    a, b = ml.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = REGISTRY["pad"](a, widths, 0.5)
    z = F.pad(b, (*widths[1], *widths[0]), value=0.5)
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    v = np.arange(1.0, y.size + 1).reshape(y.shape)
    y.backward(ml.Tensor(v))
    z.backward(torch.tensor(v))
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


def test_a_tuple_inside_an_index_is_an_array():
    x = np.arange(24.0).reshape(4, 6)
    a, b = ml.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    for index in [((0, 2), (1, 1)), ((0, 1, 0), slice(1, 3)), (slice(None), (5, 0)), ((0, 2),), (((0, 1), (2, 3)), 0)]:
        y, z = a[index], b[index]
        np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
        y.sum().backward()
        z.sum().backward()
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
