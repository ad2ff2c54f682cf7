"""What looks inside, against others: attention's maps and the states of layers with transformers', probes with scikit-learn's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (pip install 'minilm[oracle]')"
)
linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

from minilm.interpret import RidgeProbe, attention_maps, hidden_states, ridge
from minilm.pretrained import load

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 19, (2, 7))


def gpt2():
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=19,
            n_positions=16,
            n_embd=24,
            n_layer=3,
            n_head=4,
            bos_token_id=None,
            eos_token_id=None,
            attn_implementation="eager",
        )
    )


def llama():
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=19, hidden_size=24, intermediate_size=20, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=3, pad_token_id=None, bos_token_id=None, eos_token_id=None, attn_implementation="eager",
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", [gpt2, llama])
def test_maps_and_states_are_those_of_transformers(kind, tmp_path):
    torch.manual_seed(0)
    oracle = kind().eval()
    with torch.no_grad():
        for p in oracle.parameters():
            p.add_(0.3 * torch.randn_like(p))
    oracle.save_pretrained(tmp_path)
    model = load(tmp_path).model
    with torch.no_grad():
        theirs = oracle(torch.from_numpy(IDS), output_attentions=True, output_hidden_states=True)
    for ours, wanted in zip(attention_maps(lambda: model(IDS)), theirs.attentions, strict=True):
        np.testing.assert_allclose(ours, wanted.numpy(), rtol=1e-3, atol=1e-5)
    states = hidden_states(model, IDS)
    assert len(states) == len(theirs.hidden_states) == 4
    for ours, wanted in zip(states[:-1], theirs.hidden_states[:-1], strict=True):  # their last one is behind the norm
        np.testing.assert_allclose(ours, wanted.numpy(), rtol=1e-3, atol=1e-4)


def test_ridge_is_scikit_learns():
    x, y = RNG.standard_normal((50, 6)), RNG.standard_normal((50, 3))
    theirs = linear_model.Ridge(alpha=50 * 0.2).fit(x, y)
    np.testing.assert_allclose(ridge(x, y, 0.2)(x), theirs.predict(x), rtol=1e-10)


def test_a_probe_is_scikit_learns_classifier():
    x = RNG.standard_normal((200, 8))
    labels = np.array(["a", "b", "c"])[np.digitize(x[:, 0] + RNG.standard_normal(200), [-0.5, 0.5])]
    theirs = linear_model.RidgeClassifier(alpha=120 * 0.05).fit(x[:120], labels[:120])
    np.testing.assert_array_equal(RidgeProbe(0.05).fit(x[:120], labels[:120]).predict(x[120:]), theirs.predict(x[120:]))
