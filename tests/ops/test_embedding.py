"""Embedding: rows by id, gradients that add up, ids that do not exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.embedding import embedding, embedding_grad

TABLE = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def test_rows_by_hand():
    y = embedding(ml.tensor(TABLE), ml.tensor([[2, 0], [1, 2]]))
    np.testing.assert_array_equal(y.numpy(), [[[4, 5], [0, 1]], [[2, 3], [4, 5]]])


def test_repeated_ids_add_up():
    w = ml.tensor(TABLE, requires_grad=True)
    embedding(w, ml.tensor([1, 1, 0, 1])).backward(ml.tensor([[1.0, 2.0], [10.0, 20.0], [3.0, 4.0], [100.0, 200.0]]))
    np.testing.assert_array_equal(w.grad.numpy(), [[3, 4], [111, 222], [0, 0]])


def test_many_repeated_ids_add_up():
    """Few ids and many: each row gets the sum over its id."""
    rng = np.random.default_rng(0)
    for count in (3, 31, 33, 200):
        ids = rng.integers(0, 5, count)
        w, g = ml.tensor(np.zeros((5, 16), "f"), requires_grad=True), rng.standard_normal((count, 16)).astype("f")
        embedding(w, ml.tensor(ids)).backward(ml.tensor(g))
        np.testing.assert_allclose(w.grad.numpy(), [g[ids == row].sum(axis=0) for row in range(5)], atol=1e-5)


def test_the_row_of_padding_is_returned_but_not_learned():
    w = ml.tensor(TABLE, requires_grad=True)
    y = embedding(w, ml.tensor([1, 0]), padding_idx=1)
    y.backward(ml.tensor([[1.0, 1.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(y.numpy(), [[2, 3], [0, 1]])
    np.testing.assert_array_equal(w.grad.numpy(), [[1, 1], [0, 0], [0, 0]])


@given(st.integers(1, 6), st.lists(st.integers(0, 3), max_size=3), st.integers(0, 3))
def test_it_is_a_product_with_one_hot_vectors(rows, shape, width):
    rng = np.random.default_rng(rows)
    ids, w, g = rng.integers(0, rows, shape), rng.standard_normal((rows, width)), rng.standard_normal((*shape, width))
    one_hot = (ids[..., None] == np.arange(rows)).astype(float)
    np.testing.assert_allclose(embedding(w, ids), one_hot @ w)
    expected = one_hot.reshape(-1, rows).T @ g.reshape(ids.size, width)
    np.testing.assert_allclose(embedding_grad(g, ids, rows=rows), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_ids_of_any_integer_type(dtype):
    np.testing.assert_array_equal(embedding(np.array(TABLE), np.array([2, 1], dtype)), [[4, 5], [2, 3]])


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([[0, 1], [3, 0]], r"id 3 at position 1, 0 is out of range: there are 3 rows, 0 to 2"),
        ([0, 1, -1], "id -1 at position 2 is out of range"),
        (7, "id 7 is out of range"),
    ],
)
def test_ids_out_of_range_are_named(ids, says):
    for fused in (True, False):
        with ml.use_fused(fused), pytest.raises(IndexError, match=says):
            embedding(np.array(TABLE), np.array(ids))


def test_other_wrong_inputs_are_named():
    with pytest.raises(TypeError, match="ids must be integers, got float32"):
        embedding(ml.tensor(TABLE), ml.tensor([1.0]))
    with pytest.raises(TypeError, match="ids must be integers, got bool"):
        embedding(ml.tensor(TABLE), ml.tensor([True]))
    with pytest.raises(TypeError, match="ids must be integers, got list"):
        embedding(ml.tensor(TABLE), [1, 2])
    with pytest.raises(ValueError, match="weight must be"):
        embedding(ml.tensor([1.0]), ml.tensor([0]))
    with pytest.raises(ValueError, match="padding_idx 3 is none of the 3 rows"):
        embedding(ml.tensor(TABLE), ml.tensor([0]), padding_idx=3)
    with pytest.raises(ValueError, match="one vector an id"):
        embedding_grad(np.zeros((2, 3)), np.zeros(3, int), rows=4)
