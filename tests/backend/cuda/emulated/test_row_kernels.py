"""The CUDA kernels' own text, launched by the CUDA device's own code, against the NumPy functions that specify them.

g++ compiles the text and the CPU runs it (``cuda_on_cpu.h``), in both orders of threads.
"""

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minilm.backend import Device
from tests.backend import pretend
from tests.backend.cuda.emulated import devices
from tests.backend.cuda.emulated.emulator import Kernel, compiler

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(compiler() is None, reason="g++ is not installed: it compiles the kernels for the CPU"),
]


class Plain(Device):
    """`Reference`, and what the kernels of the masked softmax compute, as plainly."""

    def masked_softmax(self, scores, mask, causal, scale, dropout_p=0.0, key=0):
        bias = self.attention_bias(mask, causal, scores.shape, scores.dtype)
        scores[...] = self.softmax(scale * scores + (0.0 if bias is None else bias), scores.ndim - 1)
        return scores, self.dropout_mask(scores.shape, dropout_p, key, scores.dtype) if dropout_p else None

    def masked_softmax_backward(self, dp, p, keep):
        dp[...] = self.softmax_backward(dp if keep is None else dp * keep, p, p.ndim - 1)
        return dp


REFERENCE = Plain("plain", np, np.ndarray)
TOLERANCE = {"e": {"rtol": 2e-3, "atol": 2e-3}, "f": {"rtol": 2e-5, "atol": 2e-6}, "d": {"rtol": 1e-12, "atol": 1e-12}}
SHAPES = [(1, 1), (70, 1), (3, 2), (5, 31), (4, 32), (9, 33), (2, 3, 257), (2, 1025), (300, 40), (1, 8200)]
INF, NAN = np.inf, np.nan

both_types = pytest.mark.parametrize("dtype", ["f", "d"])
both_gelus = pytest.mark.parametrize("approximate", ["none", "tanh"])


@pytest.fixture(autouse=True, params=[False, True], ids=["forward", "backward"])
def _order(request, monkeypatch):
    """The order of threads."""
    monkeypatch.setattr(Kernel, "backward", request.param)


def to_host(x):
    """The numbers of an array of either device."""
    return x._a if isinstance(x, pretend.Array) else x


def normal(*shape, dtype="d", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def differ(results, dtype, scale=1.0):
    """Compares pairs (device's array, expected array); NaN equals NaN."""
    for got, expected in results:
        assert got.dtype == expected.dtype == dtype
        assert got.shape == expected.shape
        limits = TOLERANCE[dtype] | {"atol": TOLERANCE[dtype]["atol"] * scale}
        np.testing.assert_allclose(to_host(got), expected, **limits)


def check(name, *args, dtype, scale=1.0, launches=None, results=None):
    """Calls a function of the emulated device and of the reference with the same arguments, and compares what both return.

    Arguments that are arrays are copied: a function may write to them; what it has written is compared too. `launches`: how many
    there must be; `results`: how many of what is returned to compare, where what is kept for backward may differ.
    """
    device = devices.device()
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in args]
    there = [on_device(x) for x in args]
    with np.errstate(all="ignore"):
        expected = getattr(REFERENCE, name)(*copies)
    with pretend.count() as counts:
        got = getattr(device, name)(*there)
    assert counts.syncs == counts.uploads == 0
    assert launches is None or counts.launches == launches, (name, counts)
    differ(zip(flat(got)[:results], flat(expected)[:results], strict=True), dtype, scale)
    arrays = [(t, c) for t, c in zip(there, copies, strict=True) if isinstance(c, np.ndarray) and c.dtype == dtype]
    differ(arrays, dtype, scale)
    return got


def on_device(x):
    """A copy of an array, or of each in a tuple, as the device's."""
    if isinstance(x, tuple):
        return tuple(on_device(part) for part in x)
    return pretend.Array(x.copy()) if isinstance(x, np.ndarray) else x


