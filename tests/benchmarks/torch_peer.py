"""PyTorch's side of the benchmarks, eager: the same models with PyTorch's own fused functions and optimizers.

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


# -- GPT ----------------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.n_head = options["n_head"]
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)

    def heads(self, x: Any) -> tuple[Any, ...]:
        B, T, C = x.shape
        return tuple(part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))

    def forward(self, x: Any) -> Any:
        q, k, v = self.heads(x)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))

    def append(self, x: Any, keys: Any, values: Any, start: int) -> Any:
        """The same for the tokens after `start`, whose keys and values are written to the caches (B, H, room, D)."""
        q, k, v = self.heads(x)
        end = start + x.shape[1]
        keys[:, :, start:end], values[:, :, start:end] = k, v
        y = F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], is_causal=start == 0)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))


class Feed(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)

    def forward(self, x: Any) -> Any:
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.ln_1, self.ln_2 = nn.LayerNorm(C, bias=False), nn.LayerNorm(C, bias=False)
        self.attn, self.mlp = Attention(options), Feed(C)

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))

    def append(self, x: Any, keys: Any, values: Any, start: int) -> Any:
        x = x + self.attn.append(self.ln_1(x), keys, values, start)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.wte, self.wpe = nn.Embedding(options["vocab_size"], C), nn.Embedding(options["block_size"], C)
        self.blocks = nn.ModuleList([Block(options) for _ in range(options["n_layer"])])
        self.ln_f = nn.LayerNorm(C, bias=False)
        self.register_buffer("positions", torch.arange(options["block_size"]))

    def loss(self, ids: Any, targets: Any) -> Any:
        x = self.wte(ids) + self.wpe(self.positions[: ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    def append(self, ids: Any, caches: list[tuple[Any, Any]], start: int) -> Any:
        """The logits (B, vocab_size) after the last of the `ids`, which follow `start` tokens that the caches hold."""
        x = self.wte(ids) + self.wpe(self.positions[start : start + ids.shape[1]])
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x = block.append(x, keys, values, start)
        return F.linear(self.ln_f(x[:, -1]), self.wte.weight)


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
    room = (1, options["n_head"], options["block_size"], options["n_embd"] // options["n_head"])
    caches = [(torch.empty(room), torch.empty(room)) for _ in range(options["n_layer"])]

    @torch.inference_mode()
    def step() -> list[int]:
        ids, start, written = prompt, 0, []
        for _ in range(options["tokens"]):
            newest = model.append(ids, caches, start).argmax(-1, keepdim=True)
            start += ids.shape[1]
            written.append(newest.item())
            ids = newest
        return written

    return Step(step)


# -- the other models ---------------------------------------------------------------------------------------------------


class Perceptron(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(m, n) for m, n in itertools.pairwise(widths)])

    def forward(self, x: Any) -> Any:
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        return last(x)


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


class SelfAttention(nn.Module):
    def __init__(self, C: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(C, C) for _ in range(4))

    def forward(self, x: Any, keep: Any) -> Any:
        B, T, C = x.shape
        q, k, v = (f(x).view(B, T, self.n_head, -1).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))


class TwoLinear(nn.Module):
    def __init__(self, C: int, hidden: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(C, hidden), nn.Linear(hidden, C)

    def forward(self, x: Any) -> Any:
        return self.down(F.relu(self.up(x)))


class EncoderLayer(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.self_attn, self.feed_forward = SelfAttention(C, options["n_head"]), TwoLinear(C, options["hidden"])
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)

    def forward(self, x: Any, keep: Any) -> Any:
        x = self.norm1(x + self.self_attn(x, keep))
        return self.norm2(x + self.feed_forward(x))


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


BUILDERS = {"gpt": _gpt, "mlp": _mlp, "cnn": _cnn, "encoder": _encoder, "generate": _generate, "ops": _ops}
