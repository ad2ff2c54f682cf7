"""T5 in Hugging Face's form (`T5ForConditionalGeneration`): config.json and the names of its arrays, to and from `minilm.models.seq2seq`.

Two kinds have been published. T5 (Raffel et al. 2020) ties its embeddings and has a ReLU; T5 1.1 has an output matrix of its own and
the gated GELU. The copy head is not T5's, and has no name there.

=============================  ================================================================
here, in encoder or decoder    there, in the same half
=============================  ================================================================
positions.embedding            block.0.layer.0.SelfAttention.relative_attention_bias
blocks.i.attn.q, .k, .v, .o    block.i.layer.0.SelfAttention.q, .k, .v, .o
blocks.i.cross.q ...           block.i.layer.1.EncDecAttention.q ... (the decoder's)
blocks.i.mlp.up, .down         block.i.layer.j.DenseReluDense.wi, .wo (j is 1, in the decoder 2)
blocks.i.mlp.gate, .up, .down  block.i.layer.j.DenseReluDense.wi_0, .wi_1, .wo
blocks.i.ln_n                  block.i.layer.(n - 1).layer_norm
ln_f                           final_layer_norm
=============================  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minilm.formats import FormatError
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig
from minilm.nn.init import without_drawing
from minilm.pretrained.fields import Fields, Place, drop_tied_head, expect_layers, expect_shapes
from minilm.types import Arrays, HostArray

OURS_ALONE = ("copy_head", "unk_token_id")  # fields of Seq2SeqConfig that T5's config.json has not
COPIES = (
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
)  # of shared.weight, in files that hold every name
UNUSED = (
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"  # in the first files; nothing reads it
)


def layout(config: Seq2SeqConfig) -> dict[str, Place]:
    """All arrays of a T5 of that shape: their names there, to their places."""
    C, I, V = config.d_model, config.num_heads * config.d_kv, config.vocab_size
    attention, up, down = {"q": (I, C), "k": (I, C), "v": (I, C), "o": (C, I)}, (config.d_ff, C), (C, config.d_ff)
    feed_forward = {"wi": ("up", up), "wo": ("down", down)}
    if config.feed_forward_proj == "gated-gelu":
        feed_forward = {"wi_0": ("gate", up), "wi_1": ("up", up), "wo": ("down", down)}
    places = {"shared.weight": Place("shared.weight", (V, C))}
    halves = {
        "encoder": (config.num_layers, {"SelfAttention": "attn"}),
        "decoder": (config.num_decoder_layers or 0, {"SelfAttention": "attn", "EncDecAttention": "cross"}),
    }
    for half, (layers, attentions) in halves.items():
        places[f"{half}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = Place(
            f"{half}.positions.embedding.weight", (config.relative_attention_num_buckets, config.num_heads)
        )
        for i in range(layers):
            for j, (theirs, ours) in enumerate(attentions.items()):
                for part, shape in attention.items():
                    there = f"{half}.block.{i}.layer.{j}.{theirs}.{part}.weight"
                    places[there] = Place(f"{half}.blocks.{i}.{ours}.{part}.weight", shape)
            for theirs, (ours, shape) in feed_forward.items():
                there = f"{half}.block.{i}.layer.{len(attentions)}.DenseReluDense.{theirs}.weight"
                places[there] = Place(f"{half}.blocks.{i}.mlp.{ours}.weight", shape)
            for j in range(len(attentions) + 1):
                there = f"{half}.block.{i}.layer.{j}.layer_norm.weight"
                places[there] = Place(f"{half}.blocks.{i}.ln_{j + 1}.weight", (C,))
        places[f"{half}.final_layer_norm.weight"] = Place(f"{half}.ln_f.weight", (C,))
    if not config.tie_word_embeddings:
        places["lm_head.weight"] = Place("lm_head.weight", (V, C))
    return places


def config_from_huggingface(config: Mapping[str, Any]) -> Seq2SeqConfig:
    """The shape that a config.json describes; what it leaves out has transformers' default.

    Version 5 of transformers writes tie_word_embeddings as true for either kind, and scale_decoder_outputs, which says which it is,
    beside it: an output that is not scaled has a matrix of its own.

    Raises:
        FormatError: it has no vocab_size, a value is of another type or out of range, or it asks for what this model is not.
    """
    fields = Fields(config)
    fields.only("model_type", "t5")
    layers, tied = fields.count("num_layers", 6), fields.only("tie_word_embeddings", True, False)
    scaled = tied if config.get("scale_decoder_outputs") is None else fields.only("scale_decoder_outputs", True, False)
    ends = config.get("eos_token_id")
    if isinstance(ends, list) and ends:
        fields = Fields({**config, "eos_token_id": ends[0]})
    pad = fields.count("pad_token_id", 0, least=0)
    try:
        return Seq2SeqConfig(
            fields.count("vocab_size"),
            d_model=fields.count("d_model", 512),
            d_kv=fields.count("d_kv", 64),
            d_ff=fields.count("d_ff", 2048),
            num_layers=layers,
            num_decoder_layers=layers
            if config.get("num_decoder_layers") is None
            else fields.count("num_decoder_layers"),
            num_heads=fields.count("num_heads", 8),
            relative_attention_num_buckets=fields.count("relative_attention_num_buckets", 32),
            relative_attention_max_distance=fields.count("relative_attention_max_distance", 128),
            dropout_rate=fields.number("dropout_rate", 0.1, 0.0, 1.0),
            layer_norm_epsilon=fields.number("layer_norm_epsilon", 1e-6, 0.0, 1.0),
            feed_forward_proj=fields.only("feed_forward_proj", "relu", "gated-gelu"),
            tie_word_embeddings=tied and scaled,
            scale_decoder_outputs=scaled,
            pad_token_id=pad,
            eos_token_id=fields.count("eos_token_id", 1, least=0),
            decoder_start_token_id=fields.count("decoder_start_token_id", pad, least=0),
        )
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"config.json: {str(error).removeprefix('Seq2SeqConfig: ')}") from None


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> Seq2Seq:
    """The model of a config.json and its arrays, in evaluation mode; in float64 where the arrays are, else in float32.

    Raises:
        FormatError: as `config_from_huggingface`; or an array is missing, unknown, of another shape, or holds no floats.
    """
    shape = config_from_huggingface(config)
    named = {name: array for name, array in arrays.items() if name not in (*COPIES, UNUSED)}
    if shape.tie_word_embeddings:
        drop_tied_head(named, "shared")
    expect_layers(named, "encoder.block.", shape.num_layers, "num_layers")
    expect_layers(named, "decoder.block.", shape.num_decoder_layers or 0, "num_decoder_layers")
    places = layout(shape)
    expect_shapes(named, {name: place.shape for name, place in places.items()})
    dtype = np.result_type(np.float32, *(array.dtype for array in named.values()))
    with without_drawing():
        model = Seq2Seq(shape)
    parameters = dict(model.named_parameters())
    for name, place in places.items():
        parameters[place.ours].data = np.array(named[name], dtype, order="C")
    return model.eval()


def to_huggingface(model: Seq2Seq) -> tuple[dict[str, Any], Arrays]:
    """The model as Hugging Face's T5ForConditionalGeneration reads it: the content of config.json, and the arrays by name.

    Raises:
        ValueError: the model has a copy head, or an output that is scaled though not tied, or tied though not scaled: T5 has neither.
    """
    config = model.config
    if config.copy_head:
        raise ValueError("T5 has no copy head: its weights have no names there. Save the model with state_dict.")
    if config.scale_decoder_outputs != config.tie_word_embeddings:
        raise ValueError(
            "T5 scales the decoder's output where it is tied to the embedding, and only there; this model does not."
        )
    about = {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        **{name: value for name, value in config.to_dict().items() if name not in OURS_ALONE},
    }
    state = dict(model.named_parameters())
    return about, {name: state[place.ours].numpy().copy() for name, place in layout(config).items()}


__all__ = ["config_from_huggingface", "from_huggingface", "layout", "to_huggingface"]
