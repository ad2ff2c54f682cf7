"""T5's names and ours: there and back, and files that do not fit. What the weights compute, tests/oracle/test_t5.py compares."""

import numpy as np
import pytest

import minilm as ml
from minilm.models import Seq2Seq, Seq2SeqConfig
from minilm.pretrained.t5 import from_huggingface, to_huggingface

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
        assert theirs[name].dtype == dtype
        np.testing.assert_array_equal(theirs[name].numpy(), value.numpy())


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


def test_names_that_say_nothing_new_are_passed_over():
    config, arrays = to_huggingface(small())
    more = dict.fromkeys(
        ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"), arrays["shared.weight"]
    )
    old = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": np.zeros((32, 2), np.float32)}
    assert from_huggingface(config, {**arrays, **more, **old}).config == small().config


def test_whether_the_output_is_tied_is_what_the_arrays_say():
    """Version 5 of transformers writes tie_word_embeddings as true for T5 1.1, and scale_decoder_outputs as false beside it."""
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
    [({"model_type": "bart"}, "family 'bart', expected 't5'"), ({"vocab_size": ...}, "no vocab_size"),
     ({"num_layers": 3}, "missing encoder.block.2.*and [0-9]+ more; unknown none"),
     ({"num_layers": 1}, "missing none; unknown encoder.block.1"), ({"d_ff": 6}, "has shape .*the config says"),
     ({"feed_forward_proj": "gated-silu"}, "'relu' or 'gated-gelu'"), ({"vocab_size": 8}, r"shared.weight has shape \(7, 4\)")],
)  # fmt: skip
def test_a_config_that_does_not_fit(change, message):
    config, arrays = to_huggingface(small())
    changed = {k: v for k, v in {**config, **change}.items() if v is not ...}
    with pytest.raises(ValueError, match=message):
        from_huggingface(changed, arrays)


def test_weights_that_do_not_fit():
    config, arrays = to_huggingface(small())
    with pytest.raises(ValueError, match="floats of one type, got float32, int64"):
        from_huggingface(config, {**arrays, "shared.weight": np.zeros((7, 4), np.int64)})
    with pytest.raises(ValueError, match="got none"):
        from_huggingface(config, {})
    with pytest.raises(ValueError, match="missing decoder.final_layer_norm.weight; unknown x"):
        from_huggingface(
            config,
            {**{k: v for k, v in arrays.items() if not k.startswith("decoder.final")}, "x": arrays["shared.weight"]},
        )


def test_a_copy_head_has_no_name_there():
    with pytest.raises(ValueError, match="T5 has no copy head"):
        to_huggingface(small(copy_head=True))
