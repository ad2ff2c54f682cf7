"""GPT: its formula, gradients of the whole model, causality, initialisation, and the KV cache against the full forward pass."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import GPT, GPTConfig, KVCache
from minilm.optim import AdamW

VARIANTS = [
    {},
    {"bias": False},
    {"tie_weights": False},
    {"position": "sinusoidal"},
    {"position": "rotary"},
    {"activation": "gelu_new"},
    {"norm": "rms", "bias": False},
]


def small(device=None, **options):
    ml.random.manual_seed(0)
    defaults = {"vocab_size": 7, "block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 8}
    model = GPT(GPTConfig(**{**defaults, **options}))
    return model if device is None else model.to(device)


def in_float64(model):
    """Larger weights than GPT-2's, so that no gradient is lost in the small ones."""
    model.to("float64")
    rng = np.random.default_rng(0)
    for p in model.parameters():
        with ml.no_grad():
            p.copy_(ml.Tensor(rng.standard_normal(p.shape) * 0.4))
    return model


IDS, TARGETS = np.array([[1, 2, 3, 3, 0], [6, 5, 1, 1, 2]]), np.array([[2, 3, 3, 0, 4], [5, 1, 1, 2, 6]])


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_gradient_of_every_parameter(options):
    model = in_float64(small(**options))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradcheck(lambda *_: model.loss(IDS, TARGETS), *parameters, directions=2)
    for name, p in zip(names, parameters, strict=True):
        model.zero_grad()
        model.loss(IDS, TARGETS).backward()
        assert np.abs(p.grad.numpy()).max() > 0, name


@pytest.mark.parametrize("options", VARIANTS[:1] + VARIANTS[4:], ids=str)
def test_second_derivative_of_the_whole_model(options):
    model = in_float64(small(**options, n_layer=1))
    gradgradcheck(lambda *_: model.loss(IDS, TARGETS), *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


def test_gradient_with_dropout_on():
    model = in_float64(small(dropout=0.3))

    def loss(*_):
        ml.random.manual_seed(3)
        return model.loss(IDS, TARGETS)

    gradcheck(loss, *model.parameters(), directions=2)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_position_sees_a_later_one(options):
    model = small(**options)
    changed = IDS.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 7
    a, b = model(IDS).numpy(), model(changed).numpy()
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    assert (a[:, 3:] != b[:, 3:]).any(-1).all()


def by_hand(model, ids):
    """The equations of the model's docstring, with GPT-2's choices (layer norm, learned positions, biases), head by head."""
    w, config = {name: p.numpy() for name, p in model.named_parameters()}, model.config

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attention(x, name):
        heads = []
        for q, k, v in zip(
            *(np.split(part, config.n_head, -1) for part in np.split(linear(x, f"{name}.c_attn"), 3, -1)), strict=True
        ):
            e = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])) * np.tri(ids.shape[1])
            heads.append(e / e.sum(-1, keepdims=True) @ v)
        return linear(np.concatenate(heads, -1), f"{name}.c_proj")

    def gelu(x):
        return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / np.sqrt(2.0)))

    h = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]
    for name in (f"blocks.{i}" for i in range(config.n_layer)):
        h = h + attention(norm(h, f"{name}.ln_1"), f"{name}.attn")
        h = h + linear(gelu(linear(norm(h, f"{name}.ln_2"), f"{name}.mlp.c_fc")), f"{name}.mlp.c_proj")
    return norm(h, "ln_f") @ w["wte.weight"].T


def test_it_is_the_formula():
    model = in_float64(small())
    np.testing.assert_allclose(model(IDS).numpy(), by_hand(model, IDS), rtol=1e-9, atol=1e-11)


def test_loss_at_the_start_is_that_of_guessing():
    assert small().loss(IDS, TARGETS).item() == pytest.approx(np.log(7), abs=0.02)


