"""What two bytes per weight cost: a small GPT that is read from fewer bytes after it has learned, and GPTs that learn in them.

A GPT of 2 layers, 64 wide, learns 600 steps on Python's manual, characters, by AdamW with the learning rate falling from 2e-3 to 2e-4.
The last tenth is the test, of which windows of 64 characters, 20,480 in all, are read. Each system has the same 5 seeds; a difference
is that from float32 with the same seed, its interval that of the mean over seeds by the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minilm as ml
from minilm.data import load_text, random_blocks
from minilm.models import GPT, GPTConfig
from minilm.models.storage import compress, from_bfloat16, to_bfloat16
from minilm.optim import AdamW, clip_grad_norm_
from minilm.text import CharTokenizer
from tests.experiments._cells import of_mean

SEEDS, STEPS, BATCH, BLOCK = 5, 600, 12, 64
Rounded = Callable[[Any], Any]


def bfloat16(x: Any) -> Any:
    return from_bfloat16(to_bfloat16(x))


def float16(x: Any) -> Any:
    return x.astype(np.float16).astype(np.float32)


def measure() -> list[dict[str, Any]]:
    ml.set_num_threads(1)
    text = load_text("python-docs")
    tokenizer = CharTokenizer.train(text)
    ids = np.array(tokenizer.encode(text))
    train, test = np.split(ids, [9 * len(ids) // 10])
    losses: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        for name, loss in of_seed(seed, train, test, tokenizer.vocab_size).items():
            losses.setdefault(name, []).append(loss)
    base = losses["float32"]
    return [row(name, found, base) for name, found in losses.items()]


def row(name: str, losses: list[float], base: list[float]) -> dict[str, Any]:
    return {
        "weights": name,
        "nats per character": round(float(np.mean(losses)), 4),
        "more than float32": None if name == "float32" else of_mean(np.subtract(losses, base)),
        "seeds": len(losses),
    }


def of_seed(seed: int, train: Any, test: Any, vocab: int) -> dict[str, float]:
    """The test loss of each system."""
    losses = {}
    model = learned(seed, train, vocab)
    losses["float32"] = loss_of(model, test)
    for kind in ("float16", "bfloat16", "int8"):
        stored = compress(copy(model), kind)
        losses[f"learned in float32, read from {kind}"] = loss_of(stored, test)
    for name, rounded in (("float16", float16), ("bfloat16", bfloat16)):
        losses[f"learned in {name}"] = loss_of(learned(seed, train, vocab, rounded), test)
    mixed = learned(seed, train, vocab, bfloat16, master=True)
    losses["learned in bfloat16 with a float32 master"] = loss_of(mixed, test)
    return losses


def copy(model: GPT) -> GPT:
    other = GPT(model.config)
    other.load_state_dict(model.state_dict())
    return other.eval()


def learned(seed: int, train: Any, vocab: int, rounded: Rounded | None = None, master: bool = False) -> GPT:
    """A GPT that has learned with weights that are rounded: after each update, or with a master, for the gradient alone."""
    rng = np.random.default_rng(seed)
    model = GPT(GPTConfig(vocab, BLOCK, 2, 2, 64), rng)
    optimizer = AdamW(model.decay_groups(0.1), lr=2e-3, betas=(0.9, 0.99))
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 2e-4 + 0.5 * (2e-3 - 2e-4) * (1 + float(np.cos(np.pi * step / STEPS)))
        x, y = random_blocks(train, BLOCK, BATCH, rng)
        kept = [p.data for p in model.parameters()]
        if rounded:
            for p in model.parameters():
                p.data = rounded(p.data)
        model.zero_grad()
        model.loss(x, y).backward()
        if master:
            for p, data in zip(model.parameters(), kept, strict=True):
                p.data = data
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    if rounded:
        for p in model.parameters():
            p.data = rounded(p.data)
    return model.eval()


@ml.no_grad()
def loss_of(model: GPT, test: Any) -> float:
    windows = np.stack([test[i : i + BLOCK + 1] for i in range(0, 320 * BLOCK, BLOCK)])
    return float(model.loss(windows[:, :-1], windows[:, 1:]).item())
