"""Elementary functions against NumPy; gradients are checked by the registry's tests."""

import math

import numpy as np
import pytest

import minilm as ml

NUMPYS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}
NAMES = ["tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "log1p", "expm1", "log2", "log10", "exp2", "square",
         "reciprocal"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_is_numpys(name, dtype):
    x = np.linspace(0.05, 0.95, 7).astype(dtype) + (name == "acosh")
    found = getattr(ml.tensor(x), name)()
    np.testing.assert_allclose(found.numpy(), getattr(np, NUMPYS.get(name, name))(x), rtol=4 * np.finfo(dtype).eps)
    assert found.dtype == dtype


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("square", "atanh", "asin", "acos")])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_of_integers_is_of_floats(name, dtype):
    """NumPy's functions of uint8 return float16, in which e to the 12 is infinite."""
    found = getattr(ml.tensor(np.array([1, 12]).astype(dtype)), name)()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.numpy(), getattr(np, NUMPYS.get(name, name))(np.array([1.0, 12.0])), rtol=1e-6)


def test_small_numbers_are_not_rounded_away():
    x = ml.tensor(1e-12, dtype="float64")
    assert x.log1p().item() == pytest.approx(1e-12, rel=1e-9)
    assert x.expm1().item() == pytest.approx(1e-12, rel=1e-9)


def test_large_numbers_do_not_overflow():
    assert ml.hypot(ml.tensor(3e300, dtype="float64"), 4e300).item() == pytest.approx(5e300)
    assert ml.logaddexp(ml.tensor(1000.0), 1000.0).item() == pytest.approx(1000.0 + math.log(2.0))


def test_at_the_origin():
    for function in (ml.hypot, ml.atan2):
        a, b = (ml.tensor(0.0, requires_grad=True) for _ in "ab")
        function(a, b).backward()
        assert (a.grad.item(), b.grad.item()) == (0.0, 0.0)


def test_logaddexp_of_nothing():
    """The conventions of logsumexp: two of minus infinity make minus infinity, with gradient 0."""
    a, b = (ml.tensor(-math.inf, requires_grad=True) for _ in "ab")
    y = ml.logaddexp(a, b)
    y.backward()
    assert (y.item(), a.grad.item(), b.grad.item()) == (-math.inf, 0.0, 0.0)
