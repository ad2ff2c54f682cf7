"""Reductions: values by hand, ties, zeros, infinities, no elements, wrong axes. Gradients are checked from the records."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.ops.reduce import cumsum, logsumexp, max, mean, min, prod, std, sum, sum_to, var

INF, NAN = math.inf, math.nan
REDUCTIONS = [sum, mean, var, std, max, min, prod, logsumexp]


def gradient(op, values, dtype=np.float64, **params):
    """d sum(op) / dx."""
    x = ml.tensor(values, requires_grad=True, dtype=dtype)
    y = op(x, **params)
    y.backward(np.ones(y.shape))
    return x.grad.numpy()


@st.composite
def shapes_and_axes(draw, smallest=1):
    """A shape, and an axis argument that fits it: None, a number, or several, from either end."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=smallest, max_side=4))
    one = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(one, max_size=len(shape), unique_by=lambda a: a % len(shape)).map(tuple)
    return shape, draw(st.none() | one | several)


REFERENCES = {
    sum: np.sum, mean: np.mean, max: np.max, min: np.min, prod: np.prod,
    var: lambda x, **k: np.var(x, ddof=0, **k), std: lambda x, **k: np.std(x, ddof=0, **k),
    logsumexp: lambda x, **k: np.log(np.sum(np.exp(x), **k)),
}  # fmt: skip


@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.name)
@given(shapes_and_axes(), st.booleans(), st.integers(0, 99))
def test_values_and_shapes_are_numpys(op, shape_and_axis, keepdims, seed):
    shape, axis = shape_and_axis
    x = np.random.default_rng(seed).normal(size=shape)
    options = {"correction": 0} if op in (var, std) else {}
    expected = REFERENCES[op](x, axis=axis, keepdims=keepdims)
    found = op(ml.tensor(x), axis=axis, keepdims=keepdims, **options)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.name)
@given(shapes_and_axes(), st.integers(0, 99))
def test_gradients_over_any_axes(op, shape_and_axis, seed):
    shape, axis = shape_and_axis
    size = math.prod(shape)
    values = np.random.default_rng(seed).permutation(np.linspace(-2, 2, 2 * size)[::2]).reshape(shape)
    options = {"correction": 0} if op in (var, std) else {}
    x = ml.tensor(values, requires_grad=True)
    if op is std and (std(x, axis=axis, correction=0).numpy() == 0).any():
        return  # the kink
    gradcheck(lambda x: op(x, axis=axis, **options), x)


# -- mean, var, std -------------------------------------------------------------------------------------------------------


def test_var_divides_by_n_minus_the_correction():
    x = ml.tensor([1.0, 2.0, 3.0, 6.0])
    assert var(x).item() == pytest.approx(14 / 3)
    assert var(x, correction=0).item() == pytest.approx(14 / 4)
    assert var(x, correction=2).item() == pytest.approx(14 / 2)
    assert std(x, correction=0).item() == pytest.approx(math.sqrt(14 / 4))


@pytest.mark.parametrize(("op", "shape"), [(mean, (2, 0)), (var, (2, 0)), (var, (2, 1)), (std, (2, 0)), (std, (2, 1))])
def test_too_few_elements_give_nan_without_a_warning(op, shape):
    y = op(ml.tensor(np.ones(shape), requires_grad=True), axis=1)
    assert y.shape == (2,)
    assert np.isnan(y.numpy()).all()
    assert gradient(op, np.ones(shape), axis=1).shape == shape
    assert np.isnan(gradient(op, np.ones(shape), axis=1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_std_of_equal_elements_has_gradient_zero(dtype):
    x = ml.tensor([[3.0, 3.0], [1.0, 2.0]], requires_grad=True, dtype=dtype)
    y = std(x, axis=1)
    (g,) = ml.grad(y.sum(), [x], create_graph=True)
    np.testing.assert_allclose(g.numpy(), [[0, 0], [-math.sqrt(0.5), math.sqrt(0.5)]], rtol=1e-6)
    (g * g).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_var_of_shifted_numbers_does_not_cancel():
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert var(ml.tensor(x + np.float32(1024))).item() == pytest.approx(float(np.var(x, ddof=1)), rel=1e-3)


def test_the_mean_of_integers_is_a_float():
    assert mean(ml.tensor([1, 2])).item() == 1.5
    assert mean(ml.tensor([1, 2])).dtype == np.float32


# -- max, min -------------------------------------------------------------------------------------------------------------


def test_ties_share_the_gradient():
    x = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
    np.testing.assert_allclose(gradient(max, x, axis=1), [[0, 0.5, 0.5], [1 / 3] * 3])
    np.testing.assert_allclose(gradient(min, x, axis=1), [[1, 0, 0], [1 / 3] * 3])
    np.testing.assert_allclose(gradient(max, x), [[0, 0.5, 0.5], [0, 0, 0]])
    np.testing.assert_allclose(gradient(max, [-INF, -INF]), [0.5, 0.5])
    np.testing.assert_allclose(gradient(max, [0.0, -0.0]), [0.5, 0.5])


@pytest.mark.parametrize("op", [max, min], ids=lambda op: op.name)
def test_nan_is_the_extreme_and_takes_the_gradient(op):
    x = [[NAN, 1.0], [2.0, 3.0]]
    assert np.isnan(op(ml.tensor(x), axis=1).numpy()).tolist() == [True, False]
    assert np.isnan(gradient(op, x, axis=1)).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("op", [max, min], ids=lambda op: op.name)
@pytest.mark.parametrize(("shape", "axis"), [((2, 0), 1), ((0,), None), ((0, 0), 0), ((2, 0, 3), (0, 1))])
def test_the_extreme_of_nothing_is_an_error(op, shape, axis):
    with pytest.raises(ValueError, match=rf"{op.name}: a tensor of shape .* has no elements along axis \("):
        op(ml.tensor(np.ones(shape)), axis=axis)


def test_the_extremes_of_no_rows_are_no_numbers():
    assert max(ml.tensor(np.ones((0, 2))), axis=1).shape == (0,)
    assert gradient(min, np.ones((0, 2)), axis=1).shape == (0, 2)


def test_a_reduction_over_no_axes_owns_its_memory():
    for op in (max, min, logsumexp, sum):
        x = ml.tensor([1.0, 2.0])
        y = op(x, axis=())
        x.fill_(5.0)
        np.testing.assert_array_equal(y.numpy(), [1.0, 2.0], err_msg=op.name)


# -- prod -----------------------------------------------------------------------------------------------------------------


def products_of_the_others(x):
    return [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]


@pytest.mark.parametrize("n", range(1, 10))
def test_the_gradient_of_a_product_is_the_product_of_the_others(n):
    rng = np.random.default_rng(n)
    for zeros in itertools.combinations(range(n), 2 if n > 1 else 1):
        for count in range(len(zeros) + 1):
            x = rng.uniform(0.5, 2, n)
            x[list(zeros[:count])] = 0.0
            np.testing.assert_allclose(
                gradient(prod, x), products_of_the_others(x.tolist()), rtol=1e-12, err_msg=str(x)
            )


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2)])
def test_second_derivatives_of_a_product_with_zeros(zeros):
    values = np.array([1.5, -0.7, 2.0, 0.4])
    values[list(zeros)] = 0.0
    x = ml.tensor(values, requires_grad=True)
    gradcheck(prod, x)
    gradgradcheck(prod, x)
    gradcheck(lambda x: prod(x, axis=1), ml.tensor(np.stack([values, np.ones(4)]), requires_grad=True))


