"""Every elementwise op on infinities, NaN, both zeros and the ends of the number range: values and gradients against PyTorch."""

import itertools
import math

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY

torch = pytest.importorskip("torch")
F = torch.nn.functional

NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, math.inf, -math.inf, math.nan]
ENDS = {"float32": [1e-38, 3e38], "float64": [1e-300, 1e300]}
THEIRS = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "sqrt": torch.sqrt, "exp": torch.exp, "log": torch.log,
    "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu,
    "leaky_relu": F.leaky_relu, "silu": F.silu, "softplus": F.softplus, "erf": torch.erf, "gelu": F.gelu,
    "clip": lambda x: torch.clip(x, -1.0, 2.0),
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum,
}  # fmt: skip
OURS = {"clip": lambda x: REGISTRY["clip"](x, -1.0, 2.0)}
NAN_RULE = {"abs", "sign"}
"""Their records state NaN for NaN, as NumPy has it; PyTorch's sign of NaN is 0, and so is its gradient of abs."""
UNARY = [name for name in THEIRS if len(REGISTRY[name].input_names) == 1]
BINARY = [name for name in THEIRS if len(REGISTRY[name].input_names) == 2]


def same(mine, other, dtype, nan_rule=None):
    mine, other = mine.numpy(), other.detach().numpy()
    if nan_rule is not None:
        assert np.isnan(mine[nan_rule]).all()
        mine, other = mine[~nan_rule], other[~nan_rule]
    tiny = np.finfo(dtype).tiny  # below it one library may round to zero
    rtol = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(mine, other, rtol=rtol, atol=float(tiny) * 10 + rtol * 1e-3)


def test_gelu_takes_its_limits_where_pytorchs_overflows():
    x = ml.tensor([math.inf, 3e38, -math.inf], requires_grad=True)
    y = REGISTRY["gelu"](x)
    y.sum().backward()
    np.testing.assert_array_equal(y.numpy(), np.array([math.inf, 3e38, math.nan], np.float32))
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, dtype):
    x = np.array(NUMBERS + ENDS[dtype], dtype)
    x = x[~(np.abs(x) > 1e38)] if name == "gelu" else x
    a, b = ml.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = OURS.get(name, REGISTRY[name])(a), THEIRS[name](b)
    y.sum().backward()
    z.sum().backward()
    nan_rule = np.isnan(x) if name in NAN_RULE else None
    same(y, z, dtype, nan_rule)
    same(a.grad, b.grad, dtype, nan_rule if name == "abs" else None)


def pairs(dtype):
    """All ordered pairs of the numbers, as two arrays."""
    return [np.array(column, dtype) for column in zip(*itertools.product(NUMBERS + ENDS[dtype], repeat=2), strict=True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype):
    p, q = pairs(dtype)
    mine, theirs = (
        [ml.tensor(x, requires_grad=True) for x in (p, q)],
        [torch.tensor(x, requires_grad=True) for x in (p, q)],
    )
    y, z = REGISTRY[name](*mine), THEIRS[name](*theirs)
    y.sum().backward()
    z.sum().backward()
    same(y, z, dtype)
    for a, b in zip(mine, theirs, strict=True):
        same(a.grad, b.grad, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 3, -2, 0])
@pytest.mark.parametrize("name", BINARY)
def test_beside_a_number(name, number, dtype):
    x = np.array(NUMBERS + ENDS[dtype], dtype)
    for i in range(2):
        a, b = ml.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        # PyTorch's number / tensor multiplies by the reciprocal, which overflows; its tensor / tensor divides.
        other = number if name == "pow" else torch.tensor(number, dtype=b.dtype)
        y = REGISTRY[name](*((a, number) if i == 0 else (number, a)))
        z = THEIRS[name](*((b, other) if i == 0 else (other, b)))
        z.sum().backward()
        y.sum().backward()
        same(y, z, dtype)
        same(a.grad, b.grad, dtype)
