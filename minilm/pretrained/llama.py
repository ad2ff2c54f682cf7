r"""Llama's kind of models as they are published: in Hugging Face's form, and in GGUF files, to and from `minilm.models.llama`.

===============================  ===============================  ===================  ==================
here                             Hugging Face                     GGUF                 rows reordered
===============================  ===============================  ===================  ==================
embed_tokens                     model.embed_tokens               token_embd           no
layers.i.input_layernorm         model.layers.i....               blk.i.attn_norm      no
layers.i.self_attn.q_proj        model.layers.i....               blk.i.attn_q         for Hugging Face
layers.i.self_attn.k_proj        model.layers.i....               blk.i.attn_k         for Hugging Face
layers.i.self_attn.v_proj        model.layers.i....               blk.i.attn_v         no
layers.i.self_attn.o_proj        model.layers.i....               blk.i.attn_output    no
layers.i.post_attention_layer\   model.layers.i....               blk.i.ffn_norm       no
norm
layers.i.mlp.gate_proj           model.layers.i....               blk.i.ffn_gate       no
layers.i.mlp.up_proj             model.layers.i....               blk.i.ffn_up         no
layers.i.mlp.down_proj           model.layers.i....               blk.i.ffn_down       no
norm                             model.norm                       output_norm          no
lm_head (where not tied)         lm_head                          output               no
===============================  ===============================  ===================  ==================

Rotations turn pairs of a head's numbers. The paper (Su et al. 2021), GGUF files and this engine pair neighbors, 2i and 2i + 1; Hugging
Face pairs i with i + D/2. The rows of query and key that make those numbers are put in the other order on their way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minilm.formats import FormatError
from minilm.formats.gguf import GGUF
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.storage import KINDS, Blocks, Float16, Stored, replace
from minilm.nn import Module
from minilm.nn.init import without_drawing
from minilm.pretrained.fields import MOST, Fields, drop_tied_head, expect_layers, expect_shapes, without_prefix
from minilm.strict_json import short
from minilm.types import Arrays, HostArray, Shape

PREFIX = "model."
STORAGES = ("float32", *KINDS, "blocks")
"""How a model's matrices may be kept: as arrays that can learn, or as `minilm.models.storage` says, to be read only."""

GGUF_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
"""The parts of a layer: their names here, and in a GGUF file."""


def from_gguf(gguf: GGUF, storage: str = "float32") -> Llama:
    """The model in a GGUF file.

    A matrix is read, brought into its storage and let go before the next is read.

    Args:
        gguf: the open file.
        storage: "float32": arrays that can learn. "float16", "bfloat16", "int8": see `minilm.models.storage`. "blocks": matrices in
            blocks of a kind that `Blocks` knows stay as they are in the file, others become float16. All but "float32" cannot learn.

    Raises:
        FormatError: the file holds another kind of model; a setting is missing, of another type or out of range; or a tensor is
            missing, has another shape, is none of the model's, or holds what the storage does not take.
        ValueError: the storage is unknown.
    """
    if storage not in STORAGES:
        raise ValueError(f"storage must be one of {', '.join(STORAGES)}; got {storage!r}.")
    shapes = {name: info.shape for name, info in gguf.tensors.items()}
    config = config_from_gguf(gguf.metadata, shapes)
    expected = shapes_of(config)
    names = {_gguf_name(name): name for name in expected}
    _expect_tensors(shapes, {theirs: expected[ours] for theirs, ours in names.items()})
    with without_drawing():
        model = Llama(config)
    for theirs, ours in names.items():
        module = _at(model, ours.rpartition(".")[0])
        if storage == "float32" or len(shapes[theirs]) == 1:
            getattr(module, ours.rpartition(".")[2]).data = gguf.read(theirs)
            continue
        try:
            stored = _stored(gguf, theirs, storage)
        except FormatError:
            raise
        except ValueError as error:
            raise FormatError(f"tensor {short(theirs)}: {error}") from None
        _put(model, ours.removesuffix(".weight"), stored)
    if config.tie_word_embeddings and storage == "float32":
        model.lm_head.weight = model.embed_tokens.weight
    return model.eval() if storage == "float32" else model.eval().requires_grad_(False)


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> Llama:
    """The model that config.json describes, with the weights of its file.

    Raises:
        FormatError: a value of config.json is missing, of another type or out of range; it asks for something that this Llama does
            not have; or the arrays are not those that it asks for.
    """
    shape = config_from_huggingface(config)
    named = without_prefix(arrays, PREFIX)
    named = {name: array for name, array in named.items() if not name.endswith("rotary_emb.inv_freq")}
    if shape.tie_word_embeddings:
        drop_tied_head(named, "embed_tokens")
    expect_layers(named, "layers.", shape.num_hidden_layers, "num_hidden_layers")
    expect_shapes(named, shapes_of(shape))
    with without_drawing():
        model = Llama(shape)
    parameters = dict(model.named_parameters())
    for name, array in named.items():
        parameters[name].data = np.array(_neighbors(name, np.asarray(array), shape.head_width), np.float32, order="C")
    return model.eval()