def flat(result):
    """The arrays in nested tuples."""
    if isinstance(result, tuple):
        return [x for part in result for x in flat(part)]
    return [] if result is None else [result]


# -- softmax ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(shape, dtype):
    x, g, axis = normal(*shape, dtype=dtype) * 3, normal(*shape, dtype=dtype, seed=1), len(shape) - 1
    check("softmax", x, axis, dtype=dtype, launches=1)
    check("log_softmax", x, axis, dtype=dtype, launches=1)
    check("softmax_backward", g, REFERENCE.softmax(x, axis), axis, dtype=dtype, launches=1)
    check("log_softmax_backward", g, REFERENCE.log_softmax(x, axis), axis, dtype=dtype, launches=1, scale=10)


def special(n, dtype):
    """Rows that softmax may trip over: infinite, not a number, huge, tiny, all masked but one."""
    x = normal(9, n, dtype=dtype)
    x[0] = -INF
    x[1], x[1, n // 2] = -INF, 3.0
    x[2, n - 1] = NAN
    x[3, 0] = INF
    x[4, : n // 2] = -INF
    x[5] *= 1e30
    x[6] += 10_000
    x[7] = np.finfo(dtype).min
    return x


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("n", [1, 2, 33, 1030])
def test_softmax_of_what_is_not_finite(n, dtype):
    x = special(n, dtype)
    check("softmax", x, 1, dtype=dtype)
    check("log_softmax", x, 1, dtype=dtype)
    target, g = np.arange(9) % n, normal(9, dtype=dtype)
    check("cross_entropy", x, target, None, -100, 0.0, dtype=dtype, results=2)
    with np.errstate(all="ignore"):
        saved = REFERENCE.cross_entropy(x, target, None, -100, 0.0)[2]
    check("cross_entropy_backward", g, x, target, None, -100, 0.0, saved, dtype=dtype)
    y = special(n, dtype)
    check("softmax_backward", normal(9, n, dtype=dtype), y, 1, dtype=dtype, scale=1e30)


@both_types
def test_softmax_into_given_memory(dtype):
    device, x = devices.device(), normal(4, 50, dtype=dtype)
    memory = pretend.Array(x.copy())
    assert device.softmax(memory, 1, out=memory) is memory
    differ([(memory, REFERENCE.softmax(x, 1))], dtype)


@both_types
def test_views_and_other_axes(dtype):
    """Memory that is not C-contiguous is packed; another axis goes to the reference."""
    device, x, g = devices.device(), normal(6, 40, dtype=dtype), normal(6, 40, dtype=dtype, seed=1)
    xt, gt = pretend.Array(x).T, pretend.Array(g).T
    wide = pretend.Array(np.repeat(x, 2, axis=1))[:, ::2]
    differ(
        [(device.softmax(xt, 1), REFERENCE.softmax(x.T, 1)), (device.softmax(xt, 0), REFERENCE.softmax(x.T, 0))], dtype
    )
    differ(
        [
            (device.log_softmax(wide, 1), REFERENCE.log_softmax(x, 1)),
            (device.log_softmax(wide, 0), REFERENCE.log_softmax(x, 0)),
        ],
        dtype,
    )
    differ(
        [(device.softmax_backward(gt, xt, axis), REFERENCE.softmax_backward(g.T, x.T, axis)) for axis in (0, 1)], dtype
    )
    differ(
        [
            (device.sum_leading(y), x.reshape(y.shape).sum(0))
            for y in (pretend.Array(x), pretend.Array(x).reshape(240, 1))
        ],
        dtype,
    )
    differ([(device.sum_leading(xt), x.sum(1))], dtype)
    y, saved = device.layer_norm(xt, None, None, 1e-5)
    differ([(y, REFERENCE.layer_norm(x.T.copy(), None, None, 1e-5)[0])], dtype)
    expected = REFERENCE.layer_norm_backward(g.T.copy(), x.T.copy(), None, tuple(to_host(s) for s in saved))
    differ(zip(device.layer_norm_backward(gt, xt, None, saved), expected, strict=True), dtype)
    for approximate in ("none", "tanh"):
        y, expected = device.gelu(xt, approximate), REFERENCE.gelu(x.T, approximate)
        back = device.gelu_backward(gt, xt, y, approximate)
        differ([(y, expected), (back, REFERENCE.gelu_backward(g.T, x.T, expected, approximate))], dtype)


# -- attention ----------------------------------------------------------------------------------------------------------

MASKS = {
    "none": lambda scores: None,
    "bool for keys": lambda s: normal(s[0], *(1,) * (len(s) - 2), s[-1], seed=3) < 0.8,
    "bool whole": lambda s: normal(*s, seed=3) < 0.8,
    "bool for queries": lambda s: normal(s[-2], 1, seed=3) < 0.5,
    "added": lambda s: normal(*s[-2:], seed=3),
    "added per head": lambda s: normal(*s[-3:-2], s[-2], s[-1], seed=3),
    "added, a view": lambda s: normal(s[-1], s[-2], seed=3).T,
    "nothing allowed": lambda s: np.zeros((s[-2], s[-1]), bool),
    "all -infinity": lambda s: np.full((s[-2], s[-1]), -INF),
    "one number": lambda s: np.array(0.5),
}
SCORES = [(2, 3, 4, 5), (2, 4, 4), (3, 1), (1, 7), (2, 2, 6, 3), (2, 2, 2, 3, 33), (2, 1, 3, 1030)]


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_masked_softmax(mask, causal, dtype):
    """Keys at and beyond a causal query's are not seen, whatever the mask; what is broadcast is read where it lies."""
    for shape in SCORES:
        scores, m = normal(*shape, dtype=dtype) * 2, MASKS[mask](shape)
        m = m if m is None or m.dtype == bool else m.astype(dtype)
        launches = (
            None if len(shape) == 5 and mask in ("bool whole", "bool for keys") else 1
        )  # it varies along a fifth axis
        for dropout_p in (0.0, 0.3):
            check("masked_softmax", scores, m, causal, 0.7, dropout_p, 99, dtype=dtype, launches=launches)
        if mask == "added, a view":  # `check` copies
            view = pretend.Array(np.ascontiguousarray(m.T)).T
            got, _ = devices.device().masked_softmax(pretend.Array(scores.copy()), view, causal, 0.7)
            differ([(got, REFERENCE.masked_softmax(scores.copy(), m, causal, 0.7)[0])], dtype)


@both_types
def test_a_masked_score_is_not_read(dtype):
    scores, allowed = np.full((1, 5, 5), NAN, dtype), np.eye(5, dtype=bool)
    scores[:, allowed] = 1.0
    got, _ = devices.device().masked_softmax(pretend.Array(scores), pretend.Array(allowed), True, 2.0)
    np.testing.assert_array_equal(to_host(got), np.eye(5)[None])


@both_types
def test_masked_softmax_with_what_is_not_finite(dtype):
    for n in (1, 33, 1030):
        check("masked_softmax", special(n, dtype), None, False, 0.5, dtype=dtype)
    check("masked_softmax", normal(3, 4, 5, dtype=dtype), None, True, 1.0, 1.0, 5, dtype=dtype)  # all dropped


@both_types
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 1), (3, 1100)])
def test_masked_softmax_backward(shape, dtype):
    dp, p = normal(*shape, dtype=dtype), np.abs(normal(*shape, dtype=dtype, seed=1))
    keep = REFERENCE.dropout_mask(shape, 0.4, 3, dtype)
    for mask in (None, keep):
        check("masked_softmax_backward", dp, p, mask, dtype=dtype, launches=1, scale=100)
    device, memory = devices.device(), pretend.Array(dp.copy())
    assert device.masked_softmax_backward(memory, pretend.Array(p), None) is memory


