"""Dropout and DropConnect: shares, scale, and when they do nothing."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn, random


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_p_is_zero_and_the_mean_stays(p, device):
    random.manual_seed(0)
    y = nn.Dropout(p)(ml.ones(200, 200, device=device)).numpy()
    assert (y == 0).mean() == pytest.approx(p, abs=0.01)
    assert y.mean() == pytest.approx(1.0, abs=0.03)
    np.testing.assert_allclose(np.unique(y), [0.0, 1.0 / (1.0 - p)], rtol=1e-6)


def test_the_gradient_passes_where_the_numbers_did(device):
    x = ml.ones(30, 30, device=device, requires_grad=True)
    y = nn.Dropout(0.3)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())


def test_every_call_drops_others_and_a_seed_repeats_them():
    layer, x = nn.Dropout(0.5), ml.ones(100)
    random.manual_seed(4)
    a, b = layer(x).tolist(), layer(x).tolist()
    random.manual_seed(4)
    assert a != b
    assert layer(x).tolist() == a


def test_nothing_is_dropped_or_drawn_when_predicting_or_without_p():
    x = ml.ones(100)
    random.manual_seed(4)
    before = random.get_state()
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    layer = nn.DropConnect(nn.Linear(100, 2)).eval()
    np.testing.assert_array_equal(layer(x).numpy(), layer.linear(x).numpy())
    random.set_state(before)
    assert random.get_state() == before


def test_all_is_dropped_with_p_1():
    assert not nn.Dropout(1.0)(ml.ones(10)).numpy().any()


def test_dropconnect_drops_weights_one_mask_for_all_rows(device):
    layer = nn.DropConnect(nn.Linear(5, 4), 0.5).to(device)
    with ml.no_grad():
        layer.linear.weight.fill_(1.0)
        layer.linear.bias.fill_(0.25)
    x = ml.tensor(np.vstack([np.eye(5), np.eye(5)]).astype(np.float32), device=device)
    y = layer(x).numpy()
    np.testing.assert_array_equal(y[:5], y[5:])
    assert set(np.unique(y)) == {np.float32(0.25), np.float32(2.25)}
    assert (layer.linear.weight.numpy() == 1.0).all()


def test_dropconnect_keeps_the_mean(device):
    random.manual_seed(0)
    layer = nn.DropConnect(nn.Linear(4, 3), 0.3).to(device)
    x = ml.ones(1, 4, device=device)
    mean = np.mean([layer(x).numpy() for _ in range(2000)], axis=0)
    np.testing.assert_allclose(mean, layer.eval()(x).numpy(), atol=0.04)


def test_bad_arguments_are_told():
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="Dropout: p is the probability of dropping"):
            nn.Dropout(p)
    with pytest.raises(TypeError, match="DropConnect wraps a Linear layer, got ReLU"):
        nn.DropConnect(nn.ReLU())
    with pytest.raises(ValueError, match=r"Linear.* got \(2, 4\)"):
        nn.DropConnect(nn.Linear(3, 2))(ml.ones(2, 4))
