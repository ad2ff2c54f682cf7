"""What is read of the layers: each number against its definition, and that reading changes nothing."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm import nn, optim
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.training.flow import Flow, dead_share, layers_of, look, norm
from minilm.training.flow_rows import Row, row_from_json

rng = np.random.default_rng(7)
X = rng.standard_normal((12, 5)).astype(np.float32)
Y = rng.integers(0, 3, 12)


def network(seed=0, between=nn.ReLU):
    ml.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), between(), nn.Dropout(0.5), nn.Linear(8, 3))


def learn(model, flow=None, steps=6, optimizer=optim.AdamW):
    opt = optimizer(model.parameters(), lr=0.1)
    for step in range(1, steps + 1):
        opt.zero_grad()
        F.cross_entropy(model(X), Y).backward()
        if flow is None:
            opt.step()
        else:
            with flow.update(step, X):
                opt.step()
    return {name: p.numpy().copy() for name, p in model.named_parameters()}


def test_reading_changes_nothing():
    plain = learn(network())
    flow_model = network()
    flow = Flow(flow_model, every=2)
    read = learn(flow_model, flow)
    for name, weights in plain.items():
        np.testing.assert_array_equal(read[name], weights)
    assert [row.step for row in flow.rows] == [2, 2, 4, 4, 6, 6]
    assert flow_model.training
    assert not any(module._hooks for module in flow_model.modules())


def test_numbers_are_what_their_definitions_say():
    model = network()
    layer = model[0]
    F.cross_entropy(model(X), Y).backward()
    g = np.concatenate([p.grad.numpy().ravel() for p in (layer.weight, layer.bias)])
    w = np.concatenate([p.numpy().ravel() for p in (layer.weight, layer.bias)])
    hidden = X @ layer.weight.numpy().T + layer.bias.numpy()
    with Flow(model, every=1).update(1, X) as rows:
        optim.SGD(model.parameters(), lr=0.25).step()
    row = rows[0]
    assert (row.step, row.layer, row.activation) == (1, "0", "relu")
    assert row.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-5)
    assert row.weight_norm == pytest.approx(np.linalg.norm(w), rel=1e-5)
    assert row.update_ratio == pytest.approx(0.25 * np.linalg.norm(g) / np.linalg.norm(w), rel=1e-4)
    assert row.mean == pytest.approx(hidden.mean(), abs=1e-6)
    assert row.std == pytest.approx(hidden.std(), rel=1e-5)
    assert row.dead == (hidden <= 0).all(axis=0).mean()
    assert rows[1].dead is None


def test_a_bias_of_minus_ten_kills_every_unit():
    model = network()
    with ml.no_grad():
        model[0].bias.copy_(np.full(8, -10, np.float32))
    assert look(model, model, [X])["0"].dead == 1


@pytest.mark.parametrize(
    ("activation", "y", "share"),
    [("relu", [[0, 0, 1], [0, 2, 0]], 1 / 3), ("gelu", [[0.009, 0.5], [-0.009, 0]], 0.5), ("silu", [[0.0, 0.02]], 0.5),
     ("tanh", [[0.995, 0.98], [-0.995, 1]], 0.5), ("sigmoid", [[0.999, 0.5], [0.001, 0.999]], 0.5), ("relu", [[[0, 1]], [[0, 0]]], 0.5),
     ("relu", 0.0, 1)],
)  # fmt: skip
def test_dead_units(activation, y, share):
    assert dead_share(activation, np.array(y)) == pytest.approx(share)


def test_units_of_images_are_their_channels():
    y = np.zeros((2, 3, 4, 4))
    y[1, 2, 0, 3] = 1
    assert dead_share("relu", y) == pytest.approx(2 / 3)


def test_layers_of_a_transformer():
    model = GPT(GPTConfig(11, 8, 2, 2, 8), rng=np.random.default_rng(0))
    ids = rng.integers(0, 11, (3, 8))
    model.loss(ids, ids).backward()
    flow = Flow(model, model.loss, every=1)
    with flow.update(1, ids, ids) as rows:
        pass
    by_layer = {row.layer: row for row in rows}
    assert by_layer["blocks.1.mlp.c_fc"].activation == "gelu"
    assert by_layer["lm_head"].weight_norm is None  # it is the embedding's matrix
    assert by_layer["lm_head"].std > 0
    assert by_layer["wte"].gradient_norm > 0
    assert {row.update_ratio for row in rows} == {0.0, None}
    assert next(iter(layers_of(model))) == "wte"


def test_an_activation_within_a_layer_is_the_layers():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(1e6 * np.ones((5, 2), np.float32))

        def forward(self, x):
            return (x @ self.w).tanh()

    seen = look(cell := Cell(), cell, [X])
    assert seen[""].activation == "tanh"
    assert seen[""].dead == 1
    assert seen[""].mean == pytest.approx(np.sign(X.sum(axis=1)).mean(), abs=0.1)


def test_the_modes_of_frozen_parts_come_back():
    model = network()
    model[2].eval()
    look(model, model, [X])
    assert [module.training for module in model.modules()] == [True, True, True, False, True]


def test_the_eyes_are_in_evaluation():
    model = nn.Sequential(nn.Dropout(0.9), nn.Linear(5, 8))
    assert look(model, model, [X])["1"].mean == pytest.approx(model[1](X).numpy().mean(), abs=1e-6)


def test_looking_draws_nothing_that_is_missed():
    class Noisy(nn.Linear):
        def forward(self, x):
            return F.dropout(super().forward(x), 0.5, training=True)

    model = Noisy(5, 4)
    ml.manual_seed(3)
    state = ml.random.get_state()
    look(model, model, [X])
    assert ml.random.get_state() == state


def test_an_error_in_the_model_leaves_it_as_it_was():
    model = network()
    with pytest.raises(ValueError, match="expected an input"):
        look(model, model, [X[:, :2]])
    assert model.training
    assert not any(module._hooks for module in model.modules())


def test_without_a_gradient_or_a_batch():
    model = network()
    with Flow(model, every=1).update(3) as rows:
        pass
    assert [(row.gradient_norm, row.update_ratio, row.mean) for row in rows] == [(0, 0, None)] * 2
    assert Flow(model, every=5).update(4).__enter__() == []


def test_weights_of_zero_have_no_ratio():
    model = nn.Linear(2, 2)
    with ml.no_grad():
        for p in model.parameters():
            p.copy_(np.zeros(p.shape, np.float32))
    with Flow(model, every=1).update(1) as rows:
        pass
    assert rows[0].update_ratio is None


def test_float16_is_squared_in_float32():
    assert norm([np.full(4, 300, np.float16)]) == 600
    assert norm([]) == 0


def test_what_cannot_be_read():
    with pytest.raises(ValueError, match="every must be at least 1"):
        Flow(network(), every=0)
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        Flow(nn.ReLU())


def test_rows_as_json():
    row = Row(3, "a", 1.0, 2.0, math.inf, dead=0.5, activation="relu")
    line = row.to_json()
    assert line == {
        "step": 3,
        "layer": "a",
        "gradient_norm": 1.0,
        "weight_norm": 2.0,
        "update_ratio": None,
        "dead": 0.5,
        "activation": "relu",
    }
    assert math.isnan(row_from_json(line).update_ratio)
    assert row_from_json(line)[:4] == row[:4]
    for bad in (
        {},
        {"step": 1},
        {"step": True, "layer": "a"},
        {"step": 1, "layer": "a", "std": "x"},
        {"step": 1, "layer": "a", "b": 1},
    ):
        assert row_from_json(bad) is None


def test_in_words():
    model = network()
    assert str(Flow(model)) == "nothing was read yet."
    flow = Flow(model, every=1)
    with ml.no_grad():
        model[0].bias.copy_(np.full(8, -10, np.float32))
    learn(model, flow, steps=1)
    assert "layer 0: 100 % of its units gave 0 for the whole batch (relu)." in str(flow)