@both_types
def test_attention(dtype):
    """Products, masks and dropout together, on heads that are views of one projection."""
    device = devices.device()
    memory = normal(2, 6, 3, 4, 5, dtype=dtype)
    q, k, v = (memory[:, :, i].swapaxes(1, 2) for i in range(3))
    held = pretend.Array(memory)
    there = [held[:, :, i].swapaxes(1, 2) for i in range(3)]
    y, saved = REFERENCE.attention(q, k, v, None, True, 0.2, 11, 0.5)
    y_, saved_ = device.attention(*there, None, True, 0.2, 11, 0.5)
    g = normal(*y.shape, dtype=dtype, seed=5)
    gradients = device.attention_backward(pretend.Array(g), *there, y_, 0.5, saved_)
    expected = REFERENCE.attention_backward(g, q, k, v, y, 0.5, saved)
    differ([(y_, y), *zip(gradients, expected, strict=True)], dtype, scale=10)


# -- normalization ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("with_weight", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_and_rms_norm(shape, with_weight, dtype):
    """Gradients of weights are summed in parts where the rows are many: one launch more."""
    n = shape[-1]
    x, g, w, b = (
        normal(*shape, dtype=dtype) + 1,
        normal(*shape, dtype=dtype, seed=1),
        normal(n, dtype=dtype, seed=2),
        normal(n, dtype=dtype, seed=3),
    )
    w, b = (w, b) if with_weight else (None, None)
    parts = 3 if np.prod(shape[:-1]) >= 256 else 2
    check("layer_norm", x, w, b, 1e-3, dtype=dtype, launches=1)
    check("layer_norm", x, w, None, 1e-3, dtype=dtype, launches=1)
    _, saved = REFERENCE.layer_norm(x, w, b, 1e-3)
    check("layer_norm_backward", g, x, w, saved, dtype=dtype, launches=parts, scale=30)
    check("rms_norm", x, w, 1e-3, dtype=dtype, launches=1)
    _, saved = REFERENCE.rms_norm(x, w, 1e-3)
    check("rms_norm_backward", g, x, w, saved, dtype=dtype, launches=parts, scale=30)


