"""Mixed dtypes against PyTorch: the dtype of every result, values and gradients; and long sums."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY
from minilm.ops.einsum import einsum

torch = pytest.importorskip("torch")
F = torch.nn.functional

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
INTEGERS = KINDS[:6]


def dtype_name(x):
    return str(x.dtype).removeprefix("torch.")


@pytest.mark.parametrize(("a", "b"), list(itertools.product(KINDS, KINDS)))
def test_the_dtype_of_two(a, b):
    x, y = np.ones(2, a), np.ones(2, b)
    mine, theirs = (ml.tensor(x), ml.tensor(y)), (torch.tensor(x), torch.tensor(y))
    for apply in (lambda p, q: p + q, lambda p, q: p * q, lambda p, q: p / q):
        assert dtype_name(apply(*mine)) == dtype_name(apply(*theirs))
    assert dtype_name(REGISTRY["maximum"](*mine)) == dtype_name(torch.maximum(*theirs))
    condition = np.array([True, False])
    found, expected = REGISTRY["where"](condition, *mine), torch.where(torch.tensor(condition), *theirs)
    assert dtype_name(found) == dtype_name(expected)
    assert dtype_name(REGISTRY["concat"](*mine)) == dtype_name(torch.cat(theirs))
    assert dtype_name(REGISTRY["stack"](*mine)) == dtype_name(torch.stack(theirs)) if a == b else True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scalar", [True, 2, 2.5])
def test_the_dtype_beside_a_python_number(kind, scalar):
    x = np.ones(2, kind)
    for apply in (lambda p: p + scalar, lambda p: scalar * p, lambda p: p / scalar):
        assert dtype_name(apply(ml.tensor(x))) == dtype_name(apply(torch.tensor(x)))


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize(
    "name",
    ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "erf", "sum", "prod", "cumsum", "logsumexp", "abs", "sign"],
)
def test_functions_of_integers(name, kind):
    if (name, kind) == ("abs", "bool"):
        return  # PyTorch has none; NumPy's is the identity
    x = np.array([1, 12, 3], "int64").astype(kind)
    options = {"cumsum": {"axis": 0}, "logsumexp": {"axis": 0}}.get(name, {})
    other = getattr(torch, name)
    found = REGISTRY[name](ml.tensor(x), **options)
    expected = other(torch.tensor(x), *options.values())
    assert dtype_name(found) == dtype_name(expected)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


REFUSED = {
    "softmax": (lambda x: REGISTRY["softmax"](x, -1), lambda x: F.softmax(x, -1)),
    "log_softmax": (lambda x: REGISTRY["log_softmax"](x, -1), lambda x: F.log_softmax(x, -1)),
    "layer_norm": (lambda x: REGISTRY["layer_norm"](x), lambda x: F.layer_norm(x, x.shape[-1:])),
    "rms_norm": (lambda x: REGISTRY["rms_norm"](x), lambda x: F.rms_norm(x, x.shape[-1:], eps=1e-5)),
    "batch_norm": (lambda x: REGISTRY["batch_norm"](x), lambda x: F.batch_norm(x, None, None, training=True)),
    "cross_entropy": (lambda x: REGISTRY["cross_entropy"](x, x[:, 0]), lambda x: F.cross_entropy(x, x[:, 0])),
    "mse": (lambda x: REGISTRY["mse"](x, x), lambda x: F.mse_loss(x, x)),
    "neg": (lambda x: -x, lambda x: -x),
    "sub": (lambda x: x - x, lambda x: x - x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name):
    ours, theirs = REFUSED[name]
    x = np.ones((2, 3), "bool" if name in ("neg", "sub") else "int64")
    with pytest.raises(RuntimeError):
        theirs(torch.tensor(x))
    with pytest.raises(TypeError, match=f"{name}: "):
        ours(ml.tensor(x))


def draws(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.6, 3.0, shape) for shape in shapes]


# ours, theirs, inputs. Each input in turn becomes integers or booleans.
FUNCTIONS = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, draws((2, 3), (3,))),
    "sub": (lambda a, b: a - b, lambda a, b: a - b, draws((2, 3), (3,))),
    "mul": (lambda a, b: a * b, lambda a, b: a * b, draws((2, 3), (2, 1))),
    "div": (lambda a, b: a / b, lambda a, b: a / b, draws((2, 3), (3,))),
    "pow": (lambda a, b: a**b, lambda a, b: a**b, draws((2, 3), (3,))),
    "maximum": (REGISTRY["maximum"], torch.maximum, draws((2, 3), (3,))),
    "where": (
        lambda a, b: REGISTRY["where"](np.eye(2, dtype=bool), a, b),
        lambda a, b: torch.where(torch.eye(2, dtype=torch.bool), a, b), draws((2, 2), (2,)),
    ),
    "masked mean": (lambda x, m: (x * m).sum() / m.sum(), lambda x, m: (x * m).sum() / m.sum(), draws((3, 4), (3, 1))),
    "matmul": (lambda a, b: a @ b, lambda a, b: a @ b, draws((2, 3), (3, 4))),
    "linear": (REGISTRY["linear"], F.linear, draws((2, 3), (4, 3), (4,))),
    "einsum": (
        lambda a, b: einsum("bi,ij->bj", a, b), lambda a, b: torch.einsum("bi,ij->bj", a, b), draws((2, 3), (3, 4)),
    ),
    "layer_norm": (
        lambda x, w, b: REGISTRY["layer_norm"](x, w, b, eps=0.1),
        lambda x, w, b: F.layer_norm(x, (3,), w, b, 0.1), draws((4, 3), (3,), (3,)),
    ),
    "batch_norm": (
        lambda x, w, b: REGISTRY["batch_norm"](x, w, b, eps=0.1),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=0.1), draws((4, 3), (3,), (3,)),
    ),
    "conv2d": (REGISTRY["conv2d"], F.conv2d, draws((1, 2, 4, 4), (3, 2, 2, 2), (3,))),
    "attention": (
        REGISTRY["scaled_dot_product_attention"], F.scaled_dot_product_attention, draws((2, 3), (4, 3), (4, 2)),
    ),
    "mse": (REGISTRY["mse"], F.mse_loss, draws((2, 3), (2, 3))),
    "l1": (REGISTRY["l1"], F.l1_loss, draws((2, 3), (2, 3))),
    "huber": (REGISTRY["huber"], F.huber_loss, draws((2, 3), (2, 3))),
    "bce with logits": (
        REGISTRY["binary_cross_entropy_with_logits"], F.binary_cross_entropy_with_logits, draws((2, 3), (2, 3)),
    ),
    "kl_div": (
        lambda x, t: REGISTRY["kl_div"](x, t, reduction="sum"), lambda x, t: F.kl_div(x, t, reduction="sum"), draws((2, 3), (2, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["bool", "uint8", "int32", "int64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_beside_integers(name, kind):
    """Where PyTorch refuses to mix (products, norms, convolutions, attention), it is given the integers as floats."""
    ours, theirs, inputs = FUNCTIONS[name]
    for place in range(len(inputs)):
        arrays = [x.astype("float32") for x in inputs]
        arrays[place] = arrays[place].astype(kind)
        mine = [ml.Tensor(x, x.dtype.kind == "f") for x in arrays]
        y = ours(*mine)
        others = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        try:
            z = theirs(*others)
            z.sum().backward()
        except RuntimeError:
            others = [x if x.is_floating_point() else x.float() for x in others]
            for x in others:
                x.grad = None
            z = theirs(*others)
            z.sum().backward()
        y.sum().backward()
        assert dtype_name(y) == dtype_name(z) == "float32"
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=2e-5, atol=2e-6)
        for a, b in zip(mine, others, strict=True):
            if a.requires_grad:
                np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", ["float16", "float32"])
@pytest.mark.parametrize(
    ("ours", "theirs", "rounding"),
    [
        (lambda x: x.sum() / 64, lambda x: x.sum(dtype=torch.float32) / 64, 2), (lambda x: x.mean(), lambda x: x.mean(), 2),
        (lambda x: x.var(), lambda x: x.var(), 2), (lambda x: x.logsumexp(0), lambda x: x.logsumexp(0), 2),
        (lambda x: x.softmax(0), lambda x: x.softmax(0), 2), (lambda x: x.max(), lambda x: x.amax(), 2),
        (lambda x: REGISTRY["layer_norm"](x), lambda x: F.layer_norm(x, x.shape), 2),
        (lambda x: x.cumsum(0) / 64, lambda x: x.cumsum(0) / 64, 4),
    ],
)  # fmt: skip
def test_long_sums(ours, theirs, rounding, kind):
    x = np.random.default_rng(0).uniform(0.0, 1.0, 70_000).astype(kind)
    x[::7] = 1.0
    mine, other = ml.tensor(x, requires_grad=True), torch.tensor(x).double().requires_grad_()
    with np.errstate(over="ignore"):
        y, z = ours(mine), theirs(other)
        v = np.asarray(np.random.default_rng(1).uniform(0.5, 1.5, z.shape)).astype(kind)
        y.backward(ml.tensor(v))
    z.backward(torch.tensor(v).to(z.dtype))
    tolerance = rounding * (1e-3 if kind == "float16" else 4e-6)
    expected = z.detach().numpy()
    small = np.abs(expected) < 60_000
    np.testing.assert_allclose(y.numpy()[small], expected[small], rtol=tolerance, atol=6e-8)
    np.testing.assert_allclose(
        mine.grad.numpy(), other.grad.numpy(), rtol=tolerance, atol=tolerance * float(other.grad.abs().max()) + 6e-8
    )
