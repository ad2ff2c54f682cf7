"""BERT under Hugging Face's names: config.json and tensors to a model of `minilm.models.bert`, and back.

Weights come as ``{name: array}``, with or without the prefix "bert." before the encoder's names. What a file of weights says is not
believed: every name and every shape is held against config.json before a model is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minilm.formats import FormatError
from minilm.models.bert import (
    ACTIVATIONS,
    Bert,
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minilm.nn import Dropout
from minilm.nn.init import without_drawing
from minilm.pretrained.fields import Fields, Place, expect_layers, expect_shapes
from minilm.strict_json import short
from minilm.types import Arrays, HostArray

BertModel = (
    Bert
    | BertForMaskedLM
    | BertForSequenceClassification
    | BertForTokenClassification
    | BertForQuestionAnswering
    | BertForNextSentencePrediction
)
KINDS: dict[str, type[Any]] = {
    "BertModel": Bert,
    "BertForMaskedLM": BertForMaskedLM,
    "BertForSequenceClassification": BertForSequenceClassification,
    "BertForTokenClassification": BertForTokenClassification,
    "BertForQuestionAnswering": BertForQuestionAnswering,
    "BertForNextSentencePrediction": BertForNextSentencePrediction,
}
LABELLED = ("BertForSequenceClassification", "BertForTokenClassification")
POOLED = ("BertModel", "BertForSequenceClassification", "BertForNextSentencePrediction")
HEADS = ("pooler.", "cls.", "classifier.", "qa_outputs.")  # what a file may have beside what is asked of it
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")  # 0, 1, 2 ... and zeros, from earlier versions
EARLIER = {
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
TIED = "cls.predictions.decoder.weight"
WORDS = "embeddings.word_embeddings.weight"


def layout(config: BertConfig, kind: str = "BertModel", num_labels: int = 2, pooler: bool = True) -> dict[str, Place]:
    """All tensors of a model of that kind: their names in transformers, without "bert.", to their places."""
    C, I = config.hidden_size, config.intermediate_size
    places: dict[str, Place] = {}

    def add(theirs: str, ours: str, *shape: int) -> None:
        """A matrix, with a bias; or the two vectors of a norm."""
        places[f"{theirs}.weight"] = Place(f"{ours}.weight", shape)
        places[f"{theirs}.bias"] = Place(f"{ours}.bias", shape[:1])

    encoder = "" if kind == "BertModel" else "bert."
    places[WORDS] = Place(f"{encoder}words.weight", (config.vocab_size, C))
    places["embeddings.token_type_embeddings.weight"] = Place(f"{encoder}segments.weight", (config.type_vocab_size, C))
    places["embeddings.position_embeddings.weight"] = Place(
        f"{encoder}positions.weight", (config.max_position_embeddings, C)
    )
    add("embeddings.LayerNorm", f"{encoder}norm", C)
    for i in range(config.num_hidden_layers):
        theirs, ours = f"encoder.layer.{i}", f"{encoder}layers.{i}"
        for name, letter in (("query", "q"), ("key", "k"), ("value", "v")):
            add(f"{theirs}.attention.self.{name}", f"{ours}.self_attn.{letter}_proj", C, C)
        add(f"{theirs}.attention.output.dense", f"{ours}.self_attn.out_proj", C, C)
        add(f"{theirs}.attention.output.LayerNorm", f"{ours}.norm1", C)
        add(f"{theirs}.intermediate.dense", f"{ours}.feed_forward.up", I, C)
        add(f"{theirs}.output.dense", f"{ours}.feed_forward.down", C, I)
        add(f"{theirs}.output.LayerNorm", f"{ours}.norm2", C)
    if pooler and kind in POOLED:
        add("pooler.dense", f"{encoder}pooler", C, C)
    if kind == "BertForMaskedLM":
        add("cls.predictions.transform.dense", "transform", C, C)
        add("cls.predictions.transform.LayerNorm", "norm", C)
        places["cls.predictions.bias"] = Place("bias", (config.vocab_size,))
    elif kind in LABELLED:
        add("classifier", "classifier", num_labels, C)
    elif kind == "BertForQuestionAnswering":
        add("qa_outputs", "outputs", 2, C)
    elif kind == "BertForNextSentencePrediction":
        add("cls.seq_relationship", "classifier", 2, C)
    return places


def config_from_huggingface(config: Mapping[str, Any]) -> BertConfig:
    """The shape that a config.json describes; what it leaves out has transformers' default.

    Raises:
        FormatError: it has no vocab_size, a value is of another type or out of range, or it asks for what this BERT is not.
    """
    fields = Fields(config)
    fields.only("model_type", "bert")
    fields.only("position_embedding_type", "absolute")
    for name in ("is_decoder", "add_cross_attention"):
        fields.only(name, False)
    words = fields.count("vocab_size")
    try:
        return BertConfig(
            words,
            hidden_size=fields.count("hidden_size", 768),
            num_hidden_layers=fields.count("num_hidden_layers", 12),
            num_attention_heads=fields.count("num_attention_heads", 12),
            intermediate_size=fields.count("intermediate_size", 3072),
            hidden_act=fields.only("hidden_act", *ACTIVATIONS),
            hidden_dropout_prob=fields.number("hidden_dropout_prob", 0.1, 0.0, 1.0),
            attention_probs_dropout_prob=fields.number("attention_probs_dropout_prob", 0.1, 0.0, 1.0),
            max_position_embeddings=fields.count("max_position_embeddings", 512),
            type_vocab_size=fields.count("type_vocab_size", 2),
            layer_norm_eps=fields.number("layer_norm_eps", 1e-12, 0.0, 1.0),
            pad_token_id=fields.count("pad_token_id", 0, least=0),
            initializer_range=fields.number("initializer_range", 0.02, 0.0, 100.0),
        )
    except ValueError as error:
        raise FormatError(f"config.json: {str(error).removeprefix('BertConfig: ')}") from None


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, HostArray], kind: str | None = None) -> Any:
    """The model of a config.json and its tensors, in evaluation mode; in float64 where the tensors are, else in float32.

    Args:
        config: what config.json holds.
        arrays: the tensors by name. Those of another head than the kind's are left out, and so is the buffer of positions.
        kind: which model to make of it, a name of `KINDS`; default: the first of config's "architectures", else "BertModel". A
            "BertModel" has a pooler where there are weights for one.

    Raises:
        FormatError: as `config_from_huggingface`; the kind is unknown; or a tensor is missing, unknown, of another shape or dtype.
    """
    shape = config_from_huggingface(config)
    kind = _kind(config) if kind is None else kind
    if kind not in KINDS:
        raise FormatError(f"there is no model {short(kind)} here; there are {', '.join(KINDS)}.")
    given = _plain_names(arrays)
    expect_layers(given, "encoder.layer.", shape.num_hidden_layers, "num_hidden_layers")
    options: dict[str, Any] = {}
    if kind in LABELLED:
        options["num_labels"] = _num_labels(config, given)
    elif kind == "BertModel":
        options["pooler"] = any(name.startswith("pooler.") for name in given)
    places = layout(shape, kind, **options)
    if kind == "BertForMaskedLM" and TIED in given and not np.array_equal(given[TIED], given.get(WORDS, given[TIED])):
        raise FormatError(f"{TIED} and {WORDS} are one matrix here; in the weights they differ.")
    given = {name: array for name, array in given.items() if name in places or not name.startswith(HEADS)}
    expect_shapes(given, {name: place.shape for name, place in places.items()})
    with without_drawing():
        model = KINDS[kind](shape, **options)
    if given[WORDS].dtype == np.float64:
        model.to("float64")
    model.load_state_dict({place.ours: given[name] for name, place in places.items()})
    if kind in LABELLED and config.get("classifier_dropout") is not None:
        model.dropout = Dropout(Fields(config).number("classifier_dropout", 0.0, 0.0, 1.0))
    return model.eval()


def to_huggingface(model: BertModel) -> tuple[dict[str, Any], Arrays]:
    """The config.json and the tensors of a model, as transformers reads them; the matrix that is tied once.

    Raises:
        TypeError: the model is none of `KINDS`.
    """
    kind = next((name for name, cls in KINDS.items() if type(model) is cls), None)
    if kind is None:
        raise TypeError(f"transformers has no {type(model).__name__}; its kinds of BERT are {', '.join(KINDS)}.")
    config = {"architectures": [kind], "model_type": "bert", **model.config.to_dict()}
    options: dict[str, Any] = {}
    if isinstance(model, BertForSequenceClassification | BertForTokenClassification):
        options["num_labels"] = model.num_labels
        config["id2label"] = {str(i): f"LABEL_{i}" for i in range(model.num_labels)}
        config["label2id"] = {f"LABEL_{i}": i for i in range(model.num_labels)}
        if model.dropout.p != model.config.hidden_dropout_prob:
            config["classifier_dropout"] = model.dropout.p
    elif isinstance(model, Bert):
        options["pooler"] = model.pooler is not None
    state, arrays = model.state_dict(), {}
    for name, place in layout(model.config, kind, **options).items():
        encoder = kind != "BertModel" and name.startswith(("embeddings.", "encoder.", "pooler."))
        arrays[f"bert.{name}" if encoder else name] = state[place.ours].numpy()
    return config, arrays


def _kind(config: Mapping[str, Any]) -> str:
    named = config.get("architectures") or ["BertModel"]
    if not isinstance(named, list) or not isinstance(named[0], str):
        raise FormatError(f"config.json: architectures should be a list of names, it is {short(named)}.")
    return named[0]


def _num_labels(config: Mapping[str, Any], given: Mapping[str, HostArray]) -> int:
    """How many classes: what config.json says, else as many as the classifier has rows."""
    names, weight = config.get("id2label"), given.get("classifier.weight")
    if "num_labels" not in config and isinstance(names, Mapping) and names:
        return len(names)
    rows = len(weight) if weight is not None and weight.ndim and len(weight) else 2
    return Fields(config).count("num_labels", rows)


def _plain_names(arrays: Mapping[str, HostArray]) -> dict[str, HostArray]:
    """The tensors under one form of their names: without "bert.", and without what is no weight."""
    plain: dict[str, HostArray] = {}
    for name, array in arrays.items():
        short_name = name.removeprefix("bert.")
        for earlier, now in EARLIER.items():
            short_name = short_name.replace(earlier, now)
        if short_name in BUFFERS:
            continue
        if short_name in plain and not np.array_equal(plain[short_name], array):
            raise FormatError(f"the tensor {short_name} is there twice, with different numbers.")
        plain[short_name] = array
    return plain


__all__ = ["KINDS", "BertModel", "config_from_huggingface", "from_huggingface", "layout", "to_huggingface"]
