"""BERT under Hugging Face's names: config.json and tensors to a model of `minilm.models.bert`, and back.

Weights come as ``{name: array}``, with or without the prefix "bert." before the encoder's names. What a file of weights says is not
believed: every name and every shape is held against config.json before a model is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minilm.models.bert import (
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
from minilm.types import Arrays, HostArray, Shape

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
MUST_BE = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
TIED = "cls.predictions.decoder.weight"
WORDS = "embeddings.word_embeddings.weight"


class Place(NamedTuple):
    """Where a tensor of transformers stands in our model, and its shape."""

    ours: str
    shape: Shape


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
        ValueError: it is another family's, has no vocab_size, a value is out of range, or it asks for what this BERT is not.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"config.json should hold an object, it holds {type(config).__name__}.")
    if (family := config.get("model_type", "bert")) != "bert":
        raise ValueError(f"config.json is of a model of type {family!r}, expected 'bert'.")
    for name, value in MUST_BE.items():
        if config.get(name, value) != value:
            raise ValueError(f"config.json: {name} is {config[name]!r}, but this BERT has {value!r} only.")
    if "vocab_size" not in config:
        raise ValueError("config.json has no vocab_size.")
    fields = {field.name for field in dataclasses.fields(BertConfig)}
    return BertConfig(**{name: value for name, value in config.items() if name in fields})


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, HostArray], kind: str | None = None) -> Any:
    """The model of a config.json and its tensors, in evaluation mode; in float64 where the tensors are, else in float32.

    Args:
        config: what config.json holds.
        arrays: the tensors by name. Those of another head than the kind's are left out, and so is the buffer of positions.
        kind: which model to make of it, a name of `KINDS`; default: the first of config's "architectures", else "BertModel". A
            "BertModel" has a pooler where there are weights for one.

    Raises:
        ValueError: as `config_from_huggingface`; the kind is unknown; or a tensor is missing, unknown, of another shape or dtype: one
            message names all of them.
    """
    shape = config_from_huggingface(config)
    kind = kind or _architecture(config)
    if kind not in KINDS:
        raise ValueError(f"there is no model {kind!r} here; there are {', '.join(KINDS)}.")
    given = _plain_names(arrays)
    if shape.num_hidden_layers > len(given):
        raise ValueError(f"config.json has {shape.num_hidden_layers} layers, but there are only {len(given)} tensors.")
    labels = _num_labels(config, given)
    pooler = kind != "BertModel" or any(name.startswith("pooler.") for name in given)
    places = layout(shape, kind, labels, pooler)
    if problems := _problems(places, given):
        raise ValueError(f"these tensors do not fit the config.json of a {kind}:\n  " + "\n  ".join(problems))
    with without_drawing():
        model = KINDS[kind](shape, **_options(kind, labels, pooler))
    if given[WORDS].dtype == np.float64:
        model.to("float64")
    model.load_state_dict({place.ours: given[name] for name, place in places.items()})
    if config.get("classifier_dropout") is not None and kind in LABELLED:
        model.dropout = Dropout(config["classifier_dropout"])
    return model.eval()


def to_huggingface(model: BertModel) -> tuple[dict[str, Any], Arrays]:
    """The config.json and the tensors of a model, as transformers reads them.

    Raises:
        TypeError: the model is none of `KINDS`.
    """
    kind = next((name for name, cls in KINDS.items() if type(model) is cls), None)
    if kind is None:
        raise TypeError(f"transformers has no {type(model).__name__}; its kinds of BERT are {', '.join(KINDS)}.")
    config = {"architectures": [kind], "model_type": "bert", **model.config.to_dict()}
    labels = getattr(model, "num_labels", 2)
    if kind in LABELLED:
        config["id2label"] = {str(i): f"LABEL_{i}" for i in range(labels)}
        config["label2id"] = {f"LABEL_{i}": i for i in range(labels)}
        if model.dropout.p != model.config.hidden_dropout_prob:
            config["classifier_dropout"] = model.dropout.p
    pooler = not isinstance(model, Bert) or model.pooler is not None
    state = model.state_dict()
    arrays = {}
    for name, place in layout(model.config, kind, labels, pooler).items():
        prefix = "" if kind == "BertModel" or (name.startswith(HEADS) and not name.startswith("pooler.")) else "bert."
        arrays[prefix + name] = state[place.ours].numpy()
    return config, arrays


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures") or ["BertModel"]
    if not isinstance(named, list) or not isinstance(named[0], str):
        raise ValueError(f"config.json: architectures should be a list of names, it is {named!r}.")
    return named[0]


def _options(kind: str, labels: int, pooler: bool) -> dict[str, Any]:
    return {"pooler": pooler} if kind == "BertModel" else {"num_labels": labels} if kind in LABELLED else {}


def _num_labels(config: Mapping[str, Any], given: Mapping[str, HostArray]) -> int:
    """How many classes: what config.json says, else as many as the classifier has rows."""
    said = config.get("num_labels", config.get("id2label"))
    if isinstance(said, Mapping):
        return len(said)
    if said is not None:
        if isinstance(said, bool) or not isinstance(said, int) or said < 1:
            raise ValueError(f"config.json: num_labels should be a positive integer, it is {said!r}.")
        return said
    weight = given.get("classifier.weight")
    return 2 if weight is None or not weight.ndim else len(weight)


def _plain_names(arrays: Mapping[str, HostArray]) -> dict[str, HostArray]:
    """The tensors under one form of their names: without "bert.", and without what is there twice or is no weight."""
    plain: dict[str, HostArray] = {}
    for name, array in arrays.items():
        short = name.removeprefix("bert.")
        short = short.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        short = short.replace("cls.predictions.decoder.bias", "cls.predictions.bias")
        if short in BUFFERS:
            continue
        if short in plain and not np.array_equal(plain[short], array):
            raise ValueError(f"the tensor {short} is there twice, with different numbers.")
        plain[short] = array
    return plain


def _problems(places: Mapping[str, Place], given: Mapping[str, HostArray]) -> list[str]:
    """Everything that does not fit, a line each."""
    problems = [f"missing: {name} {place.shape}" for name, place in places.items() if name not in given]
    for name, array in given.items():
        if name in places:
            if array.shape != places[name].shape:
                problems.append(f"wrong shape: {name}: expected {places[name].shape}, got {array.shape}")
            if array.dtype.kind != "f":
                problems.append(f"wrong dtype: {name}: expected floats, got {array.dtype}")
        elif not name.startswith(HEADS):
            problems.append(f"unknown: {name} {array.shape}")
    tied, words = given.get(TIED), given.get(WORDS)
    if tied is not None and words is not None and "cls.predictions.bias" in places and not np.array_equal(tied, words):
        problems.append(f"not tied: {TIED} differs from {WORDS}; here both are one matrix")
    return problems


__all__ = ["KINDS", "BertModel", "config_from_huggingface", "from_huggingface", "layout", "to_huggingface"]
