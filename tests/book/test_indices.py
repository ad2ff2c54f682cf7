"""Formulas with indices: the element at each index, and what the engine says of a small function."""

import numpy as np
import pytest

import minilm as ml
from minilm.book.indices import delta, indexed, jacobian, pullback


def test_indexed_puts_each_element_in_its_place_and_keeps_the_graph():
    x = ml.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = indexed((2, 3), lambda i, j: (i + 1) * x[j])
    assert y.tolist() == [[1, 2, 3], [2, 4, 6]]
    assert ml.grad(y.sum(), x)[0].tolist() == [3, 3, 3]
    with pytest.raises(ValueError, match="without elements"):
        indexed((2, 0), lambda i, j: x[j])


def test_delta():
    assert [[delta(i, j) for j in range(2)] for i in range(2)] == [[1, 0], [0, 1]]


def test_pullback_and_jacobian_of_a_product():
    W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    x = ml.tensor(np.array([1.0, -1.0, 2.0]), requires_grad=True)
    assert np.array_equal(jacobian(lambda x: ml.tensor(W) @ x, x).numpy(), W)
    assert pullback(ml.tensor(W) @ x, x, ml.tensor(np.array([1.0, 10.0]))).tolist() == [41, 52, 63]


def test_jacobian_reads_matrices_row_by_row():
    x = ml.tensor(np.arange(4.0).reshape(2, 2), requires_grad=True)
    assert np.array_equal(jacobian(lambda x: x.T, x).numpy(), np.eye(4)[[0, 2, 1, 3]])
