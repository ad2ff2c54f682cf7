"""The fused ops and the losses against PyTorch: values and gradients, in both float types, over drawn shapes and options."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minilm as ml
from minilm.ops import REGISTRY

torch = pytest.importorskip("torch")
F = torch.nn.functional

DTYPES = st.sampled_from([np.float32, np.float64])
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)
REDUCTIONS = st.sampled_from(["mean", "sum", "none"])


def compare(ours, theirs, *inputs, tolerance=None, constants=()):
    """Both functions on the same arrays: equal outputs, and equal gradients for the same random upstream gradient.

    `constants` are the places of inputs that PyTorch does not differentiate.
    """
    mine = [ml.Tensor(x, x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    others = [torch.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    y, z = ours(*mine), theirs(*others)
    dtype = next(x.dtype for x in inputs if isinstance(x, np.ndarray) and x.dtype.kind == "f")
    rtol = tolerance or (2e-5 if dtype == np.float32 else 1e-9)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=rtol, atol=rtol)
    v = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    y.backward(ml.Tensor(v))
    z.backward(torch.tensor(v))
    for i, (a, b) in enumerate(zip(mine, others, strict=True)):
        if isinstance(a, ml.Tensor) and a.requires_grad and i not in constants:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=rtol, atol=rtol)


def normal(rng, dtype, *shape, scale=2.0):
    return (rng.standard_normal(shape) * scale).astype(dtype)


@given(SHAPES, st.data(), DTYPES)
def test_softmax_and_log_softmax(shape, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = normal(np.random.default_rng(0), dtype, *shape, scale=5.0)
    compare(lambda x: REGISTRY["softmax"](x, axis), lambda x: F.softmax(x, axis), x)
    compare(lambda x: REGISTRY["log_softmax"](x, axis), lambda x: F.log_softmax(x, axis), x)


@given(SHAPES, st.booleans(), st.booleans(), st.sampled_from([1e-5, 0.1]), DTYPES)
def test_layer_norm_and_rms_norm(shape, weighted, shifted, eps, dtype):
    rng, n = np.random.default_rng(0), shape[-1] + 1
    x = normal(rng, dtype, *shape[:-1], n)
    w, b = (normal(rng, dtype, n) if given else None for given in (weighted, shifted))
    layer_norm, rms_norm = (REGISTRY[name] for name in ("layer_norm", "rms_norm"))
    tolerance = 2e-3 if dtype == np.float32 and eps < 0.1 else None  # rows of two close numbers: 1 / sigma is large
    compare(
        lambda *a: layer_norm(*a, eps=eps),
        lambda x, w, b: F.layer_norm(x, (n,), w, b, eps),
        x,
        w,
        b,
        tolerance=tolerance,
    )
    compare(lambda *a: rms_norm(*a, eps=eps), lambda x, w: F.rms_norm(x, (n,), w, eps), x, w, tolerance=tolerance)


@given(st.lists(st.integers(2, 4), min_size=2, max_size=4), st.booleans(), st.booleans(), DTYPES)
def test_batch_norm(shape, weighted, training, dtype):
    rng, c = np.random.default_rng(0), shape[1]
    x = normal(rng, dtype, *shape)
    w, b = (normal(rng, dtype, c), normal(rng, dtype, c)) if weighted else (None, None)
    mean, var = normal(rng, dtype, c), rng.uniform(0.5, 2.0, c).astype(dtype)
    given = [None, None] if training else [ml.Tensor(mean), ml.Tensor(var)]
    running = [torch.tensor(mean), torch.tensor(var)]
    compare(
        lambda x, w, b: REGISTRY["batch_norm"](x, w, b, *given, eps=0.1),
        lambda x, w, b: F.batch_norm(x, *running, w, b, training=training, eps=0.1),
        x, w, b, tolerance=2e-4 if dtype == np.float32 else None,
    )  # fmt: skip


@given(st.lists(st.integers(0, 4), max_size=3), st.integers(0, 5), DTYPES)
def test_embedding(shape, padding, dtype):
    rng = np.random.default_rng(0)
    w, ids = normal(rng, dtype, 5, 3), rng.integers(0, 5, shape)
    padding = padding if padding < 5 else None
    compare(
        lambda w: REGISTRY["embedding"](w, ml.Tensor(ids), padding_idx=padding),
        lambda w: F.embedding(torch.tensor(ids), w, padding),
        w,
    )


@st.composite
def attention_cases(draw):
    lead = draw(st.lists(st.integers(1, 3), max_size=2))
    queries, keys, width, value = (draw(st.integers(1, 5)) for _ in range(4))
    kind = draw(st.sampled_from(["none", "causal", "boolean", "additive"]))
    if kind == "causal":
        keys = queries  # PyTorch aligns other shapes at the other corner
    dtype, scale = draw(DTYPES), draw(st.sampled_from([None, 0.3]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    q, k, v = (normal(rng, dtype, *lead, *s) for s in ((queries, width), (keys, width), (keys, value)))
    mask_shape = (*(lead if draw(st.booleans()) else [1] * len(lead)), queries, keys)
    mask = {"boolean": rng.random(mask_shape) < 0.6, "additive": normal(rng, dtype, *mask_shape)}.get(kind)
    if kind == "boolean":
        mask[..., 0] = True  # a row of nothing is NaN in PyTorch
    return q, k, v, mask, kind == "causal", scale


@given(attention_cases())
def test_scaled_dot_product_attention(case):
    *inputs, causal, scale = case
    compare(
        lambda *a: REGISTRY["scaled_dot_product_attention"](*a, causal=causal, scale=scale),
        lambda *a: F.scaled_dot_product_attention(*a, is_causal=causal, scale=scale),
        *inputs,
    )


@st.composite
def class_cases(draw):
    """Logits, targets of either kind, weights and options of cross-entropy."""
    dtype, rng = draw(DTYPES), np.random.default_rng(draw(st.integers(0, 99)))
    classes, rest = draw(st.integers(1, 5)), draw(st.lists(st.integers(1, 4), max_size=3))
    shape = (classes,) if not rest else (rest[0], classes, *rest[1:])
    x, soft = normal(rng, dtype, *shape, scale=4.0), draw(st.booleans())
    weight = rng.uniform(0.2, 3.0, classes).astype(dtype) if draw(st.booleans()) else None
    options = {"reduction": draw(REDUCTIONS), "label_smoothing": draw(st.sampled_from([0.0, 0.2, 1.0]))}
    if soft:
        return x, rng.random(shape).astype(dtype), weight, options
    target = np.array(rng.integers(0, classes, rest))
    if draw(st.booleans()):
        options["ignore_index"] = draw(st.sampled_from([-100, 0]))
        target = np.array(np.where(rng.random(rest) < 0.3, options["ignore_index"], target))
    return x, target, weight, options


@settings(max_examples=100)
@given(class_cases())
def test_cross_entropy_and_nll(case):
    x, target, weight, options = case
    mine, other = (None, None) if weight is None else (ml.Tensor(weight), torch.tensor(weight))
    compare(
        lambda x, t: REGISTRY["cross_entropy"](x, t, mine, **options),
        lambda x, t: F.cross_entropy(x, t, other, **options),
        x, target,
    )  # fmt: skip
    if target.dtype.kind == "i":
        options = {name: value for name, value in options.items() if name != "label_smoothing"}
        compare(
            lambda x: REGISTRY["nll"](x, ml.Tensor(target), mine, **options),
            lambda x: F.nll_loss(x, torch.tensor(target), other, **options),
            x,
        )


@given(SHAPES, REDUCTIONS, st.sampled_from([0.5, 1.0, 2.0]), DTYPES)
def test_losses_of_differences(shape, reduction, delta, dtype):
    rng = np.random.default_rng(len(shape))
    x, t = normal(rng, dtype, *shape), normal(rng, dtype, *shape)
    options = {"reduction": reduction}
    compare(functools.partial(REGISTRY["mse"], **options), functools.partial(F.mse_loss, **options), x, t)
    compare(functools.partial(REGISTRY["l1"], **options), functools.partial(F.l1_loss, **options), x, t)
    compare(
        lambda x, t: REGISTRY["huber"](x, t, delta=delta, reduction=reduction),
        lambda x, t: F.huber_loss(x, t, reduction, delta),
        x, t,
    )  # fmt: skip


@given(SHAPES, REDUCTIONS, st.booleans(), DTYPES)
def test_binary_cross_entropy(shape, reduction, weighted, dtype):
    rng = np.random.default_rng(len(shape))
    x, p, t = normal(rng, dtype, *shape, scale=5.0), *(rng.uniform(0.02, 0.98, shape).astype(dtype) for _ in range(2))
    compare(
        lambda p, t: REGISTRY["binary_cross_entropy"](p, t, reduction=reduction),
        lambda p, t: F.binary_cross_entropy(p, t, reduction=reduction),
        p, t,
    )  # fmt: skip
    w = rng.uniform(0.5, 3.0, shape[-1]).astype(dtype) if weighted else None
    compare(
        lambda x, t, w: REGISTRY["binary_cross_entropy_with_logits"](x, t, w, reduction=reduction),
        lambda x, t, w: F.binary_cross_entropy_with_logits(
            x, t, pos_weight=None if w is None else w.detach(), reduction=reduction
        ),
        x, t, w, constants=(2,),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_of_certain_probabilities(dtype):
    p, t = np.array([0.0, 1.0, 0.0, 1.0], dtype), np.array([1.0, 0.0, 0.3, 0.3], dtype)
    compare(
        lambda p: REGISTRY["binary_cross_entropy"](p, ml.Tensor(t)),
        lambda p: F.binary_cross_entropy(p, torch.tensor(t)),
        p, tolerance=1e-6,
    )  # fmt: skip


@given(SHAPES, st.sampled_from(["mean", "sum", "none", "batchmean"]), st.booleans(), DTYPES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_kl_div(shape, reduction, log_target, dtype):
    rng = np.random.default_rng(len(shape))
    logp, p = -rng.exponential(1.0, shape).astype(dtype), rng.uniform(0.1, 1.0, shape).astype(dtype)
    compare(
        lambda x, t: REGISTRY["kl_div"](x, t, log_target=log_target, reduction=reduction),
        lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=log_target),
        logp, np.log(p) if log_target else p,
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}])
def test_a_mean_over_nothing(options):
    target = np.full(3, -100)
    compare(
        lambda x: REGISTRY["cross_entropy"](x, ml.Tensor(target), **options),
        lambda x: F.cross_entropy(x, torch.tensor(target), **options),
        np.ones((3, 2)),
    )
