"""The work that is timed: its shapes, initial weights and data, as NumPy arrays by name, the same for every peer.

Weights carry the names that minilm's modules give them; a linear map's are ``(out, in)``. A training workload has
`BATCHES` batches, which the steps go through in turn: on one batch alone the gradients would soon vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = Any
Arrays = dict[str, Array]

SEED, BATCHES = 1337, 8
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8}
WEIGHT_DECAY, CLIP = 0.1, 1.0
SGD = {"lr": 0.1, "momentum": 0.9}
CHAIN = 25  # times four ops: y * a, y + b, y - c, tanh(y)
CHAIN_NUMBERS = {"x": 0.7, "a": 1.1, "b": 0.2, "c": 0.1}


@dataclass(frozen=True)
class Workload:
    """One thing to time.

    Attributes:
        name: what the command line, the table and the record call it.
        part: the letter of its part of the benchmark.
        kind: which of a peer's builders makes it.
        about: a line for the table.
        options: its shapes.
        tolerance: how far the values of two peers may be apart, relative to the value.
    """

    name: str
    part: str
    kind: str
    about: str
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4

    def varied(self, **options: Any) -> Workload:
        """The same with other shapes.

        Raises:
            ValueError: an option that it does not have.
        """
        unknown = [name for name in options if name not in self.options]
        if unknown:
            raise ValueError(f"{self.name} has no option {', '.join(unknown)}; it has {', '.join(self.options)}.")
        return replace(self, options={**self.options, **options})


@dataclass
class Step:
    """What a peer builds: a call is one step of the work and returns the loss, or whatever else two peers must agree on.

    Attributes:
        run: the step. Its value is a number on the host, so that nothing of the step is still to be done.
        prepare: is called before each step, and not timed.
        note: what a reader of the record should know, such as the optimizer that was chosen.
    """

    run: Callable[[], Any]
    prepare: Callable[[], None] | None = None
    note: str = ""

    def __call__(self) -> Any:
        if self.prepare is not None:
            self.prepare()
        return self.run()


GPT = {"n_layer": 4, "n_head": 4, "n_embd": 128, "length": 64, "batch": 12, "block_size": 64, "vocab_size": 65}
LARGE = {**GPT, "n_layer": 6, "n_head": 6, "n_embd": 384, "length": 256, "batch": 8, "block_size": 256}
MLP = {"widths": [784, 128, 10], "batch": 64}
CNN = {"channels": [1, 16, 32], "size": 28, "classes": 10, "batch": 64}
ENCODER = {"n_layer": 4, "n_head": 4, "n_embd": 128, "hidden": 512, "length": 64, "batch": 16}
GENERATE = {**GPT, "batch": 1, "block_size": 320, "prompt": 8, "tokens": 256}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("gpt", "a", "gpt", "GPT, one training step (4 layers, 128 wide, 64 tokens, batch 12)", GPT),
        Workload("mlp-64", "b", "mlp", "MLP 784-128-10, one training step, batch 64", MLP),
        Workload("mlp-1024", "b", "mlp", "MLP 784-128-10, one training step, batch 1024", {**MLP, "batch": 1024}),
        Workload("cnn", "c", "cnn", "CNN of two convolutions on 28x28, one training step, batch 64", CNN),
        Workload("encoder", "d", "encoder", "encoder with padding, one training step, batch 16", ENCODER),
        Workload("generate", "e", "generate", "256 tokens with a KV cache, greedy, batch 1", GENERATE, 0.0),
        Workload("ops-forward", "f", "ops", "100 ops on scalars, recorded", {"mode": "forward"}),
        Workload("ops-no-grad", "f", "ops", "100 ops on scalars, not recorded", {"mode": "no-grad"}),
        Workload("ops-backward", "f", "ops", "100 ops on scalars, backward", {"mode": "backward"}),
        Workload("memory-small", "g", "gpt", "peak memory of (a)", GPT),
        Workload("memory-large", "g", "gpt", "peak memory, 6 layers, 384 wide, 256 tokens, batch 8", LARGE),
    )
}


def arrays(workload: Workload) -> Arrays:
    """Weights under ``w.NAME`` and data under their own names, drawn from one seed."""
    return MAKERS[workload.kind](workload.options, np.random.default_rng(SEED))


def weights(found: Arrays) -> Arrays:
    """The weights among a workload's arrays, by the names of minilm's parameters."""
    return {name[2:]: value for name, value in found.items() if name.startswith("w.")}


def gpt_shapes(options: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a GPT without biases, its output tied to the embedding."""
    C = options["n_embd"]
    yield "wte.weight", (options["vocab_size"], C)
    yield "wpe.weight", (options["block_size"], C)
    for i in range(options["n_layer"]):
        yield f"blocks.{i}.ln_1.weight", (C,)
        yield f"blocks.{i}.attn.c_attn.weight", (3 * C, C)
        yield f"blocks.{i}.attn.c_proj.weight", (C, C)
        yield f"blocks.{i}.ln_2.weight", (C,)
        yield f"blocks.{i}.mlp.c_fc.weight", (4 * C, C)
        yield f"blocks.{i}.mlp.c_proj.weight", (C, 4 * C)
    yield "ln_f.weight", (C,)