@both_types
def test_norms_of_rows_that_are_all_alike_or_not_finite(dtype):
    x = np.stack([np.full(40, 7), np.zeros(40), np.arange(40) * 1e3, np.arange(40)]).astype(dtype)
    x[3, 5] = NAN
    check("layer_norm", x, None, None, 1e-5, dtype=dtype, scale=100)
    check("rms_norm", x, None, 1e-5, dtype=dtype)
    g = normal(4, 40, dtype=dtype)
    check("layer_norm_backward", g, x, None, REFERENCE.layer_norm(x, None, None, 1e-5)[1], dtype=dtype, scale=1e3)


@both_types
@pytest.mark.parametrize("shape", [*SHAPES, (5000, 3), (700, 100), (2, 128, 33)])
def test_sum_leading(shape, dtype):
    rows = int(np.prod(shape[:-1]))
    check("sum_leading", normal(*shape, dtype=dtype), dtype=dtype, launches=1 + (rows >= 256), scale=50)


# -- cross-entropy ------------------------------------------------------------------------------------------------------


@both_types
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (6, 2), (9, 33), (5, 1025)])
def test_cross_entropy(shape, weighted, smoothing, dtype):
    """Classes as int64, int32 or a view; gradients of one number for all rows, as a mean's is, with stride 0."""
    rows, classes = shape
    x, g = normal(*shape, dtype=dtype) * 3, normal(rows, dtype=dtype, seed=1)
    target = np.random.default_rng(2).integers(classes, size=rows)
    target[rows // 2] = -100
    weight = np.random.default_rng(3).random(classes).astype(dtype) if weighted else None
    check("cross_entropy", x, target.astype(np.int32), weight, -100, smoothing, dtype=dtype, scale=10)
    check("cross_entropy", x, target, weight, -100, smoothing, dtype=dtype, launches=1, scale=10)
    saved = REFERENCE.cross_entropy(x, target, weight, -100, smoothing)[2]
    check("cross_entropy_backward", g, x, target, weight, -100, smoothing, saved, dtype=dtype, launches=1)
    device = devices.device()
    same = pretend.Array(np.broadcast_to(g[:1], rows))
    there = [pretend.Array(np.asfortranarray(x)), pretend.Array(np.repeat(target, 2))[::2]]
    weights = None if weight is None else pretend.Array(weight.astype("d"))
    kept = tuple(pretend.Array(s) for s in saved)
    got = device.cross_entropy_backward(same, *there, weights, -100, smoothing, kept)
    expected = REFERENCE.cross_entropy_backward(np.full(rows, g[0]), x, target, weight, -100, smoothing, saved)
    differ([(got, expected)], dtype)


@both_types
def test_cross_entropy_with_distributions(dtype):
    x, target, g = normal(4, 5, dtype=dtype), np.abs(normal(4, 5, dtype=dtype, seed=1)), normal(4, dtype=dtype, seed=2)
    check("cross_entropy", x, target, None, -100, 0.1, dtype=dtype)
    saved = REFERENCE.cross_entropy(x, target, None, -100, 0.1)[2]
    check("cross_entropy_backward", g, x, target, None, -100, 0.1, saved, dtype=dtype)


@both_types
@pytest.mark.parametrize("wrong", [-1, 5, 2**40])
def test_a_target_that_is_no_class_gives_nan(wrong, dtype):
    device, x, target = devices.device(), pretend.Array(normal(2, 5, dtype=dtype)), pretend.Array(np.array([wrong, 1]))
    loss, _, saved = device.cross_entropy(x, target, None, -100, 0.0)
    dx = device.cross_entropy_backward(pretend.Array(np.ones(2, dtype)), x, target, None, -100, 0.0, saved)
    assert np.isnan(to_host(loss)).tolist() == [True, False]
    assert np.isnan(to_host(dx)).tolist() == [[True] * 5, [False] * 5]


# -- dropout, embedding -------------------------------------------------------------------------------------------------


@both_types
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.999, 1.0])
def test_the_dropout_mask_has_the_bits_of_the_reference(p, dtype):
    for shape, key in ((), 1), ((3, 7), 2**64 - 1), ((1000,), 12345), ((0, 4), 6), ((5, 3), 2**96 - 5):
        got = devices.device().dropout_mask(shape, p, key, np.dtype(dtype))
        expected = REFERENCE.dropout_mask(shape, p, key, np.dtype(dtype))
        np.testing.assert_array_equal(to_host(got), expected)
        assert got.dtype == dtype
        assert got.shape == shape


