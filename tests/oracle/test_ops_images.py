"""Pooling, transposed convolution, padding and resizing with all of their options, and matrices: values and gradients against PyTorch.

Where PyTorch refuses an option, minilm must refuse it too.
"""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F

torch = pytest.importorskip("torch")
theirs = torch.nn.functional


def compare(ours, other, *arrays):
    """Both functions on the same numbers: results, and gradients of the first under the same random upstream gradient."""
    a, b = [ml.Tensor(x, True) for x in arrays], [torch.tensor(x, requires_grad=True) for x in arrays]
    try:
        z = other(*b)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"\w"):
            ours(*a)
        return False
    y = ours(*a)
    rng, recorded = np.random.default_rng(1), False
    for mine, their in zip(y, z, strict=True) if isinstance(z, tuple) else [(y, z)]:
        assert mine.shape == tuple(their.shape)
        np.testing.assert_allclose(mine.numpy(), their.detach().numpy(), rtol=1e-9, atol=1e-10)
        if mine.requires_grad:
            recorded, g = True, rng.standard_normal(mine.shape)
            mine.backward(ml.Tensor(g), retain_graph=True)
            their.backward(torch.tensor(g), retain_graph=True)
    for mine, their in zip(a, b, strict=True) if recorded else ():
        np.testing.assert_allclose(mine.grad.numpy(), their.grad.numpy(), rtol=1e-8, atol=1e-9)
    return True


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


IMAGES = normal(2, 3, 7, 6)


@pytest.mark.parametrize("kernel", [1, 2, 3, (3, 2)])
def test_max_pooling(kernel):
    done = 0
    for stride, padding, dilation, ceil, x in itertools.product(
        [None, 1, 2, 3], [0, 1], [1, 2], [False, True], [IMAGES, IMAGES[0]]
    ):
        options = (kernel, stride, padding, dilation, ceil)
        done += compare(lambda x, o=options: F.max_pool2d(x, *o, return_indices=True),
                        lambda x, o=options: theirs.max_pool2d(x, *o, return_indices=True), x)  # fmt: skip
        if isinstance(kernel, int):
            lines = x.reshape(-1, *x.shape[-2:]) if x.ndim == 4 else x[0]
            done += compare(lambda x, o=options: F.max_pool1d(x, *o, return_indices=True),
                            lambda x, o=options: theirs.max_pool1d(x, *o, return_indices=True), lines)  # fmt: skip
    assert done > 20


@pytest.mark.parametrize("kernel", [1, 2, 3, (3, 2)])
def test_average_pooling(kernel):
    for stride, padding, ceil, counted, x in itertools.product(
        [None, 1, 2, 3], [0, 1], [False, True], [False, True], [IMAGES, IMAGES[0]]
    ):
        o = (kernel, stride, padding, ceil, counted)
        compare(lambda x, o=o: F.avg_pool2d(x, *o), lambda x, o=o: theirs.avg_pool2d(x, *o), x)
        if isinstance(kernel, int):
            compare(lambda x, o=o: F.avg_pool1d(x, *o), lambda x, o=o: theirs.avg_pool1d(x, *o), x[0])


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolution(stride, fused):
    x, w, done = normal(2, 4, 3, 4), normal(4, 2, 3, 2), 0
    for padding, more, groups, dilation in itertools.product([0, 1, 2], [0, 1], [1, 2], [1, 2]):
        o, bias = (stride, padding, more, groups, dilation), normal(2 * groups)
        with ml.use_fused(fused):
            done += compare(
                lambda *a, o=o: F.conv_transpose2d(*a, *o), lambda *a, o=o: theirs.conv_transpose2d(*a, *o), x, w, bias
            )
            compare(
                lambda *a, o=o: F.conv_transpose1d(*a, *o),
                lambda *a, o=o: theirs.conv_transpose1d(*a, *o),
                x[0],
                w[..., 0],
                bias,
            )
    assert done > 6


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding(mode):
    for a, b in itertools.product([0, 1, 2, 5, -1], repeat=2):
        for x, widths in ((IMAGES, (a, b, b, a)), (IMAGES[0], (a, b)), (IMAGES[0], (a, b, 1, 0))):
            compare(lambda x, w=widths: F.pad(x, w, mode), lambda x, w=widths: theirs.pad(x, w, mode), x)


