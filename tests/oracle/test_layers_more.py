"""Layers with all of their options, without a batch axis, and with several axes normalized, against PyTorch; and two functions.

Where PyTorch refuses, minilm must too.
"""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.nn import functional as F
from tests.oracle import test_nn

torch = pytest.importorskip("torch")
tnn = torch.nn
twin = test_nn.twin
pytestmark = test_nn.pytestmark
IMAGES, IMAGE, LINES, LINE = (2, 2, 5, 6), (2, 5, 6), (2, 2, 7), (2, 7)

CASES = [
    twin("LayerNorm", (2, 3, 4), args=((3, 4),)),
    twin("LayerNorm", (2, 3, 2, 2), args=([3, 2, 2],), kwargs={"bias": False}),
    twin("LayerNorm", (3, 4), args=((3, 4),), kwargs={"eps": 0.1}),
    twin("LayerNorm", (2, 3, 4), args=((4,),), kwargs={"elementwise_affine": False}),
    twin("RMSNorm", (2, 3, 4), args=((3, 4), 1e-5)),
    twin("ConvTranspose1d", LINES, args=(2, 3, 3, 2, 1, 1)),
    twin("ConvTranspose1d", LINE, args=(2, 4, (3,), (2,), (1,), (0,), 2, False, (2,))),
    twin("ConvTranspose2d", IMAGES, args=(2, 3, (3, 2), (2, 3), (1, 0), (0, 2))),
    twin("ConvTranspose2d", IMAGE, args=(2, 4, 3, 2, 1, 1, 2, True, 2)),
    twin("ConvTranspose2d", IMAGES, args=(2, 3, 3, 2, 1), ours_with={"output_size": (10, 11)}, theirs_with={"output_size": (10, 11)}),
    *[twin("Conv1d", LINES, args=(2, 3, 3, 2, padding), kwargs={"padding_mode": mode})
      for mode in ("reflect", "replicate", "circular") for padding in (2, 3)],
    *[twin("Conv2d", IMAGE, args=(2, 3, (2, 3)), kwargs={"padding": padding, "padding_mode": mode, "dilation": (2, 1)})
      for mode in ("reflect", "replicate", "circular") for padding in ("same", "valid", (2, 1))],
    twin("MaxPool1d", LINE, args=(3, 2, 1, 2, True, True)),
    twin("MaxPool1d", LINES, args=(2,)),
    twin("MaxPool2d", IMAGES, args=((2, 3), (2, 1), (1, 0), (1, 2), True, True)),
    twin("MaxPool2d", IMAGE, args=(2, 3), kwargs={"ceil_mode": True}),
    twin("AvgPool1d", LINE, args=(3, 2, 1, True, False)),
    twin("AvgPool2d", IMAGE, args=(2, 3, 1, True)),
    twin("AvgPool2d", IMAGES, args=((2, 3), None, (1, 0), False, False)),
    twin("Conv1d", LINE, args=(2, 3, (3,), (2,), (1,), (2,))),
    twin("Conv2d", IMAGE, args=(2, 4, 3), kwargs={"groups": 2, "padding": "same"}),
    *[twin(name, shape, args=((1, 2),)) for name in ("ReflectionPad1d", "ReplicationPad1d", "CircularPad1d", "ZeroPad1d")
      for shape in (LINES, LINE)],
    *[twin(name, shape, args=(padding,)) for name in ("ReflectionPad2d", "ReplicationPad2d", "CircularPad2d", "ZeroPad2d")
      for shape in (IMAGES, IMAGE) for padding in (2, (0, 1, 2, 3))],
    twin("ConstantPad1d", LINE, args=((2, 0), 1.5)),
    twin("ConstantPad2d", IMAGES, args=(1, -0.5)),
    twin("Upsample", IMAGES, args=((7, 9),)),
    twin("Upsample", LINES, kwargs={"scale_factor": 2, "mode": "linear"}),
    twin("Upsample", IMAGES, kwargs={"scale_factor": (1.5, 2), "mode": "bilinear", "align_corners": True}),
    twin("RNN", (4, 3), (2, 5), args=(3, 5, 2), kwargs={"nonlinearity": "relu"}),
    twin("LSTM", (4, 3), args=(3, 5), kwargs={"bidirectional": True, "batch_first": True}),
    twin("GRU", (4, 3), (4, 5), args=(3, 5, 2), kwargs={"bidirectional": True}),
    test_nn.attention((3, 4), (5, 4), (5, 4)),
    test_nn.attention((3, 4), (3, 4), (3, 4), ours_with={"key_padding_mask": test_nn.PADDING[0], "causal": True},
                      theirs_with={"key_padding_mask": torch.tensor(test_nn.PADDING[0]), "attn_mask": torch.tensor(test_nn.CAUSAL)}),
    test_nn.block("TransformerEncoderLayer", (3, 4), ours_with={"key_padding_mask": test_nn.PADDING[0]},
                  theirs_with={"src_key_padding_mask": torch.tensor(test_nn.PADDING[0])}),
    test_nn.block("TransformerDecoderLayer", (3, 4), (2, 4), norm_first=True, ours_with={"causal": True},
                  theirs_with={"tgt_mask": torch.tensor(test_nn.CAUSAL)}),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{i}-{case.name}") for i, case in enumerate(CASES)])
def test_layer_equals_pytorch(case, device):
    test_nn.test_layer_equals_pytorch(case, device)


def compare(case, device):
    """The layers are equal, or neither can be made or called; says which."""
    try:
        with torch.no_grad():
            case.theirs().double()(*(torch.zeros(shape, dtype=torch.float64) for shape in case.shapes))
    except (RuntimeError, ValueError):
        with pytest.raises(ValueError, match=r"\w"):
            case.ours()(*map(ml.zeros, case.shapes))
        return False
    test_nn.test_layer_equals_pytorch(case, device)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("name", "shapes"), [("Conv1d", (LINES, LINE)), ("Conv2d", (IMAGES, IMAGE))])
