"""minilm's side of the benchmarks, written as a user writes it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import minilm as ml
from minilm import nn
from minilm.models import GPT, GPTConfig
from minilm.models import MLP as Perceptron
from minilm.models.bert import Bert, BertConfig
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig
from minilm.nn import functional as F
from minilm.nn.init import without_drawing
from minilm.optim import SGD, AdamW, clip_grad_norm_
from tests.benchmarks import workloads
from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "minilm"


def set_threads(count: int) -> None:
    ml.set_num_threads(count)


def build(workload: Workload, arrays: Arrays) -> Step:
    """The workload's step, from its initial weights."""
    return BUILDERS[workload.kind](workload.options, arrays)


def batches(arrays: Arrays, *names: str) -> Any:
    """The batches of these arrays as Tensors, over and over."""
    found = [tuple(ml.Tensor(arrays[name][i]) for name in names) for i in range(workloads.BATCHES)]
    return itertools.cycle(found)


def _sgd_step(model: nn.Module, loss: Any, turns: Any) -> Step:
    optimizer = SGD(model.parameters(), **workloads.SGD)

    def step() -> float:
        optimizer.zero_grad()
        value = loss(*next(turns))
        value.backward()
        optimizer.step()
        return value.item()

    return Step(step)


def loaded(make: Callable[[], Any], arrays: Arrays) -> Any:
    """A model with the workload's weights; what it would draw for itself is not drawn."""
    with without_drawing():
        model = make()
    model.load_state_dict(workloads.weights(arrays))
    return model


def gpt_model(options: dict[str, Any], arrays: Arrays) -> GPT:
    names = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
    model = GPT(GPTConfig(**{name: options[name] for name in names}, bias=False))
    model.load_state_dict(workloads.weights(arrays))
    return model


def _gpt(options: dict[str, Any], arrays: Arrays) -> Step:
    model = gpt_model(options, arrays)
    optimizer = AdamW(model.decay_groups(workloads.WEIGHT_DECAY), **workloads.ADAMW)
    turns = batches(arrays, "ids", "targets")

    def step() -> float:
        optimizer.zero_grad()
        loss = model.loss(*next(turns))
        loss.backward()
        clip_grad_norm_(model.parameters(), workloads.CLIP)
        optimizer.step()
        return loss.item()

    return Step(step)


def _mlp(options: dict[str, Any], arrays: Arrays) -> Step:
    model = Perceptron(options["widths"])
    model.load_state_dict(workloads.weights(arrays))
    return _sgd_step(model, lambda x, y: F.cross_entropy(model(x), y), batches(arrays, "x", "targets"))


def _cnn(options: dict[str, Any], arrays: Arrays) -> Step:
    (inputs, first, second), size = options["channels"], options["size"]
    model = nn.Sequential(
        nn.Conv2d(inputs, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(second * (size // 4) ** 2, options["classes"]),
    )  # fmt: skip
    model.load_state_dict(workloads.weights(arrays))
    return _sgd_step(model, lambda x, y: F.cross_entropy(model(x), y), batches(arrays, "x", "targets"))


def _encoder(options: dict[str, Any], arrays: Arrays) -> Step:
    layers = nn.ModuleList([
        nn.TransformerEncoderLayer(options["n_embd"], options["n_head"], options["hidden"], dropout=0.0)
        for _ in range(options["n_layer"])
    ])  # fmt: skip
    layers.load_state_dict(workloads.weights(arrays))

    def loss(x: Any, y: Any, padding: Any, keep: Any) -> Any:
        for layer in layers:
            x = layer(x, key_padding_mask=padding)
        return (((x - y) * keep) ** 2).sum() / (keep.sum() * y.shape[-1])

    keep = (~arrays["padding"])[..., None].astype(np.float32)
    return _sgd_step(layers, loss, batches({**arrays, "keep": keep}, "x", "y", "padding", "keep"))


def _generate(options: dict[str, Any], arrays: Arrays) -> Step:
    model, prompt = gpt_model(options, arrays), arrays["prompt"].tolist()
    model.eval()
    return Step(lambda: [id for text in model.generate(prompt, options["tokens"], temperature=0.0) for id in text])


def _seq2seq(options: dict[str, Any], arrays: Arrays) -> Step:
    config = Seq2SeqConfig(
        options["vocab_size"], options["n_embd"], options["head"], options["hidden"], options["n_layer"], num_heads=options["n_head"],
        relative_attention_num_buckets=options["buckets"], relative_attention_max_distance=options["longest"],
        dropout_rate=0.0, layer_norm_epsilon=options["eps"],
    )  # fmt: skip
    model = loaded(lambda: Seq2Seq(config), arrays)
    return _sgd_step(model, model.loss, batches(arrays, "source", "targets"))


def _bert(options: dict[str, Any], arrays: Arrays) -> Step:
    config = BertConfig(
        options["vocab_size"], options["n_embd"], options["n_layer"], options["n_head"], options["hidden"],
        max_position_embeddings=options["block_size"], layer_norm_eps=options["eps"],
    )  # fmt: skip
    model, turns = loaded(lambda: Bert(config, pooler=False), arrays).eval(), batches(arrays, "ids", "mask")

    def step() -> Any:
        with ml.no_grad():
            return model.embed(*next(turns)).numpy()

    return Step(step)


def _llama(options: dict[str, Any], arrays: Arrays) -> Step:
    """The next token, as `minilm.models.generation.generate` asks for it; after some, it begins behind the prompt again."""
    model = loaded(lambda: Llama(LlamaConfig(**workloads.llama_config(options))), arrays).eval()
    read, most = options["prompt"], options["prompt"] + options["tokens"]
    context = np.zeros((1, most), np.int64)
    context[0, :read] = arrays["prompt"][0]
    with ml.no_grad():
        _, cache = model.next_logits(context[:, : read - 1], None)
    end = read

    def step() -> list[int]:
        nonlocal end
        if end == most:
            end = read
            cache.cut(read - 1)
        with ml.no_grad():
            logits, _ = model.next_logits(context[:, :end], cache)
        context[0, end] = int(logits.numpy()[0].argmax())
        end += 1
        return context[0, read:end].tolist()

    return Step(step)


def _chain(y: Any, a: Any, b: Any, c: Any) -> Any:
    for _ in range(workloads.CHAIN):
        y = y * a
        y = y + b
        y = y - c
        y = y.tanh()
    return y


def _ops(options: dict[str, Any], arrays: Arrays) -> Step:
    x, a, b, c = (ml.Tensor(arrays[name], requires_grad=True) for name in "xabc")
    made = []

    def prepare() -> None:
        for tensor in (x, a, b, c):
            tensor.grad = None
        made[:] = [_chain(x, a, b, c)]

    def backward() -> float:
        made[0].backward()
        return x.grad.item()

    def unrecorded() -> float:
        with ml.no_grad():
            return _chain(x, a, b, c).item()

    if options["mode"] == "backward":
        return Step(backward, prepare)
    return Step(unrecorded if options["mode"] == "no-grad" else lambda: _chain(x, a, b, c).item())


BUILDERS = {"gpt": _gpt, "mlp": _mlp, "cnn": _cnn, "encoder": _encoder, "seq2seq": _seq2seq, "bert": _bert, "generate": _generate,
            "llama": _llama, "ops": _ops}  # fmt: skip
