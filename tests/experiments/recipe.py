"""Which choices of a training recipe matter (9.1): a small GPT, each choice left out by itself, with a learning rate of its own.

A GPT of 1 layer, 32 wide, learns 400 steps of 8 windows of 32 characters of Python's manual. The manual's last tenth is the test, the tenth
before it the validation part; paragraphs that stood before are left out of both, and 250 windows spread over each are read. For each
recipe the learning rate is the one of three with the lowest validation loss, by one seed; where that is the first or the last of the
three, rates beyond it are tried. Then it learns with four other seeds, and the test is read. A difference is that from the whole recipe
with the same seed, which gives weights and batches; intervals are Student's t over the seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minilm as ml
from minilm import nn
from minilm.applications.simple.ngrams import NGram
from minilm.data import load_text, random_blocks
from minilm.models import GPT, GPTConfig
from minilm.optim import SGD, Adam, AdamW, LRScheduler, Optimizer, WarmupCosineLR, clip_grad_norm_
from minilm.text import CharTokenizer
from tests.experiments._cells import over_seeds

BLOCK, BATCH, STEPS, WIDTH = 32, 8, 400, 32
TUNING, SEEDS = 100, (0, 1, 2, 3)
WINDOWS = 250  # of validation and test, spread over the part
ADAM_RATES, SGD_RATES = (3e-3, 1e-2, 3e-2), (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Recipe:
    """How one trains. Of the optimizers "adam" has its penalty in the gradient, "adamw" beside it."""

    optimizer: str = "adamw"
    momentum: float = 0.0
    warmup: int = 40
    least: float = 0.1  # of the highest rate, at the end; 1: no decay
    clip: float = 1.0
    decay: float = 0.1
    deviation: float = 0.0  # of the first weights; 0: as GPT-2 has them
    tied: bool = False  # one matrix for embedding and output


RECIPES = {
    "the whole recipe": Recipe(),
    "no warm-up": Recipe(warmup=0),
    "constant rate after warm-up": Recipe(least=1.0),
    "no clipping": Recipe(clip=0.0),
    "no weight decay": Recipe(decay=0.0),
    "Adam, decay in the gradient": Recipe(optimizer="adam"),
    "first weights ten times as wide": Recipe(deviation=0.2),
    "one matrix for embedding and output": Recipe(tied=True),
    "SGD with momentum 0.9": Recipe(optimizer="sgd", momentum=0.9, decay=0.0),
    "SGD": Recipe(optimizer="sgd", decay=0.0),
}


@dataclass(frozen=True)
class Data:
    """Ids of three parts of a text, and its tokenizer."""

    train: Any
    validation: Any
    test: Any
    tokenizer: CharTokenizer


def data() -> Data:
    """Eight tenths of the manual, and two without the paragraphs that stood before."""
    text = load_text("python-docs")
    ends = 8 * len(text) // 10, 9 * len(text) // 10
    parts, known = [], set[str]()
    for part in (text[: ends[0]], text[ends[0] : ends[1]], text[ends[1] :]):
        paragraphs = part.split("\n\n")
        parts.append("\n\n".join(each for each in paragraphs if each not in known))
        known |= set(paragraphs)
    tokenizer, characters = CharTokenizer.train(parts[0]), set(parts[0])
    return Data(*(np.array(tokenizer.encode("".join(c for c in p if c in characters))) for p in parts), tokenizer)


def measure() -> Iterator[dict[str, Any]]:
    ml.set_num_threads(1)
    given = data()
    base: list[float] = []
    for name, recipe in RECIPES.items():
        rates = SGD_RATES if recipe.optimizer == "sgd" else ADAM_RATES
        rate = tuned(lambda rate, r=recipe: loss_of(learned(given, r, rate, TUNING), given.validation), rates)
        losses = [loss_of(learned(given, recipe, rate, seed), given.test) for seed in SEEDS]
        base = base or losses
        yield row(name, losses, base) | {"learning rate": rate}
    yield from counted(given)


def tuned(measured: Callable[[float], float], rates: tuple[float, ...]) -> float:
    """The rate with the lowest value; while it is the first or the last one, a rate beyond it is tried."""
    found = {rate: measured(rate) for rate in rates}
    for _ in range(2):
        best = min(found, key=lambda rate: found[rate])
        if best == max(found):
            found[best * 3] = measured(best * 3)
        elif best == min(found):
            found[best / 3] = measured(best / 3)
    return float(f"{min(found, key=lambda rate: found[rate]):.1g}")


def row(name: str, losses: list[float], base: list[float]) -> dict[str, Any]:
    """A line of the table: the mean, and by how much it is above the base's with the same seed."""
    return {
        "system": name,
        "nats per character": over_seeds(losses, 4),
        "more": None if base is losses else over_seeds(np.subtract(losses, base), 4),
        "seeds": len(losses),
    }


