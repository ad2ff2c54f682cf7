"""Llama: its formula, gradients of each part and the whole, causality, and the KV cache against the full forward pass."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import KVCache
from minilm.models.llama import GroupedQueryAttention, Llama, LlamaConfig, LlamaLayer, SwiGLU

SMALL = {
    "vocab_size": 7,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 6,
    "rope_theta": 50.0,
}
VARIANTS = [
    {},
    {"num_key_value_heads": 1},
    {"num_key_value_heads": 4},
    {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    {"head_dim": 6, "rms_norm_eps": 0.1},
]
IDS, TARGETS = np.array([[1, 2, 3, 3, 0], [6, 5, 1, 1, 2]]), np.array([[2, 3, 3, 0, 4], [5, 1, 1, 2, 6]])


def small(**options):
    return Llama(LlamaConfig(**{**SMALL, **options}), np.random.default_rng(0))


def in_float64(module):
    """Larger weights than at the start, and norms that are not 1, so that no part is lost in the small ones."""
    module.to("float64")
    rng = np.random.default_rng(1)
    for p in module.parameters():
        with ml.no_grad():
            p.copy_(ml.Tensor(rng.standard_normal(p.shape) * 0.5))
    return module


def inputs(*shape):
    return ml.Tensor(np.random.default_rng(2).standard_normal(shape), requires_grad=True)


@pytest.mark.parametrize(
    "options", [VARIANTS[3], *(pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS[:3] + VARIANTS[4:])], ids=str
)
def test_gradient_of_every_parameter(options):
    model = in_float64(small(**options))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradcheck(lambda *_: model.loss(IDS, TARGETS), *parameters, directions=2)
    for name, p in zip(names, parameters, strict=True):
        model.zero_grad()
        model.loss(IDS, TARGETS).backward()
        if not name.endswith("k_proj.bias"):  # softmax does not see what is added to all scores of a row alike
            assert np.abs(p.grad.numpy()).max() > 0, name


@pytest.mark.slow
@pytest.mark.parametrize("options", VARIANTS[1:4], ids=str)
def test_second_derivative_of_the_whole_model(options):
    model = in_float64(small(**options, num_hidden_layers=1))
    gradgradcheck(lambda *_: model.loss(IDS, TARGETS), *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options", [VARIANTS[0], *(pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS[1:])], ids=str
)
@pytest.mark.parametrize("part", [GroupedQueryAttention, SwiGLU, LlamaLayer])
def test_gradients_of_each_part_to_second_order(part, options):
    layer = in_float64(part(LlamaConfig(**{**SMALL, **options})))
    x = inputs(2, 3, 8)
    gradcheck(lambda x, *_: layer(x), x, *layer.parameters(), directions=2)
    gradgradcheck(lambda x, *_: layer(x), x, *layer.parameters(), directions=1, rtol=1e-4, atol=1e-6)


def by_hand(model, ids):
    """The equations of the model's docstring, head by head, with rotations as matrices."""
    w, config = {name: p.numpy() for name, p in model.named_parameters()}, model.config
    D, each = config.head_dim, config.num_attention_heads // config.num_key_value_heads

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)

    def norm(x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config.rms_norm_eps) * w[f"{name}.weight"]

    def rotation(t):
        turn = np.zeros((D, D))
        for i in range(D // 2):
            a = t * config.rope_theta ** (-2 * i / D)
            turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        return turn

    def rotated(x):
        return np.stack([x[:, t] @ rotation(t).T for t in range(x.shape[1])], axis=1)

    def attention(x, name):
        q, k, v = (
            np.split(linear(x, f"{name}.{part}"), heads, -1)
            for part, heads in [("q_proj", config.num_attention_heads), *[(p, config.num_key_value_heads) for p in ("k_proj", "v_proj")]]
        )  # fmt: skip
        heads = []
        for i, query in enumerate(q):
            key, value = k[i // each], v[i // each]
            e = np.exp(rotated(query) @ np.swapaxes(rotated(key), -1, -2) / np.sqrt(D)) * np.tri(x.shape[1])
            heads.append(e / e.sum(-1, keepdims=True) @ value)
        return linear(np.concatenate(heads, -1), f"{name}.o_proj")

    def feed_forward(x, name):
        gate = linear(x, f"{name}.gate_proj")
        return linear(gate / (1 + np.exp(-gate)) * linear(x, f"{name}.up_proj"), f"{name}.down_proj")

    h = w["embed_tokens.weight"][ids]
    for name in (f"layers.{i}" for i in range(config.num_hidden_layers)):
        h = h + attention(norm(h, f"{name}.input_layernorm"), f"{name}.self_attn")
        h = h + feed_forward(norm(h, f"{name}.post_attention_layernorm"), f"{name}.mlp")
    return norm(h, "norm") @ w.get("lm_head.weight", w["embed_tokens.weight"]).T


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_it_is_the_formula(options):
    model = in_float64(small(**options))
    np.testing.assert_allclose(model(IDS).numpy(), by_hand(model, IDS), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_position_sees_a_later_one(options):
    model = small(**options)
    changed = IDS.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 7
    a, b = model(IDS).numpy(), model(changed).numpy()
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    assert (a[:, 3:] != b[:, 3:]).any(-1).all()


def test_with_as_many_heads_of_keys_it_is_attention_of_many_heads():
    grouped = in_float64(GroupedQueryAttention(LlamaConfig(**{**SMALL, "num_key_value_heads": 2})))
    full = GroupedQueryAttention(LlamaConfig(**{**SMALL, "num_key_value_heads": 4})).to("float64")
    state = {name: value.numpy() for name, value in grouped.state_dict().items()}
    for name in ("k_proj.weight", "v_proj.weight"):  # each head of keys and values written down once per query head
        state[name] = np.repeat(state[name].reshape(2, 2, 8), 2, axis=0).reshape(8, 8)
    full.load_state_dict(state)
    x = inputs(2, 5, 8)
    np.testing.assert_allclose(grouped(x).numpy(), full(x).numpy(), rtol=1e-12)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("steps", [[1] * 5, [2, 3], [3, 1, 1], [5]], ids=str)
def test_cache_gives_what_the_full_pass_gives(options, steps):
    model = in_float64(small(**options)).eval()
    with ml.no_grad():
        expected = model(IDS).numpy()
        cache, start = KVCache(model, 2), 0
        for n in steps:
            got = model(IDS[:, start : start + n], cache).numpy()
            np.testing.assert_allclose(got, expected[:, start : start + n], rtol=1e-9, atol=1e-11)
            start += n
            assert cache.length == start


def test_the_cache_keeps_the_heads_of_keys_and_values_only():
    cache = KVCache(small(num_key_value_heads=1), 3)
    assert cache.layers[0].keys.shape == (3, 1, 6, 2)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_prompts_of_a_batch_are_continued_as_each_alone(options):
    model = small(**options, max_position_embeddings=40)
    for p in model.parameters():
        if p.ndim == 2:
            p.data *= 20
    prompts = [[1, 2, 3, 4, 5, 6], [3], [2, 2, 2]]
    together = model.generate(prompts, 20, temperature=0)
    assert together == [model.generate([prompt], 20, temperature=0)[0] for prompt in prompts]
    assert together == model.generate(prompts, 20, temperature=0, use_cache=False)


def test_a_context_that_is_too_long_is_cut_to_its_end():
    model = small()
    ids = np.array([[1, 2, 3, 4, 5, 6, 0, 1]])
    logits, cache = model.next_logits(ids, KVCache(model, 1))
    assert cache is None
    np.testing.assert_allclose(logits.numpy(), model(ids[:, -6:])[:, -1].numpy(), rtol=1e-6)
    assert len(model.generate([[1, 2]], 12, temperature=0)[0]) == 12


def test_room_grows_with_what_is_written():
    model = small(max_position_embeddings=3000)
    cache = KVCache(model, 1)
    ids = np.random.default_rng(0).integers(0, 7, (1, 700))
    with ml.no_grad():
        expected = model(ids).numpy()
        got = [model(ids[:, start : start + 175], cache).numpy() for start in range(0, 700, 175)]
        assert cache.layers[0].keys.shape[2] == 1024
        np.testing.assert_allclose(np.concatenate(got, axis=1), expected, rtol=1e-4, atol=1e-6)
        with pytest.raises(
            ValueError, match=r"expected ids of shape \(batch, 1 to 2300 tokens\) after 700 in the cache"
        ):
            model(np.zeros((1, 2301), np.int64), cache)
        with pytest.raises(ValueError, match="a cache for 3000 tokens holds 700 already; 2400 more do not fit"):
            cache.layers[0].append(np.zeros((1, 2, 2400, 2)), np.zeros((1, 2, 2400, 2)))


def test_the_last_logits_alone():
    model = small().eval()
    np.testing.assert_allclose(model(IDS, last_only=True).numpy(), model(IDS)[:, -1:].numpy(), rtol=1e-5, atol=1e-7)


def test_tied_weights_are_one_parameter():
    model = small(tie_word_embeddings=True)
    assert model.lm_head.weight is model.embed_tokens.weight
    assert "lm_head.weight" not in dict(model.named_parameters())


def test_decay_is_for_matrices():
    decayed, kept = small(attention_bias=True).decay_groups(0.1)
    assert all(p.ndim == 2 for p in decayed["params"])
    assert all(p.ndim == 1 for p in kept["params"])
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)


def test_it_learns():
    model = small()
    optimizer = ml.optim.AdamW(model.decay_groups(0.0), lr=0.03)
    first = model.loss(IDS, TARGETS).item()
    assert first == pytest.approx(np.log(7), abs=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss(IDS, TARGETS)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"vocab_size": 0}, ValueError, "vocab_size must be at least 1, got 0"),
        ({"hidden_size": 8.0}, TypeError, "hidden_size must be an integer, got 8.0"),
        ({"num_hidden_layers": True}, TypeError, "num_hidden_layers must be an integer, got True"),
        ({"num_key_value_heads": 3}, ValueError, "num_key_value_heads=3 does not divide num_attention_heads=4"),
        ({"num_key_value_heads": 0}, ValueError, "num_key_value_heads must be at least 1"),
        ({"hidden_size": 9}, ValueError, "num_attention_heads=4 does not divide hidden_size=9"),
        ({"head_dim": 3}, ValueError, "head_dim must be even; it is 3"),
        ({"rope_theta": 0.0}, ValueError, "rope_theta above 0"),
        ({"rms_norm_eps": float("nan")}, ValueError, "rms_norm_eps must be at least 0"),
        ({"rope_theta": "10000"}, TypeError, "rope_theta must be a number"),
        ({"attention_dropout": 1.0}, ValueError, "attention_dropout must be at least 0 and less than 1"),
        ({"mlp_bias": 1}, TypeError, "mlp_bias must be True or False, got 1"),
    ],
)
def test_a_wrong_shape_is_named(wrong, error, message):
    with pytest.raises(error, match=message):
        LlamaConfig(**{**SMALL, **wrong})


def test_the_config_says_what_none_stands_for():
    config = LlamaConfig(7, 8, 12, 2, 4)
    assert (config.num_key_value_heads, config.head_dim) == (4, 2)
    assert LlamaConfig(**config.to_dict()) == config


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([1, 2], ValueError, r"expected ids of shape \(batch, 1 to 6 tokens\), got \(2,\)"),
        (np.zeros((1, 0), np.int64), ValueError, r"got \(1, 0\)"),
        ([[0] * 7], ValueError, r"got \(1, 7\); max_position_embeddings is 6"),
        ([[1.0]], TypeError, "token ids must be integers, got float64"),
        pytest.param([[7]], IndexError, "7", marks=pytest.mark.host),  # a GPU does not look
    ],
)
def test_wrong_ids_are_named(ids, error, message):
    with pytest.raises(error, match=message):
        small()(np.array(ids))