@pytest.mark.slow
@both_types
@pytest.mark.parametrize(
    ("count", "rows", "width"), [(1, 1, 1), (40, 7, 3), (700, 5, 257), (5000, 65, 4), (300, 2000, 33), (257, 1, 2)]
)
def test_embedding_grad(count, rows, width, dtype):
    ids = np.random.default_rng(0).integers(rows, size=count)
    g = normal(count, width, dtype=dtype)
    launches = 1 + (count >= 2048 and rows < 500)
    check("embedding_grad", g, ids, rows, dtype=dtype, launches=launches, scale=50)
    check("embedding_grad", g, ids.astype(np.int32), rows, dtype=dtype, scale=50)


@both_types
def test_embedding_grad_of_two_axes_and_of_ids_all_alike(dtype):
    check("embedding_grad", normal(3, 5, 4, dtype=dtype), np.arange(15).reshape(3, 5) % 4, 6, dtype=dtype)
    check("embedding_grad", normal(600, 2, dtype=dtype), np.full(600, 40), 3000, dtype=dtype, scale=50)


@both_types
def test_embedding_grad_leaves_out_what_is_no_row(dtype):
    g, ids = pretend.Array(np.ones((4, 2), dtype)), pretend.Array(np.array([0, -1, 3, 99]))
    got = to_host(devices.device().embedding_grad(g, ids, 4))
    np.testing.assert_array_equal(got, np.array([[1, 1], [0, 0], [0, 0], [1, 1]]))


