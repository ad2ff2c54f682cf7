"""GPT-2 against transformers' GPT2LMHeadModel: weights read from its file, outputs, loss and every gradient; and written for it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (pip install 'minilm[oracle]')"
)

import minilm as ml
from minilm.models import GPT, GPTConfig
from minilm.pretrained import gpt2, load, save
from minilm.pretrained.load import read_json, read_weights

SMALL = {"vocab_size": 31, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 4,
         "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": None, "eos_token_id": None}  # fmt: skip
IDS = np.random.default_rng(0).integers(0, 31, (3, 9))


def theirs(**changes):
    """A small GPT-2 with weights large enough that softmax and GELU are far from linear."""
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**SMALL, **changes})).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.4)
    return model


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.from_numpy(ids)).logits.numpy()


@pytest.mark.parametrize("changes", [
    {}, {"activation_function": "gelu"}, {"tie_word_embeddings": False}, {"n_inner": 64}], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_every_gradient(tmp_path, changes, dtype):
    oracle = theirs(**changes)
    oracle.save_pretrained(tmp_path)
    model = load(tmp_path).model.to(dtype)
    oracle.to(getattr(torch, dtype))
    inputs, targets = IDS[:, :-1], IDS[:, 1:]
    loss = model.loss(inputs, targets)
    loss.backward()
    logits = oracle(torch.from_numpy(inputs)).logits
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).flatten())
    expected.backward()
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(model(inputs).numpy(), logits.detach().numpy(), **tolerance)
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance["rtol"])
    named = {name.removeprefix("transformer."): p.grad.numpy() for name, p in oracle.named_parameters()}
    seen = 0
    for name, p in model.named_parameters():
        name = name.replace("blocks.", "h.", 1)
        want = named[name].T if gpt2.TURNED.search(name) else named[name]
        np.testing.assert_allclose(p.grad.numpy(), want, **tolerance, err_msg=name)
        seen += 1
    assert seen == len(named)


@pytest.mark.parametrize("changes", [{}, {"bias": False}, {"tie_weights": False}, {"activation": "gelu_new"}], ids=str)
def test_what_is_written_gives_the_same_logits_there(tmp_path, changes):
    ml.random.manual_seed(0)
    model = GPT(GPTConfig(31, 12, 2, 4, 16, **changes)).eval()
    save(model, None, tmp_path / "folder")
    oracle = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "folder").eval()
    assert type(oracle) is transformers.GPT2LMHeadModel
    with ml.no_grad():
        np.testing.assert_allclose(logits_of(oracle, IDS), model(IDS).numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            load(tmp_path / "folder").model(IDS).numpy(), model(IDS).numpy(), rtol=1e-6, atol=1e-6
        )


def test_weights_in_several_files(tmp_path):
    oracle = theirs()
    oracle.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    with ml.no_grad():
        np.testing.assert_allclose(load(tmp_path).model(IDS).numpy(), logits_of(oracle, IDS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "digits"), [("float16", 3), ("bfloat16", 2)])
def test_half_precision_files(tmp_path, name, digits):
    oracle = theirs().to(getattr(torch, name))
    oracle.save_pretrained(tmp_path)
    model = load(tmp_path).model
    assert all(p.dtype == np.float32 for p in model.parameters())
    oracle.to(torch.float32)
    with ml.no_grad():
        np.testing.assert_allclose(model(IDS).numpy(), logits_of(oracle, IDS), rtol=1e-4, atol=1e-5)
    save(model, None, tmp_path / "again", {"float16": "F16", "bfloat16": "BF16"}[name])
    before, after = read_weights(tmp_path), read_weights(tmp_path / "again")
    assert before.keys() == after.keys()
    assert all(
        np.array_equal(before[key], after[key]) for key in before
    )  # each number is one of the type's: nothing is lost


def test_the_model_without_its_last_layer_and_with_masks(tmp_path):
    """As the first files of GPT-2 were: no "transformer." before the names, and the mask among the arrays."""
    oracle = theirs()
    oracle.transformer.save_pretrained(tmp_path)
    config, arrays = read_json(tmp_path / "config.json"), read_weights(tmp_path)
    assert "wte.weight" in arrays
    arrays |= {
        "h.0.attn.bias": np.ones((1, 1, 12, 12), np.float32),
        "h.0.attn.masked_bias": np.float32(-1e4).reshape(()),
    }
    with ml.no_grad():
        np.testing.assert_allclose(
            gpt2.from_huggingface(config, arrays)(IDS).numpy(), logits_of(oracle, IDS), rtol=1e-4, atol=1e-5
        )
