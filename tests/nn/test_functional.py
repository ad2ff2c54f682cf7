"""The functions that are more than an op under another name."""

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.ops import REGISTRY


def test_functions_that_are_ops_are_the_ops():
    assert F.nll_loss is REGISTRY["nll"]
    assert F.gelu.formula
    assert F.layer_norm.formula is REGISTRY["layer_norm"].formula
    assert F.rms_norm.derivative is REGISTRY["rms_norm"].derivative


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


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_norms_of_several_axes_take_their_numbers_as_one_vector(name, device):
    rng, norm = np.random.default_rng(0), getattr(F, name)
    x, w = (ml.Tensor(rng.standard_normal(shape), device=device) for shape in ((2, 3, 4), (3, 4)))
    flat = norm(x.reshape(2, 12), w.reshape(12), eps=0.1).numpy()
    for y in (
        norm(x, (3, 4), w, eps=0.1),
        norm(x, [3, 4], eps=0.1, weight=w),
        norm(x, normalized_shape=(3, 4), weight=w, eps=0.1),
    ):
        np.testing.assert_allclose(y.numpy().reshape(2, 12), flat, rtol=1e-12)
    np.testing.assert_allclose(norm(x, 4, w[0], eps=0.1).numpy(), norm(x, w[0], eps=0.1).numpy(), rtol=1e-12)
    for call, error, message in (
        (
            lambda: norm(x, (4, 3)),
            ValueError,
            r"normalized_shape \(4, 3\) must be the sizes of the last axes of x, .* \(2, 3, 4\)",
        ),
        (lambda: norm(x, (5, 2, 3, 4)), ValueError, "normalized_shape"),
        (lambda: norm(x, ()), ValueError, "normalized_shape"),
        (lambda: norm(x, (3, 4), w[0]), ValueError, r"weight has shape \(4,\), expected \(3, 4\)"),
        (lambda: norm(x, (3, 4), w, weight=w), TypeError, r"takes \(x, normalized_shape, weight"),
    ):
        with pytest.raises(error, match=message):
            call()
