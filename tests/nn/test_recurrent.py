"""Recurrent layers: shapes, states, and sequences of different lengths. The numbers are compared with PyTorch's in tests/oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm import nn

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]


def draw(*shape, device=None, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), device=device)


def parts(state):
    return list(state) if isinstance(state, tuple) else [state]


def sigma(a):
    return 1.0 / (1.0 + np.exp(-a))


def step_by_hand(kind, W, U, b, c, x, state):
    """One step as the docstrings write it; W, U, b and c are cut into the gates."""
    h = state[0]
    a, u = [w @ x + e for w, e in zip(W, b, strict=True)], [w @ h + e for w, e in zip(U, c, strict=True)]
    if kind == "RNN":
        return (np.tanh(a[0] + u[0]),)
    if kind == "GRU, reset before":
        r, z = sigma(a[0] + u[0]), sigma(a[1] + u[1])
        return ((1.0 - z) * np.tanh(a[2] + U[2] @ (r * h) + c[2]) + z * h,)
    if kind == "GRU":
        r, z = sigma(a[0] + u[0]), sigma(a[1] + u[1])
        return ((1.0 - z) * np.tanh(a[2] + r * u[2]) + z * h,)
    i, f, o = (sigma(a[k] + u[k]) for k in (0, 1, 3))
    cell = f * state[1] + i * np.tanh(a[2] + u[2])
    return o * np.tanh(cell), cell


@pytest.mark.parametrize("direction", ["", "_reverse"])
@pytest.mark.parametrize(("make", "options"), [*((make, {}) for make in LAYERS), (nn.GRU, {"reset_after": False})])
def test_each_step_is_the_formula(make, options, direction, device):
    layer = make(3, 2, bidirectional=True, **options).to("float64").to(device)
    names = [f"{name}_l0{direction}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    weights = [np.split(getattr(layer, name).numpy(), layer.gates) for name in names]
    x = np.random.default_rng(0).standard_normal((4, 1, 3))
    outputs, end = layer(ml.tensor(x, device=device))
    state, half = (np.zeros(2),) * layer.parts, slice(2, 4) if direction else slice(0, 2)
    for t in reversed(range(4)) if direction else range(4):
        state = step_by_hand(make.__name__ + ", reset before" * bool(options), *weights, x[t, 0], state)
        np.testing.assert_allclose(outputs.numpy()[t, 0, half], state[0], rtol=1e-12)
    for a, b in zip(parts(end), state, strict=True):
        np.testing.assert_allclose(a.numpy()[1 if direction else 0, 0], b, rtol=1e-12)


@pytest.mark.parametrize("make", LAYERS)
@given(
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    layers=st.integers(1, 2),
    both=st.booleans(),
    batch_first=st.booleans(),
)
def test_shapes(make, steps, batch, layers, both, batch_first):
    layer = make(3, 2, layers, bidirectional=both, batch_first=batch_first)
    x = draw(*((batch, steps) if batch_first else (steps, batch)), 3)
    y, state = layer(x)
    assert y.shape == (*x.shape[:2], 2 * (1 + both))
    assert all(part.shape == (layers * (1 + both), batch, 2) for part in parts(state))


@pytest.mark.parametrize("make", LAYERS)
def test_two_halves_with_the_state_handed_on_equal_the_whole(make, device):
    layer, x = make(3, 4, 2).to(device), draw(6, 2, 3, device=device)
    whole, end = layer(x)
    first, state = layer(x[:3])
    second, last = layer(x[3:], state)
    np.testing.assert_allclose(np.concatenate([first.numpy(), second.numpy()]), whole.numpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(parts(end), parts(last), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", LAYERS)
def test_padding_changes_nothing(make, device):
    layer, lengths = make(3, 4, 2, bidirectional=True).to(device), [4, 1, 3]
    x = draw(4, 3, 3, device=device)
    y, state = layer(x, lengths=lengths)
    for i, n in enumerate(lengths):
        alone, end = layer(x[:n, i : i + 1])
        np.testing.assert_allclose(y.numpy()[:n, i], alone.numpy()[:, 0], rtol=1e-5, atol=1e-6)
        assert not y.numpy()[n:, i].any()
        for a, b in zip(parts(state), parts(end), strict=True):
            np.testing.assert_allclose(a.numpy()[:, i], b.numpy()[:, 0], rtol=1e-5, atol=1e-6)


def test_what_stands_in_the_padding_gets_no_gradient():
    layer, x = nn.GRU(3, 4, bidirectional=True), draw(4, 2, 3).requires_grad_()
    y, state = layer(x, lengths=[4, 2])
    (y.sum() + state.sum()).backward()
    assert not x.grad.numpy()[2:, 1].any()
    assert x.grad.numpy()[:2, 1].any()


def test_lengths_may_be_a_tensor_or_0(device):
    layer, x = nn.RNN(3, 2).to(device), draw(4, 2, 3, device=device)
    _, state = layer(x, lengths=ml.tensor(np.array([0, 4]), device=device))
    assert not state.numpy()[0, 0].any()


def test_dropout_acts_between_layers_while_learning_only():
    ml.random.manual_seed(0)
    layer, x = nn.LSTM(3, 8, 2, dropout=0.5), draw(4, 2, 3)
    assert not np.array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())


def test_weights_are_named_and_shaped_as_pytorchs():
    layer = nn.LSTM(3, 2, 2, bidirectional=True)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes)[:5] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l0_reverse"]
    assert shapes["weight_ih_l0"] == (8, 3)
    assert shapes["weight_ih_l1_reverse"] == (8, 4)
    assert shapes["weight_hh_l1"] == (8, 2)
    assert shapes["bias_hh_l1"] == (8,)


def test_a_long_sequence_is_walked_back_in_linear_time():
    layer, x = nn.RNN(1, 1), ml.ones(3000, 1, 1)
    layer(x)[0].sum().backward()
    assert np.isfinite(layer.weight_hh_l0.grad.numpy()).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.LSTM(3, 2)(ml.zeros(4, 2, 5)),
            r"LSTM\(3, 2, num_layers=1\) expected .*\(length, batch, 3\) or \(length, 3\), got \(4, 2, 5\)",
        ),
        (lambda: nn.GRU(3, 2, batch_first=True)(ml.zeros(4)), r"\(batch, length, 3\) or \(length, 3\), got \(4,\)"),
        (lambda: nn.GRU(3, 2)(ml.zeros(4, 5)), r"\(length, batch, 3\) or \(length, 3\), got \(4, 5\)"),
        (lambda: nn.RNN(3, 2)(ml.zeros(4, 3), ml.zeros(1, 1, 2)), r"a state of shape \(1, 2\), got \(1, 1, 2\)"),
        (lambda: nn.LSTM(3, 2)(ml.zeros(4, 3), (ml.zeros(1, 2),)), r"\(h, c\), each \(1, 2\)"),
        (lambda: nn.LSTM(3, 2)(ml.zeros(4, 3), lengths=[4]), "lengths are for a batch of sequences"),
        (lambda: nn.RNN(3, 2)(ml.zeros(0, 2, 3)), "at least one step"),
        (lambda: nn.RNN(3, 2)(ml.zeros(4, 2, 3), ml.zeros(2, 2)), r"a state of shape \(1, 2, 2\), got \(2, 2\)"),
        (lambda: nn.LSTM(3, 2)(ml.zeros(4, 2, 3), (ml.zeros(1, 2, 2),)), r"\(h, c\), each \(1, 2, 2\)"),
        (lambda: nn.RNN(3, 2)(ml.zeros(4, 2, 3), lengths=[5, 1]), r"2 integers from 0 to 4.* got \[5, 1\]"),
        (lambda: nn.RNN(3, 2)(ml.zeros(4, 2, 3), lengths=[1]), r"got \[1\]"),
        (lambda: nn.RNN(3, 2)(ml.zeros(4, 2, 3), lengths=[1.0, 2.0]), "integers"),
        (lambda: nn.RNN(3, 2, nonlinearity="gelu"), "nonlinearity must be 'tanh' or 'relu'"),
        (lambda: nn.GRU(3, 0), "GRU: hidden_size must be at least 1"),
        (lambda: nn.GRU(3, 2, dropout=2.0), "GRU: p is the probability"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