def test_padding_modes_of_convolutions(name, shapes, mode, device):
    done = 0
    for shape, padding, stride, dilation, kernel in itertools.product(
        shapes, [0, 1, 4, 6, 7, "same", "valid"], [1, 2], [1, 2], [2, 3]
    ):
        options = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": mode}
        done += compare(twin(name, shape, args=(2, 3, kernel), kwargs=options), device)
    assert done >= 40


@pytest.mark.slow
@pytest.mark.parametrize(("dims", "shapes"), [(1, (LINES, LINE)), (2, (IMAGES, IMAGE))])
def test_pools(dims, shapes, device):
    done = 0
    for shape, kernel, stride, padding, ceil in itertools.product(
        shapes, [2, 3], [None, 1, 3], [0, 1, 2], [False, True]
    ):
        for dilation, indices in itertools.product([1, 2], [False, True]):
            case = twin(f"MaxPool{dims}d", shape, args=(kernel, stride, padding, dilation, indices, ceil))
            done += compare(case, device)
        for counted in (False, True):
            done += compare(twin(f"AvgPool{dims}d", shape, args=(kernel, stride, padding, ceil, counted)), device)
    assert done >= 120


def test_sizes_that_no_transposed_convolution_gives(device):
    for size in itertools.product([8, 9, 10, 11], repeat=2):
        options = {"output_size": size}
        case = twin("ConvTranspose2d", IMAGES, args=(2, 3, 3, 2, 1), ours_with=options, theirs_with=options)
        if size in itertools.product((9, 10), (11,)):
            test_nn.test_layer_equals_pytorch(case, device)
        else:
            with pytest.raises(ValueError, match="valid sizes range"):
                tnn.ConvTranspose2d(2, 3, 3, 2, 1)(torch.zeros(IMAGES), output_size=size)
            with pytest.raises(ValueError, match=r"output_size must be from \(9, 11\) to \(10, 12\)"):
                nn.ConvTranspose2d(2, 3, 3, 2, 1)(ml.zeros(*IMAGES), output_size=size)


@pytest.mark.parametrize(
    "make", [lambda m: m.ConvTranspose2d(6, 200, 3), lambda m: m.ConvTranspose1d(40, 60, 5, groups=2)]
)
def test_transposed_convolutions_start_with_pytorchs_spread(make):
    test_nn.test_layers_start_with_pytorchs_spread(make)


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "Upsample"])
def test_without_a_batch_both_refuse(name):
    shape = {"BatchNorm1d": (3,), "BatchNorm2d": (3, 2, 2), "Upsample": (3, 2)}[name]
    with pytest.raises((ValueError, RuntimeError, NotImplementedError)):
        getattr(tnn, name)(3)(torch.ones(shape))
    with pytest.raises(ValueError, match=r"\(N, "):
        getattr(nn, name)(3)(ml.ones(*shape))


