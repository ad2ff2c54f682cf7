"""Initialisers: the moments they promise, one seed for all devices and dtypes, and what they refuse."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn, random
from minilm.nn import init

N = 40_000  # the standard error of a mean is 0.005 deviations


def test_fans_count_the_numbers_in_a_window():
    assert init.fans(ml.zeros(5, 3)) == (3, 5)
    assert init.fans(ml.zeros(5, 3, 2, 4)) == (24, 40)
    for shape in [(3,), (), (0, 3)]:
        with pytest.raises(ValueError, match="fan-in and fan-out need"):
            init.fans(ml.zeros(*shape))


@pytest.mark.parametrize(
    ("function", "std"),
    [
        (lambda t, r: init.uniform_(t, -1.0, 1.0, r), (1 / 3) ** 0.5),
        (lambda t, r: init.normal_(t, 0.0, 0.3, r), 0.3),
        (lambda t, r: init.xavier_uniform_(t, 1.0, r), (2 / 500) ** 0.5),
        (lambda t, r: init.xavier_normal_(t, 2.0, r), 2 * (2 / 500) ** 0.5),
        (lambda t, r: init.kaiming_uniform_(t, nonlinearity="relu", rng=r), (2 / 400) ** 0.5),
        (lambda t, r: init.kaiming_normal_(t, a=2.0, rng=r), (2 / 5 / 400) ** 0.5),
        (lambda t, r: init.kaiming_normal_(t, mode="fan_out", nonlinearity="tanh", rng=r), 5 / 3 * (1 / 100) ** 0.5),
        (lambda t, r: init.default_(t, None, r), (1 / 3 / 400) ** 0.5),
    ],
)
def test_mean_and_deviation(function, std):
    t = ml.zeros(100, 400)
    function(t, np.random.default_rng(0))
    assert t.numpy().std() == pytest.approx(std, rel=0.02)
    assert abs(t.numpy().mean()) < 0.02 * std


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (4, 4), (3, 2, 2)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    w = init.orthogonal_(ml.zeros(*shape, dtype="float64"), gain=2.0, rng=np.random.default_rng(0)).numpy()
    w = w.reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4.0 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_matrices_have_no_preferred_sign():
    signs = [init.orthogonal_(ml.zeros(2, 2), rng=np.random.default_rng(s)).numpy()[0, 0] > 0 for s in range(60)]
    assert 15 < sum(signs) < 45


def test_one_seed_gives_the_same_numbers_in_every_dtype_and_on_every_device(device):
    random.manual_seed(3)
    wide = init.normal_(ml.zeros(4, 5, dtype="float64"))
    random.manual_seed(3)
    there = init.normal_(ml.zeros(4, 5, device=device))
    np.testing.assert_array_equal(there.numpy(), wide.numpy().astype(np.float32))
    assert there.dtype == np.float32
    assert there.device is device
    assert not np.array_equal(init.normal_(there).numpy(), wide.numpy().astype(np.float32))


def test_an_explicit_generator_leaves_the_global_one_alone():
    random.manual_seed(3)
    before = random.get_state()
    init.normal_(ml.zeros(4), rng=np.random.default_rng(0))
    assert random.get_state() == before


def test_parameters_can_be_drawn_in_place_and_stay_parameters():
    p = nn.Parameter(ml.zeros(2, 2))
    assert init.constant_(p, 3.0) is p
    assert p.requires_grad
    assert p.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_gpt2_scales_what_writes_into_the_residual_stream():
    model = nn.Sequential(*(nn.TransformerEncoderLayer(64, 4, 256, norm_first=True) for _ in range(2)))
    init.gpt2_(model, n_layer=8, rng=np.random.default_rng(0))
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert not p.numpy().any(), name
        elif ".norm" in name:
            assert (p.numpy() == 1.0).all(), name
        else:
            std = 0.02 / 4 if name.endswith(("out_proj.weight", "down.weight")) else 0.02
            assert p.numpy().std() == pytest.approx(std, rel=0.05), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.gpt2_(nn.Linear(2, 2), 2), "name those layers with residual="),
        (lambda: init.gpt2_(nn.Linear(2, 2), 0), "n_layer must be at least 1"),
        (lambda: init.kaiming_normal_(ml.zeros(2, 2), mode="fan"), "'fan_in' or 'fan_out'"),
        (lambda: init.calculate_gain("swish"), "unknown nonlinearity 'swish'"),
        (lambda: init.xavier_normal_(ml.zeros(3)), r"got \(3,\)"),
    ],
)
def test_bad_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_drawing_layers_are_zero_and_the_generator_stays():
    random.manual_seed(0)
    before = random.get_state()
    with init.without_drawing():
        layers = [nn.Linear(3, 4), nn.Embedding(5, 2), nn.LSTM(2, 3), nn.MultiHeadAttention(4, 2)]
    assert random.get_state() == before
    assert not any(p.numpy().any() for layer in layers for p in layer.parameters())
    assert nn.Linear(3, 4).weight.numpy().all()  # and after it they are drawn again
    with pytest.raises(RuntimeError, match="within"), init.without_drawing():
        raise RuntimeError("within")
    assert nn.Linear(3, 4).weight.numpy().all()
