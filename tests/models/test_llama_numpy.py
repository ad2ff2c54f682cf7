"""Llama's decoder against the modules, which are its specification, and where the modules must run instead."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu
from minilm.models import KVCache
from minilm.models.llama import Llama, LlamaConfig, LlamaLayer
from minilm.models.storage import compress

pytestmark = pytest.mark.host
IDS = np.random.default_rng(0).integers(0, 11, (3, 9))


def plain(**options):
    """A model with weights large enough that softmax and SiLU are far from linear."""
    rng = np.random.default_rng(1)
    shape = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 700, "rope_theta": 50.0, **options}  # fmt: skip
    model = Llama(LlamaConfig(**shape), rng).to(cpu).eval()
    for p in model.parameters():
        p.data = (rng.standard_normal(p.shape) * 0.7).astype(np.float32)
    return model


def logits_by_modules(model, ids):
    with ml.no_grad():
        return model(ids).numpy()


def expect_each_token(model, ids=IDS):
    expected, cache = logits_by_modules(model, ids), KVCache(model, len(ids))
    for position in range(ids.shape[1]):
        with ml.no_grad():
            logits, _ = model.next_logits(ids[:, : position + 1], cache)
        assert cache.decoder is not None
        assert cache.length == position + 1
        np.testing.assert_allclose(logits.numpy(), expected[:, position], rtol=2e-4, atol=2e-4)


ALL = [
    {"attention_bias": bias, "mlp_bias": not bias, "tie_word_embeddings": tied, "num_key_value_heads": heads, **more}
    for bias, tied, heads, more in itertools.product([True, False], [True, False], [1, 2, 4], [{}, {"head_dim": 6}])
]


@pytest.mark.parametrize("options", ALL, ids=str)
def test_each_token_has_the_modules_logits(options):
    expect_each_token(plain(**options))


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_with_stored_weights(kind):
    model = plain(tie_word_embeddings=True, attention_bias=True)
    expect_each_token(compress(model, kind))


def test_it_follows_a_prompt_that_the_modules_read():
    model = plain()
    with ml.no_grad():
        _, cache = model.next_logits(IDS[:, :6], None)
        logits, _ = model.next_logits(IDS[:, :7], cache)
    np.testing.assert_allclose(logits.numpy(), logits_by_modules(model, IDS[:, :7])[:, -1], rtol=1e-4, atol=1e-4)


def test_positions_beyond_the_first_tables():
    expect_each_token(plain(num_hidden_layers=1), np.random.default_rng(0).integers(0, 11, (1, 520)))


@pytest.mark.parametrize("options", [{"elementwise_affine": False}, {"eps": 0.5}], ids=str)
def test_norms_of_every_kind(options):
    model = plain()
    model.layers[0].post_attention_layernorm, model.norm = (ml.nn.RMSNorm(8, **options).to(cpu) for _ in range(2))
    expect_each_token(model)


def test_gate_of_any_number():
    decoder = KVCache(plain(), 1).decoder
    x = np.array([[-1e30, -1e4, -100, -20, -3, -1, -1e-3, 0, 1e-3, 1, 3, 20, 100, 1e4, 1e30]], np.float32)
    with np.errstate(over="ignore"):  # the plain formula takes exp(1e30)
        expected = ml.nn.functional.silu(x.astype(np.float64))
    np.testing.assert_allclose(decoder.gated(x.copy(), np.full_like(x, 2.0)), 2 * expected, rtol=2e-6, atol=1e-5)


def test_other_models_are_left_to_their_modules():
    class Twice(ml.nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2.0

    model = plain()
    model.layers[1].mlp.up_proj = Twice(8, 12).to(cpu)
    assert KVCache(model, 1).decoder is None
    model = plain()
    model.layers[1].__class__ = type("Derived", (LlamaLayer,), {})
    assert KVCache(model, 1).decoder is None
    model = plain()
    model.norm.register_forward_hook(lambda module, inputs, output: output * 0.0)
    assert KVCache(model, 1).decoder is None
    model = plain().to("float64")
    assert KVCache(model, 1).decoder is None
    assert len(model.generate([[1, 2]], 3, seed=0)[0]) == 3


def test_with_gradients_there_is_a_graph():
    model = plain()
    cache = KVCache(model, 3)
    for length in (1, 2):
        logits, _ = model.next_logits(IDS[:, :length], cache)
        assert logits.requires_grad


@pytest.mark.parametrize("wrong", [-1, 11])
def test_an_id_out_of_range_is_named(wrong):
    with pytest.raises(IndexError, match=f"id {wrong} at position 1, 1 is out of range"):
        plain().generate([[1], [1, wrong]], 3)