def test_the_product_of_nothing_is_one():
    np.testing.assert_array_equal(prod(ml.tensor(np.ones((2, 0))), axis=1).numpy(), [1, 1])
    assert prod(ml.tensor(np.ones((0, 3))), keepdims=True).numpy() == [[1]]
    assert gradient(prod, np.ones((2, 0)), axis=1).shape == (2, 0)


# -- logsumexp ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logsumexp_neither_overflows_nor_underflows(dtype):
    x = ml.tensor([[1e4, 1e4], [-1e4, -1e4], [-1e4, 1e4]], dtype=dtype)
    np.testing.assert_allclose(logsumexp(x, axis=1).numpy(), [1e4 + math.log(2), -1e4 + math.log(2), 1e4], rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logsumexp_of_infinities(dtype):
    x = [[-INF, -INF], [-INF, 0.0], [INF, 1000.0], [INF, -INF], [NAN, 0.0]]
    np.testing.assert_array_equal(logsumexp(ml.tensor(x, dtype=dtype), axis=1).numpy(), [-INF, 0, INF, INF, NAN])
    np.testing.assert_array_equal(gradient(logsumexp, x, dtype, axis=1)[:2], [[0, 0], [0, 1]])
    assert np.isnan(gradient(logsumexp, x, dtype, axis=1)[2:]).all()


def test_logsumexp_of_nothing_is_minus_infinity():
    np.testing.assert_array_equal(logsumexp(ml.tensor(np.ones((2, 0))), axis=1).numpy(), [-INF, -INF])
    assert gradient(logsumexp, np.ones((2, 0)), axis=1).shape == (2, 0)


def test_a_masked_row_has_a_finite_second_derivative():
    x = ml.tensor([[-INF, -INF], [0.0, 1.0]], requires_grad=True)
    (g,) = ml.grad(logsumexp(x, axis=1).sum(), [x], create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy()[0], [0, 0])
    assert np.isfinite(x.grad.numpy()).all()


# -- cumsum ---------------------------------------------------------------------------------------------------------------


@given(shapes_and_axes(smallest=0), st.integers(0, 99))
def test_cumsum(shape_and_axis, seed):
    shape, axis = shape_and_axis
    axis = axis if isinstance(axis, int) else -1
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=shape), rng.normal(size=shape)
    t = ml.tensor(x, requires_grad=True)
    y = cumsum(t, axis)
    np.testing.assert_allclose(y.numpy(), np.cumsum(x, axis=axis), rtol=1e-12)
    y.backward(ml.tensor(v))
    np.testing.assert_allclose(t.grad.numpy(), np.flip(np.cumsum(np.flip(v, axis), axis=axis), axis), rtol=1e-12)


# -- all ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.name)
def test_wrong_axes(op):
    x = ml.tensor(np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=rf"{op.name}: axis 2 does not exist in a tensor with 2 axes \(expected -2 to 1\)"
    ):
        op(x, axis=2)
    with pytest.raises(ValueError, match=f"{op.name}: axis .* names an axis twice"):
        op(x, axis=(0, -2))
    with pytest.raises(TypeError, match=f"{op.name}: axis must be an integer"):
        op(x, axis=0.5)


def test_cumsum_wants_one_axis():
    with pytest.raises(TypeError, match="cumsum: axis must be one integer, got None"):
        cumsum(ml.tensor([1.0]), axis=None)
    with pytest.raises(ValueError, match="cumsum: axis 1 does not exist"):
        cumsum(ml.tensor([1.0]), axis=1)


@pytest.mark.parametrize(
    ("shape", "axes"), [((3,), (0,)), ((2, 1), (1,)), ((), (0, 1)), ((1, 1), (0, 1)), ((2, 3), ())]
)
def test_sum_to_undoes_broadcasting(shape, axes):
    g = np.random.default_rng(0).normal(size=(2, 3))
    np.testing.assert_allclose(sum_to(g, shape), g.sum(axis=axes).reshape(shape))
