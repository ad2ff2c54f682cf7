"""How many steps a batch size needs to reach a loss, and the learning rate that it wants (9.2).

A network of 64, 32 and 10 units learns 1,200 images of 8 x 8 pixels of digits, by SGD with momentum 0.9 at a constant rate, until the
training loss over all of them is at most 0.3, looked at after every second step. For each batch size the rate is the one of a row of
doublings that needs fewest steps with two seeds; then four other seeds are counted with it. The noise scale is that of gradients of 8 and
of 128 images, 200 of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import minilm as ml
from minilm.data import digits
from minilm.models import MLP
from minilm.nn import functional as F
from minilm.optim import SGD
from minilm.scaling import fit_critical_batch, noise_scale
from minilm.sweep import sweep
from tests.experiments._cells import of_estimate

BATCHES = (4, 8, 16, 32, 64, 128, 256, 512)
RATES = tuple(0.005 * 2**k for k in range(9))
TARGET, MOST, EXAMPLES = 0.3, 1500, 1200
MOMENTUM = 0.9


def images() -> tuple[Any, Any]:
    """Training images (1200, 64) between 0 and 1, and labels."""
    x, y = digits()
    order = np.random.default_rng(0).permutation(len(x))[:EXAMPLES]
    return (x[order].reshape(EXAMPLES, -1) / np.float32(16)).astype(np.float32), y[order]


def steps_to(batch: int, rate: float, seed: int) -> float:
    """Steps until the loss over all images is at most TARGET.

    Raises:
        FloatingPointError: it is not after MOST steps.
    """
    x, y = images()
    ml.manual_seed(seed)
    model, rng = MLP((64, 32, 10)), np.random.default_rng(seed)
    optimizer = SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    for step in range(MOST):
        if step % 2 == 0 and whole_loss(model, x, y) <= TARGET:
            return step
        some = rng.integers(0, len(x), batch)
        optimizer.zero_grad()
        F.cross_entropy(model(ml.tensor(x[some])), y[some]).backward()
        optimizer.step()
    raise FloatingPointError(f"a loss above {TARGET} after {MOST} steps")


def whole_loss(model: MLP, x: Any, y: Any) -> float:
    """The loss over all images, on plain arrays."""
    first, last = model.layers
    hidden = np.maximum(x @ first.weight.numpy().T + first.bias.numpy(), 0)  # type: ignore[attr-defined]
    logits = hidden @ last.weight.numpy().T + last.bias.numpy()  # type: ignore[attr-defined]
    logits -= logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]))


def measure() -> Iterator[dict[str, Any]]:
    ml.set_num_threads(1)
    counted = []
    for batch in BATCHES:
        tried = sweep(lambda rate, seed, b=batch: steps_to(b, rate, seed), {"rate": RATES}, seeds=(100, 101))
        rate = tried.best()["rate"]
        found = sweep(lambda rate, seed, b=batch: steps_to(b, rate, seed), {"rate": [rate]}, seeds=4).mean(
            {"rate": rate}
        )
        counted.append(found.mean)
        yield {
            "batch": batch,
            "learning rate": rate,
            "steps": of_estimate(found, 1),
            "examples": round(batch * found.mean),
            "failed": found.failed,
        }
    fit = fit_critical_batch(BATCHES, counted)
    yield {"batch": "fit", "least steps": fit.least_steps, "least examples": fit.least_examples, "critical": fit.size}
    for steps in (0, 20, 60):
        yield {"batch": f"noise scale after {steps} steps", "critical": foretold(steps)}


def foretold(steps: int) -> float:
    """The noise scale of a network after some steps of 128 images: lengths of 200 gradients of 8 and of 128 images."""
    x, y = images()
    ml.manual_seed(0)
    model, rng = MLP((64, 32, 10)), np.random.default_rng(0)
    optimizer = SGD(model.parameters(), lr=0.04, momentum=MOMENTUM)

    def gradient(batch: int) -> float:
        some = rng.integers(0, len(x), batch)
        optimizer.zero_grad()
        F.cross_entropy(model(ml.tensor(x[some])), y[some]).backward()
        return float(sum((p.grad.numpy() ** 2).sum() for p in model.parameters()))  # type: ignore[union-attr]

    for _ in range(steps):
        gradient(128)
        optimizer.step()
    return noise_scale(8, np.mean([gradient(8) for _ in range(200)]), 128, np.mean([gradient(128) for _ in range(200)]))
