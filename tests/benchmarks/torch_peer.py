"""PyTorch's side of the benchmarks, eager: the same models (`torch_models`) with PyTorch's own fused functions and optimizers.

`compile_peer` is the same with the loss function given to `torch.compile`.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.benchmarks import workloads
from tests.benchmarks.torch_llama import TorchLlama
from tests.benchmarks.torch_models import GPT, Bert, EncoderLayer, Perceptron, Seq2Seq
from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "PyTorch eager"
TRIALS = 8

Wrapped = Callable[[Any], Any]


def set_threads(count: int) -> None:
    torch.set_num_threads(count)


def build(workload: Workload, arrays: Arrays, wrap: Wrapped = lambda loss: loss) -> Step:
    """The workload's step, from its initial weights; `wrap` is what becomes of the loss function."""
    return BUILDERS[workload.kind](workload.options, arrays, wrap)


def _batches(arrays: Arrays, *names: str) -> Any:
    """The batches of these arrays as tensors, over and over."""
    batches = [tuple(torch.from_numpy(arrays[name][i]) for name in names) for i in range(workloads.BATCHES)]
    return itertools.cycle(batches)


def load(model: nn.Module, arrays: Arrays) -> None:
    """Copies minilm's weights into a model whose parameters have minilm's names."""
    with torch.no_grad():
        given = workloads.weights(arrays)
        named = dict(model.named_parameters())
        if named.keys() != given.keys():
            raise ValueError(f"the model's parameters are {sorted(named)}, the weights {sorted(given)}.")
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(given[name]))


def faster(options: dict[str, Any], build_with: Callable[[bool], Step]) -> Step:
    """The step with PyTorch's default optimizer or with its ``fused=True``, whichever is faster here: both are tried in turns.

    The option "fused" decides instead, where it is given.
    """
    if "fused" in options:
        step = build_with(options["fused"])
        step.note = "optimizer: fused" if options["fused"] else "optimizer: default"
        return step
    steps = {fused: build_with(fused) for fused in (False, True)}
    times: dict[bool, list[float]] = {False: [], True: []}
    for trial in range(TRIALS + 2):
        for fused, step in steps.items():
            start = time.perf_counter()
            step()
            if trial >= 2:
                times[fused].append(time.perf_counter() - start)
    chosen = statistics.median(times[True]) < statistics.median(times[False])
    step = build_with(chosen)  # from the initial weights
    step.note = "optimizer: fused" if chosen else "optimizer: default"
    return step


def _sgd_step(
    options: dict[str, Any], make: Callable[[], tuple[nn.Module, Any]], batches: Callable[[], Any], wrap: Wrapped
) -> Step:
    def build_with(fused: bool) -> Step:
        model, loss = make()
        wrapped, data = wrap(loss), batches()
        optimizer = torch.optim.SGD(model.parameters(), **workloads.SGD, fused=fused)

        def step() -> float:
            optimizer.zero_grad()
            value = wrapped(*next(data))
            value.backward()
            optimizer.step()
            return value.item()

        return Step(step)

    return faster(options, build_with)


# -- builders -----------------------------------------------------------------------------------------------------------


