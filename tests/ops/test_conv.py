"""Convolution and pooling against loops over every window; gradients are checked by the registry's tests."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minilm as ml
from minilm.ops.conv import avg_pool2d, conv1d, conv2d, max_pool2d

SEED = np.random.default_rng(0)


def windows(x, kernel, stride, padding, dilation=(1, 1), value=0.0):
    """Yields (i, j, the window's numbers (N, C, kh, kw)), by plain indices."""
    (top, bottom), (left, right) = padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows = range(0, x.shape[2] - reach[0] + 1, stride[0])
    columns = range(0, x.shape[3] - reach[1] + 1, stride[1])
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        yield i, j, x[:, :, r : r + reach[0] : dilation[0], c : c + reach[1] : dilation[1]]


def naive(per_window, *args, **kwargs):
    """The output whose element (n, c, i, j) is ``per_window(window)[n, c]``."""
    found = {(i, j): per_window(w) for i, j, w in windows(*args, **kwargs)}
    last = max(found)
    return np.stack([np.stack([found[i, j] for j in range(last[1] + 1)], -1) for i in range(last[0] + 1)], -2)


def convolve(x, weight, bias, stride, padding, dilation, groups):
    def filters(w):
        per_group = np.split(w, groups, axis=1)
        banks = np.split(weight, groups, axis=0)
        products = [(p[:, None] * bank[None]).sum((2, 3, 4)) for p, bank in zip(per_group, banks, strict=True)]
        return np.concatenate(products, 1) + bias

    return naive(filters, x, weight.shape[2:], stride, [(p, p) for p in padding], dilation)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), pairs, pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)),
       st.tuples(st.integers(1, 6), st.integers(1, 6)))  # fmt: skip
def test_conv2d(groups, width, filters, kernel, stride, dilation, padding, image):
    assume(all(n + 2 * p >= d * (k - 1) + 1 for n, p, d, k in zip(image, padding, dilation, kernel, strict=True)))
    x, weight = (
        SEED.standard_normal((2, groups * width, *image)),
        SEED.standard_normal((groups * filters, width, *kernel)),
    )
    bias = SEED.standard_normal(groups * filters)
    y = conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    np.testing.assert_allclose(y, convolve(x, weight, bias, stride, padding, dilation, groups), atol=1e-12)


def test_conv2d_by_hand():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    weight = np.array([[[[1.0, 0.0], [0.0, -1.0]]]])
    np.testing.assert_array_equal(conv2d(x, weight), [[[[-4, -4], [-4, -4]]]])
    np.testing.assert_array_equal(conv2d(x, weight, np.array([10.0]), stride=2), [[[[6]]]])
    np.testing.assert_array_equal(conv2d(x, weight, padding="valid"), conv2d(x, weight))


def test_same_padding_puts_the_larger_half_below_and_right():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    right = conv2d(x, np.array([[[[0.0, 1.0]]]]), padding="same")
    np.testing.assert_array_equal(right[0, 0], [[1, 2, 0], [4, 5, 0], [7, 8, 0]])
    assert conv2d(x, np.ones((1, 1, 3, 2)), padding="same", dilation=2).shape == x.shape


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": "same"}, {"groups": 2}]
)
def test_conv1d_is_conv2d_of_one_row(options):
    x, groups = SEED.standard_normal((2, 4, 6)), options.get("groups", 1)
    weight, bias = SEED.standard_normal((2, 4 // groups, 3)), SEED.standard_normal(2)
    both = {k: v if k == "groups" else (1, v) if isinstance(v, int) else v for k, v in options.items()}
    both["padding"] = (0, options["padding"]) if isinstance(options.get("padding"), int) else options.get("padding", 0)
    expected = conv2d(x[:, :, None], weight[:, :, None], bias, **both)[:, :, 0]
    np.testing.assert_array_equal(conv1d(x, weight, bias, **options), expected)


pools = st.tuples(
    pairs, pairs, st.tuples(st.integers(0, 1), st.integers(0, 1)), st.tuples(st.integers(1, 6), st.integers(1, 6))
)


def fits(kernel, padding, image):
    return all(2 * p <= k <= n + 2 * p for k, p, n in zip(kernel, padding, image, strict=True))


@given(pools)
def test_max_pool2d(case):
    kernel, stride, padding, image = case
    assume(fits(kernel, padding, image))
    x = SEED.standard_normal((2, 2, *image))
    expected = naive(lambda w: w.max((2, 3)), x, kernel, stride, [(p, p) for p in padding], value=-np.inf)
    np.testing.assert_array_equal(max_pool2d(x, kernel, stride, padding), expected)


@given(pools, st.booleans())
def test_avg_pool2d(case, count_include_pad):
    kernel, stride, padding, image = case
    assume(fits(kernel, padding, image))
    x, frame = SEED.standard_normal((2, 2, *image)), [(p, p) for p in padding]
    value = 0.0 if count_include_pad else np.nan
    expected = naive(lambda w: np.nanmean(w, axis=(2, 3)), x, kernel, stride, frame, value=value)
    y = avg_pool2d(x, kernel, stride, padding, count_include_pad=count_include_pad)
    np.testing.assert_allclose(y, expected, atol=1e-14)


def test_a_tie_gives_the_first_place_in_row_major_order_everything():
    for tied in ([[1.0, 2.0], [2.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 1.0]]):
        x = ml.Tensor(np.array([[tied]]), True)
        max_pool2d(x, 2).sum().backward()
        expected = np.zeros(4)
        expected[np.argmax(tied)] = 1.0
        np.testing.assert_array_equal(x.grad.numpy().reshape(-1), expected)


def test_overlapping_windows_add_their_gradients_up():
    x = ml.Tensor(np.array([[[[0.0, 5.0, 0.0]]]]), True)
    max_pool2d(x, (1, 2), 1).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[[[0, 2, 0]]]])


