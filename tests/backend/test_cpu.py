"""The CPU's functions against plain formulas in float64: every axis, both float types, memory that is not theirs left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.backend import cpu
from minilm.backend.reference import mix64

pytestmark = pytest.mark.fast
SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4)
INF = np.inf


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@given(st.lists(st.integers(0, 3), max_size=3), st.integers(0, 4), st.integers(0, 3), st.integers(1, 3))
def test_matmul(lead, inner, rows, columns):
    a, b = normal(*lead, rows, inner), normal(inner, columns)
    np.testing.assert_allclose(cpu.matmul(a, b), a @ b, atol=1e-12)
    c = normal(*lead, inner, columns)
    np.testing.assert_allclose(cpu.matmul(a, c), a @ c, atol=1e-12)


@given(SHAPES)
def test_sums(shape):
    x = normal(*shape)
    np.testing.assert_allclose(
        cpu.sum_leading(x), x.reshape(-1, shape[-1]).sum(0) if x.size else np.zeros(shape[-1]), atol=1e-12
    )
    np.testing.assert_allclose(cpu.sum_last(x), x.sum(-1, keepdims=True), atol=1e-12)
    for axis in range(x.ndim):
        np.testing.assert_allclose(cpu.sum_axis(x, axis), x.sum(axis, keepdims=True), atol=1e-12)


def test_max_axis_is_finite_where_everything_is_masked():
    x = np.array([[-INF, -INF], [1.0, -INF]], np.float32)
    np.testing.assert_array_equal(cpu.max_axis(x, 1), np.array([[np.finfo(np.float32).min], [1.0]], np.float32))
    assert cpu.max_axis(x, 1).dtype == np.float32
    assert cpu.max_axis(np.zeros((2, 0)), 1).shape == (2, 1)


def test_first_true():
    assert cpu.first_true(np.array([[False, False], [True, True]])) == 2
    assert cpu.first_true(np.zeros((2, 2), bool)) is None
    assert cpu.first_true(np.zeros(0, bool)) is None


def test_softmax_into_its_own_memory():
    x = normal(3, 4)
    expected, memory = cpu.softmax(x, 1), x.copy()
    assert cpu.softmax(memory, 1, out=memory) is memory
    np.testing.assert_array_equal(memory, expected)
    np.testing.assert_allclose(expected, np.exp(x) / np.exp(x).sum(1, keepdims=True))


def forward_and_backward(dtype):
    """Every fused kernel on small arrays: name -> (arguments that must not change, what it returns)."""
    x, g, w, b = (normal(*s, dtype=dtype, seed=i) for i, s in enumerate([(4, 3), (4, 3), (3,), (3,)]))
    row, target, soft = normal(4, dtype=dtype), np.array([0, 2, -100, 1]), np.abs(normal(4, 3, dtype=dtype, seed=7))
    weight = np.array([1.0, 2.0, 3.0], dtype)
    q, k, v, mask = (normal(2, 4, 3, dtype=dtype, seed=i) for i in range(4))
    bias = normal(4, 4, dtype=dtype, seed=9)
    y = cpu.softmax(x, 1)
    z, saved = cpu.layer_norm(x, w, b, 1e-5)
    r, rrms = cpu.rms_norm(x, w, 1e-5)
    mean, var = cpu.batch_statistics(x)
    loss, share, kept = cpu.cross_entropy(x, target, weight, -100, 0.1)
    soft_loss, _, soft_kept = cpu.cross_entropy(x, soft, weight, -100, 0.1)
    out, probabilities = cpu.attention(q, k, v, bias, True, 0.5, 3, 0.7)
    yield "softmax", (x, g), [y, cpu.softmax_backward(g, y, 1)]
    yield "log_softmax", (x, g), [cpu.log_softmax(x, 0), cpu.log_softmax_backward(g, cpu.log_softmax(x, 0), 0)]
    yield (
        "layer_norm",
        (x, g, w, b),
        [z, *saved, *cpu.layer_norm_backward(g, x, w, saved), *cpu.layer_norm_backward(g, x, None, saved)],
    )
    yield (
        "rms_norm",
        (x, g, w),
        [r, rrms, *cpu.rms_norm_backward(g, x, w, rrms), *cpu.rms_norm_backward(g, x, None, rrms)],
    )
    yield (
        "batch_norm",
        (x, g, w, b, mean, var),
        [
            cpu.batch_norm(x, w, b, mean, var, 1e-5),
            *cpu.batch_norm_backward(g, x, w, mean, var, 1e-5, True),
            *cpu.batch_norm_backward(g, x, None, mean, var, 1e-5, False),
        ],
    )
    yield "cross_entropy", (x, row, soft, weight), [
        loss, share, *kept, cpu.cross_entropy_backward(row, x, target, weight, -100, 0.1, kept),
        soft_loss, cpu.cross_entropy_backward(row, x, soft, weight, -100, 0.1, soft_kept),
    ]  # fmt: skip
    yield (
        "attention",
        (q, k, v, mask, bias),
        [out, *probabilities, *cpu.attention_backward(mask, q, k, v, out, 0.7, probabilities)],
    )
    yield "embedding_grad", (g,), [cpu.embedding_grad(g, np.array([1, 0, 1, 1]), 5)]
    yield "dropout_mask", (), [cpu.dropout_mask((5, 2), 0.3, 1, dtype)]


def test_float32_stays_float32_and_agrees_with_float64():
    for (name, _, single), (_, _, double) in zip(
        forward_and_backward(np.float32), forward_and_backward(np.float64), strict=True
    ):
        for a, b in zip(single, double, strict=True):
            assert a.dtype == np.float32, name
            assert b.dtype == np.float64, name
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def test_arguments_are_left_as_they_were():
    generator = forward_and_backward(np.float64)
    fresh = {name: [x.copy() for x in arguments] for name, arguments, _ in forward_and_backward(np.float64)}
    for name, arguments, _ in generator:
        for x, before in zip(arguments, fresh[name], strict=True):
            np.testing.assert_array_equal(x, before, err_msg=name)


@given(st.integers(1, 6), st.integers(1, 70), st.floats(0.1, 10))
def test_layer_norm_and_its_gradient(rows, n, scale):
    x, g, w, b = normal(rows, n) * scale, normal(rows, n, seed=1), normal(n, seed=2), normal(n, seed=3)
    y, saved = cpu.layer_norm(x, w, b, 0.01)
    rstd = 1 / np.sqrt(x.var(1, keepdims=True) + 0.01)
    normed = (x - x.mean(1, keepdims=True)) * rstd
    np.testing.assert_allclose(y, normed * w + b, atol=1e-10)
    dx, dw, db = cpu.layer_norm_backward(g, x, w, saved)
    d = g * w
    expected = rstd * (d - d.mean(1, keepdims=True) - normed * (d * normed).mean(1, keepdims=True))
    np.testing.assert_allclose(dx, expected, atol=1e-10)
    np.testing.assert_allclose(dw, (g * normed).sum(0), atol=1e-10)
    np.testing.assert_allclose(db, g.sum(0), atol=1e-10)


def test_attention_keeps_the_probabilities_and_no_scores():
    q, k, v = (normal(2, 4, 3, seed=i) for i in range(3))
    _, (p, keep) = cpu.attention(q, k, v, None, True, 0.0, 0, 1.0)
    assert keep is None
    np.testing.assert_allclose(p.sum(-1), 1)
    assert not np.triu(p, 1).any()


@pytest.mark.parametrize(("queries", "keys"), [(3, 3), (2, 4), (4, 2), (1, 3)])
def test_the_causal_bias_lets_the_last_query_see_every_key(queries, keys):
    bias = cpu.attention_bias(None, True, (queries, keys), np.float32)
    seen = np.zeros((queries, keys)) if bias is None else bias
    np.testing.assert_array_equal(seen == 0, np.arange(keys) <= np.arange(queries)[:, None] + keys - queries)


@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (3, 8), (8, 3), (1, 5), (5, 1), (6, 6)])
@pytest.mark.parametrize("dropout_p", [0.0, 0.4])
def test_groups_of_queries_and_keys_change_nothing(queries, keys, dropout_p, monkeypatch):
    """Whatever new memory holds: here NaN."""
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    monkeypatch.setattr(np, "empty_like", lambda x: np.full(x.shape, np.nan, x.dtype))
    q, k, v, g = (normal(2, n, 3, seed=i) for i, n in enumerate((queries, keys, keys, queries)))
    for mask in (None, normal(queries, keys, seed=4) > -0.5):
        found = []
        for size in (1, 2, 3, 64):
            monkeypatch.setattr(cpu, "group_size", size, raising=False)
            y, saved = cpu.attention(q, k, v, mask, True, dropout_p, 5, 0.7)
            found.append([y, saved[0], *cpu.attention_backward(g, q, k, v, y, 0.7, saved, True)])
        *_, whole = found
        without = cpu.attention_backward(g, q, k, v, whole[0], 0.7, saved, False)
        for results in [*found, [*whole[:2], *without]]:
            for a, b in zip(results, whole, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (4,), (2, 1), (1, 4)])
@pytest.mark.parametrize("causal", [False, True])
def test_a_mask_is_broadcast_to_the_scores(shape, causal):
    q, k, v, mask = normal(3, 2, 5, seed=1), normal(3, 4, 5, seed=2), normal(3, 4, 5, seed=3), normal(*shape, seed=4)
    whole = np.broadcast_to(mask, (2, 4)).copy()
    for a, b in zip(*(cpu.attention(q, k, v, m, causal, 0.0, 0, 0.5)[0] for m in (mask, whole)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_mask_for_several_batches_of_one_query():
    out, _ = cpu.attention(normal(2, 3), normal(4, 3), normal(4, 3), np.zeros((5, 2, 4)), False, 0.0, 0, 1.0)
    assert out.shape == (5, 2, 3)


@given(st.integers(0, 50), st.integers(1, 20))
def test_embedding_grad_adds_repeated_ids(n, rows):
    ids, g = np.random.default_rng(n).integers(0, rows, n), normal(n, 3, seed=n)
    expected = np.zeros((rows, 3))
    np.add.at(expected, ids, g)
    np.testing.assert_allclose(cpu.embedding_grad(g, ids, rows), expected, atol=1e-12)


def test_the_dropout_mask_does_not_depend_on_how_it_is_cut(monkeypatch):
    whole = cpu.dropout_mask((100,), 0.5, 42, np.float32)
    monkeypatch.setattr(cpu, "block_size", 7, raising=False)
    np.testing.assert_array_equal(cpu.dropout_mask((100,), 0.5, 42, np.float32), whole)


def test_a_part_of_a_dropout_mask_knows_where_it_begins():
    whole = cpu.dropout_mask((100,), 0.5, 42, np.float32)
    np.testing.assert_array_equal(cpu.dropout_mask((60,), 0.5, 42 | 40 << 64, np.float32), whole[40:])


def test_mix64_is_a_bijection_with_avalanche():
    """The published test values of SplitMix64, and half of the bits changed by each bit."""
    gamma = 0x9E3779B97F4A7C15
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [mix64((1234567 + i * gamma) % 2**64) for i in range(3)] == expected
    flips = [bin(mix64(9) ^ mix64(9 ^ (1 << bit))).count("1") for bit in range(64)]
    assert min(flips) >= 16
    assert max(flips) <= 48
    assert abs(np.mean(flips) - 32) < 2


# -- without BLAS, as in a web page ------------------------------------------------------------------------------------


@pytest.fixture
def no_blas(monkeypatch):
    monkeypatch.setattr(cpu, "blas", False, raising=False)


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((5, 3), (3, 2)), ((64, 70), (70, 65)), ((2, 3, 64, 40), (2, 3, 40, 64)),
     ((2, 64, 64), (64, 64)), ((64, 64), (2, 64, 64)), ((64, 0), (0, 64)), ((0, 64), (64, 64)), ((1, 400), (400, 500))],
)  # fmt: skip
def test_products_without_blas(no_blas, a, b, dtype):
    x, y = ((4 * normal(*shape, seed=i)).astype(dtype) for i, shape in enumerate((a, b)))
    found, expected = cpu.matmul(x, y), np.matmul(x, y)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(
        found, expected, rtol=1e-2 if dtype == "float16" else 1e-4, atol=1e-2 if dtype == "float16" else 1e-3
    )


@pytest.mark.fast
def test_products_without_blas_of_transposed_matrices_into_an_array(no_blas):
    a, b, out = normal(80, 70, seed=1).T, normal(60, 80, seed=2).T, np.empty((70, 60))
    assert cpu.multiply(a, b, out) is out
    np.testing.assert_allclose(out, a @ b, atol=1e-9)


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sums_without_blas_keep_their_digits(no_blas, dtype):
    x = np.full((3000, 5), 0.1, dtype)
    close = {"rtol": 2e-3 if dtype == "float16" else 1e-6}
    np.testing.assert_allclose(cpu.sum_leading(x), np.full(5, 3000 * float(x[0, 0])), **close)
    np.testing.assert_allclose(cpu.sum_last(x.T), np.full((5, 1), 3000 * float(x[0, 0])), **close)
