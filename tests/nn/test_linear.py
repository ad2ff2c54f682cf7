"""Linear: the map itself, its start, and what it says of a wrong input."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import DeviceError


def test_rows_are_multiplied_by_the_transposed_weight(device):
    layer = nn.Linear(3, 2).to(device)
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    y = layer(ml.tensor(x, device=device)).numpy()
    np.testing.assert_allclose(y, x @ layer.weight.numpy().T + layer.bias.numpy(), rtol=1e-6)


def test_start_is_within_the_bound():
    ml.random.manual_seed(0)
    layer = nn.Linear(16, 100)
    for p in layer.parameters():
        assert 0.2 < np.abs(p.numpy()).max() <= 0.25


def test_tied_weights_get_the_sum_of_both_gradients(device):
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second).to(device).to("float64")
    x = ml.tensor(np.eye(3), device=device)
    model(x).sum().backward()
    w = model[0].weight.numpy()
    ones = np.ones((3, 3))
    np.testing.assert_allclose(model[0].weight.grad.numpy(), (ones @ w).T + ones @ w.T, rtol=1e-12)
    assert model.num_parameters() == 9


@pytest.mark.parametrize("shape", [(4, 2), (3, 4), (), (0,)])
def test_a_wrong_width_names_the_layer_and_both_shapes(shape):
    with pytest.raises(
        ValueError, match=r"Linear\(in_features=3, out_features=2, bias=True\) expected .*\(\.\.\., 3\), got"
    ):
        nn.Linear(3, 2)(ml.zeros(*shape))


def test_an_input_elsewhere_names_both_devices(device):
    if device.name != "cpu":
        with pytest.raises(DeviceError, match="cpu"):
            nn.Linear(3, 2).to(device)(ml.Tensor(np.zeros((2, 3), np.float32), device="cpu"))


@pytest.mark.parametrize(
    ("sizes", "error"), [((0, 2), ValueError), ((3, -1), ValueError), ((3.0, 2), TypeError), ((True, 2), TypeError)]
)
def test_sizes_are_positive_integers(sizes, error):
    with pytest.raises(error, match="Linear: (in|out)_features must be"):
        nn.Linear(*sizes)


def test_an_empty_batch_passes():
    assert nn.Linear(3, 2)(ml.zeros(0, 3)).shape == (0, 2)
