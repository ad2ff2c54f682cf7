"""LoRA: nothing changes at the start, only adapters learn, and merged is unmerged."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.formats import safetensors
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import GPT, GPTConfig
from minilm.nn.lora import LoRALinear, add_lora, load_lora, merge_lora, save_lora
from minilm.nn.quantized import QuantizedLinear, quantize
from minilm.optim import AdamW

IDS = np.random.default_rng(0).integers(0, 20, (2, 8))


def gpt(seed=0):
    return GPT(GPTConfig(20, 8, 2, 2, 32), rng=np.random.default_rng(seed))


def learned(model, steps=3):
    """The model after some steps of those of its parameters that learn."""
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        model.zero_grad()
        model.loss(IDS, IDS).backward()
        optimizer.step()
    return model


def test_at_the_start_nothing_changes():
    model = gpt()
    before = model(IDS).numpy()
    assert len(add_lora(model, 4)) == 9
    np.testing.assert_array_equal(model(IDS).numpy(), before)


def test_by_hand(device):
    layer = LoRALinear(nn.Linear(3, 2).to(device).to("float64"), 2, 6.0)
    rng = np.random.default_rng(0)
    nn.init.normal_(layer.B, rng=rng)
    W, b, A, B = (t.numpy() for t in (layer.base.weight, layer.base.bias, layer.A, layer.B))
    x = rng.standard_normal((4, 3))
    np.testing.assert_allclose(layer(ml.tensor(x, dtype="float64", device=device)).numpy(), x @ (W + 3.0 * B @ A).T + b)
    assert layer.A.dtype == layer.B.dtype == np.float64
    assert layer.A.device is device
    assert [name for name, p in layer.named_parameters() if p.requires_grad] == ["A", "B"]


@pytest.mark.parametrize("kind", [None, "Q4_0"])
def test_derivatives(kind):
    base = nn.Linear(32, 3)
    layer = LoRALinear(base if kind is None else QuantizedLinear(base, kind), 2, 1.0).to("float64")
    nn.init.normal_(layer.B, rng=np.random.default_rng(0))
    x = ml.Tensor(np.random.default_rng(1).standard_normal((2, 32)), True)

    def f(x, A, B):
        layer.__dict__.update(A=A, B=B)
        return layer(x)

    arguments = x, layer.A, layer.B
    gradcheck(f, *arguments)
    gradgradcheck(f, *arguments, rtol=1e-4, atol=1e-6, directions=2)


def test_only_the_adapters_get_gradients():
    model = gpt()
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    add_lora(model, 4, targets=["c_attn"])
    learned(model)
    for name, p in model.named_parameters():
        assert (p.grad is not None) == name.endswith((".A", ".B")) == p.requires_grad, name
        old = before.get(name.replace(".base", ""))
        if old is not None:
            np.testing.assert_array_equal(p.numpy(), old)
    assert np.abs(model.blocks[0].attn.c_attn.B.numpy()).max() > 0


def test_how_many_numbers_learn():
    model = gpt()
    total = model.num_parameters()
    add_lora(model, 4, targets=["c_attn", "c_fc"])
    assert model.num_parameters(trainable=True) == 2 * 4 * ((32 + 96) + (32 + 128))
    assert model.num_parameters() == total + model.num_parameters(trainable=True)
    model.lm_head.requires_grad_(True)
    assert model.num_parameters(trainable=True) == 2 * 4 * ((32 + 96) + (32 + 128)) + 20 * 32


def test_merged_is_unmerged():
    model = gpt()
    names = add_lora(model, 4, 3.0, ["c_attn", "c_proj"])
    learned(model)
    before, plain = model(IDS).numpy(), gpt()
    assert np.abs(before - plain(IDS).numpy()).max() > 0.1
    assert merge_lora(model) == names
    np.testing.assert_allclose(model(IDS).numpy(), before, rtol=1e-4, atol=1e-5)
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in plain.named_parameters()]
    assert not any(p.requires_grad for p in model.parameters())
    plain.load_state_dict(model.state_dict())


def test_a_merged_tie_is_added_once():
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, layer)
    add_lora(model, 1)
    assert model[0] is model[1]
    nn.init.normal_(model[0].B, rng=np.random.default_rng(0))
    x = ml.ones(2, 3)
    before = model(x).numpy()
    merge_lora(model)
    np.testing.assert_allclose(model(x).numpy(), before, rtol=1e-5)
    assert model[0] is model[1] is layer


def test_files_hold_the_adapters_alone(tmp_path):
    model = gpt()
    add_lora(model, 4, 3.0, ["c_attn"])
    learned(model)
    save_lora(model, tmp_path / "adapters.safetensors")
    arrays, alphas = safetensors.read_all(tmp_path / "adapters.safetensors")
    assert set(alphas) == {"blocks.0.attn.c_attn", "blocks.1.attn.c_attn"}
    assert sum(a.size for a in arrays.values()) == model.num_parameters(trainable=True)
    for other in (gpt(), copy_with_other_adapters()):
        assert load_lora(other, tmp_path / "adapters.safetensors") == sorted(alphas)
        np.testing.assert_array_equal(other(IDS).numpy(), model(IDS).numpy())
        assert other.num_parameters(trainable=True) == model.num_parameters(trainable=True)


def copy_with_other_adapters():
    model = gpt()
    add_lora(model, 2, targets=["c_attn"])
    return learned(model)


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "file.safetensors"
    model = gpt()
    with pytest.raises(ValueError, match="GPT has no adapters: add_lora"):
        save_lora(model, path)
    add_lora(model, 4, targets=["c_attn"])
    save_lora(model, path)
    small = GPT(GPTConfig(20, 8, 2, 2, 16))
    with pytest.raises(
        ValueError,
        match=r"adapter \(96, 4\) @ \(4, 32\) for blocks.0.attn.c_attn; the model has Linear\(in_features=16",
    ):
        load_lora(small, path)
    with pytest.raises(ValueError, match="the model has no linear layer there"):
        load_lora(nn.Sequential(nn.Linear(32, 96)), path)
    assert all(p.requires_grad for p in small.parameters())
    safetensors.write(path, {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="holds no adapters"):
        load_lora(gpt(), path)


def test_beside_quantized_weights():
    model = gpt()
    quantize(model, "Q4_0", ["c_attn"])
    before = model(IDS).numpy()
    add_lora(model, 2, targets=["c_attn"])
    np.testing.assert_array_equal(model(IDS).numpy(), before)
    loss = float(model.loss(IDS, IDS))
    assert float(learned(model).loss(IDS, IDS)) < loss
    with pytest.raises(ValueError, match="quantized weights, which cannot take up a sum"):
        merge_lora(model)


def test_seeds_decide_a():
    models = [gpt() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        add_lora(model, 2, rng=np.random.default_rng(seed))
    first, second, third = (model.blocks[0].attn.c_attn.A.numpy() for model in models)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 0.1
    assert np.abs(first).max() <= 1 / np.sqrt(32)


def test_modes_are_kept():
    model = gpt().eval()
    add_lora(model, 2)
    assert not any(module.training for module in model.modules())


def test_wrong_input():
    model = gpt()
    for rank, error in ((0, ValueError), (2.0, TypeError), (33, ValueError)):
        with pytest.raises(error, match="rank"):
            add_lora(model, rank)
    for alpha in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="alpha must be positive"):
            add_lora(model, 2, alpha)
    with pytest.raises(ValueError, match="no linear layer 'q_proj'"):
        add_lora(model, 2, targets=["q_proj"])
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="has no adapters"):
        merge_lora(model)
    add_lora(model, 2)
    with pytest.raises(ValueError, match=r"adapters already, such as lm_head"):
        add_lora(model, 2)
    layer = LoRALinear(nn.Linear(3, 2), 1, 1.0)
    assert layer(ml.zeros(0, 3)).shape == (0, 2)
    with pytest.raises(ValueError, match=r"expected an input of shape \(\.\.\., 3\), got \(2, 4\)"):
        layer(ml.ones(2, 4))
