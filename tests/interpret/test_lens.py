"""The residual stream between the layers, and what the last step reads in it."""

import numpy as np
import pytest

import minilm as ml
from minilm.interpret import hidden_states, lens_losses, read_out
from minilm.models import GPT, MLP, GPTConfig, Llama, LlamaConfig
from minilm.models.attention_only import AttentionOnly

IDS = np.array([[1, 2, 3, 4], [4, 4, 0, 1]])
MODELS = {
    "gpt": lambda: GPT(GPTConfig(6, block_size=8, n_layer=3, n_head=2, n_embd=8)),
    "llama": lambda: Llama(LlamaConfig(6, 8, 16, 3, 2)),
    "attention only": lambda: AttentionOnly(6, 3, 2, 8, np.random.default_rng(0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_last_state_gives_the_models_own_logits_and_loss(name):
    ml.manual_seed(0)
    model = MODELS[name]()
    states = hidden_states(model, IDS)
    assert [h.shape for h in states] == [(2, 4, 8)] * 4
    embedding = (model.wte if hasattr(model, "wte") else model.embed_tokens).weight.numpy()[IDS]
    if name == "gpt":
        embedding = embedding + model.wpe.weight.numpy()[:4]
    np.testing.assert_allclose(states[0], embedding, rtol=1e-6)
    logits = model(IDS).numpy()
    np.testing.assert_allclose(read_out(model, states[-1]), logits, rtol=1e-5, atol=1e-6)
    losses = lens_losses(model, ml.tensor(IDS))
    assert losses.shape == (4, 2, 3)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    own = -np.log(np.take_along_axis(p[:, :-1], IDS[:, 1:, None], axis=-1))[..., 0]
    np.testing.assert_allclose(losses[-1], own, rtol=1e-4)
    assert np.abs(losses[0] - losses[-1]).max() > 1e-3
    np.testing.assert_allclose(lens_losses(model, IDS, states[1:2]), losses[1:2], rtol=1e-6)


def test_the_hooks_are_gone():
    model = MODELS["gpt"]()
    hidden_states(model, IDS)
    assert not any(m._hooks or m._pre_hooks for m in model.modules())
    with pytest.raises(IndexError):
        hidden_states(model, IDS + 5)
    assert not any(m._hooks or m._pre_hooks for m in model.modules())


def test_what_is_refused():
    with pytest.raises(ValueError, match="layers of a MLP are not known here; those of GPT, Llama, AttentionOnly are"):
        hidden_states(MLP((2, 2)), IDS)
    with pytest.raises(ValueError, match=r"2 or more tokens\), got \(2, 1\)"):
        lens_losses(MODELS["gpt"](), IDS[:, :1])
