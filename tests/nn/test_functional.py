"""The functions that are more than an op under another name."""

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.ops import REGISTRY


def test_functions_that_are_ops_are_the_ops():
    assert F.nll_loss is REGISTRY["nll"]
    assert F.gelu.formula


def test_every_public_name_exists():
    assert all(callable(getattr(F, name)) for name in F.__all__)


def test_one_hot(device):
    y = F.one_hot(ml.tensor(np.array([[2], [0]]), device=device), 3)
    assert y.tolist() == [[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]
    assert y.dtype == np.float32
    assert y.device is device
    assert F.one_hot([1], 2, "float64").dtype == np.float64
    with pytest.raises(TypeError, match="ids must be integers, got float32"):
        F.one_hot([1.0], 2)
    for ids in ([0, 3], [-1]):
        with pytest.raises(IndexError, match="ids must be in 0 to 2"):
            F.one_hot(ids, 3)


def test_dropout_with_a_key_is_a_function():
    x = ml.ones(50)
    assert F.dropout(x, 0.5, key=7).tolist() == F.dropout(x, 0.5, key=7).tolist()
    assert F.dropout(x, 0.5, key=7).tolist() != F.dropout(x, 0.5, key=8).tolist()
    assert F.dropout(x, 0.5, training=False) is x


def test_attention_dropout_draws_a_new_mask_each_time():
    q = ml.Tensor(np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32))
    a, b = (F.scaled_dot_product_attention(q, q, q, dropout_p=0.5).numpy() for _ in range(2))
    assert not np.array_equal(a, b)


def test_embedding_takes_ids_first_as_pytorch_does():
    w = ml.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert F.embedding(ml.tensor([1]).to(w.device), w).tolist() == [[3.0, 4.0]]