# -- elements -----------------------------------------------------------------------------------------------------------


@both_types
@both_gelus
def test_gelu(approximate, dtype):
    special_values = np.array([0.0, -0.0, INF, -INF, NAN, 1e-30, -1e-30, 50.0, -50.0, 1e10, -1e10])
    for x in (normal(3, 111, dtype=dtype) * 3, special_values.astype(dtype), normal(1, dtype=dtype)):
        g = normal(*x.shape, dtype=dtype, seed=1)
        check("gelu", x, approximate, dtype=dtype, launches=1)
        with np.errstate(all="ignore"):
            y = REFERENCE.gelu(x, approximate)
        check("gelu_backward", g, x, y, approximate, dtype=dtype, launches=1)


@both_types
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adamw(amsgrad, weight_decay, dtype):
    device = devices.device()
    arrays = [normal(1000, dtype=dtype, seed=i) for i in range(3)] + [
        np.abs(normal(1000, dtype=dtype, seed=i)) for i in (3, 4)
    ]
    arrays[1][7], arrays[3][8] = NAN, NAN
    arrays[4][9] = NAN
    here = [x.copy() for x in arrays[: 5 if amsgrad else 4]] + [None] * (not amsgrad)
    there = [None if x is None else pretend.Array(x.copy()) for x in here]
    for step in (1, 2, 1000):
        options = {
            "step": step,
            "lr": np.float64(0.01),
            "betas": (0.9, 0.99),
            "eps": 0.1,  # beside it the root counts
            "weight_decay": weight_decay,
        }
        with np.errstate(all="ignore"):
            REFERENCE.adamw(*here, **options)
        with pretend.count() as counts:
            device.adamw(*there, **options)
        assert (counts.launches, counts.syncs) == (1, 0)
    differ([(t, h) for t, h in zip(there, here, strict=True) if h is not None], dtype)


# -- all of them ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["e", "f", "d"])
def test_empty_arrays_and_half_precision_go_to_the_reference(dtype):
    for shape in [(0, 3), (2, 3)] if dtype == "e" else [(0, 3)]:
        x, w, row = normal(*shape, dtype=dtype), normal(3, dtype=dtype), normal(shape[0], dtype=dtype)
        target = np.zeros(shape[0], np.int64)
        options = {"dtype": dtype}
        for name in ("softmax", "log_softmax"):
            check(name, x, 1, **options)
            check(f"{name}_backward", x, x, 1, **options)
        check("masked_softmax", x, None, True, 0.5, **options)
        check("masked_softmax_backward", x, x, x, **options)
        check(
            "layer_norm_backward",
            x,
            x,
            w,
            check("layer_norm", x, w, w, 1e-3, **options)[1][:0] or REFERENCE.layer_norm(x, w, w, 1e-3)[1],
            **options,
        )
        check("rms_norm_backward", x, x, w, REFERENCE.rms_norm(x, w, 1e-3)[1], **options)
        check("sum_leading", x, **options)
        check("cross_entropy", x, target, None, -100, 0.0, **options)
        saved = REFERENCE.cross_entropy(x, target, None, -100, 0.0)[2]
        check("cross_entropy_backward", row, x, target, None, -100, 0.0, saved, **options)
        check("embedding_grad", x, target, 4, **options)
        check("gelu", x, "none", **options)
        check("gelu_backward", x, x, REFERENCE.gelu(x, "none"), "none", **options)
        check("dropout_mask", shape, 0.5, 1, np.dtype(dtype), **options)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(1, 4), st.sampled_from("fd"))