def encoder_shapes(options: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a stack of post-norm encoder layers with biases."""
    C, H = options["n_embd"], options["hidden"]
    for i in range(options["n_layer"]):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{i}.self_attn.{name}.weight", (C, C)
            yield f"{i}.self_attn.{name}.bias", (C,)
        yield f"{i}.feed_forward.up.weight", (H, C)
        yield f"{i}.feed_forward.up.bias", (H,)
        yield f"{i}.feed_forward.down.weight", (C, H)
        yield f"{i}.feed_forward.down.bias", (C,)
        for name in ("norm1", "norm2"):
            yield f"{i}.{name}.weight", (C,)
            yield f"{i}.{name}.bias", (C,)


def _drawn(shapes: Any, rng: np.random.Generator, deviation: float) -> Arrays:
    """Matrices normal with this deviation, norms' weights one, biases zero."""
    found = {}
    for name, shape in shapes:
        if len(shape) > 1:
            found[f"w.{name}"] = rng.normal(0, deviation, shape).astype(np.float32)
        else:
            found[f"w.{name}"] = (np.zeros if name.endswith("bias") else np.ones)(shape, np.float32)
    return found


def _linear(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Arrays:
    """Weight and bias of a linear map or convolution, uniform within 1 / sqrt(inputs of one output)."""
    bound = float(np.prod(shape[1:])) ** -0.5
    return {f"w.{name}.weight": rng.uniform(-bound, bound, shape).astype(np.float32),
            f"w.{name}.bias": rng.uniform(-bound, bound, shape[0]).astype(np.float32)}  # fmt: skip


def _gpt(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    tokens = rng.integers(options["vocab_size"], size=(BATCHES, options["batch"], options["length"] + 1))
    found = {"ids": np.ascontiguousarray(tokens[..., :-1]), "targets": np.ascontiguousarray(tokens[..., 1:])}
    return {**_drawn(gpt_shapes(options), rng, 0.02), **found}


def _generate(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    # Weights this large make tokens that vary, with logits far enough apart that rounding does not decide between them.
    prompt = rng.integers(options["vocab_size"], size=(1, options["prompt"]))
    return {**_drawn(gpt_shapes(options), rng, 0.2), "prompt": prompt}


def _mlp(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    widths, batch = options["widths"], options["batch"]
    found: Arrays = {}
    for i in range(len(widths) - 1):
        found.update(_linear(f"layers.{i}", (widths[i + 1], widths[i]), rng))
    found["x"] = rng.standard_normal((BATCHES, batch, widths[0]), np.float32)
    found["targets"] = rng.integers(widths[-1], size=(BATCHES, batch))
    return found


def _cnn(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    (inputs, first, second), size, batch = options["channels"], options["size"], options["batch"]
    return {
        **_linear("0", (first, inputs, 3, 3), rng),
        **_linear("3", (second, first, 3, 3), rng),
        **_linear("7", (options["classes"], second * (size // 4) ** 2), rng),
        "x": rng.standard_normal((BATCHES, batch, inputs, size, size), np.float32),
        "targets": rng.integers(options["classes"], size=(BATCHES, batch)),
    }


def _encoder(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    batch, length, C = options["batch"], options["length"], options["n_embd"]
    lengths = rng.integers(length // 4, length + 1, size=(BATCHES, batch))
    return {
        **_drawn(encoder_shapes(options), rng, C**-0.5),
        "x": rng.standard_normal((BATCHES, batch, length, C), np.float32),
        "y": rng.standard_normal((BATCHES, batch, length, C), np.float32),
        "padding": np.arange(length) >= lengths[..., None],  # True where there is nothing
    }


def _ops(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    return {name: np.float32(value) for name, value in CHAIN_NUMBERS.items()}


MAKERS: dict[str, Callable[[dict[str, Any], np.random.Generator], Arrays]] = {
    "gpt": _gpt, "mlp": _mlp, "cnn": _cnn, "encoder": _encoder, "generate": _generate, "ops": _ops,
}  # fmt: skip
