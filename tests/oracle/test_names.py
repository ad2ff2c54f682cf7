"""PyTorch's names, called as PyTorch calls them: each line below runs twice, once with `T` and the tensors being minilm's, once
PyTorch's. Values, dtypes of indices, and the gradients of all float inputs agree, in float64 and in float32."""

import itertools

import numpy as np
import pytest

import minilm as ml

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*__floordiv__.*:UserWarning", "ignore:.*nonzero.*:UserWarning",
                                        "ignore:.*torch.meshgrid.*:UserWarning")  # fmt: skip

rng = np.random.default_rng(0)
FLOATS = {
    "x": rng.uniform(-2, 2, (3, 4)), "y": rng.uniform(0.3, 2, (3, 4)), "v": rng.uniform(-2, 2, 4), "w": rng.uniform(-2, 2, 3),
    "c": rng.uniform(-2, 2, (2, 3, 4)), "s": rng.uniform(-0.9, 0.9, (3, 4)), "z": np.float64(0.7), "q": rng.uniform(-2, 2, (3, 3)),
    "ties": np.array([[1.0, 2.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 1.0, 3.0, 3.0]]),
    "holes": np.array([[1.0, np.nan, 2.0, np.nan], [np.nan, 0.5, 0.5, -1.0]]), "none": np.zeros((0, 3)),
}  # fmt: skip
INTEGERS = {
    "n": rng.integers(-5, 6, (3, 4)), "k": np.array([2, 3, 4, 5]), "i": np.array([[0, 2, 1, 0], [1, 0, 2, 2]]), "j": np.array([2, 0, 2]),
    "h": np.array([1, 0]), "m": rng.random((3, 4)) < 0.5, "b": np.array([True, False, True, True]),
}  # fmt: skip


def words(text):
    return text.split()


def cells(text):
    """The lines of a table of calls, of which "|" separates several in one."""
    return [call.strip() for call in text.replace("\n", "|").split("|") if call.strip()]


UNARY = words("""abs absolute neg negative sign exp exp2 expm1 square sin cos tan atan arctan sinh cosh tanh asinh arcsinh sigmoid erf floor
    ceil round trunc fix frac isnan isinf isfinite isposinf isneginf signbit logical_not nan_to_num relu selu""")
POSITIVE = words("log log2 log10 log1p sqrt rsqrt reciprocal")
INSIDE = words("asin acos atanh arcsin arccos arctanh")
BINARY = words("""add sub subtract mul multiply div divide true_divide atan2 arctan2 hypot logaddexp remainder fmod copysign maximum
    minimum""")
COMPARISONS = words(
    """eq ne lt le gt ge greater less greater_equal less_equal not_equal logical_and logical_or logical_xor isclose"""
)
RECTIFIERS = words(
    """elu selu celu hardtanh relu6 hardsigmoid hardswish mish logsigmoid softsign tanhshrink hardshrink softshrink"""
)

