"""The norms: what they make of a batch, and the running statistics of BatchNorm."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn


def draw(*shape, device=None, seed=0):
    return ml.Tensor(np.random.default_rng(seed).normal(3.0, 2.0, shape).astype(np.float32), device=device)


def test_layer_norm_gives_each_vector_mean_0_and_deviation_1(device):
    y = nn.LayerNorm(64).to(device)(draw(5, 64, device=device)).numpy()
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=-1), 1.0, rtol=1e-4)


def test_rms_norm_gives_each_vector_root_mean_square_1(device):
    y = nn.RMSNorm(64).to(device)(draw(5, 64, device=device)).numpy()
    np.testing.assert_allclose((y**2).mean(axis=-1), 1.0, rtol=1e-4)


@pytest.mark.parametrize(("make", "shape", "axes"), [(nn.BatchNorm1d, (50, 3), 0), (nn.BatchNorm1d, (20, 3, 5), (0, 2)),
                                                     (nn.BatchNorm2d, (8, 3, 4, 5), (0, 2, 3))])  # fmt: skip
def test_batch_norm_gives_each_channel_mean_0_and_deviation_1(make, shape, axes, device):
    y = make(3).to(device)(draw(*shape, device=device)).numpy()
    np.testing.assert_allclose(y.mean(axis=axes), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=axes), 1.0, rtol=1e-4)


def test_running_statistics_follow_the_batches(device):
    layer, x = nn.BatchNorm1d(3, momentum=0.25).to(device), draw(10, 3, device=device)
    layer(x)
    mean, var = x.numpy().mean(axis=0), x.numpy().var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.75 + 0.25 * var, rtol=1e-5)
    assert int(layer.num_batches_tracked) == 1
    assert not layer.running_mean.requires_grad


def test_without_momentum_every_batch_counts_alike():
    layer, batches = nn.BatchNorm1d(2, momentum=None), [draw(6, 2, seed=i) for i in range(4)]
    for x in batches:
        layer(x)
    np.testing.assert_allclose(
        layer.running_mean.numpy(), np.mean([x.numpy().mean(axis=0) for x in batches], axis=0), rtol=1e-5
    )


def test_prediction_uses_and_keeps_the_running_statistics(device):
    layer, x = nn.BatchNorm1d(3).to(device), draw(10, 3, device=device)
    layer(x)
    layer.eval()
    before, y = layer.state_dict(), layer(x[:1]).numpy()
    expected = (x.numpy()[:1] - before["running_mean"].numpy()) / np.sqrt(before["running_var"].numpy() + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-4)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())


def test_statistics_are_saved_but_not_learnt():
    layer = nn.BatchNorm2d(3)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def test_learning_after_a_prediction_does_not_spoil_its_gradient():
    layer, x = nn.BatchNorm1d(3).eval(), draw(4, 3)
    y = layer(x)
    layer.train()(x)
    y.sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.LayerNorm(4), (2, 3), r"LayerNorm\(4, eps=1e-05\) expected .*\(\.\.\., 4\), got \(2, 3\)"),
        (nn.RMSNorm(4), (), r"RMSNorm.* got \(\)"),
        (
            nn.LayerNorm((3, 4)),
            (2, 4, 3),
            r"LayerNorm\(\(3, 4\), eps=1e-05\) expected .*\(\.\.\., 3, 4\), got \(2, 4, 3\)",
        ),
        (nn.RMSNorm((3, 4)), (4,), r"\(\.\.\., 3, 4\), got \(4,\)"),
        (nn.BatchNorm1d(3), (4, 2), r"\(N, 3\) or \(N, 3, L\), got \(4, 2\)"),
        (nn.BatchNorm1d(3), (4, 3, 2, 2), r"got \(4, 3, 2, 2\)"),
        (nn.BatchNorm2d(3), (4, 3), r"\(N, 3, H, W\), got \(4, 3\)"),
        (nn.BatchNorm1d(3), (1, 3), r"at least 2 numbers in each channel"),
    ],
)
def test_a_wrong_input_names_the_layer_and_both_shapes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(ml.zeros(*shape))


def test_layer_norm_of_images_brings_each_to_mean_0_and_deviation_1(device):
    layer = nn.LayerNorm((3, 4, 5)).to(device)
    y = layer(draw(6, 3, 4, 5, device=device)).numpy()
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), 1.0, rtol=1e-4)
    assert layer.weight.shape == layer.bias.shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((), ValueError, "at least one axis"),
        ((3, 0), ValueError, r"normalized_shape\[1\] must be at least 1"),
        (2.5, TypeError, "normalized_shape must be an integer"),
    ],
)
@pytest.mark.parametrize("make", [nn.LayerNorm, nn.RMSNorm])
def test_axes_that_cannot_be_normalized_are_told(make, shape, error, message):
    with pytest.raises(error, match=message):
        make(shape)