def to_huggingface(model: Llama) -> tuple[dict[str, Any], Arrays]:
    """The model as Hugging Face's LlamaForCausalLM reads it: the content of config.json, and the arrays by name.

    Raises:
        ValueError: the model's weights are kept in a storage that is only read.
    """
    config = model.config
    about = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        **config.to_dict(),
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "bos_token_id": None,
        "eos_token_id": None,
    }
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    missing = [name for name in shapes_of(config) if name not in state]
    if missing:
        raise ValueError(
            f"to_huggingface writes float32 weights; those of {short(missing[0])} are kept in another storage: load the model with "
            "storage='float32'."
        )
    arrays = {}
    for name in shapes_of(config):
        array = np.ascontiguousarray(_halves(name, state[name], config.head_width))
        arrays[name if name.startswith("lm_head") else PREFIX + name] = array
    return about, arrays


def config_from_huggingface(config: Mapping[str, Any]) -> LlamaConfig:
    """The shape of the model that config.json describes; what the file leaves out is as in Hugging Face's LlamaConfig.

    Raises:
        FormatError: a value is of another type, out of range, or asks for something that this Llama does not have.
    """
    fields = Fields(config)
    fields.only("model_type", "llama")
    fields.only("hidden_act", "silu")
    fields.only("pretraining_tp", 1)
    heads = fields.count("num_attention_heads", 32)
    return _config(
        "config.json",
        vocab_size=fields.count("vocab_size", 32000),
        hidden_size=fields.count("hidden_size", 4096),
        intermediate_size=fields.count("intermediate_size", 11008),
        num_hidden_layers=fields.count("num_hidden_layers", 32),
        num_attention_heads=heads,
        num_key_value_heads=_count_or_none(fields, "num_key_value_heads"),
        head_dim=_count_or_none(fields, "head_dim"),
        max_position_embeddings=fields.count("max_position_embeddings", 2048),
        rms_norm_eps=fields.number("rms_norm_eps", 1e-6, 0, 1),
        rope_theta=_rope_theta(fields),
        tie_word_embeddings=fields.only("tie_word_embeddings", False, True),
        attention_bias=fields.only("attention_bias", False, True),
        mlp_bias=fields.only("mlp_bias", False, True),
        attention_dropout=fields.number("attention_dropout", 0.0, 0, 1),
    )


def config_from_gguf(metadata: Mapping[str, Any], shapes: Mapping[str, Shape]) -> LlamaConfig:
    """The shape of the model whose settings and tensors a GGUF file has.

    Raises:
        FormatError: the file holds another kind of model, or a setting is missing, of another type, out of range, or asks for
            something that this Llama does not have.
    """
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise FormatError(f"the file holds a model of the kind {short(kind)}; expected 'llama'.")
    if "rope_freqs.weight" in shapes or metadata.get("llama.rope.scaling.type", "none") != "none":
        raise FormatError(
            "the model's rotations are scaled for long contexts (llama.rope.scaling); this Llama has plain ones."
        )
    if metadata.get("llama.expert_count"):
        raise FormatError(
            "the model is a mixture of experts (llama.expert_count); this Llama has one feed-forward network a layer."
        )
    layers, found = (
        _setting(metadata, "block_count"),
        {name.split(".")[1] for name in shapes if name.startswith("blk.")},
    )
    if len(found) != layers:
        raise FormatError(f"llama.block_count is {layers}, the file has tensors of {len(found)} layers (blk.0 ...).")
    embedding = shapes.get("token_embd.weight", ())
    if len(embedding) != 2:
        raise FormatError(
            f"token_embd.weight should be a matrix (vocabulary, width); its shape is {embedding or 'missing'}."
        )
    heads = _setting(metadata, "attention.head_count")
    width = _setting(metadata, "embedding_length")
    head_dim = _setting(metadata, "attention.key_length", width // heads)
    for name in ("attention.value_length", "rope.dimension_count"):
        if _setting(metadata, name, head_dim) != head_dim:
            raise FormatError(
                f"llama.{name} is {metadata[f'llama.{name}']}; in this Llama it is the width of a head, {head_dim}."
            )
    return _config(
        "the file",
        vocab_size=embedding[0],
        hidden_size=width,
        intermediate_size=_setting(metadata, "feed_forward_length"),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=_setting(metadata, "attention.head_count_kv", heads),
        head_dim=head_dim,
        max_position_embeddings=_setting(metadata, "context_length"),
        rms_norm_eps=_number(metadata, "attention.layer_norm_rms_epsilon", 1e-6),
        rope_theta=_number(metadata, "rope.freq_base", 10000.0),
        tie_word_embeddings="output.weight" not in shapes,
        attention_bias="blk.0.attn_q.bias" in shapes,
        mlp_bias="blk.0.ffn_up.bias" in shapes,
    )


def shapes_of(config: LlamaConfig) -> dict[str, Shape]:
    """The arrays of a Llama of that shape, by their names here."""
    C, D, I = config.hidden_size, config.head_width, config.intermediate_size
    queries, keys = config.num_attention_heads * D, config.key_value_heads * D
    linear = {
        "self_attn.q_proj": (queries, C), "self_attn.k_proj": (keys, C), "self_attn.v_proj": (keys, C),
        "self_attn.o_proj": (C, queries), "mlp.gate_proj": (I, C), "mlp.up_proj": (I, C), "mlp.down_proj": (C, I),
    }  # fmt: skip
    shapes: dict[str, Shape] = {"embed_tokens.weight": (config.vocab_size, C)}
    for i in range(config.num_hidden_layers):
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"layers.{i}.{name}.weight"] = (C,)
        for name, shape in linear.items():
            shapes[f"layers.{i}.{name}.weight"] = shape
            if config.attention_bias if name.startswith("self_attn") else config.mlp_bias:
                shapes[f"layers.{i}.{name}.bias"] = shape[:1]
    shapes["norm.weight"] = (C,)
    return shapes if config.tie_word_embeddings else {**shapes, "lm_head.weight": (config.vocab_size, C)}


