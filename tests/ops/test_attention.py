"""Attention: values by hand, what each mask hides, empty rows, dropout, and shapes that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.attention import scaled_dot_product_attention as attention
from minilm.ops.random import dropout

INF = np.inf


@pytest.fixture(params=[True, False], ids=["fused", "composed"])
def fused(request):
    with ml.use_fused(request.param):
        yield request.param


def qkv(*lead, queries=4, keys=4, width=3, requires_grad=False, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(*lead, n, width) for n in (queries, keys, keys)]
    return [ml.Tensor(rng.standard_normal(shape), requires_grad) for shape in shapes]


def reference(q, k, v, allowed, scale):
    """One query at a time, from the definition."""
    out = np.zeros((q.shape[0], v.shape[1]))
    for i in range(q.shape[0]):
        keys = [j for j in range(k.shape[0]) if allowed[i, j]]
        weights = np.exp([scale * q[i] @ k[j] for j in keys])
        for j, weight in zip(keys, weights / weights.sum(), strict=True):
            out[i] += weight * v[j]
    return out


def test_by_hand(fused):
    q, k, v = np.array([[2 * np.log(3.0), 0, 0, 0]]), np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]]), np.array([[4.0], [8.0]])
    np.testing.assert_allclose(attention(q, k, v), [[5.0]])  # weights 3/4 and 1/4


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_it_is_its_definition(queries, keys, width, causal, seed):
    rng = np.random.default_rng(seed)
    q, k, v = (x.numpy() for x in qkv(queries=queries, keys=keys, width=width, seed=seed))
    allowed = rng.random((queries, keys)) < 0.6
    seen = allowed & (np.arange(keys) <= np.arange(queries)[:, None] + keys - queries) if causal else allowed
    expected = reference(q, k, v, seen, width**-0.5)
    np.testing.assert_allclose(attention(q, k, v, allowed, causal=causal), expected, atol=1e-12)
    bias = np.where(allowed, 0.0, -INF)
    np.testing.assert_allclose(attention(q, k, v, bias, causal=causal), expected, atol=1e-12)


def test_the_future_has_no_influence(fused):
    q, k, v = qkv(2, requires_grad=True)
    y = attention(q, k, v, causal=True)
    changed = attention(
        q, *(ml.Tensor(np.concatenate([x.numpy()[:, :2], x.numpy()[:, 2:] * 9], 1)) for x in (k, v)), causal=True
    )
    np.testing.assert_array_equal(y.numpy()[:, :2], changed.numpy()[:, :2])
    y.backward(ml.Tensor(np.ones((2, 4, 1)) * np.array([1.0, 1, 0, 0])[:, None] * np.ones(3)))
    for x in (k, v):
        np.testing.assert_array_equal(x.grad.numpy()[:, 2:], 0)
        assert x.grad.numpy()[:, 0].all()


def test_with_earlier_keys_in_a_cache_the_last_query_sees_all(fused):
    q, k, v = (x.numpy() for x in qkv(queries=6, keys=6))
    full = attention(q, k, v, causal=True)
    for new in (1, 2, 5):
        np.testing.assert_allclose(attention(q[-new:], k, v, causal=True), full[-new:], rtol=1e-12)


def test_more_queries_than_keys_the_first_see_nothing(fused):
    y = attention(*(x.numpy() for x in qkv(queries=5, keys=2)), causal=True)
    np.testing.assert_array_equal(y[:3], 0)
    assert y[3:].all()


@pytest.mark.parametrize("boolean", [True, False])
def test_a_query_with_nothing_to_attend_to_gives_zeros(fused, boolean):
    q, k, v = qkv(requires_grad=True)
    allowed = np.array([[True, True, False, False], [False] * 4, [True] * 4, [False] * 4])
    mask = ml.Tensor(allowed) if boolean else ml.Tensor(np.where(allowed, 0.0, -INF), requires_grad=True)
    y = attention(q, k, v, mask)
    grads = ml.grad(y, [q, k, v], ml.Tensor(np.ones(y.shape)), create_graph=True)
    np.testing.assert_array_equal(y.numpy()[[1, 3]], 0)
    np.testing.assert_array_equal(grads[0].numpy()[[1, 3]], 0)
    for g in (*grads, *ml.grad((grads[0] * grads[0]).sum(), [q, k, v])):
        assert np.isfinite(g.numpy()).all()
        assert g.numpy().any()


def test_gradients_flow_to_an_additive_mask(fused):
    q, k, v = qkv(2)
    bias = ml.Tensor(np.zeros((4, 4)), requires_grad=True)
    attention(q, k, v, bias).sum().backward()
    assert bias.grad.shape == (4, 4)
    np.testing.assert_allclose(bias.grad.numpy().sum(-1), 0, atol=1e-12)  # a shift of a whole row changes nothing
    assert bias.grad.numpy().any()


def test_dropout_takes_probabilities_away_and_scales_the_rest(fused):
    q, k, v = (x.numpy() for x in qkv(2, 3))
    v = np.broadcast_to(np.eye(4), (2, 3, 4, 4))  # the output is the probabilities themselves
    p = attention(q, k, v)
    np.testing.assert_allclose(attention(q, k, v, dropout_p=0.4, key=9), dropout(p, p=0.4, key=9))
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=1.0, key=9), 0)


def test_keys_and_values_shared_by_all_heads(fused):
    q, _, _ = qkv(2, 3)
    _, k, v = qkv(2, 1, seed=1)
    k.requires_grad_()
    y = attention(q, k, v, causal=True)
    repeated = ml.Tensor(np.repeat(k.numpy(), 3, 1), requires_grad=True)
    z = attention(q, repeated, ml.Tensor(np.repeat(v.numpy(), 3, 1)), causal=True)
    np.testing.assert_allclose(y.numpy(), z.numpy())
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(k.grad.numpy(), repeated.grad.numpy().sum(1, keepdims=True))


def test_scores_too_large_for_exp(fused):
    q = np.full((1, 4), 1e3, np.float32)
    y = attention(q, np.stack([q[0], -q[0]]), np.array([[1.0], [2.0]], np.float32))
    np.testing.assert_array_equal(y, [[1.0]])
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("shapes", "options", "error", "says"),
    [
        (((4,), (4, 4), (4, 4)), {}, ValueError, r"expected \(\.\.\., L, E\)"),
        (((2, 3), (2, 4), (2, 4)), {}, ValueError, "queries have size 3 and keys 4"),
        (((2, 3), (2, 3), (4, 3)), {}, ValueError, "there are 2 keys and 4 values"),
        (((2, 2, 3), (3, 2, 3), (3, 2, 3)), {}, ValueError, "leading axes"),
        (((2, 3), (4, 3), (4, 3)), {"mask": np.ones((3, 4), bool)}, ValueError, r"mask has shape \(3, 4\).*= \(2, 4\)"),
        (((1, 3), (4, 3), (4, 3)), {"mask": np.ones((2, 4), bool)}, ValueError, "does not broadcast to the scores"),
        (((2, 3), (4, 3), (4, 3)), {"mask": np.ones((2, 4), int)}, TypeError, r"got int64; for 0 and 1, use mask != 0"),
        (((2, 3), (4, 3), (4, 3)), {"dropout_p": 1.5}, ValueError, "attention: dropout: p is the probability"),
        (((2, 3), (4, 3), (4, 3)), {"dropout_p": 0.5, "key": -1}, ValueError, "key must be in"),
    ],
)
def test_wrong_inputs_are_named(shapes, options, error, says):
    with pytest.raises(error, match=says):
        attention(*(np.ones(shape) for shape in shapes), **options)
