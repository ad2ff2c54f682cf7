"""T5's names and ours: there and back, and files that do not fit. What the weights compute, tests/oracle/test_t5.py compares."""

import numpy as np
import pytest

import minilm as ml
from minilm.formats import FormatError
from minilm.models import Seq2Seq, Seq2SeqConfig
from minilm.pretrained import load, save
from minilm.pretrained.t5 import from_huggingface, to_huggingface

pytestmark = pytest.mark.host

KINDS = [{}, {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}]


def small(**options):
    shape = {
        "vocab_size": 7,
        "d_model": 4,
        "d_kv": 3,
        "d_ff": 5,
        "num_layers": 2,
        "num_decoder_layers": 1,
        "num_heads": 2,
    }
    ml.random.manual_seed(0)
    return Seq2Seq(Seq2SeqConfig(**{**shape, **options}))


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_there_and_back(options, dtype):
    model = small(**options).to(dtype)
    config, arrays = to_huggingface(model)
    again = from_huggingface(config, arrays)
    assert again.config == model.config
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert theirs[name].dtype == ("float32" if dtype == "float16" else dtype)
        np.testing.assert_array_equal(theirs[name].numpy(), value.numpy())


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_saved_and_loaded_as_a_folder(options, tmp_path):
    model = small(**options).eval()
    save(model, None, tmp_path / "t5")
    opened = load(tmp_path / "t5").model
    assert opened.generate([[3, 4, 1], [5, 1]], 6) == model.generate([[3, 4, 1], [5, 1]], 6)
    np.testing.assert_array_equal(opened([[3, 4]], [[0, 5]]).numpy(), model([[3, 4]], [[0, 5]]).numpy())


def test_arrays_are_copies():
    model = small()
    _, arrays = to_huggingface(model)
    arrays["shared.weight"][:] = 0.0
    assert model.shared.weight.numpy().any()


def test_the_names_are_t5s():
    config, arrays = to_huggingface(small(**KINDS[1]))
    assert config["model_type"] == "t5"
    assert "copy_head" not in config
    assert {
        "shared.weight", "lm_head.weight", "encoder.final_layer_norm.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "encoder.block.1.layer.1.DenseReluDense.wi_0.weight", "decoder.block.0.layer.1.EncDecAttention.k.weight",
        "decoder.block.0.layer.2.layer_norm.weight",
    } <= arrays.keys()  # fmt: skip
    assert len(arrays) == len(list(small(**KINDS[1]).parameters()))


def test_the_gate_is_wi_0():
    model = small(**KINDS[1])
    _, arrays = to_huggingface(model)
    gate = model.encoder.blocks[0].mlp.gate.weight.numpy()
    np.testing.assert_array_equal(arrays["encoder.block.0.layer.1.DenseReluDense.wi_0.weight"], gate)


def test_names_that_say_nothing_new_are_passed_over():
    config, arrays = to_huggingface(small())
    more = dict.fromkeys(
        ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"), arrays["shared.weight"]
    )
    old = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": np.zeros((32, 2), np.float32)}
    assert from_huggingface(config, {**arrays, **more, **old}).config == small().config


def test_version_5_of_transformers_calls_both_kinds_tied():
    """It writes tie_word_embeddings as true for T5 1.1 too, and scale_decoder_outputs as false beside it."""
    config, arrays = to_huggingface(small(**KINDS[1]))
    newer = {**config, "tie_word_embeddings": True, "scale_decoder_outputs": False}
    assert from_huggingface(newer, arrays).config == small(**KINDS[1]).config
    older = {k: v for k, v in config.items() if k != "scale_decoder_outputs"}
    assert from_huggingface(older, arrays).config == small(**KINDS[1]).config


def test_defaults_and_lists():
    config, arrays = to_huggingface(small())
    least = {
        k: config[k] for k in ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads")
    }
    assert from_huggingface(least, arrays).config == small().config
    assert from_huggingface({**config, "eos_token_id": [3, 1], "use_cache": True}, arrays).config.eos_token_id == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bart"}, "model_type should be 't5', it is 'bart'"),
        ({"vocab_size": ...}, "config.json lacks vocab_size"),
        ({"num_layers": 3}, "says num_layers 3, the weights have 2 layers"),
        ({"num_decoder_layers": 2}, "says num_decoder_layers 2, the weights have 1 layers"),
        ({"num_layers": 10**9}, "says num_layers 1000000000"),
        ({"d_ff": 6}, r"wi.weight has the shape \(5, 4\), config.json asks for \(6, 4\)"),
        ({"feed_forward_proj": "gated-silu"}, "should be 'relu' or 'gated-gelu', it is 'gated-silu'"),
        ({"feed_forward_proj": "gated-gelu"}, "wi_0.weight .* is missing"),
        ({"tie_word_embeddings": False}, "lm_head.weight .* is missing"),
        ({"d_model": "4"}, "d_model should be a whole number"),
        ({"dropout_rate": 1.0}, "dropout_rate should be a number of at least 0 and less than 1"),
        ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon must be positive"),
        ({"eos_token_id": 7}, "eos_token_id must be an id of the vocabulary"),
        ({"eos_token_id": []}, "eos_token_id should be a whole number"),
        ({"relative_attention_num_buckets": 2}, "at least 4"),
        ({"scale_decoder_outputs": "no"}, "scale_decoder_outputs should be True or False"),
    ],
)
def test_a_config_that_does_not_fit(change, message):
    config, arrays = to_huggingface(small())
    changed = {k: v for k, v in {**config, **change}.items() if v is not ...}
    with pytest.raises(FormatError, match=message):
        from_huggingface(changed, arrays)


def test_weights_that_do_not_fit():
    config, arrays = to_huggingface(small())
    with pytest.raises(FormatError, match="shared.weight holds int64"):
        from_huggingface(config, {**arrays, "shared.weight": np.zeros((7, 4), np.int64)})
    with pytest.raises(FormatError, match="the weights have 0 layers"):
        from_huggingface(config, {})
    without = {name: a for name, a in arrays.items() if name != "decoder.final_layer_norm.weight"}
    with pytest.raises(FormatError, match=r"decoder.final_layer_norm.weight \(4,\) is missing"):
        from_huggingface(config, without)
    with pytest.raises(FormatError, match=r"extra \(4,\) is none of the model's"):
        from_huggingface(config, {**arrays, "extra": np.zeros(4, np.float32)})
    with pytest.raises(FormatError, match="lm_head and shared are one matrix; in the weights they differ"):
        from_huggingface(config, {**arrays, "lm_head.weight": arrays["shared.weight"] + 1})


def test_what_t5_has_not_cannot_be_written():
    with pytest.raises(ValueError, match="T5 has no copy head"):
        to_huggingface(small(copy_head=True))
    with pytest.raises(ValueError, match="scales the decoder's output where it is tied"):
        to_huggingface(small(scale_decoder_outputs=False))