OPERATORS = cells("""
    T.acosh(y + 1) | T.arccosh(y + 1) | x % y | x.detach() // y.detach() | x % 0.3 | x.detach() // 0.3 | 2.5 % y.detach()
    2.5 // y.detach() | -x % v | n % k | n // k | n % 3 | n // -3 | 7 % k | 7 // k | -n // k
    T.div(x, y, rounding_mode='trunc') | T.div(x, y, rounding_mode='floor') | x.div(y, rounding_mode='trunc')
    T.div(n, k, rounding_mode='trunc') | T.div(n, 2, rounding_mode='trunc') | T.div(n, k, rounding_mode='floor')
    T.fmod(n, k) | T.remainder(n, 3) | T.add(x, y, alpha=2) | x.sub(y, alpha=0.5) | T.lerp(x, y, 0.3) | x.lerp(y, s)
    T.clamp(x, min=-0.5) | x.clamp(-0.5, 0.5) | T.clamp(x, max=0.25) | T.round(x, decimals=1) | T.floor(n) | T.ceil(n)
    T.round(n) | T.trunc(n) | T.square(n) | T.sin(n) | T.exp(n) | T.tan(n) | T.log1p(k) | T.rsqrt(k) | T.reciprocal(k)
    T.copysign(n, x) | T.hypot(x, n) | T.where(x > 0, x, y) | x.where(m, y) | T.pow(y, 2) | y.pow(exponent=3)
""")
REDUCTIONS = cells("""
    c.sum(dim=(0, 2)) | c.mean(dim=(0, -1), keepdim=True) | c.amax(dim=(0, 2)) | T.amin(ties, dim=1) | T.prod(x, dim=1)
    T.prod(x) | c.var(dim=(0, 1)) | x.std(dim=0, unbiased=False) | x.var(unbiased=False) | T.var(x, dim=0, correction=0)
    T.std(x) | T.all(m) | m.any() | T.any(c > 1.5, dim=(0, 2)) | (c > -1.5).all(dim=(0, -1), keepdim=True)
    T.all(none, dim=0) | T.any(none) | x.argmax(1) | holes.argmax(1) | holes.argmin(dim=1) | T.count_nonzero(n, dim=1)
    T.count_nonzero(ties) | n.argmax()
""")
ORDER = cells("""
    x.sort().values | x.sort(0).indices | x.sort(dim=1, descending=True).values | T.argsort(x)
    x.argsort(dim=0, descending=True) | T.argsort(ties, stable=True) | T.sort(none)[0] | T.sort(none, dim=0)[1]
    x.topk(2, dim=0).values | x.topk(k=3).indices | holes.topk(2).values | holes[:1].topk(2, largest=False).values
    x.topk(0)[0] | x.cummax(1).values | c.cummin(dim=1).indices | T.cummax(z, 0)[0] | T.cummax(none, 0)[1] | x.cumprod(1)
    T.cumprod(n, 0) | T.cumprod(z, 0) | T.logcumsumexp(z, 0) | T.cumprod(none, 0) | T.diff(x) | T.diff(x, dim=0) | x.diff(2)
""")
SHAPES = cells("""
    x.view(-1) | x.view(2, 6) | x.view((6, 2)) | c.permute(2, 0, 1) | T.permute(c, (1, 2, 0)) | c.permute((0, 2, 1)) | x.t()
    v.t() | T.t(x) | x.flatten() | T.flatten(c, 1) | c.flatten(start_dim=0, end_dim=1) | z.flatten()
    T.flatten(c, start_dim=-2) | x.ravel() | c.unflatten(-1, (2, 2)) | c.unflatten(2, (-1, 2)) | x.view_as(c[0])
    x.reshape_as(x.t()) | v.expand_as(x) | T.broadcast_to(v, (2, 4)) | x.contiguous() | c.movedim(0, 2)
    T.moveaxis(c, (0, 1), (2, 0)) | c.swapdims(0, 1) | T.swapaxes(c, 0, -1) | T.unsqueeze(x, dim=1) | x[None].squeeze(dim=0)
    x.flip(0) | c.flip(0, 2) | T.flip(c, dims=(0, 1)) | x.fliplr() | T.flipud(x) | T.rot90(x) | T.cat([x, y])
    T.cat((x, y), dim=1) | T.cat([x, y], -1) | T.concat([x, y], dim=0) | T.stack([x, y], dim=1) | T.stack([x, y])
    T.hstack([x, y]) | T.hstack((v, w)) | T.vstack([v, x]) | T.dstack([x, y]) | T.dstack([v, v]) | T.column_stack([w, x])
    x.chunk(2, 1)[1] | T.chunk(c, 3, dim=-1)[1] | T.chunk(v, 3)[1] | x.tensor_split(3, dim=1)[0]
    T.tensor_split(v, (1, 3))[1] | c.unbind()[1] | T.unbind(c, dim=2)[3] | c.narrow(1, 1, 2) | c.select(1, -1)
    T.tril(x, diagonal=1) | x.triu(diagonal=-1) | T.atleast_1d(z) | T.atleast_2d(v) | T.meshgrid(v, w, indexing='ij')[0]
    T.meshgrid(v, w, indexing='xy')[1]
""")
ARRANGED = cells("""
    T.tile(x, (2, 1)) | T.tile(x, (2, 1, 2)) | x.tile(2) | x.tile(2, 2) | T.tile(c, dims=(2,)) | x.repeat(2, 3)
    v.repeat(2, 3) | x.repeat(2, 1, 1) | x.repeat_interleave(2) | x.repeat_interleave(3, dim=1)
    T.repeat_interleave(x, T.tensor([2, 0, 1]), dim=0) | T.roll(x, 1) | T.roll(x, shifts=(1, -2), dims=(0, 1)) | x.roll(5, 1)
    x.roll(-1, 0) | T.diag(v) | T.diag(v, -1) | T.diag(x, 1) | q.diag() | T.diag(x, diagonal=-1) | c.diagonal(dim1=1, dim2=2)
    T.diagonal(c, 1, 0, 2) | T.diagonal(c, -1) | x.diagonal(offset=9) | T.diag_embed(x) | T.diag_embed(x, 1) | q.trace()
    x.trace()
""")
PRODUCTS = cells("""
    T.outer(v, w) | v.outer(w) | T.ger(v, w) | T.dot(v, v) | v.dot(x[0]) | T.tensordot(x, y, dims=([1], [1]))
    T.tensordot(c, y, 2) | T.tensordot(v, w, 0) | T.inner(x, y) | T.inner(x, v) | T.mm(x, y.t()) | T.mv(x, v)
    T.bmm(c, c.mT) | T.matmul(x, v)
""")
PLACES = cells("""
    x.gather(0, i) | T.gather(x, 0, i) | x.gather(dim=1, index=i[:, :3].t() * 1)[:3] | T.take_along_dim(x, i[:1], dim=0)
    x.scatter(0, i[:1], y[:1]) | x.scatter(1, i.t()[:3, :1], y[:, 2:3]) | x.scatter(0, i[:1], 9.0)
    T.scatter(x, 0, i[:1], y.detach()) | x.scatter(0, i[:1], value=2.0) | x.scatter_add(0, i, y[:2])
    T.scatter_add(x, 1, i, y[:2]) | x.scatter_add(dim=0, index=i[:, :2], src=y.detach()) | x.index_add(0, j, y)
    x.index_add(0, j, y, alpha=-0.5) | T.index_add(c, 2, j, T.cat([x, y])[:2, None, :3].expand(2, 3, 3))
    x.index_select(0, j) | T.index_select(c, dim=1, index=j) | x.index_copy(0, h, y[:2]) | T.index_fill(x, 1, h, -1.0)
    x.index_fill(0, h, value=2) | T.take(x, i) | x.take(j) | T.masked_select(x, m) | x.masked_select(b)
    x.masked_fill(m, 0.5) | m.nonzero() | n.nonzero(as_tuple=True)[1] | T.where(m)[0] | x[m] | n.nonzero()
""")
ACTIVATIONS = cells("""
    T.nn.functional.elu(x, alpha=0.5) | T.nn.functional.celu(x, 2.0) | T.nn.functional.hardtanh(x, -0.5, 0.5)
    T.nn.functional.glu(x, dim=1) | T.nn.functional.hardshrink(x, 0.9) | T.nn.functional.softshrink(x, lambd=0.9)
    T.nn.functional.prelu(x, v) | T.nn.functional.prelu(x, v[:1]) | T.nn.functional.prelu(c, w)
    T.nn.functional.softmax(x, dim=0) | T.softmax(x, 1) | x.log_softmax(dim=1) | T.log_softmax(x, dim=-1)
    T.nn.functional.softmin(x, dim=1) | x.softmax(dim=-1)
""")
TYPES = cells("""
    x.float() | x.double() * 2 | x.long() | x.int() | x.bool() | n.float() | n.type_as(x) | n.type(T.float64)
    x.to(T.float32) | n.to(x) | m.byte() | x.new_zeros(2, 3) | x.new_ones((2,)) | x.new_full((2, 2), 3.0) | T.zeros((2, 3))
    T.zeros(2, 3) | T.ones((2,)) | T.full((2, 3), 7) | T.full((2,), 0.5) | T.full((2,), True) | T.zeros_like(n)
    T.ones_like(x) | T.full_like(n, 2) | T.eye(3) | T.eye(2, 3) | T.linspace(0, 1, 5) | T.logspace(0, 2, 3) | T.arange(4)
    T.arange(1, 3, 0.5) | T.tril_indices(3, 3) | T.triu_indices(3, 4, 1) | T.as_tensor([1, 2])
""")

