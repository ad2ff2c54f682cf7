"""Activations and reductions against PyTorch: values and gradients, in float32 and float64, kinks, ties and ends included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml
from minilm.ops import REGISTRY

torch = pytest.importorskip("torch")
F = torch.nn.functional

ACTIVATIONS = {
    "tanh": (torch.tanh, {}),
    "sigmoid": (torch.sigmoid, {}),
    "relu": (torch.relu, {}),
    "leaky_relu": (F.leaky_relu, {"negative_slope": 0.2}),
    "silu": (F.silu, {}),
    "softplus": (lambda x, beta: F.softplus(x, beta, threshold=80), {"beta": 1.5}),
    "erf": (torch.erf, {}),
    "gelu": (F.gelu, {}),
    "gelu-tanh": (F.gelu, {"approximate": "tanh"}),
    "clip": (lambda x, low, high: torch.clamp(x, low, high), {"low": -0.5, "high": 1.0}),
    "clip-low": (lambda x, low: torch.clamp(x, min=low), {"low": 0.0}),
}
TOLERANCE = {np.float32: {"rtol": 2e-6, "atol": 2e-6}, np.float64: {"rtol": 1e-12, "atol": 1e-13}}
POINTS = np.concatenate([np.linspace(-9, 9, 181), [-0.5, 0.0, 1.0, -1e4, 1e4, -30.0, 30.0]])


def compare(name, theirs, x, dtype, params, rng):
    """Values and gradients of both; then, in float64, the gradients of those."""
    mine, their = ml.tensor(x.astype(dtype), requires_grad=True), torch.tensor(x.astype(dtype), requires_grad=True)
    y, expected = REGISTRY[name](mine, **params[0]), theirs(their, **params[1])
    assert y.shape == tuple(expected.shape)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), **TOLERANCE[dtype])
    v = rng.normal(size=y.shape).astype(dtype)
    (g,) = ml.grad(y, [mine], ml.tensor(v), create_graph=True)
    (h,) = torch.autograd.grad(expected, [their], torch.tensor(v), create_graph=True)
    np.testing.assert_allclose(g.numpy(), h.detach().numpy(), **TOLERANCE[dtype])
    if dtype == np.float64 and g.requires_grad and h.requires_grad:
        u = rng.normal(size=x.shape)
        (gg,) = ml.grad(g, [mine], ml.tensor(u), allow_unused=True)
        (hh,) = torch.autograd.grad(h, [their], torch.tensor(u), allow_unused=True)
        hh = np.zeros(x.shape) if hh is None else hh.numpy()
        np.testing.assert_allclose(gg.numpy(), hh, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activations(case, dtype):
    theirs, params = ACTIVATIONS[case]
    compare(case.partition("-")[0], theirs, POINTS, dtype, (params, params), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "leaky_relu", "softplus", "erf"])
def test_activations_at_infinity(name):
    x = np.array([-math.inf, math.inf, math.nan])
    theirs, params = ACTIVATIONS[name]
    np.testing.assert_array_equal(REGISTRY[name](x, **params), theirs(torch.tensor(x), **params).numpy())


def extreme(function):
    """amax or amin; PyTorch has no amax over no axes."""
    return lambda x, dim, keepdim: x.clone() if dim == () else function(x, dim=dim, keepdim=keepdim)


def product(x, dim, keepdim):
    """PyTorch multiplies along one axis at a time."""
    for axis in sorted(dim, reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keepdim)
    return x


def identity_for_no_axes(function):
    """PyTorch takes () for all axes, NumPy and minilm for none."""
    return lambda x, dim, **options: x * 1.0 if dim == () else function(x, dim=dim, **options)


REDUCTIONS = {
    "sum": identity_for_no_axes(torch.sum),
    "mean": identity_for_no_axes(torch.mean),
    "max": extreme(torch.amax),
    "min": extreme(torch.amin),
    "prod": product,
    "logsumexp": identity_for_no_axes(torch.logsumexp),
}


@st.composite
def cases(draw, smallest):
    """Numbers of a drawn shape, often equal, often zero; an axis argument, and the same as a tuple from 0."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=smallest, max_side=4))
    one = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(one, max_size=len(shape), unique_by=lambda a: a % len(shape)).map(tuple)
    axis = draw(st.none() | one | several)
    dim = tuple(range(len(shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x = rng.integers(-2, 3, shape) * 0.5 if draw(st.booleans()) else rng.normal(size=shape)
    return x, axis, tuple(a % len(shape) for a in dim), rng


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REDUCTIONS)
@settings(max_examples=30)
@given(data=st.data(), keepdims=st.booleans())
def test_reductions(name, dtype, data, keepdims):
    x, axis, dim, rng = data.draw(cases(smallest=1 if name in ("max", "min") else 0))
    params = {"axis": axis, "keepdims": keepdims}, {"dim": dim, "keepdim": keepdims}
    compare(name, REDUCTIONS[name], x, dtype, params, rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")
@settings(max_examples=30)
@given(data=st.data(), keepdims=st.booleans(), correction=st.sampled_from([0, 1]))
def test_var_and_std(name, dtype, data, keepdims, correction):
    x, axis, dim, rng = data.draw(cases(smallest=0))
    if dim == () or x.size == 0 or (name == "std" and (np.std(x, axis=dim) < 1e-6).any()):
        return  # PyTorch's second derivative at the kink is NaN; the first is tested in tests/ops/test_reduce.py
    params = {"axis": axis, "keepdims": keepdims, "correction": correction}, {"dim": dim, "keepdim": keepdims}
    params[1]["correction"] = correction
    compare(name, getattr(torch, name), x, dtype, params, rng)


def test_conventions_at_kinks_are_pytorchs():
    equal = np.full((2, 3), 1.5)
    x = torch.tensor(equal, requires_grad=True)
    torch.std(x, dim=1).sum().backward()
    mine = ml.tensor(equal, requires_grad=True)
    mine.std(axis=1).sum().backward()
    np.testing.assert_array_equal(mine.grad.numpy(), x.grad.numpy())
    assert np.isnan(ml.tensor([1.0]).var().numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=20)
@given(data=st.data())
def test_cumsum(dtype, data):
    x, _, dim, rng = data.draw(cases(smallest=0))
    axis = dim[0] if dim else 0
    compare("cumsum", torch.cumsum, x, dtype, ({"axis": axis - x.ndim}, {"dim": axis}), rng)


@pytest.mark.parametrize("masked", [(0,), (0, 1, 2)])
def test_logsumexp_of_masked_rows(masked):
    x = np.array([[0.5, -1.0, 2.0], [1.0, 1.0, 0.0]])
    x[0, list(masked)] = -math.inf
    their, mine = torch.tensor(x, requires_grad=True), ml.tensor(x, requires_grad=True)
    torch.logsumexp(their, dim=1)[1].backward()
    y = mine.logsumexp(axis=1)
    y[1].backward()
    np.testing.assert_allclose(y.numpy(), torch.logsumexp(their, dim=1).detach().numpy())
    np.testing.assert_allclose(mine.grad.numpy()[1], their.grad.numpy()[1])
    np.testing.assert_array_equal(mine.grad.numpy()[0], 0)
