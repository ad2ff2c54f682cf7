"""Convolution and pooling layers: shapes, starts, and errors. The numbers are compared with PyTorch's in tests/oracle."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.nn import functional as F


def test_a_filter_of_ones_sums_each_window(device):
    layer = nn.Conv2d(2, 1, 2, bias=False).to(device)
    nn.init.constant_(layer.weight, 1.0)
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(2, 3))
    np.testing.assert_array_equal(layer(ml.tensor(x, device=device)).numpy()[:, 0], windows.sum(axis=(1, 4, 5)))


def test_pooling(device):
    x = ml.tensor(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), device=device)
    assert nn.MaxPool2d(2)(x).tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]
    assert nn.AvgPool2d(2)(x).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert nn.MaxPool2d(2, stride=1)(x).shape == (1, 1, 3, 3)


def test_options_reach_the_op():
    rng = np.random.default_rng(0)
    x, line = (ml.Tensor(rng.standard_normal(shape).astype(np.float32)) for shape in [(1, 4, 5, 6), (1, 4, 6)])
    options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    for layer, input, op in (
        (nn.Conv2d(4, 2, 2, **options), x, F.conv2d),
        (nn.Conv1d(4, 2, 2, **options), line, F.conv1d),
    ):
        expected = op(input, layer.weight, layer.bias, **options).numpy()
        np.testing.assert_array_equal(layer(input).numpy(), expected)
        for name, value in {"stride": 1, "padding": 0, "dilation": 1}.items():
            assert op(input, layer.weight, layer.bias, **{**options, name: value}).shape != expected.shape
    pools = {"stride": 1, "padding": 1}
    np.testing.assert_array_equal(nn.MaxPool2d(3, **pools)(x).numpy(), F.max_pool2d(x, kernel_size=3, **pools).numpy())
    for include in (True, False):
        expected = F.avg_pool2d(x, kernel_size=3, **pools, count_include_pad=include).numpy()
        np.testing.assert_array_equal(nn.AvgPool2d(3, **pools, count_include_pad=include)(x).numpy(), expected)


def test_start_is_within_the_bound_of_the_window():
    layer = nn.Conv2d(4, 64, 2, groups=2)
    assert layer.weight.shape == (64, 2, 2, 2)
    for p in layer.parameters():
        assert 0.25 < np.abs(p.numpy()).max() <= 1 / 8**0.5


def test_flatten_joins_a_range_of_axes():
    x = ml.zeros(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(0, 1)(x).shape == (6, 4, 5)
    assert nn.Flatten(-1)(x).shape == (2, 3, 4, 5)
    for layer in (nn.Flatten(2, 1), nn.Flatten(4)):
        with pytest.raises(ValueError, match=r"Flatten\(.*\) needs axes .* got an input of shape \(2, 3, 4, 5\)"):
            layer(x)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.Conv2d(2, 3, 2),
            (1, 3, 4, 4),
            r"Conv2d\(2, 3, kernel_size=\(2, 2\)\) expected .*\(batch, 2, height, width\) or \(2, height, width\), got \(1, 3",
        ),
        (nn.Conv2d(2, 3, 2), (4, 4), r"or \(2, height, width\), got \(4, 4\)"),
        (nn.Conv1d(2, 3, 2), (1, 3, 4), r"\(batch, 2, length\) or \(2, length\), got \(1, 3, 4\)"),
        (nn.Conv2d(2, 3, 9), (1, 2, 4, 4), "conv2d"),
        (nn.Conv1d(2, 3, 2, padding=4, padding_mode="reflect"), (1, 2, 4), "size 4 cannot be padded"),
        (nn.ConvTranspose2d(2, 3, 2), (1, 3, 4, 4), r"ConvTranspose2d\(2, 3, .* got \(1, 3, 4, 4\)"),
        (
            nn.ReflectionPad2d(1),
            (3, 3),
            r"ReflectionPad2d\(\(1, 1, 1, 1\)\) expected .*\(channels, height, width\), got \(3, 3\)",
        ),
        (nn.CircularPad1d(4), (2, 3), "size 3 cannot be padded"),
        (nn.MaxPool1d(2), (2, 2, 2, 2), r"max_pool1d: x has shape \(2, 2, 2, 2\), expected \(N, C, L\) or \(C, L\)"),
    ],
)
def test_a_wrong_input_names_the_layer_and_both_shapes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(ml.zeros(*shape))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), ValueError, "groups=2 must divide in_channels=3"),
        (lambda: nn.Conv2d(3, 4, (2, 2, 2)), ValueError, "kernel_size must be one number or 2"),
        (lambda: nn.Conv1d(3, 4, (2, 2)), ValueError, "kernel_size must be one number or 1"),
        (
            lambda: nn.Conv2d(3, 4, 2, padding_mode="mirror"),
            ValueError,
            "padding_mode must be one of 'zeros', 'reflect'",
        ),
        (lambda: nn.Conv1d(3, 4, 3, 2, "same"), ValueError, "padding 'same' keeps the size, which stride 2 does not"),
        (lambda: nn.ConvTranspose2d(3, 4, 2, groups=2), ValueError, "groups=2 must divide in_channels=3"),
        (lambda: nn.ReflectionPad2d((1, 2)), ValueError, r"padding must be one integer or 4, got \(1, 2\)"),
        (lambda: nn.ZeroPad1d(1.5), ValueError, "padding must be one integer or 2, got 1.5"),
        (lambda: nn.Upsample(), ValueError, "either size or scale_factor"),
        (lambda: nn.Upsample(2, 2), ValueError, "either size or scale_factor"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, r"kernel_size\[0\] must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 1.5), TypeError, r"kernel_size\[0\] must be an integer"),
    ],
)
def test_bad_arguments_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("mode", "numpys"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"), ("zeros", "constant")]
)
def test_a_padding_mode_is_numpys_padding_before_the_convolution(mode, numpys, device):
    layer = nn.Conv2d(1, 1, 3, padding=(2, 1), padding_mode=mode, bias=False).to(device)
    x = np.random.default_rng(0).standard_normal((2, 1, 4, 3)).astype(np.float32)
    around = np.pad(x, ((0, 0), (0, 0), (2, 2), (1, 1)), numpys)
    plain = F.conv2d(ml.tensor(around, device=device), layer.weight)
    np.testing.assert_allclose(layer(ml.tensor(x, device=device)).numpy(), plain.numpy(), rtol=1e-6, atol=1e-6)


def test_a_transposed_convolution_is_the_transpose_of_a_convolution(device):
    down, up = nn.Conv2d(2, 3, 3, 2, 1, bias=False).to(device), nn.ConvTranspose2d(3, 2, 3, 2, 1, bias=False).to(device)
    up.weight.data[...] = down.weight.data
    rng = np.random.default_rng(0)
    x, y = (
        ml.Tensor(rng.standard_normal(shape).astype(np.float32), device=device)
        for shape in ((1, 2, 6, 5), (1, 3, 3, 3))
    )
    back = up(y, output_size=x.shape)
    assert back.shape == x.shape
    np.testing.assert_allclose((down(x) * y).sum().item(), (x * back).sum().item(), rtol=1e-4)