def test_a_grid_that_is_too_small(rows, n, blocks, dtype):
    """Where blocks are fewer than the work, each does several pieces. Any shape, all kernels that go along a grid."""
    device = devices.device()
    x, g, weight = normal(rows, n, dtype=dtype), normal(rows, n, dtype=dtype, seed=1), normal(n, dtype=dtype, seed=2)
    target = np.arange(rows) % n
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(device), "max_blocks", blocks)
        check("softmax", x, 1, dtype=dtype)
        check("log_softmax_backward", g, x, 1, dtype=dtype, scale=1e4)
        check("masked_softmax", x, None, True, 0.5, 0.5, 3, dtype=dtype)
        check("masked_softmax_backward", g, x, None, dtype=dtype, scale=1e3)
        saved = check("layer_norm", x, weight, None, 0.1, dtype=dtype)[1]
        check("layer_norm_backward", g, x, weight, tuple(map(to_host, saved)), dtype=dtype, scale=100)
        check("rms_norm", x, weight, 0.1, dtype=dtype)
        *_, saved = check("cross_entropy", x, target, np.abs(weight), -100, 0.1, dtype=dtype, scale=100)
        check("cross_entropy_backward", g[:, 0], x, target, None, -100, 0.1, tuple(map(to_host, saved)), dtype=dtype)
        check("dropout_mask", x.shape, 0.5, 3, np.dtype(dtype), dtype=dtype)
        check("gelu", x, "tanh", dtype=dtype)


def lazily(size, dtype):
    """An array of `size` elements of which the system keeps the pages that are written to; the others are zero."""
    dtype, no_reserve = np.dtype(dtype), 0x4000
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
    return np.frombuffer(mmap.mmap(-1, size * dtype.itemsize, flags=flags), dtype)


def test_more_than_2_to_the_31_elements(monkeypatch):
    """The last block of a grid, at the end of 8 GB of which only a few pages are ever made."""
    monkeypatch.setattr(Kernel, "only_last", True)
    device, size = devices.device(), 2**31 + 2**24
    x = lazily(size, "f")
    x[-300:] = np.linspace(-2, 2, 300)
    memory = lazily(size, "f")
    monkeypatch.setattr(device, "xp", _Given(device.xp, memory))
    device.gelu(pretend.Array(x), "none")
    differ([(pretend.Array(memory[-256:]), REFERENCE.gelu(x[-256:], "none"))], "f")
    rows = size // 64
    device.softmax(pretend.Array(x.reshape(rows, 64)), 1)
    differ([(pretend.Array(memory[-64:]), REFERENCE.softmax(x[None, -64:], 1)[0])], "f")


class _Given:
    """An array module whose only new array is given, in the shape that is asked for."""

    def __init__(self, xp, memory):
        self.RawModule = xp.RawModule
        self.memory = memory

    def empty(self, shape, dtype):
        return pretend.Array(self.memory.reshape(shape))


def test_a_sum_has_the_same_bits_each_time(monkeypatch):
    """In whatever order the threads run."""
    device, x, ids = devices.device(), normal(3000, 40, dtype="f"), np.arange(3000) % 7
    results = []
    for backward in (False, True):
        monkeypatch.setattr(Kernel, "backward", backward)
        sums = device.sum_leading(pretend.Array(x)), device.embedding_grad(pretend.Array(x), pretend.Array(ids), 7)
        results.append(b"".join(to_host(s).tobytes() for s in sums))
    assert results[0] == results[1]


def test_kernels_are_told_their_arguments_as_they_declare_them():
    kernel = devices.device().raw_module("float").get_function("softmax")
    x = normal(2, 2, dtype="f")
    kernel((1,), (32, 4), (x, x, np.int64(2), np.int64(2)))
    wrong = [(x, x, np.int32(2), np.int64(2)), (x, x, 2, np.int64(2)), (x.astype("d"), x, np.int64(2), np.int64(2)),
             (x, None, np.int64(2), np.int64(2)), (x, x, np.int64(2))]  # fmt: skip
    for args in wrong:
        with pytest.raises(TypeError, match="softmax"):
            kernel((1,), (32, 4), args)
    for grid, block in [((0,), (32, 1)), ((1, 70_000), (32, 1)), ((1,), (1024, 2))]:
        with pytest.raises(ValueError, match="softmax"):
            kernel(grid, block, (x, x, np.int64(2), np.int64(2)))