LATER = cells("""
    T.addmm(q, x, y.t()) | T.addmm(q, x, y.t(), beta=0.5, alpha=2) | x.addcmul(y, s, value=0.5) | T.addcdiv(x, s, y)
    x.addcdiv(s, y, value=2)
    T.deg2rad(x) | x.rad2deg() | T.clamp_min(x, 0.5) | x.clamp_max(0.25) | T.nansum(holes) | holes.nansum(dim=1) | T.nanmean(holes, dim=0)
    holes.nanmean(1, keepdim=True) | T.var_mean(x, dim=1)[0] | T.var_mean(x, dim=(0, 1), correction=0)[1] | T.std_mean(x)[0]
    T.aminmax(x, dim=1).max
    c.aminmax()[0] | T.kron(v, x) | T.kron(q, x) | x.kron(w) | T.hsplit(x, 2)[1] | x.vsplit(3)[2] | x.hsplit([1, 3])[1] | n.argwhere()
    x.less(y) | x.greater_equal(0.5)
""")
LINES = [*LATER, *OPERATORS, *REDUCTIONS, *ORDER, *SHAPES, *ARRANGED, *PRODUCTS, *PLACES, *ACTIVATIONS, *TYPES]
for name in UNARY:
    LINES += [f"T.{name}(x)", f"T.{name}(z)"] + ([f"x.{name}()"] if hasattr(torch.Tensor, name) else [])