# -- names and rows ---------------------------------------------------------------------------------------------------


def _gguf_name(name: str) -> str:
    """The name in a GGUF file of an array here."""
    part, _, last = name.rpartition(".")
    outer = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
    if part in outer:
        return f"{outer[part]}.{last}"
    _, i, inner = part.split(".", 2)
    return f"blk.{i}.{GGUF_NAMES[inner]}.{last}"


def _neighbors(name: str, array: HostArray, width: int) -> HostArray:
    """Rows of query and key from Hugging Face's order of pairs (i, i + D/2) to neighbors; other arrays as they are."""
    if not _turned(name):
        return array
    return array.reshape(-1, 2, width // 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def _halves(name: str, array: HostArray, width: int) -> HostArray:
    """Rows of query and key from neighbors to Hugging Face's order of pairs; other arrays as they are."""
    if not _turned(name):
        return array
    return array.reshape(-1, width // 2, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def _turned(name: str) -> bool:
    return ".q_proj." in name or ".k_proj." in name


def _at(model: Module, path: str) -> Any:
    """The module at a path such as "layers.0.mlp"."""
    at: Any = model
    for part in path.split("."):
        at = at[int(part)] if part.isdecimal() else getattr(at, part)
    return at


def _put(model: Llama, path: str, stored: Stored) -> None:
    """A stored matrix in the place of the layer at `path`; the embedding's also in the output's, where these are tied."""
    above, _, last = path.rpartition(".")
    replace(_at(model, above) if above else model, last, stored)
    if path == "embed_tokens" and model.config.tie_word_embeddings:
        replace(model, "lm_head", stored)


def _stored(gguf: GGUF, name: str, storage: str) -> Stored:
    kind = gguf.tensors[name].kind
    if storage == "blocks" and kind in Blocks.LAYOUT:
        return Blocks(kind, gguf.blocks(name))
    return KINDS.get(storage, Float16)(gguf.read(name))


# -- values ------------------------------------------------------------------------------------------------------------


def _config(where: str, **fields: Any) -> LlamaConfig:
    try:
        return LlamaConfig(**fields)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where}: {error}") from None


def _count_or_none(fields: Fields, name: str) -> int | None:
    return None if fields.config.get(name) is None else fields.count(name)


def _rope_theta(fields: Fields) -> float:
    """The base of the rotations, which newer files have under "rope_parameters"."""
    places = [fields]
    for name in ("rope_scaling", "rope_parameters"):
        given = fields.config.get(name)
        if given is None:
            continue
        if not isinstance(given, Mapping) or given.get("rope_type", given.get("type", "default")) != "default":
            raise FormatError(f"config.json: {name} should be of the type 'default', it is {short(given)}.")
        if "rope_theta" in given:
            places.append(Fields(given))
    return places[-1].number("rope_theta", 10000.0, 1e-6, float("inf"))


def _setting(metadata: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """A count among the settings of a GGUF file, under "llama." and its name."""
    value = metadata.get(f"llama.{name}", default)
    if type(value) is not int or not 1 <= value <= MOST:
        given = "missing" if value is None else short(value)
        raise FormatError(f"llama.{name} should be a whole number of 1 to {MOST:,}; it is {given}.")
    return value


def _number(metadata: Mapping[str, Any], name: str, default: float) -> float:
    """A number among the settings; the file has it in float32, and the shortest decimal that gives it is meant."""
    value = metadata.get(f"llama.{name}", default)
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise FormatError(f"llama.{name} should be a number of at least 0; it is {short(value)}.")
    return float(str(np.float32(value)))


def _expect_tensors(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> None:
    """Refuses tensors whose names and shapes are not those that the settings ask for, before memory is taken for them."""
    problems = [f"{name} {shape} is missing" for name, shape in expected.items() if name not in found]
    problems += [
        f"{short(name)} {shape} is none of the model's" for name, shape in found.items() if name not in expected
    ]
    problems += [
        f"{name} has the shape {found[name]}, the settings ask for {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise FormatError(f"the tensors do not fit the settings: {'; '.join(problems[:5])}{more}.")


__all__ = ["STORAGES", "config_from_gguf", "config_from_huggingface", "from_gguf", "from_huggingface", "shapes_of",
           "to_huggingface"]  # fmt: skip
