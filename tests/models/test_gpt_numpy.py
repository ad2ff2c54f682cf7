"""The decoder against the modules, which are its specification, and where the modules must run instead."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu
from minilm.models import GPT, GPTConfig, KVCache

pytestmark = pytest.mark.host
IDS = np.random.default_rng(0).integers(0, 11, (3, 9))


def plain(**options):
    """A model with weights large enough that softmax and GELU are far from linear."""
    rng = np.random.default_rng(1)
    model = GPT(GPTConfig(11, 12, 2, 2, 8, **options), rng).to(cpu).eval()
    for p in model.parameters():
        p.data = rng.standard_normal(p.shape).astype(np.float32)
    return model


def logits_by_modules(model, ids):
    with ml.no_grad():
        return model(ids).numpy()


ALL = [
    {"bias": bias, "tie_weights": tied, "position": position, "dropout": dropout}
    for bias, tied, position, dropout in itertools.product(
        [True, False], [True, False], ["learned", "sinusoidal"], [0.0, 0.5]
    )
] + [{"activation": "gelu_new"}]


@pytest.mark.parametrize("options", ALL, ids=str)
def test_each_token_has_the_modules_logits(options):
    model = plain(**options)
    expected, cache = logits_by_modules(model, IDS), KVCache(model, 3)
    for position in range(IDS.shape[1]):
        with ml.no_grad():
            logits, _ = model.next_logits(IDS[:, : position + 1], cache)
        assert cache.decoder is not None
        assert cache.length == position + 1
        np.testing.assert_allclose(logits.numpy(), expected[:, position], rtol=1e-4, atol=1e-4)


def test_it_follows_a_prompt_that_the_modules_read():
    model = plain()
    with ml.no_grad():
        _, cache = model.next_logits(IDS[:, :6], None)
        logits, _ = model.next_logits(IDS[:, :7], cache)
    np.testing.assert_allclose(logits.numpy(), logits_by_modules(model, IDS[:, :7])[:, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{"elementwise_affine": False}, {"bias": False}, {"eps": 0.5}], ids=str)
def test_layer_norms_of_every_kind(options):
    model = plain()
    model.blocks[0].ln_2, model.ln_f = (ml.nn.LayerNorm(8, **options).to(cpu) for _ in range(2))
    expected, cache = logits_by_modules(model, IDS), KVCache(model, 3)
    for position in range(IDS.shape[1]):
        with ml.no_grad():
            logits, _ = model.next_logits(IDS[:, : position + 1], cache)
        np.testing.assert_allclose(logits.numpy(), expected[:, position], rtol=1e-4, atol=1e-4)
    assert cache.decoder is not None


def test_norms_whose_weights_have_gaps_in_memory():
    """A compiled loop takes none."""
    model, texts = plain(), []
    for gaps in (False, True):
        for block in model.blocks if gaps else ():
            block.ln_1.weight.data = np.repeat(block.ln_1.weight.data, 2)[::2]
        ml.manual_seed(0)
        texts.append(model.generate([[1, 2]], 8))
    assert texts[0] == texts[1]


def test_gelu_of_any_number():
    model = plain()
    decoder = KVCache(model, 1).decoder
    x = np.zeros((1, 32), np.float32)
    x[0, :17] = [-1e19, -1e4, -50, -40, -6, -3, -1, -1e-3, 0, 1e-3, 1, 3, 6, 40, 50, 1e4, 1e19]
    expected = ml.nn.functional.gelu(x.astype(np.float64))
    np.testing.assert_allclose(decoder.gelu(x), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "dtype"), [({"position": "rotary"}, "float32"), ({"norm": "rms"}, "float32"), ({}, "float64")]
)
def test_other_models_are_left_to_their_modules(options, dtype):
    model = plain(**options).to(dtype)
    assert KVCache(model, 1).decoder is None
    assert len(model.generate([[1, 2]], 3, seed=0)[0]) == 3


def test_a_changed_model_is_left_to_its_modules():
    class Twice(ml.nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2.0

    model = plain()
    model.blocks[1].mlp.c_fc = Twice(8, 32).to(cpu)
    assert KVCache(model, 1).decoder is None
    model = plain()
    model.blocks[1].__class__ = type("Derived", (ml.models.gpt.Block,), {})
    assert KVCache(model, 1).decoder is None
    model = plain()
    model.ln_f.register_forward_hook(lambda module, inputs, output: output * 0.0)
    assert KVCache(model, 1).decoder is None


def modules_called(run):
    """How often the model's embedding is called as a module while `run` generates two tokens after the prompt's."""
    model, calls = plain(), []
    forward = model.wte.forward
    object.__setattr__(model.wte, "forward", lambda ids: calls.append(ids) or forward(ids))
    run(model)
    return len(calls)


@pytest.mark.fused
def test_who_watches_sees_modules():
    def traced(model):
        with ml.trace():
            model.generate([[1, 2]], 3)

    def composed(model):
        with ml.use_fused(False):
            model.generate([[1, 2]], 3)

    assert modules_called(lambda model: model.generate([[1, 2]], 3)) == 1  # the prompt
    assert modules_called(traced) == modules_called(composed) == 3


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