LINES += [call for name in POSITIVE for call in (f"y.{name}()", f"T.{name}(y)")]
LINES += [call for name in INSIDE for call in (f"s.{name}()", f"T.{name}(s)")]
for name in BINARY:
    LINES += [f"x.{name}(y)", f"T.{name}(x, y)", f"T.{name}(x, v)", f"T.{name}(w[:, None], z)"]
LINES += [call for name in COMPARISONS for call in (f"T.{name}(x, v)", f"T.{name}(ties, ties.flip(0))")]
LINES += [f"x.{name}({other})" for name in words("eq ne lt le gt ge") for other in ("0.5", "y")]
for x, options in itertools.product("xc", ("dim=0", "dim=-1, keepdim=True")):
    LINES += [f"{x}.{name}({options})" for name in words("sum mean logsumexp amax amin")]
for x, options in itertools.product("mx", ("dim=0", "dim=1, keepdim=True")):
    LINES += [f"T.{name}({x}, {options})" for name in ("all", "any")]
for x, options in itertools.product(words("x ties n z"), ("", ", dim=0", ", dim=-1, keepdim=True")):
    LINES += [f"T.{name}({x}{options})" for name in ("argmax", "argmin")]
for x, options, part in itertools.product(
    words("x c holes n z"), ("", ", dim=0, stable=True", ", descending=True, stable=True"), (0, 1)
):
    LINES += [f"T.sort({x}{options})[{part}]"]
for dim, descending, part in itertools.product((0, 1), (False, True), (0, 1)):
    LINES += [f"T.sort(ties, dim={dim}, stable=True, descending={descending})[{part}]"]
for x, options, part in itertools.product(
    ("x, 2", "c, 3", "n[:, :1], 1", "z, 1"), ("", ", largest=False", ", dim=-1, largest=True"), (0, 1)
):
    LINES += [f"T.topk({x}{options})[{part}]"]
for x, dim, part in itertools.product(words("x ties holes n"), (0, -1), (0, 1)):
    LINES += [f"T.{name}({x}, dim={dim})[{part}]" for name in ("cummax", "cummin")]
for x, dim in itertools.product(words("x c ties"), (0, -1)):
    LINES += [f"T.{name}({x}, dim={dim})" for name in ("cumsum", "cumprod", "logcumsumexp")]
LINES += [f"T.rot90(c, {k}, (1, 2))" for k in (0, 1, 2, 3, -1)]
LINES += [
    f"T.nn.functional.{name}(x * 3)"
    for name in [*RECTIFIERS, *words("glu gelu silu leaky_relu softplus relu tanh sigmoid")]
]


def run(line, T, names):
    """The line's value, as an array, and the gradients of the float tensors in it under a fixed upstream gradient."""
    y = eval(line, {"T": T, **names})
    if not hasattr(y, "requires_grad"):
        return np.asarray(y), []
    value, grads = (y.detach().numpy(), [])
    if y.requires_grad:
        v = np.random.default_rng(1).standard_normal(value.shape).astype(value.dtype)
        y.backward(T.tensor(v))
        grads = [None if x.grad is None else np.asarray(x.grad.numpy()) for x in names.values()]
    return np.asarray(value), grads


def tensors(T, dtype):
    floats = {name: T.tensor(np.asarray(x, dtype), requires_grad=True) for name, x in FLOATS.items()}
    return {**floats, **{name: T.tensor(x) for name, x in INTEGERS.items()}}