def test_nan_and_minus_infinity_are_not_hidden_by_a_maximum():
    x = np.array([[[[np.nan, 1.0], [2.0, 3.0]]]])
    assert np.isnan(max_pool2d(x, 2)).all()
    assert np.isneginf(max_pool2d(np.full((1, 1, 2, 2), -np.inf), 2, padding=1)).all()


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
@pytest.mark.parametrize(("kernel", "stride", "seen"), [(2, 2, (4, 6)), (2, 3, (5, 5)), (1, 2, (5, 7)), (5, 5, (5, 5))])
def test_pixels_in_no_window_get_no_gradient(pool, kernel, stride, seen, monkeypatch):
    """Also where new memory holds anything: here NaN."""
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan if dtype == np.float64 else 99, dtype))
    x = ml.Tensor(SEED.standard_normal((1, 1, 5, 7)), requires_grad=True)
    pool(x, kernel, stride).sum().backward()
    gradient = x.grad.numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[..., seen[0] :, :].any()
    assert not gradient[..., seen[1] :].any()
    np.testing.assert_allclose(gradient.sum(), pool(x, kernel, stride).size)


def test_max_pool2d_with_more_places_than_a_byte_counts():
    x = np.zeros((1, 1, 17, 17))
    x[0, 0, 16, 15] = 1.0
    t = ml.Tensor(x, True)
    max_pool2d(t, 17).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), x)


@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_of_images_change_nothing(monkeypatch, stride):
    def results():
        x, weight, bias = (ml.Tensor(a, True) for a in inputs)
        y = conv2d(x, weight, bias, stride=stride, padding=1)
        out = avg_pool2d(max_pool2d(y, 2), 2, 1, padding=1)
        out.backward(np.cos(np.arange(out.size)).reshape(out.shape))
        return [out.numpy(), *(t.grad.numpy() for t in (x, weight, bias))]

    inputs = [SEED.standard_normal(shape) for shape in ((20, 2, 6, 5), (3, 2, 3, 3), (3,))]
    whole = results()
    monkeypatch.setattr(ml.get_device("cpu"), "block_size", 8)
    for have, expected in zip(results(), whole, strict=True):
        np.testing.assert_allclose(have, expected, atol=1e-12)


def test_non_contiguous_and_float32():
    x = SEED.standard_normal((4, 5, 2, 3)).astype(np.float32).transpose(3, 2, 0, 1)
    weight = SEED.standard_normal((2, 2, 3, 2)).astype(np.float32)[::-1]
    y = conv2d(x, weight)
    assert y.dtype == np.float32
    # BLAS may add what lies differently in memory in another order (NumPy 2.2's does): 12 products of two numbers below 5
    np.testing.assert_allclose(y, conv2d(np.ascontiguousarray(x), np.ascontiguousarray(weight)), rtol=1e-5, atol=5e-6)


def test_an_empty_batch():
    x = ml.Tensor(np.zeros((0, 2, 4, 4)), True)
    y = max_pool2d(conv2d(x, ml.Tensor(np.ones((3, 2, 3, 3)), True), padding=1), 2)
    assert y.shape == (0, 3, 2, 2)
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x, w: conv2d(x[0, 0], w), r"conv2d: x has shape \(4, 5\), expected \(N, C, H, W\)"),
        (lambda x, w: conv2d(x, w[0]), r"weight has shape \(2, 3, 3\), expected \(O, C / groups, kh, kw\)"),
        (lambda x, w: conv2d(x, w[:, :1]), r"has 2 channels in 1 groups, so weight .* with 2 in its second place"),
        (lambda x, w: conv2d(x, w, groups=3), "3 groups do not divide 2 channels and 3 filters"),
        (lambda x, w: conv2d(x, w, np.ones(2)), r"bias has shape \(2,\), expected one number a filter, \(3,\)"),
        (lambda x, w: conv2d(x, w, dilation=2), r"a window of \(5, 5\) does not fit into images of \(4, 5\)"),
        (lambda x, w: conv2d(x, w[:, :, :0]), "has an axis of size 0"),
        (lambda x, w: conv2d(x, w, stride=0), "stride must be one integer or two, at least 1, got 0"),
        (lambda x, w: conv2d(x, w, padding=-1), "padding must be .* at least 0, got -1"),
        (lambda x, w: conv2d(x, w, padding="full"), "'full' is unknown: expected numbers, 'same' or 'valid'"),
        (lambda x, w: conv2d(x, w, padding="same", stride=2), r"'same' keeps the size, which stride \(2, 2\) does not"),
        (lambda x, w: conv1d(x, w), r"conv1d: x has shape \(1, 2, 4, 5\), expected \(N, C, L\)"),
        (lambda x, w: max_pool2d(x[0, 0], 2), r"max_pool2d: x has shape \(4, 5\), expected \(N, C, H, W\)"),
        (lambda x, w: avg_pool2d(x, 2, padding=2), r"padding \(2, 2\) is more than half of the window \(2, 2\)"),
        (lambda x, w: max_pool2d(x, 6), r"a window of \(6, 6\) does not fit"),
        (lambda x, w: avg_pool2d(x, (2, 2, 2)), r"kernel_size must be one integer or two, at least 1, got \(2, 2, 2\)"),
    ],
)
def test_errors_name_what_was_wrong(call, text):
    with pytest.raises(ValueError, match=text):
        call(np.ones((1, 2, 4, 5)), np.ones((3, 2, 3, 3)))


def test_max_pool2d_refuses_integers():
    with pytest.raises(TypeError, match="x is int64, expected floats"):
        max_pool2d(np.ones((1, 1, 2, 2), int), 2)