def counted(given: Data) -> Iterator[dict[str, Any]]:
    """Counts of characters (Kneser and Ney): of as many characters as the network saw, and of the whole training part."""
    decode = given.tokenizer.decode
    for name, part in (("as many characters", given.train[: STEPS * BATCH * BLOCK]), ("all characters", given.train)):
        text = decode(list(part))
        rivals = [NGram(text, n) for n in (3, 4, 5, 6, 8)]
        counts = min(rivals, key=lambda each: nats_of(each, given.validation, decode))
        found = nats_of(counts, given.test, decode)
        yield {"system": f"counting, {counts.order}-grams of {name}", "nats per character": round(found, 4)}


def nats_of(counts: NGram, ids: Any, decode: Callable[[list[int]], str]) -> float:
    """The mean over the characters on which the network is judged, too."""
    nats = counts.nats(decode(list(ids)))
    return float(np.mean([nats[i + 1 : i + BLOCK + 1] for i in starts(ids)]))


def starts(ids: Any) -> Any:
    """Where the windows of a part begin: WINDOWS of them, evenly spread."""
    return np.linspace(0, len(ids) - BLOCK - 1, WINDOWS).astype(int)


def optimizer_of(model: nn.Module, recipe: Recipe, rate: float) -> Optimizer:
    groups = model.decay_groups(recipe.decay)  # type: ignore[operator]
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=rate, momentum=recipe.momentum)
    kind = AdamW if recipe.optimizer == "adamw" else Adam
    return kind(groups, lr=rate, betas=(0.9, 0.99))


def learned(given: Data, recipe: Recipe, rate: float, seed: int) -> GPT:
    """A GPT that has learned by a recipe; the seed gives its first weights and its batches."""
    rng = np.random.default_rng(seed)
    model = GPT(GPTConfig(given.tokenizer.vocab_size, BLOCK, 1, 2, WIDTH, tie_weights=recipe.tied), rng)
    if recipe.deviation:
        for p in model.parameters():
            if p.ndim > 1:
                p.data = (recipe.deviation * rng.standard_normal(p.shape)).astype(np.float32)
    return trained(model, given.train, recipe, rate, np.random.default_rng(seed + 1000))


def trained(
    model: Any,
    train: Any,
    recipe: Recipe,
    rate: float,
    rng: np.random.Generator,
    steps: int = STEPS,
    scheduled: Callable[[Optimizer], LRScheduler] | None = None,
) -> Any:
    """The model, after its steps; `scheduled` gives a schedule in place of the recipe's."""
    optimizer = optimizer_of(model, recipe, rate)
    schedule = scheduled(optimizer) if scheduled else WarmupCosineLR(optimizer, recipe.warmup, steps, recipe.least)
    for _ in range(steps):
        x, y = random_blocks(train, BLOCK, BATCH, rng)
        model.zero_grad()
        model.loss(x, y).backward()
        if recipe.clip:
            clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        schedule.step()
    return model.eval()


@ml.no_grad()
def loss_of(model: Any, ids: Any) -> float:
    """The mean loss over windows of a part, in nats; infinity where it is no number."""
    windows = np.stack([ids[i : i + BLOCK + 1] for i in starts(ids)])
    loss = float(model.loss(windows[:, :-1], windows[:, 1:]).item())
    return loss if np.isfinite(loss) else float("inf")
