"""What a schedule, more steps, and attention are worth to a small language model (9.2), each with a learning rate of its own.

Data, model, seeds and the choice of the learning rate are those of the experiment `recipe`. A difference is that from the first line of its
part with the same seed. The models that take attention's place: "mean" gives each position the mean of the values of all
positions up to it, "none" nothing, and "window" is a network on the last 8 characters (Bengio et al. 2003) with as many weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import minilm as ml
from minilm import nn
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.optim import ExponentialLR, LRScheduler, Optimizer, WarmupCosineLR, decay_groups
from tests.experiments.recipe import (
    ADAM_RATES,
    BLOCK,
    SEEDS,
    STEPS,
    TUNING,
    WIDTH,
    Data,
    Recipe,
    data,
    loss_of,
    row,
    trained,
    tuned,
)

LEAST = 0.1  # of the highest rate, at the end of every schedule but the constant one
WINDOW, EMBEDDING, HIDDEN = 8, 16, 81


class Mean(nn.Module):
    """In attention's place: the mean of the values of all positions up to one's own, (B, T, C) -> (B, T, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.c_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Any, cache: Any = None) -> Any:
        counts = np.arange(1, x.shape[1] + 1, dtype=np.float32)[:, None]
        return self.c_proj(self.value(x).cumsum(1) / ml.tensor(counts))


class Nothing(nn.Module):
    """In attention's place: a position learns nothing of the others."""

    def forward(self, x: Any, cache: Any = None) -> Any:
        return x * 0.0


class Window(nn.Module):
    """A network on the last WINDOW characters: their embeddings side by side, a hidden layer, logits."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocab_size, EMBEDDING)
        self.hidden = nn.Linear(WINDOW * EMBEDDING, HIDDEN)
        self.head = nn.Linear(HIDDEN, vocab_size)

    def loss(self, ids: Any, targets: Any) -> Any:
        B, T = ids.shape
        x = self.wte(ids)  # (B, T, E)
        before = ml.concatenate([ml.zeros((B, WINDOW - 1, EMBEDDING)), x], 1)
        x = ml.concatenate([before[:, i : i + T] for i in range(WINDOW)], 2)  # (B, T, WINDOW * E)
        logits = self.head(F.gelu(self.hidden(x)))
        return F.cross_entropy(logits.reshape(B * T, -1), targets.reshape(-1))

    def decay_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        return decay_groups(self.parameters(), weight_decay)


def model_of(kind: str, vocab_size: int, rng: np.random.Generator) -> Any:
    """A GPT, whole or with something in attention's place, or the window."""
    ml.manual_seed(int(rng.integers(2**31)))
    if kind == "window":
        return Window(vocab_size)
    model = GPT(GPTConfig(vocab_size, BLOCK, 1, 2, WIDTH, tie_weights=False), rng)
    for block in model.blocks:
        if kind != "attention":
            block.attn = Mean(WIDTH) if kind == "mean" else Nothing()  # type: ignore[attr-defined]
    return model


def scheduled(name: str, steps: int) -> Callable[[Optimizer], LRScheduler]:
    """What makes a schedule: its name is one of "constant", "exponential", "cosine", and "warm-up, then cosine"."""
    if name == "exponential":
        return lambda optimizer: ExponentialLR(optimizer, LEAST ** (1 / steps))
    warmup = steps // 10 if name.startswith("warm-up") else 0
    return lambda optimizer: WarmupCosineLR(optimizer, warmup, steps, 1.0 if name == "constant" else LEAST)


class Setting(NamedTuple):
    """A model and how it learns."""

    kind: str = "attention"
    steps: int = STEPS
    schedule: str = "warm-up, then cosine"


PARTS: dict[str, dict[str, Setting]] = {
    "schedule": {n: Setting(schedule=n) for n in ("warm-up, then cosine", "cosine", "exponential", "constant")},
    "steps": {str(n): Setting(steps=n) for n in (400, 200, 800)},
    "attention": {kind: Setting(kind) for kind in ("attention", "mean", "none", "window")},
}


def measure() -> Iterator[dict[str, Any]]:
    ml.set_num_threads(1)
    given = data()
    known: dict[Setting, dict[str, Any]] = {}
    for part, settings in PARTS.items():
        first = next(iter(settings.values()))
        for name, setting in settings.items():
            found = known[setting] if setting in known else known.setdefault(setting, measured(given, setting))
            yield (
                {"part": part}
                | row(name, found["losses"], known[first]["losses"])
                | {
                    "learning rate": found["rate"],
                    "weights": found["weights"],
                }
            )


def measured(given: Data, setting: Setting) -> dict[str, Any]:
    """The rate that was chosen, the test losses of the seeds, and the number of weights."""
    rate = tuned(lambda rate: loss_of(learned(given, setting, rate, TUNING), given.validation), ADAM_RATES)
    models = [learned(given, setting, rate, seed) for seed in SEEDS]
    losses = [loss_of(model, given.test) for model in models]
    return {"rate": rate, "losses": losses, "weights": sum(p.size for p in models[0].parameters())}


def learned(given: Data, setting: Setting, rate: float, seed: int) -> Any:
    model = model_of(setting.kind, given.tokenizer.vocab_size, np.random.default_rng(seed))
    schedule = scheduled(setting.schedule, setting.steps)
    rng = np.random.default_rng(seed + 1000)
    return trained(model, given.train, Recipe(), rate, rng, setting.steps, schedule)