LOSSES = [
    ("CrossEntropyLoss", {}, "logits", 2),
    ("CrossEntropyLoss", {"weight": test_nn.WEIGHT, "label_smoothing": 0.1}, "logits", 1),
    ("CrossEntropyLoss", {}, "logits", "shares"),
    ("NLLLoss", {"weight": test_nn.WEIGHT}, "logs", 2),
    *[(name, {}, kind, target) for name, kind, target in (
        ("BCELoss", "shares", "shares"), ("BCEWithLogitsLoss", "logits", "shares"), ("MSELoss", "logits", "logits"),
        ("L1Loss", "logits", "logits"), ("HuberLoss", "logits", "logits"), ("KLDivLoss", "logs", "shares"))],
]  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "kind", "target"), LOSSES)
def test_losses_of_one_sample(name, options, kind, target, reduction):
    rng = np.random.default_rng(0)
    x = test_nn.loss_input(kind, rng)[0]
    t = test_nn.loss_input(target, rng)[1] if isinstance(target, str) else np.array(target)
    ours = getattr(nn, name)(
        **{k: np.array(v) if isinstance(v, list) else v for k, v in options.items()}, reduction=reduction
    )
    theirs = getattr(tnn, name)(
        **{k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for k, v in options.items()},
        reduction=reduction,
    )
    a, b = ml.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(a, ml.Tensor(t)), theirs(b, torch.tensor(t))
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-12)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sizes", [(4,), (3, 4), (2, 3, 4), 4])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_norms_in_pytorchs_form(name, sizes):
    rng = np.random.default_rng(0)
    shape = (sizes,) if isinstance(sizes, int) else sizes
    arrays = [rng.standard_normal(s) for s in ((2, 3, 4), shape, shape)][: 3 if name == "layer_norm" else 2]
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    a, b = [ml.Tensor(x, True) for x in arrays], [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(a[0], sizes, *a[1:], 0.1), theirs(b[0], shape, *b[1:], 0.1)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-10)
    v = rng.standard_normal(y.shape)
    y.backward(ml.Tensor(v))
    z.backward(torch.tensor(v))
    for mine, their in zip(a, b, strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), their.grad.numpy(), rtol=1e-9, atol=1e-11)
    named = ours(a[0], normalized_shape=sizes, weight=a[1], eps=0.1)
    np.testing.assert_allclose(named.numpy(), theirs(b[0], shape, weight=b[1], eps=0.1).detach().numpy(), rtol=1e-10)
    plain = ours(a[0], sizes, eps=0.5)
    np.testing.assert_allclose(plain.numpy(), theirs(b[0], shape, eps=0.5).detach().numpy(), rtol=1e-10)


LISTS = [
    ((2, 3), [0, 1], (3, 4), [1, 2], [0, 2]),
    ((2, 3), [0, 1], (3, 4), [1, 2]),
    ((2, 3), [30, 5], (3, 4), [5, 2]),  # without output: in the order of the numbers
    ((2, 3), [5, 30], (3, 4), [30, 25]),
    ((3, 3), [7, 7], [7]),
    ((3, 3), [7, 7]),
    ((2, 3), [0, 1], []),
    ((5, 2, 3), [..., 0, 1], (3, 4), [1, 2], [..., 2, 0]),
    ((5, 2, 3), [..., 51, 1], (3, 4), [1, 0]),
    ((2,), [0], (3,), [1], (2, 3), [0, 1], [1]),
]


@pytest.mark.parametrize("args", LISTS)
def test_einsum_with_lists_of_axes(args):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(x) if isinstance(x, tuple) else x for x in args]
    mine = [ml.Tensor(x, True) if isinstance(x, np.ndarray) else x for x in arrays]
    their = [torch.tensor(x, requires_grad=True) if isinstance(x, np.ndarray) else x for x in arrays]
    y, z = ml.einsum(*mine), torch.einsum(*their)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(y.numpy(), np.einsum(*arrays), rtol=1e-12, atol=1e-14)
    v = rng.standard_normal(y.shape)
    y.backward(ml.Tensor(v))
    z.backward(torch.tensor(v))
    for a, b in zip(mine, their, strict=True):
        if isinstance(a, ml.Tensor):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_einsum_of_a_list_of_operands():
    x, y = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    for kind in (list, tuple):
        result = ml.einsum("ij,jk", kind((ml.Tensor(x), ml.Tensor(y))))
        np.testing.assert_array_equal(result.numpy(), torch.einsum("ij,jk", [torch.tensor(x), torch.tensor(y)]).numpy())


PARTS = [
    lambda m: [m.tensor(1.0), m.tensor(2.0)],
    lambda m: [[m.tensor(1), m.tensor(2)], [m.tensor(3), m.tensor(4)]],
    lambda m: (m.tensor(True), m.tensor(False)),
    lambda m: [m.tensor(1), m.tensor(2.5)],
    lambda m: [m.tensor(1.5), 2],
    lambda m: [2.5, m.tensor(1)],
    lambda m: [[1, 2], [m.tensor(3), 4]],
]


@pytest.mark.parametrize("make", PARTS)
def test_a_tensor_from_lists_of_tensors(make):
    y, z = ml.tensor(make(ml)), torch.tensor(make(torch))
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    assert y.numpy().dtype == z.numpy().dtype
    assert not y.requires_grad
