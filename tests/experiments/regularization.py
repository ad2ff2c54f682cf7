"""What keeps a network from learning 300 images by heart (9.2): each way with the strength that a validation part chooses.

A network of 784, 64 and 10 units learns 300 images of MNIST, 300 steps of 50, by Adam. Another 1,000 images are the validation part, of
which the lowest loss, the mean of 3 seeds, chooses the strength; 2,000 are the test, read once with 8 other seeds. A seed draws the 300
images, too. Dropout leaves out hidden units, DropConnect the weights of the same layer. A difference is that from no regularization
with the same seed; the intervals are Student's t over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import minilm as ml
from minilm import nn
from minilm.data import mnist_5k, shifted
from minilm.nn import functional as F
from minilm.optim import Adam, AdamW
from minilm.sweep import Results, sweep
from tests.experiments._cells import of_estimate

EXAMPLES, HELD_OUT, TEST, STEPS, BATCH, RATE = 300, 1000, 2000, 300, 50, 2e-3
STRENGTHS: dict[str, tuple[float, ...]] = {
    "none": (0.0,),
    "L1": (3e-5, 1e-4, 3e-4, 1e-3),
    "L2 in Adam's gradient": (1e-4, 1e-3, 3e-3, 1e-2),
    "decoupled weight decay": (0.1, 0.3, 1.0, 3.0),
    "dropout": (0.2, 0.4, 0.6, 0.8),
    "DropConnect": (0.2, 0.4, 0.6, 0.8),
    "shifts of up to ... pixels": (1, 2, 3, 4),
}
TUNING, SEEDS = range(100, 103), 8


def parts() -> tuple[Any, ...]:
    """Images (n, 28, 28) between 0 and 1 and labels: to draw from, of validation, of the test."""
    x, y = mnist_5k()
    order = np.random.default_rng(0).permutation(len(x))
    test, held, rest = np.split(order, [TEST, TEST + HELD_OUT])
    return tuple((x[i] / np.float32(255), y[i]) for i in (rest, held, test))


def learned(way: str, strength: float, seed: int, images: Any, labels: Any) -> nn.Module:
    """A network that has learned EXAMPLES of the images in one of the ways of STRENGTHS."""
    ml.manual_seed(seed)
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(images))[:EXAMPLES]
    images, labels = images[some], labels[some]
    first: nn.Module = nn.Linear(784, 64)
    if way == "DropConnect":
        first = nn.DropConnect(first, strength)  # type: ignore[arg-type]
    model = nn.Sequential(first, nn.ReLU(), nn.Dropout(strength if way == "dropout" else 0.0), nn.Linear(64, 10))
    if way == "decoupled weight decay":
        optimizer = AdamW(model.parameters(), lr=RATE, weight_decay=strength)
    else:
        l1, l2 = (strength if way.startswith(name) else 0.0 for name in ("L1", "L2"))
        optimizer = Adam(model.parameters(), lr=RATE, weight_decay=l2, l1=l1)  # type: ignore[assignment]
    for _ in range(STEPS):
        batch = rng.integers(0, EXAMPLES, BATCH)
        x = shifted(images[batch], int(strength), rng) if way.startswith("shifts") else images[batch]
        optimizer.zero_grad()
        F.cross_entropy(model(ml.tensor(x.reshape(BATCH, -1))), labels[batch]).backward()
        optimizer.step()
    return model.eval()


@ml.no_grad()
def judged(model: nn.Module, images: Any, labels: Any) -> dict[str, float]:
    """Loss in nats, and the share of errors."""
    logits = model(ml.tensor(images.reshape(len(images), -1)))
    loss = F.cross_entropy(logits, labels).item()
    return {"loss": float(loss), "errors": float(np.mean(logits.numpy().argmax(axis=1) != labels))}


def measure() -> Iterator[dict[str, Any]]:
    ml.set_num_threads(1)
    train, held, test = parts()

    def on(part: Any, strength: float, seed: int, way: str) -> dict[str, float]:
        return judged(learned(way, strength, seed, *train), *part)

    rows = []
    for way, strengths in STRENGTHS.items():
        tried = sweep(lambda strength, seed, w=way: on(held, strength, seed, w), {"strength": strengths}, TUNING)
        best = tried.best()["strength"]
        rows += sweep(
            lambda way, strength, seed: on(test, strength, seed, way), {"way": [way], "strength": [best]}, SEEDS
        ).rows
    found = Results(rows)
    base = found.settings()[0]
    for each in found.settings():
        named = {name: of_estimate(found.mean(each, name), 4) for name in ("errors", "loss")}
        less = {
            f"more {name}": None if each is base else of_estimate(found.difference(each, base, name), 4)
            for name in ("errors", "loss")
        }
        yield {"way": each["way"], "strength": float(each["strength"])} | named | less
