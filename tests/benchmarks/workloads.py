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
        tolerance: how far the values of two peers may be apart, relative to the value; of several numbers, to the largest.
        measure: which function of `harness` measures it.
        threads: of each side; None: as many as the plan says.
        load: what else works meanwhile, for the measure "beside": "busy", one process that computes, or "second", another process
            that does the same on the same side.
    """

    name: str
    part: str
    kind: str
    about: str
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4
    measure: str = "timed"
    threads: int | None = None
    load: str = ""

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
        run: the step. Its value is on the host, a number, a list or an array of some, so that nothing of the step is still to be done.
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
SEQ2SEQ = {"n_layer": 3, "n_head": 4, "n_embd": 128, "head": 32, "hidden": 512, "vocab_size": 2000, "source": 48, "target": 32,
           "batch": 16, "buckets": 32, "longest": 128, "eps": 1e-6}  # fmt: skip
BERT = {"n_layer": 6, "n_head": 12, "n_embd": 384, "hidden": 1536, "vocab_size": 30522, "block_size": 512, "length": 32, "batch": 32,
        "eps": 1e-12}  # fmt: skip
GENERATE = {**GPT, "batch": 1, "block_size": 320, "prompt": 8, "tokens": 256}
SMOLLM2 = {"n_layer": 30, "n_head": 9, "n_key": 3, "n_embd": 576, "hidden": 1536, "vocab_size": 49152, "prompt": 64, "tokens": 64,
           "deviation": 0.04}  # fmt: skip
FIRST = {**GPT, "fused": True}  # to try two optimizers would make steps before the first

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("gpt", "a", "gpt", "GPT, one training step (4 layers, 128 wide, 64 tokens, batch 12)", GPT),
        Workload("gpt-one", "a", "gpt", "the same with one thread", GPT, threads=1),
        Workload("gpt-busy", "a", "gpt", "the same beside one busy process", GPT, measure="beside", load="busy"),
        Workload("gpt-second", "a", "gpt", "the same beside a second training", GPT, measure="beside", load="second"),
        Workload("mlp-64", "b", "mlp", "MLP 784-128-10, one training step, batch 64", MLP),
        Workload("mlp-1024", "b", "mlp", "MLP 784-128-10, one training step, batch 1024", {**MLP, "batch": 1024}),
        Workload("cnn", "c", "cnn", "CNN of two convolutions on 28x28, one training step, batch 64", CNN),
        Workload("encoder", "d", "encoder", "encoder with padding, one training step, batch 16", ENCODER),
        Workload(
            "seq2seq",
            "d",
            "seq2seq",
            "encoder-decoder, 3 layers each, 48 to 32 tokens, one training step, batch 16",
            SEQ2SEQ,
        ),
        Workload("minilm-l6", "d", "bert", "MiniLM-L6, 32 sentences of up to 32 tokens, forward", BERT),
        Workload("generate", "e", "generate", "256 tokens with a KV cache, greedy, batch 1", GENERATE, 0.0),
        Workload(
            "generate-8",
            "e",
            "generate",
            "64 tokens with a KV cache, greedy, batch 8",
            {**GENERATE, "batch": 8, "tokens": 64},
            0.0,
        ),
        Workload("smollm2", "e", "llama", "SmolLM2-135M, one token with a KV cache", SMOLLM2, 0.0),
        Workload("ops-forward", "f", "ops", "100 ops on scalars, recorded", {"mode": "forward"}),
        Workload("ops-no-grad", "f", "ops", "100 ops on scalars, not recorded", {"mode": "no-grad"}),
        Workload("ops-backward", "f", "ops", "100 ops on scalars, backward", {"mode": "backward"}),
        Workload("memory-small", "g", "gpt", "peak memory of (a)", GPT, measure="memory"),
        Workload(
            "memory-large", "g", "gpt", "peak memory, 6 layers, 384 wide, 256 tokens, batch 8", LARGE, measure="memory"
        ),
        Workload(
            "first-step", "h", "gpt", "the first training step of (a) in a new process", FIRST, measure="first_step"
        ),
    )
}


def arrays(workload: Workload) -> Arrays:
    """Weights under ``w.NAME`` and data under their own names, drawn from one seed."""
    return MAKERS[workload.kind](workload.options, np.random.default_rng(SEED))


def weights(found: Arrays) -> Arrays:
    """The weights among a workload's arrays, by the names of minilm's parameters."""
    return {name[2:]: value for name, value in found.items() if name.startswith("w.")}


Shapes = Iterator[tuple[str, tuple[int, ...]]]


def gpt_shapes(options: dict[str, Any]) -> Shapes:
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


def encoder_shapes(options: dict[str, Any]) -> Shapes:
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


def bert_shapes(options: dict[str, Any]) -> Shapes:
    """Names and shapes of a BERT without a pooler."""
    C = options["n_embd"]
    yield from (("words.weight", (options["vocab_size"], C)), ("segments.weight", (2, C)))
    yield from (("positions.weight", (options["block_size"], C)), ("norm.weight", (C,)), ("norm.bias", (C,)))
    for name, shape in encoder_shapes(options):
        yield f"layers.{name}", shape


def llama_shapes(options: dict[str, Any]) -> Shapes:
    """Names and shapes of a Llama whose output is tied to the embedding."""
    C, H = options["n_embd"], options["hidden"]
    K = C // options["n_head"] * options["n_key"]
    yield "embed_tokens.weight", (options["vocab_size"], C)
    for i in range(options["n_layer"]):
        at = f"layers.{i}."
        yield at + "input_layernorm.weight", (C,)
        for name, out in (("q", C), ("k", K), ("v", K), ("o", C)):
            yield f"{at}self_attn.{name}_proj.weight", (out, C)
        yield at + "post_attention_layernorm.weight", (C,)
        yield from ((f"{at}mlp.{name}_proj.weight", (H, C)) for name in ("gate", "up"))
        yield at + "mlp.down_proj.weight", (C, H)
    yield "norm.weight", (C,)


def llama_config(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of Hugging Face's config.json; base and eps are SmolLM2's."""
    return {"vocab_size": options["vocab_size"], "hidden_size": options["n_embd"], "intermediate_size": options["hidden"],
            "num_hidden_layers": options["n_layer"], "num_attention_heads": options["n_head"],
            "num_key_value_heads": options["n_key"], "head_dim": options["n_embd"] // options["n_head"],
            "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True}  # fmt: skip


def seq2seq_shapes(options: dict[str, Any]) -> Shapes:
    """Names and shapes of T5's first version: ReLU, no biases, one matrix for the tokens and the output layer."""
    C, H, inner = options["n_embd"], options["hidden"], options["n_head"] * options["head"]
    yield "shared.weight", (options["vocab_size"], C)
    for half, attentions in (("encoder", ("attn",)), ("decoder", ("attn", "cross"))):
        yield f"{half}.positions.embedding.weight", (options["buckets"], options["n_head"])
        for i in range(options["n_layer"]):
            at = f"{half}.blocks.{i}."
            for name in attentions:
                yield from ((f"{at}{name}.{part}.weight", (inner, C)) for part in "qkv")
                yield f"{at}{name}.o.weight", (C, inner)
            yield from ((f"{at}mlp.up.weight", (H, C)), (f"{at}mlp.down.weight", (C, H)))
            yield from ((f"{at}ln_{k + 1}.weight", (C,)) for k in range(len(attentions) + 1))
        yield f"{half}.ln_f.weight", (C,)


def _drawn(shapes: Any, rng: np.random.Generator, deviation: float) -> Arrays:
    """Matrices normal with this deviation, norms' weights one, biases zero."""
    found = {}
    for name, shape in shapes:
        if len(shape) > 1:
            found[f"w.{name}"] = rng.normal(0, deviation, shape).astype(np.float32)
        else:
            found[f"w.{name}"] = (np.zeros if name.endswith("bias") else np.ones)(shape, np.float32)
    return found


def _quickly_drawn(shapes: Shapes, rng: np.random.Generator, deviation: float) -> Arrays:
    """As `_drawn`, from a generator of float32: models of the published size have up to 135 million weights."""
    found = {}
    for name, shape in shapes:
        if len(shape) > 1:
            found[f"w.{name}"] = rng.standard_normal(shape, np.float32)
            found[f"w.{name}"] *= np.float32(deviation)
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
    prompt = rng.integers(options["vocab_size"], size=(options["batch"], options["prompt"]))
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


def _seq2seq(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    found = _drawn(seq2seq_shapes(options), rng, options["n_embd"] ** -0.5)
    found["w.shared.weight"] *= np.float32(options["n_embd"] ** 0.5)  # as T5 begins: a stream of unit variance
    for name, value in found.items():
        if name.endswith(".q.weight"):
            value *= np.float32(options["head"] ** -0.5)  # in place of a division of the scores
    for name in ("source", "target"):
        whole, batch = options[name], options["batch"]
        lengths = rng.integers(whole // 2, whole + 1, size=(BATCHES, batch, 1))
        tokens = rng.integers(1, options["vocab_size"], size=(BATCHES, batch, whole))
        found["targets" if name == "target" else name] = np.where(np.arange(whole) < lengths, tokens, 0)
    return found


def _bert(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    length, batch = options["length"], options["batch"]
    lengths = rng.integers(length // 2, length + 1, size=(BATCHES, batch))
    lengths[:, 0] = length
    return {**_quickly_drawn(bert_shapes(options), rng, 0.02), "mask": np.arange(length) < lengths[..., None],
            "ids": rng.integers(options["vocab_size"], size=(BATCHES, batch, length))}  # fmt: skip


def _llama(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    drawn = _quickly_drawn(llama_shapes(options), rng, options["deviation"])
    return {**drawn, "prompt": rng.integers(options["vocab_size"], size=(1, options["prompt"]))}


def _ops(options: dict[str, Any], rng: np.random.Generator) -> Arrays:
    return {name: np.float32(value) for name, value in CHAIN_NUMBERS.items()}


MAKERS: dict[str, Callable[[dict[str, Any], np.random.Generator], Arrays]] = {
    "gpt": _gpt, "mlp": _mlp, "cnn": _cnn, "encoder": _encoder, "seq2seq": _seq2seq, "bert": _bert, "generate": _generate,
    "llama": _llama, "ops": _ops,
}  # fmt: skip