def test_initialisation_is_gpt2s():
    ml.random.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=500, block_size=100, n_layer=8, n_head=4, n_embd=64))
    spread = {name: p.numpy().std() for name, p in model.named_parameters() if p.ndim == 2}
    for name, s in spread.items():
        want = 0.02 / np.sqrt(16) if name.endswith("c_proj.weight") else 0.02
        assert s == pytest.approx(want, rel=0.05), name
    assert not any(p.numpy().any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_number_of_parameters_is_nanogpts():
    config = GPTConfig(vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128, bias=False)
    count = sum(p.size for p in GPT(config).parameters())
    assert count - 64 * 128 == 795_904  # nanoGPT prints 0.80M: it leaves out the positions


def test_tied_weights_are_one_parameter_with_both_gradients():
    model = small()
    assert model.lm_head.weight is model.wte.weight
    assert sum(name.endswith(("wte.weight", "lm_head.weight")) for name, _ in model.named_parameters()) == 1


def test_decay_is_for_matrices():
    model = small()
    decay, rest = model.decay_groups(0.1)
    assert {p.ndim for p in decay["params"]} == {2}
    assert {p.ndim for p in rest["params"]} == {1}
    assert (decay["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    assert {id(p) for p in decay["params"] + rest["params"]} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_cache_gives_what_the_full_pass_gives(options):
    model = small(**options).eval()
    ids = np.array([[1, 2, 3, 4, 5, 6], [0, 0, 6, 1, 1, 2]])
    with ml.no_grad():
        full = model(ids).numpy()
        for cuts in ([1, 1, 1, 1, 1, 1], [3, 1, 2], [6], [2, 4]):
            cache, start = KVCache(model, 2), 0
            for n in cuts:
                part = model(ids[:, start : start + n], cache).numpy()
                np.testing.assert_allclose(part, full[:, start : start + n], atol=2e-6)
                start += n


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_generation_is_the_same_with_and_without_the_cache(options):
    model = small(**options)
    with ml.no_grad():
        for p in model.parameters():
            p *= 20.0  # so that the choice is not a coin's
    for temperature in (0.0, 1.0):
        cached, plain = (
            model.generate([[1, 2, 3], [4]], 12, temperature=temperature, seed=3, use_cache=use)
            for use in (True, False)
        )
        assert cached == plain
        assert [len(row) for row in cached] == [12, 12]


def test_a_context_that_is_too_long_is_cut_to_its_end():
    model, context = in_float64(small()), [5, 0, 2, 1, 2, 3, 4, 5, 6]
    logits, cache = model.next_logits([context], None)
    assert cache is None
    np.testing.assert_allclose(logits.numpy(), model(np.array([context[-6:]])).numpy()[:, -1], rtol=1e-12)


def test_learns_a_sequence_by_heart():
    model = small(n_embd=16)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    x = np.array([[0, 1, 2, 3, 4, 5]])
    for _ in range(60):
        loss = model.loss(x, (x + 1) % 7)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert model.generate([[0, 1]], 4, temperature=0)[0] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_head": 3}, "does not divide"), ({"vocab_size": 0}, "vocab_size must be a positive"), ({"dropout": 1.0}, "dropout"),
     ({"position": "x"}, "position must be"), ({"norm": "x"}, "norm must be"), ({"n_layer": True}, "n_layer"),
     ({"activation": "relu"}, "activation must be"),
     ({"n_embd": 6, "n_head": 2, "position": "rotary"}, "pairs")],
)  # fmt: skip
def test_wrong_configs_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.host
def test_wrong_inputs_are_named():
    model = small()
    with pytest.raises(ValueError, match=r"1 to 6 tokens.*\(1, 7\)"):
        model(np.zeros((1, 7), int))
    with pytest.raises(ValueError, match="1 to 6 tokens"):
        model(np.zeros((1, 0), int))
    with pytest.raises(ValueError, match="expected ids of shape"):
        model([1, 2])
    with pytest.raises(IndexError, match="7"):
        model([[7]])
    with pytest.raises(TypeError, match="integers"):
        model([[0.5]])


@pytest.mark.host
def test_on_the_device_under_test(device):
    model, reference = small(device), small()
    loss, want = model.loss(IDS, TARGETS), reference.loss(IDS, TARGETS)
    loss.backward()
    want.backward()
    assert loss.item() == pytest.approx(want.item(), rel=1e-6)
    for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-6, err_msg=name)
    assert model.generate([[1, 2]], 8, seed=0) == reference.generate([[1, 2]], 8, seed=0)


def test_segments_are_no_part_of_what_the_model_is():
    config = GPTConfig(vocab_size=7, block_size=6, n_layer=2, n_head=1, n_embd=4)
    plain, model = (GPT(config, np.random.default_rng(0)) for _ in range(2))
    model.checkpoint_segments = 2
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert model.config.to_dict() == plain.config.to_dict()
    assert model.generate([[1, 2]], 3, temperature=0) == plain.generate([[1, 2]], 3, temperature=0)
    cache = KVCache(model, 1)
    np.testing.assert_allclose(model([[1, 2]], cache).numpy(), plain([[1, 2]]).numpy(), rtol=1e-6)
    model.checkpoint_segments = 3
    with pytest.raises(ValueError, match="from 1 to the number of functions, 2; got 3"):
        model([[1, 2]])