def tolerance(line, *dtypes):
    """Narrow for float64; PyTorch divides by a 6 in float32 in its `hardsigmoid` of float64."""
    double = set(dtypes) == {np.dtype(np.float64)} and "hardsigmoid" not in line
    return {"rtol": 1e-10, "atol": 1e-12} if double else {"rtol": 4e-5, "atol": 4e-6}


def zero_for_none(grads):
    return [0.0 if g is None else g for g in grads]


@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
@pytest.mark.parametrize("line", LINES)
def test_a_line_means_the_same(line, dtype):
    """(A gradient of zeros and none at all are the same: PyTorch stops at some questions, minilm at others.)"""
    (ours, mine), (theirs, their) = run(line, ml, tensors(ml, dtype)), run(line, torch, tensors(torch, dtype))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, **tolerance(line, np.dtype(dtype), theirs.dtype))
    for a, b in zip(zero_for_none(mine), zero_for_none(their), strict=mine != [] and their != []):
        np.testing.assert_allclose(a, b, **tolerance(line, np.dtype(dtype)))


ENDS = [-np.inf, -1e4, -6.0, -3.0, -1.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 6.0, 1e4, np.inf, np.nan]
EVERYWHERE = [*(f"T.{name}(a)" for name in [*UNARY, *POSITIVE, *INSIDE, "acosh"] if name != "nan_to_num"),
              *(f"T.nn.functional.{name}(a)" for name in RECTIFIERS if name != "hardswish"),
              "T.nn.functional.prelu(a, T.ones(1, dtype=T.float64) / 2)"]  # fmt: skip
TOGETHER = [f"T.{name}(a, b)" for name in (*BINARY, *COMPARISONS)] + ["T.floor_divide(a.detach(), b.detach())"]
TOGETHER += [
    "T.div(a, b, rounding_mode='trunc')",
    "T.isclose(a, b, equal_nan=True)",
    "T.nan_to_num(a, nan=1.0, posinf=3.0)",
    "T.nan_to_num(a)",
]
OTHERWISE = {
    "T.abs(a)": "the sign of NaN is NaN, as NumPy has it; PyTorch's is 0",
    "T.absolute(a)": "the same",
    "T.sign(a)": "the same",
    "T.relu(a)": "NaN is not above 0 and gets no gradient",
    "T.maximum(a, b)": "of NaN: tests/ops/test_arithmetic.py",
    "T.minimum(a, b)": "of NaN: tests/ops/test_arithmetic.py",
    "T.nn.functional.hardsigmoid(a)": "PyTorch passes NaN's gradient on in hardtanh, but not here",
    "T.hypot(a, b)": "PyTorch's gradient at the origin is NaN, ours 0",
    "T.logaddexp(a, b)": "of two of minus infinity PyTorch's gradient is NaN, ours 0, as that of logsumexp in both",
    "T.copysign(a, b)": "PyTorch's gradient at infinity is infinity divided by itself",
}
"""Where minilm differs at one of these points, and why."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("line", [line for line in (*EVERYWHERE, *TOGETHER) if line not in OTHERWISE])
def test_at_kinks_ties_and_ends(line):
    """Values and gradients, where functions have kinks and poles, and at the ends of the numbers."""
    a, b = np.repeat(ENDS, len(ENDS)), np.tile(ENDS, len(ENDS))
    inputs = {"a": np.array(ENDS)} if line in EVERYWHERE else {"a": a, "b": b}
    found = []
    for T in (ml, torch):
        names = {name: T.tensor(x, requires_grad=True) for name, x in inputs.items()}
        y = eval(line, {"T": T, **names})
        if y.requires_grad:
            y.backward(T.ones_like(y))
        found.append([y.detach().numpy(), *(0.0 if x.grad is None else x.grad.numpy() for x in names.values())])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


OLDER = words("abs absolute neg negative sign exp log sqrt sin cos tanh sigmoid erf relu selu")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
@pytest.mark.parametrize("name", [name for name in (*UNARY, *POSITIVE, *INSIDE, "acosh") if name not in OLDER])
def test_of_integers(name, dtype):
    """The default float type, or an integer, as PyTorch has it."""
    x = np.array([0, 1, 3, 12, 90]).astype(dtype)
    try:
        theirs = getattr(torch, name)(torch.tensor(x)).numpy()
    except RuntimeError:
        return  # PyTorch has no such function of this type
    ours = getattr(ml, name)(ml.tensor(x)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=2e-6)
    assert ours.dtype == theirs.dtype
