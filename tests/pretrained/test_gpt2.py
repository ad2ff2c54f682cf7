"""GPT-2's config.json and names. That the numbers are transformers' is shown in `tests/oracle/test_gpt2.py`."""

import numpy as np
import pytest

import minilm as ml
from minilm.formats import FormatError
from minilm.models import GPT, GPTConfig
from minilm.pretrained.gpt2 import from_huggingface, to_huggingface

pytestmark = pytest.mark.host


@pytest.fixture
def model():
    ml.random.manual_seed(0)
    return GPT(GPTConfig(11, 8, 2, 2, 4)).eval()


@pytest.fixture
def written(model):
    return to_huggingface(model)


def test_there_and_back(model, written):
    ids = np.arange(8)[None]
    with ml.no_grad():
        np.testing.assert_array_equal(from_huggingface(*written)(ids).numpy(), model(ids).numpy())


def test_matrices_are_turned_and_nothing_else(model, written):
    _, arrays = written
    assert arrays["transformer.h.0.attn.c_attn.weight"].shape == (4, 12)
    assert arrays["transformer.h.1.mlp.c_fc.weight"].shape == (4, 16)
    np.testing.assert_array_equal(
        arrays["transformer.h.0.attn.c_proj.weight"], model.blocks[0].attn.c_proj.weight.numpy().T
    )
    np.testing.assert_array_equal(arrays["transformer.wte.weight"], model.wte.weight.numpy())
    assert "lm_head.weight" not in arrays  # it is wte.weight


def test_biases_that_a_model_lacks_are_written_as_zeros():
    config, arrays = to_huggingface(GPT(GPTConfig(11, 8, 2, 2, 4, bias=False)))
    assert not arrays["transformer.h.0.mlp.c_fc.bias"].any()
    assert from_huggingface(config, arrays).config.bias


@pytest.mark.parametrize("options", [{"position": "rotary"}, {"norm": "rms"}, {"position": "sinusoidal"}], ids=str)
def test_what_gpt2_is_not_cannot_be_written(options):
    with pytest.raises(ValueError, match="cannot be written in GPT-2's form"):
        to_huggingface(GPT(GPTConfig(11, 8, 2, 2, 8, **options)))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_embd", "4", "n_embd should be a whole number of 1 to"),
        ("n_embd", True, "n_embd should be a whole number"),
        ("n_embd", 4.0, "n_embd should be a whole number"),
        ("n_embd", -4, "n_embd should be a whole number"),
        ("n_embd", 10**15, "n_embd should be a whole number"),
        ("n_embd", 6, "has the shape .* config.json asks for"),
        ("n_embd", 1 << 30, "config.json asks for"),
        ("n_head", 3, "does not divide"),
        ("n_head", None, "n_head should be"),
        ("n_layer", 1 << 30, "says n_layer 1073741824, the weights have 2 layers"),
        ("n_layer", 1, "says n_layer 1, the weights have 2 layers"),
        ("vocab_size", 1 << 31, "config.json asks for"),
        ("n_positions", 9, "wpe.weight has the shape"),
        ("n_inner", 8, "n_inner should be None or 16"),
        ("activation_function", "relu", "activation_function should be 'gelu_new' or 'gelu'"),
        ("activation_function", ["gelu"], "activation_function should be"),
        ("resid_pdrop", 1.5, "resid_pdrop should be a number"),
        ("resid_pdrop", 0.5, "different dropout in different places"),
        ("resid_pdrop", float("nan"), "resid_pdrop should be a number"),
        ("layer_norm_epsilon", 1e-6, "layer_norm_epsilon should be 1e-05"),
        ("scale_attn_weights", False, "scale_attn_weights should be True"),
        ("scale_attn_by_inverse_layer_idx", True, "should be False"),
        ("add_cross_attention", True, "should be False"),
        ("tie_word_embeddings", "yes", "tie_word_embeddings should be True or False"),
        ("tie_word_embeddings", False, "lm_head.weight .* is missing"),
    ],
)
def test_config_json_is_not_believed(written, name, value, message):
    config, arrays = written
    with pytest.raises(FormatError, match=message):
        from_huggingface({**config, name: value}, arrays)


def changed(arrays, name, value):
    out = dict(arrays)
    if value is None:
        del out[name]
    else:
        out[name] = value
    return out


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("transformer.wte.weight", None, r"wte.weight \(11, 4\) is missing"),
        ("transformer.wte.weight", np.zeros((11, 4), np.int64), "holds int64"),
        ("transformer.h.0.mlp.c_fc.weight", np.zeros((16, 4), np.float32), r"shape \(16, 4\), config.json asks for \(4, 16\)"),
        ("transformer.h.1.ln_1.weight", np.float32(1).reshape(()), "has the shape"),
        ("transformer.h.x.ln_1.weight", np.zeros(4, np.float32), "the weights have 3 layers"),
        ("transformer.h.²", np.zeros(4, np.float32), "the weights have 3 layers"),
        ("transformer.extra", np.zeros(4, np.float32), "none of the model's"),
        ("wte.weight", np.zeros((11, 4), np.float32), "differ only in 'transformer.'"),
        ("lm_head.weight", np.ones((11, 4), np.float32), "lm_head and wte are one matrix"),
    ],
)  # fmt: skip
def test_arrays_are_not_believed(written, name, value, message):
    config, arrays = written
    with pytest.raises(FormatError, match=message):
        from_huggingface(config, changed(arrays, name, value))


def test_a_tied_matrix_may_be_there_twice(written, model):
    config, arrays = written
    again = from_huggingface(config, {**arrays, "lm_head.weight": arrays["transformer.wte.weight"]})
    assert again.lm_head.weight is again.wte.weight


def test_what_config_json_leaves_out_is_gpt2s(written):
    config, arrays = written
    for name in ("activation_function", "tie_word_embeddings", "n_inner"):
        del config[name]
    assert from_huggingface(config, arrays).config.activation == "gelu_new"