def _gpt(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    def build_with(fused: bool) -> Step:
        model = GPT(options)
        load(model, arrays)
        named = list(model.parameters())
        groups = [{"params": [p for p in named if p.ndim >= 2], "weight_decay": workloads.WEIGHT_DECAY},
                  {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        optimizer = torch.optim.AdamW(groups, **workloads.ADAMW, fused=fused)
        loss, data = wrap(model.loss), _batches(arrays, "ids", "targets")

        def step() -> float:
            optimizer.zero_grad()
            value = loss(*next(data))
            value.backward()
            nn.utils.clip_grad_norm_(named, workloads.CLIP)
            optimizer.step()
            return value.item()

        return Step(step)

    return faster(options, build_with)


def _generate(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    model = GPT(options)
    load(model, arrays)
    model.eval()
    prompt = torch.from_numpy(arrays["prompt"])
    room = (len(prompt), options["n_head"], options["block_size"], options["n_embd"] // options["n_head"])
    caches = [(torch.empty(room), torch.empty(room)) for _ in range(options["n_layer"])]

    @torch.inference_mode()
    def step() -> list[int]:
        ids, start, written = prompt, 0, []
        for _ in range(options["tokens"]):
            newest = model.append(ids, caches, start).argmax(-1, keepdim=True)
            start += ids.shape[1]
            written.append(newest[:, 0].tolist())  # each is wanted as it comes
            ids = newest
        return [token for text in zip(*written, strict=True) for token in text]

    return Step(step)


def _classifier(model: nn.Module, arrays: Arrays) -> tuple[nn.Module, Any]:
    load(model, arrays)
    return model, lambda x, y: F.cross_entropy(model(x), y)


def _mlp(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    return _sgd_step(options, lambda: _classifier(Perceptron(options["widths"]), arrays),
                     lambda: _batches(arrays, "x", "targets"), wrap)  # fmt: skip


def _cnn(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    (inputs, first, second), size = options["channels"], options["size"]

    def make() -> tuple[nn.Module, Any]:
        model = nn.Sequential(
            nn.Conv2d(inputs, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(second * (size // 4) ** 2, options["classes"]),
        )  # fmt: skip
        return _classifier(model, arrays)

    return _sgd_step(options, make, lambda: _batches(arrays, "x", "targets"), wrap)


def _encoder(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    def make() -> tuple[nn.Module, Any]:
        layers = nn.ModuleList([EncoderLayer(options) for _ in range(options["n_layer"])])
        load(layers, arrays)

        def loss(x: Any, y: Any, keep: Any) -> Any:
            seen = keep[:, None, None, :]  # (batch, heads, queries, keys): True where attention is allowed
            for layer in layers:
                x = layer(x, seen)
            kept = keep[..., None].float()
            return (((x - y) * kept) ** 2).sum() / (kept.sum() * y.shape[-1])

        return layers, loss

    return _sgd_step(options, make, lambda: _batches({**arrays, "keep": ~arrays["padding"]}, "x", "y", "keep"), wrap)


def _seq2seq(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    def make() -> tuple[nn.Module, Any]:
        model = Seq2Seq(options)
        load(model, arrays)
        return model, model.loss

    return _sgd_step(options, make, lambda: _batches(arrays, "source", "targets"), wrap)


def _bert(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    model, data = Bert(options), _batches(arrays, "ids", "mask")
    load(model, arrays)
    model.eval()

    @torch.inference_mode()
    def step() -> Any:
        return model.embed(*next(data)).numpy()

    return Step(step)


def _halves(name: str, value: Any, options: dict[str, Any]) -> Any:
    """minilm rotates neighbors (0, 1), (2, 3), ... of a head; Hugging Face's order has all first ones, then all second ones."""
    found = torch.from_numpy(value)
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return found
    pairs = found.view(-1, options["n_embd"] // options["n_head"] // 2, 2, options["n_embd"])
    return pairs.transpose(1, 2).reshape(found.shape)


def _llama(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    weights = {f"model.{name}": _halves(name, value, options) for name, value in workloads.weights(arrays).items()}
    longest = options["prompt"] + options["tokens"]
    model, prompt = TorchLlama(workloads.llama_config(options), weights, longest), arrays["prompt"][0].tolist()
    written: list[int] = []

    @torch.inference_mode()
    def step() -> list[int]:
        if len(written) == options["tokens"]:
            written.clear()
        last, place = (written or prompt)[-1:], len(prompt) + len(written) - 1
        written.append(int(model.logits(torch.tensor(last), place).argmax()))
        return list(written)

    with torch.inference_mode():
        model.read(prompt[:-1])
    return Step(step)


# -- ops on scalars -----------------------------------------------------------------------------------------------------


def _chain(y: Any, a: Any, b: Any, c: Any) -> Any:
    for _ in range(workloads.CHAIN):
        y = y * a
        y = y + b
        y = y - c
        y = y.tanh()
    return y


def _ops(options: dict[str, Any], arrays: Arrays, wrap: Wrapped) -> Step:
    x, a, b, c = (torch.tensor(arrays[name], requires_grad=True) for name in "xabc")
    made = []

    def prepare() -> None:
        for tensor in (x, a, b, c):
            tensor.grad = None
        made[:] = [_chain(x, a, b, c)]

    def backward() -> float:
        made[0].backward()
        return x.grad.item()

    def unrecorded() -> float:
        with torch.no_grad():
            return _chain(x, a, b, c).item()

    if options["mode"] == "backward":
        return Step(backward, prepare)
    return Step(unrecorded if options["mode"] == "no-grad" else lambda: _chain(x, a, b, c).item())


BUILDERS = {"gpt": _gpt, "mlp": _mlp, "cnn": _cnn, "encoder": _encoder, "seq2seq": _seq2seq, "bert": _bert, "generate": _generate,
            "llama": _llama, "ops": _ops}  # fmt: skip
