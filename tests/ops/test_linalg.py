"""Matrix products, against NumPy; gradients are checked by the registry's tests."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given

import minilm as ml
from minilm.ops.linalg import linear, matmul

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape)


@given(hnp.mutually_broadcastable_shapes(signature="(n?,k),(k,m?)->(n?,m?)", max_side=3, max_dims=2))
def test_matmul(shapes):
    a, b = (draw(*shape) for shape in shapes.input_shapes)
    np.testing.assert_allclose(matmul(a, b), a @ b, atol=1e-12)
    np.testing.assert_allclose(matmul(ml.Tensor(a), ml.Tensor(b)).numpy(), a @ b, atol=1e-12)


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        ((), (2,), r"\(\) @ \(2,\): both need at least one axis"),
        ((2, 3), (2, 3), r"must equal the second's 2. Did you mean the second one transposed, 3 x 2\?"),
        ((2, 3), (4,), r"the last axis of the first \(3\) must equal the second's 4"),
        ((2, 2, 3), (3, 3, 2), r"the leading axes do not broadcast \(2 against 3\)"),
    ],
)
def test_matmul_says_what_does_not_fit(left, right, text):
    with pytest.raises(ValueError, match=text):
        matmul(np.ones(left), np.ones(right))


@pytest.mark.parametrize(("x", "bias"), [((3,), None), ((2, 3), (4,)), ((2, 1, 3), (4,)), ((0, 3), (4,))])
def test_linear_is_its_composition(x, bias):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in (x, (4, 3), bias) if shape is not None]

    def results(fused):
        tensors = [ml.Tensor(a, True) for a in inputs]
        with ml.use_fused(fused):
            y = linear(*tensors)
            (y * y).sum().backward()
        return [y.numpy(), *(t.grad.numpy() for t in tensors)]

    for have, expected in zip(results(True), results(False), strict=True):
        np.testing.assert_allclose(have, expected, atol=1e-12)


def test_linear_does_not_add_its_bias_in_lower_precision():
    x, weight = np.ones((1, 2), np.float32), np.ones((1, 2), np.float32)
    assert linear(x, weight, np.array([1e-12]))[0, 0] > 2


def test_linear_says_what_does_not_fit():
    with pytest.raises(
        ValueError, match=r"linear: x \(2, 3\) does not fit weight \(3, 4\): expected \(..., in\) and \(out, in\)"
    ):
        linear(np.ones((2, 3)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"linear: bias has shape \(3,\), expected one number an output, \(4,\)"):
        linear(np.ones((2, 3)), np.ones((4, 3)), np.ones(3))
