r"""GPT-2 in Hugging Face's form: its config.json and the names of its arrays, to and from `minilm.models.gpt`.

Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019. The published layers are called Conv1D and keep a matrix
as (in, out), so that y = x W + b; a linear layer of ours keeps (out, in), so that y = x Wᵀ + b. Each matrix is turned on its way.

===========================  =============================  ===========
here                         there                          turned
===========================  =============================  ===========
wte.weight, wpe.weight       transformer.wte, .wpe          no
blocks.i.ln_1, .ln_2         transformer.h.i.ln_1, .ln_2    no
blocks.i.attn.c_attn         transformer.h.i.attn.c_attn    the matrix
blocks.i.attn.c_proj         transformer.h.i.attn.c_proj    the matrix
blocks.i.mlp.c_fc, .c_proj   transformer.h.i.mlp...         the matrix
ln_f                         transformer.ln_f               no
lm_head (where not tied)     lm_head                        no
===========================  =============================  ===========

A file of the model without its last layer has no "transformer." before the names. Older files hold the mask of attention, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from minilm.formats import FormatError
from minilm.models.gpt import GPT, GPTConfig
from minilm.nn.init import without_drawing
from minilm.pretrained.fields import Fields, drop_tied_head, expect_layers, expect_shapes, without_prefix
from minilm.types import Arrays, Shape

PREFIX = "transformer."
TURNED = re.compile(r"\.(?:c_attn|c_proj|c_fc)\.weight$")
MASK = re.compile(r"\.attn\.(?:masked_)?bias$")
DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> GPT:
    """The model that config.json describes, with the weights of its file.

    Raises:
        FormatError: a value of config.json is missing, of another type or out of range; it asks for something that this GPT does
            not have; or the arrays are not those that it asks for.
    """
    shape = config_from_huggingface(config)
    named = {name: array for name, array in without_prefix(arrays, PREFIX).items() if not MASK.search(name)}
    if shape.tie_weights:
        drop_tied_head(named, "wte")
    expect_layers(named, "h.", shape.n_layer, "n_layer")
    expect_shapes(named, shapes_of(shape))
    with without_drawing():
        model = GPT(shape)
    state = {f"blocks.{name[2:]}" if name.startswith("h.") else name: _turn(name, a) for name, a in named.items()}
    model.load_state_dict(state)
    return model


def to_huggingface(model: GPT) -> tuple[dict[str, Any], Arrays]:
    """The model as Hugging Face's GPT2LMHeadModel reads it: the content of config.json, and the arrays by name.

    GPT-2 has all biases: those that a model lacks are written as zeros, which computes the same.

    Raises:
        ValueError: the model has other positions or norms than GPT-2.
    """
    config = model.config
    if config.position != "learned" or config.norm != "layer":
        raise ValueError(
            f"GPT-2 has learned positions and layer norms, this GPT {config.position!r} positions and {config.norm!r} norms: "
            "it cannot be written in GPT-2's form."
        )
    about = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.block_size,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": None,
        "activation_function": config.activation,
        **dict.fromkeys(DROPOUTS, config.dropout),
        "layer_norm_epsilon": model.ln_f.eps,
        "tie_word_embeddings": config.tie_weights,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    arrays = {}
    for name, shape in shapes_of(config).items():
        own = state.get(f"blocks.{name[2:]}" if name.startswith("h.") else name)
        array = np.zeros(shape, np.float32) if own is None else _turn(name, own)
        arrays[name if name.startswith("lm_head") else PREFIX + name] = np.ascontiguousarray(array)
    return about, arrays


def config_from_huggingface(config: Mapping[str, Any]) -> GPTConfig:
    """The shape of the model that config.json describes; what the file leaves out is as in Hugging Face's GPT2Config.

    Raises:
        FormatError: a value is of another type, out of range, or asks for something that this GPT does not have.
    """
    fields = Fields(config)
    width = fields.count("n_embd", 768)
    fields.only("n_inner", None, 4 * width)
    fields.only("scale_attn_weights", True)
    fields.only("scale_attn_by_inverse_layer_idx", False)
    fields.only("add_cross_attention", False)
    fields.only("layer_norm_epsilon", 1e-5)
    rates = {name: fields.number(name, 0.1, 0, 1) for name in DROPOUTS}
    if len(set(rates.values())) > 1:
        raise FormatError(f"config.json has different dropout in different places ({rates}); a GPT here has one.")
    try:
        return GPTConfig(
            vocab_size=fields.count("vocab_size", 50257),
            block_size=fields.count("n_positions", 1024),
            n_layer=fields.count("n_layer", 12),
            n_head=fields.count("n_head", 12),
            n_embd=width,
            dropout=rates["resid_pdrop"],
            tie_weights=fields.only("tie_word_embeddings", True, False),
            activation=fields.only("activation_function", "gelu_new", "gelu"),
        )
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"config.json: {error}") from None


def shapes_of(config: GPTConfig) -> dict[str, Shape]:
    """The arrays of a GPT-2 of that shape, without "transformer.": their names there, and shapes (in, out)."""
    C = config.n_embd
    linear = {"attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
    shapes: dict[str, Shape] = {"wte.weight": (config.vocab_size, C), "wpe.weight": (config.block_size, C)}
    for i in range(config.n_layer):
        for name in ("ln_1", "ln_2"):
            shapes |= {f"h.{i}.{name}.weight": (C,), f"h.{i}.{name}.bias": (C,)}
        for name, (rows, columns) in linear.items():
            shapes |= {f"h.{i}.{name}.weight": (rows, columns), f"h.{i}.{name}.bias": (columns,)}
    shapes |= {"ln_f.weight": (C,), "ln_f.bias": (C,)}
    return shapes if config.tie_weights else {**shapes, "lm_head.weight": (config.vocab_size, C)}


def _turn(name: str, array: Any) -> Any:
    """A matrix of a linear layer from the one form to the other; all else as it is."""
    return array.T if TURNED.search(name) else array


__all__ = ["config_from_huggingface", "from_huggingface", "shapes_of", "to_huggingface"]
