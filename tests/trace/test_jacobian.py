"""Derivatives as numbers, from rules that are a matrix written here."""

import numpy as np

from minilm.trace.jacobian import SMALL, jacobian, local_derivative

RNG = np.random.default_rng(0)


def test_a_matrix_comes_back_from_its_products():
    A = RNG.normal(size=(3, 2))
    found = jacobian(lambda gs: gs[0] @ A, [np.zeros(3)], 0, np.zeros(2))
    np.testing.assert_array_equal(found, A)


def test_the_shape_is_ys_then_xs():
    A = RNG.normal(size=(2, 3, 4, 5))
    found = jacobian(lambda gs: np.tensordot(gs[0], A, 2), [np.zeros((2, 3))], 0, np.zeros((4, 5)))
    np.testing.assert_allclose(found, A)


def test_each_output_has_its_own():
    A, B = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 2))
    outputs = [np.zeros(3), np.zeros(4)]
    for k, expected in enumerate((A, B)):
        np.testing.assert_array_equal(jacobian(lambda gs: gs[0] @ A + gs[1] @ B, outputs, k, np.zeros(2)), expected)


def test_an_input_that_was_broadcast_gets_the_sum():
    found = jacobian(lambda gs: gs[0] * [2.0, 3.0], [np.zeros(2)], 0, np.array(1.0))  # y = [2, 3] x
    np.testing.assert_array_equal(found, [2.0, 3.0])


def test_the_form_that_says_most():
    x = np.array([2.0, 3.0])
    kind, array = local_derivative(lambda gs: gs[0] * 2 * x, x * x, x, elementwise=True)
    assert (kind, array.tolist()) == ("elementwise", [4.0, 6.0])
    kind, array = local_derivative(lambda gs: gs[0] * 2 * x, x * x, x, elementwise=False)
    assert (kind, array.tolist()) == ("jacobian", [[4.0, 0.0], [0.0, 6.0]])
    large = np.zeros(SMALL)
    assert local_derivative(lambda gs: gs[0], large, large, elementwise=False) == ("rule", None)
