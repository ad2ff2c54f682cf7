"""Linear layers of 8 and 4 bits: equal to the dequantized product, forward and backward, and small."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device
from minilm.formats.blocks import dequantize
from minilm.formats.blocks import quantize as to_blocks
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import GPT, GPTConfig
from minilm.nn.quantized import KINDS, QuantizedLinear, compensated, input_grams, quantize


def linear(out=5, width=64, seed=0, bias=True):
    layer, rng = nn.Linear(width, out, bias=bias), np.random.default_rng(seed)
    nn.init.normal_(layer.weight, rng=rng)
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_forward_is_the_dequantized_product(kind, device):
    layer = linear().to(device)
    quantized = QuantizedLinear(layer, kind)
    x = np.random.default_rng(1).standard_normal((2, 3, 64)).astype(np.float32)
    weight = quantized.dequantized().numpy()
    y = quantized(ml.tensor(x, device=device)).numpy()
    np.testing.assert_allclose(y, x @ weight.T + layer.bias.numpy(), rtol=1e-5, atol=1e-5)
    error = np.abs(weight - layer.weight.numpy())
    steps = quantized.scales.numpy().astype(np.float32)[..., None]
    assert (error.reshape(*steps.shape[:2], -1) <= np.abs(steps) / 2 * (1 + 1e-4)).all()


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_blocks_are_those_of_files(kind):
    layer = linear()
    np.testing.assert_array_equal(
        QuantizedLinear(layer, kind).dequantized().numpy(), dequantize(kind, to_blocks(kind, layer.weight.numpy()))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_input(kind, device):
    quantized = QuantizedLinear(linear().to(device), kind).to("float64")
    x = ml.Tensor(to_device(np.random.default_rng(1).standard_normal((2, 64)), device), True)
    gradcheck(quantized, x)
    gradgradcheck(lambda x: quantized(x) ** 2, x, directions=2)
    quantized(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[0], quantized.dequantized(np.float64).numpy().sum(axis=0), rtol=1e-12)
    assert [name for name, _ in quantized.named_parameters()] == ["bias"]


@pytest.mark.parametrize(("kind", "nbytes"), [("int8", 5 * 64 + 5 * 4), ("Q8_0", 5 * 68), ("Q4_0", 5 * 36)])
def test_size(kind, nbytes):
    assert QuantizedLinear(linear(bias=False), kind).nbytes == nbytes
    assert QuantizedLinear(linear(), kind).nbytes == nbytes + 5 * 4


def test_one_large_weight_spoils_its_group_alone():
    layer = linear(1)
    with ml.no_grad():
        layer.weight[0, 3] = 1000.0
    off = {k: np.abs(QuantizedLinear(layer, k).dequantized().numpy() - layer.weight.numpy())[0] for k in KINDS}
    assert off["Q8_0"][:32].mean() > 20 * off["Q8_0"][32:].mean()
    assert off["int8"][32:].mean() > 20 * off["Q8_0"][32:].mean()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saved_state_comes_back(dtype):
    first, second = (QuantizedLinear(linear(seed=s), "Q4_0").to(dtype) for s in (0, 1))
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(first.dequantized().numpy(), second.dequantized().numpy())
    assert second(ml.ones(2, 64).astype(dtype)).dtype == dtype


def test_a_model():
    model = GPT(GPTConfig(20, 8, 1, 2, 32), rng=np.random.default_rng(0))
    ids = np.arange(8)[None]
    before = model(ids).numpy()
    assert quantize(model, "Q4_0", ["c_attn", "c_proj", "c_fc"]) == [
        "blocks.0.attn.c_attn", "blocks.0.attn.c_proj", "blocks.0.mlp.c_fc", "blocks.0.mlp.c_proj",
    ]  # fmt: skip
    after = model(ids).numpy()
    assert 0 < np.abs(after - before).max() < 0.2 * np.abs(before).max()
    assert model.lm_head.weight is model.wte.weight
    assert "kind='Q4_0'" in repr(model)
    assert len(model.generate([[1, 2]], 3, temperature=0)[0]) == 3


def test_a_shared_layer_stays_one():
    layer = linear(64)
    model = nn.Sequential(layer, layer)
    assert quantize(model, "int8") == ["0", "1"]
    assert model[0] is model[1]


def test_wrong_input():
    with pytest.raises(ValueError, match="kind must be one of int8, Q4_0, Q8_0; got 'int4'"):
        QuantizedLinear(linear(), "int4")
    with pytest.raises(ValueError, match=r"rows of 32, 2 \* 32"):
        QuantizedLinear(linear(width=48), "Q4_0")
    broken = linear()
    with ml.no_grad():
        broken.weight[1, 2] = np.nan
    for kind in KINDS:
        with pytest.raises(ValueError, match="finite|NaN"):
            QuantizedLinear(broken, kind)
    with pytest.raises(ValueError, match=r"expected an input of shape \(\.\.\., 64\), got \(2, 32\)"):
        QuantizedLinear(linear())(ml.ones(2, 32))
    with pytest.raises(ValueError, match="not in int8"):
        QuantizedLinear(linear(), "int8", np.eye(64))
    model = nn.Sequential(linear(64), linear(64, 48))
    with pytest.raises(ValueError, match="Q4_0"):
        quantize(model, "Q4_0")
    assert type(model[0]) is nn.Linear
    assert QuantizedLinear(linear())(ml.zeros(0, 64)).shape == (0, 5)


# -- compensated rounding ---------------------------------------------------------------------------------------------


def correlated(n=400, width=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 8)) @ rng.standard_normal((8, width)) + 0.1 * rng.standard_normal((n, width))
    return x.astype(np.float32)


def compensated_naive(weight, gram, kind, damping=0.01):
    """The specification: column by column, with the inverse of what remains made anew each time."""
    columns = weight.shape[1]
    H = gram + damping * np.trace(gram) / columns * np.eye(columns)
    w = weight.astype(np.float64)
    done = np.zeros_like(w)
    half = {"Q4_0": 8, "Q8_0": 128}[kind]
    for j in range(columns):
        if j % 32 == 0:
            raw = to_blocks(kind, w[:, j : j + 32])
            d = np.ascontiguousarray(raw[..., :2]).view(np.float16)[:, 0, 0].astype(np.float64)
        done[:, j] = d * np.clip(np.rint(w[:, j] / d), -half, half - 1)
        inverse = np.linalg.inv(H[j:, j:])
        w[:, j:] -= np.outer((w[:, j] - done[:, j]) / inverse[0, 0], inverse[0])
    return done


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_compensated_is_the_naive_version(kind):
    weight, x = linear().weight.numpy(), correlated()
    gram = (x.T @ x).astype(np.float64)
    np.testing.assert_allclose(
        dequantize(kind, compensated(weight, gram, kind)), compensated_naive(weight, gram, kind), rtol=1e-5, atol=1e-6
    )


def test_outputs_err_less_than_with_the_nearest():
    weight, x = linear().weight.numpy(), correlated()
    nearest = dequantize("Q4_0", to_blocks("Q4_0", weight))
    better = dequantize("Q4_0", compensated(weight, x.T @ x))
    errors = [np.square(x @ (w - weight).T).sum() for w in (nearest, better)]
    assert errors[1] < 0.5 * errors[0]
    assert np.square(better - weight).sum() > np.square(nearest - weight).sum()


def test_inputs_that_have_nothing_to_do_with_each_other_leave_the_nearest():
    weight = linear().weight.numpy()
    np.testing.assert_array_equal(compensated(weight, np.eye(64)), to_blocks("Q4_0", weight))


def test_columns_that_are_all_zeros_stay():
    weight, x = linear().weight.numpy().copy(), correlated()
    weight[:, :32] = 0.0
    found = dequantize("Q4_0", compensated(weight, x.T @ x))
    assert np.isfinite(found).all()
    assert (found[:, :32] == 0).all()


def test_grams_of_a_model():
    model, x = nn.Sequential(linear(64), nn.ReLU(), linear(3)), correlated(10)
    with input_grams(model) as grams:
        model(ml.Tensor(x[:4]))
        model(ml.Tensor(x[4:].reshape(2, 3, 64)))
    np.testing.assert_allclose(grams["0"], x.T @ x, rtol=1e-4, atol=1e-3)
    assert grams["2"].shape == (64, 64)
    assert set(grams) == {"0", "2"}
    kept = {name: gram.copy() for name, gram in grams.items()}
    model(ml.Tensor(x))
    np.testing.assert_array_equal(grams["0"], kept["0"])
    weight = model[0].weight.numpy()
    quantize(model, "Q4_0", grams=grams)
    np.testing.assert_array_equal(model[0].dequantized().numpy(), dequantize("Q4_0", compensated(weight, kept["0"])))


@pytest.mark.parametrize("gram", [np.eye(32), np.full((64, 64), np.nan), np.zeros((64, 64))])
def test_a_gram_that_does_not_fit(gram):
    with pytest.raises(ValueError, match=r"the gram of a weight \(5, 64\)"):
        compensated(linear().weight.numpy(), gram)
