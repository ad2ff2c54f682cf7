"""Moving, indexing, einsum, convolution and pooling: values and gradients against PyTorch."""

import numpy as np
import pytest

import minilm as ml
from minilm.ops import conv, einsum, index, linalg, shape

torch = pytest.importorskip("torch")
F = torch.nn.functional


def compare(ours, theirs, *shapes, integers=()):
    """Both functions on the same numbers: outputs, and gradients under the same random upstream gradient."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in shapes]
    a, b = [ml.Tensor(x, True) for x in arrays], [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a, *map(ml.Tensor, integers)), theirs(*b, *map(torch.tensor, integers))
    pairs = list(zip(y, z, strict=True)) if isinstance(y, tuple) else [(y, z)]
    for i, (mine, other) in enumerate(pairs):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-12)
        v = rng.standard_normal(mine.shape)
        mine.backward(ml.Tensor(v), retain_graph=True)
        other.backward(torch.tensor(v), retain_graph=i + 1 < len(pairs))
    for mine, other in zip(a, b, strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs", "shapes"),
    [
        (lambda x: shape.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), [(2, 3, 4)]),
        (lambda x: shape.squeeze(x), lambda x: x.squeeze(), [(1, 2, 1)]),
        (lambda x: shape.squeeze(x, (0, -1)), lambda x: x.squeeze((0, -1)), [(1, 2, 1)]),
        (lambda x: shape.unsqueeze(x, -2), lambda x: x.unsqueeze(-2), [(2, 3)]),
        (lambda *xs: shape.concat(*xs, axis=1), lambda *xs: torch.concat(xs, 1), [(2, 3), (2, 1)]),
        (lambda *xs: shape.stack(*xs, axis=-1), lambda *xs: torch.stack(xs, -1), [(2, 3), (2, 3)]),
        (lambda x: shape.split(x, [1, 3], axis=1), lambda x: x.split([1, 3], 1), [(2, 4)]),
        (lambda x: shape.split(x, 2, axis=1), lambda x: x.chunk(2, 1), [(2, 4)]),
        (lambda x: shape.pad(x, ((0, 1), (2, 0)), 0.5), lambda x: F.pad(x, (2, 0, 0, 1), value=0.5), [(2, 3)]),
        (lambda x: shape.flip(x, (0, 2)), lambda x: x.flip((0, 2)), [(2, 3, 2)]),
        (lambda x: shape.tril(x, -1), lambda x: x.tril(-1), [(2, 3, 4)]),
        (lambda x: shape.triu(x, 1), lambda x: x.triu(1), [(2, 3, 4)]),
    ],
)
def test_shapes(ours, theirs, shapes):
    compare(ours, theirs, *shapes)


@pytest.mark.parametrize(
    "chosen",
    [
        1,
        (slice(None), slice(1, None, 2)),
        (Ellipsis, None, -1),
        ([0, 2, 0, -1],),
        ([0, 2], slice(None), [1, 1]),
        (slice(None), [[0, 1], [1, 1]]),
        (1, [0, 0, 3]),
        ([True, False, True],),
        (slice(None), slice(0, 2), [True, False]),
    ],
)
def test_indices(chosen):
    compare(lambda x: x[chosen], lambda x: x[chosen], (3, 4, 2))


def test_gather_and_masked_fill():
    numbers = np.array([[0, 0, 2], [1, 1, 1]])
    compare(lambda x, i: index.gather(x, i, 1), lambda x, i: x.gather(1, i), (2, 3), integers=[numbers])
    mask = np.array([[True], [False]])
    compare(lambda x, m: index.masked_fill(x, m, -9.0), lambda x, m: x.masked_fill(m, -9.0), (2, 3), integers=[mask])


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
        ("...ij,...jk->...ik", [(3, 1, 2, 3), (2, 3, 2)]),
        ("ii->i", [(3, 3)]),
        ("bij,jk,k->b", [(2, 3, 4), (4, 5), (5,)]),
        ("i,j", [(2,), (3,)]),
        ("...i->i", [(2, 3, 4)]),
    ],
)
def test_einsum(subscripts, shapes):
    compare(lambda *xs: einsum.einsum(subscripts, *xs), lambda *xs: torch.einsum(subscripts, *xs), *shapes)


@pytest.mark.parametrize("x", [(3,), (2, 3), (2, 4, 3)])
def test_linear(x):
    compare(linalg.linear, F.linear, x, (5, 3), (5,))
    compare(linalg.linear, F.linear, x, (5, 3))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)},
        {"padding": "same", "dilation": 2},
        {"padding": "valid", "groups": 2},
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_conv2d(options):
    weight = (4, 4 // options.get("groups", 1), 3, 2)
    compare(lambda *xs: conv.conv2d(*xs, **options), lambda *xs: F.conv2d(*xs, **options), (2, 4, 7, 6), weight, (4,))


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1, "groups": 2}, {"padding": "same", "dilation": 2}])
def test_conv1d(options):
    weight = (4, 4 // options.get("groups", 1), 3)
    compare(lambda *xs: conv.conv1d(*xs, **options), lambda *xs: F.conv1d(*xs, **options), (2, 4, 7), weight, (4,))


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}])
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pools(name, options):
    ours, theirs = getattr(conv, name), getattr(F, name)
    compare(lambda x: ours(x, **options), lambda x: theirs(x, **options), (2, 3, 6, 5))


def test_avg_pool2d_without_counting_the_padding():
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}
    compare(lambda x: conv.avg_pool2d(x, **options), lambda x: F.avg_pool2d(x, **options), (2, 3, 6, 5))


def test_ties_of_max_pool2d():
    """Numbers of which many are equal: the same place of each window receives the gradient."""
    x = np.random.default_rng(0).integers(0, 2, (2, 3, 7, 7)).astype(np.float64)
    a, b = ml.Tensor(x, True), torch.tensor(x, requires_grad=True)
    conv.max_pool2d(a, 3, 2, 1).sum().backward()
    F.max_pool2d(b, 3, 2, 1).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
