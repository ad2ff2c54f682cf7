"""T5 in Hugging Face's layout (`T5ForConditionalGeneration`), and ours: names of weights, and config.json.

Two kinds have been published. T5 (Raffel et al. 2020) ties its embeddings and has a ReLU; T5 1.1 has an output matrix of its own and
the gated GELU. The copy head is not of T5's, and has no name there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from minilm.graph import no_grad
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig
from minilm.types import Arrays, HostArray

NOT_OURS = {"copy_head", "unk_token_id"}  # fields of Seq2SeqConfig that T5's config.json has not
COPIES = (
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
)  # of shared.weight, in files that hold every name
UNUSED = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)  # in the first files, never read


def from_huggingface(config: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> Seq2Seq:
    """A model with published weights, in their dtype (float16 and bfloat16 are best widened before).

    Whether there is an output matrix of its own is what the arrays say: newer versions of the library write ``tie_word_embeddings`` as true
    for either kind, and ``scale_decoder_outputs`` beside it.

    Args:
        config: what config.json holds.
        arrays: what the file of weights holds, by name.

    Raises:
        ValueError: the config is of another family, a weight is missing, unknown, or of another shape, or the dtypes differ.
    """
    model = Seq2Seq(_config(config, arrays), np.random.default_rng(0))
    dtypes = sorted({str(a.dtype) for a in arrays.values()})
    if len(dtypes) != 1 or dtypes[0] not in ("float16", "float32", "float64"):
        raise ValueError(f"T5: the weights must be floats of one type, got {', '.join(dtypes) or 'none'}.")
    named, given = dict(_names(model)), {n: a for n, a in arrays.items() if n not in COPIES + UNUSED}
    if model.config.tie_word_embeddings:
        given.pop("lm_head.weight", None)
    missing, unknown = sorted(named.keys() - given.keys()), sorted(given.keys() - named.keys())
    if missing or unknown:
        raise ValueError(
            f"T5: the weights do not fit the config: missing {_some(missing)}; unknown {_some(unknown)}. "
            f"The config has {model.config.num_layers} + {model.config.num_decoder_layers} layers and {model.config.feed_forward_proj}."
        )
    model.to(dtypes[0])
    parameters = dict(model.named_parameters())
    with no_grad():
        for theirs, ours in named.items():
            if given[theirs].shape != parameters[ours].shape:
                raise ValueError(
                    f"T5: {theirs} has shape {given[theirs].shape}, the config says {parameters[ours].shape}."
                )
            parameters[ours].copy_(given[theirs])
    return model


def to_huggingface(model: Seq2Seq) -> tuple[dict[str, Any], Arrays]:
    """What config.json and the file of weights hold.

    Raises:
        ValueError: the model has a copy head, which T5 has not.
    """
    if model.copy is not None:
        raise ValueError(
            "T5 has no copy head: its weights have no names in this layout. Save the model with state_dict."
        )
    config = {name: value for name, value in model.config.to_dict().items() if name not in NOT_OURS}
    config |= {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True}
    parameters = dict(model.named_parameters())
    return config, {theirs: parameters[ours].numpy().copy() for theirs, ours in _names(model)}


def _config(config: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> Seq2SeqConfig:
    """Ours, from config.json; what is not said there is T5's default."""
    if config.get("model_type", "t5") not in ("t5", "mt5"):
        raise ValueError(f"T5: config.json is of the family {config['model_type']!r}, expected 't5'.")
    if "vocab_size" not in config:
        raise ValueError("T5: config.json has no vocab_size.")
    known = {f.name for f in fields(Seq2SeqConfig)} - NOT_OURS
    given = {name: value for name, value in config.items() if name in known and value is not None}
    said = bool(given.get("tie_word_embeddings", True))
    shared, head = arrays.get("shared.weight"), arrays.get("lm_head.weight")
    given["tie_word_embeddings"] = head is None or (said and shared is not None and np.array_equal(shared, head))
    given.setdefault("scale_decoder_outputs", said)
    if isinstance(given.get("eos_token_id"), list):
        given["eos_token_id"] = given["eos_token_id"][0]
    return Seq2SeqConfig(**given)


def _names(model: Seq2Seq) -> Iterator[tuple[str, str]]:
    """Their name and ours of each parameter."""
    yield "shared.weight", "shared.weight"
    for half, attentions in (("encoder", {"SelfAttention": "attn"}),
                             ("decoder", {"SelfAttention": "attn", "EncDecAttention": "cross"})):  # fmt: skip
        first = f"{half}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        yield first, f"{half}.positions.embedding.weight"
        for i in range(len(getattr(model, half).blocks)):
            theirs, ours = f"{half}.block.{i}.layer", f"{half}.blocks.{i}"
            for j, (their_attention, our_attention) in enumerate(attentions.items()):
                yield f"{theirs}.{j}.layer_norm.weight", f"{ours}.ln_{j + 1}.weight"
                for part in "qkvo":
                    yield f"{theirs}.{j}.{their_attention}.{part}.weight", f"{ours}.{our_attention}.{part}.weight"
            j = len(attentions)
            yield f"{theirs}.{j}.layer_norm.weight", f"{ours}.ln_{j + 1}.weight"
            gated = model.config.feed_forward_proj == "gated-gelu"
            parts = {"wi_0": "gate", "wi_1": "up", "wo": "down"} if gated else {"wi": "up", "wo": "down"}
            for their_part, our_part in parts.items():
                yield f"{theirs}.{j}.DenseReluDense.{their_part}.weight", f"{ours}.mlp.{our_part}.weight"
        yield f"{half}.final_layer_norm.weight", f"{half}.ln_f.weight"
    if not model.config.tie_word_embeddings:
        yield "lm_head.weight", "lm_head.weight"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"


__all__ = ["from_huggingface", "to_huggingface"]