@pytest.mark.parametrize(
    ("mode", "corners"),
    [
        ("nearest", None),
        ("nearest-exact", None),
        ("linear", False),
        ("linear", True),
        ("bilinear", False),
        ("bilinear", True),
    ],
)
def test_interpolation(mode, corners):
    x = IMAGES[0] if mode == "linear" else IMAGES
    axes = x.ndim - 2
    for size in (1, 3, 6, 7, 14, 20):
        o = {"size": (size,) * axes, "mode": mode, "align_corners": corners}
        assert compare(lambda x, o=o: F.interpolate(x, **o), lambda x, o=o: theirs.interpolate(x, **o), x)
    for scale, again in itertools.product((0.3, 0.5, 1.7, 2, 2.5), (None, True)):
        o = {"scale_factor": scale, "mode": mode, "align_corners": corners, "recompute_scale_factor": again}
        assert compare(lambda x, o=o: F.interpolate(x, **o), lambda x, o=o: theirs.interpolate(x, **o), x)


@pytest.mark.parametrize("lead", [(), (2,), (2, 1)])
@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky"])
def test_matrices(name, lead):
    x = normal(*lead, 3, 3)
    x = x @ np.swapaxes(x, -1, -2) + np.eye(3)
    if name == "slogdet":
        assert compare(lambda x: ml.linalg.slogdet(x)[1], lambda x: torch.linalg.slogdet(x)[1], x)
        sign = ml.linalg.slogdet(ml.Tensor(-x))[0]
        np.testing.assert_array_equal(sign.numpy(), torch.linalg.slogdet(torch.tensor(-x))[0].numpy())
    else:
        assert compare(getattr(ml.linalg, name), getattr(torch.linalg, name), x)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((2, 3, 3), (2, 3)),
        ((2, 3, 3), (3, 2)),
        ((2, 3, 3), (2, 3, 1)),
        ((2, 1, 3, 3), (4, 3, 2)),
    ],
)
def test_equations(a, b):
    assert compare(ml.linalg.solve, torch.linalg.solve, normal(*a) + 3 * np.eye(3), normal(*b))


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("order", [None, 0, 0.5, 1, 2, 3, np.inf, -np.inf, -1, -2, "fro"])
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (1,)])
def test_norms(order, dim, keep):
    if order == "fro" and dim != (0, 2):
        return
    x = normal(3, 4, 2)
    if dim == (0, 2) and order not in (None, 1, np.inf, -np.inf, -1, "fro"):
        return  # singular values: not here
    o = {"ord": order, "dim": dim, "keepdim": keep}
    if dim is None and order is not None:
        x = x.reshape(-1)
    compare(lambda x: ml.linalg.norm(x, **o), lambda x: torch.linalg.norm(x, **o), x)
    if order not in ("fro", None) and dim != (0, 2):
        compare(lambda x: ml.linalg.vector_norm(x, **o), lambda x: torch.linalg.vector_norm(x, **o), x)


def test_the_norm_of_zeros_has_gradient_zero():
    for order in (1, 2, 3):
        assert compare(lambda x, p=order: ml.linalg.norm(x, p), lambda x, p=order: torch.linalg.norm(x, p), np.zeros(3))


def test_large_and_small_numbers_have_a_norm():
    for size in (1e30, 1e-30):
        x = ml.tensor(np.full(4, size, np.float32), requires_grad=True)
        y = ml.linalg.norm(x)
        y.backward()
        np.testing.assert_allclose(y.item(), 2 * size, rtol=1e-6)
        np.testing.assert_allclose(x.grad.numpy(), 0.5, rtol=1e-6)
