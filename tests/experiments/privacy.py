"""Who was in the training set of a spam filter? Two attacks on filters that learned as usual, with less, and with DP-SGD.

Sixteen filters per row, each from a random half of 3,849 mails, the mails being in half of the filters. What DP-SGD steps with, and how
often, is chosen on the validation part for each epsilon (the choice itself is not paid for). Of the other defences the strongest is
shown that is, there, right as often as epsilon 3. Accuracies are those of the test part; intervals are over the filters.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minilm.applications.ngrams import hashed
from minilm.privacy import Attack, likelihood_ratios, loss_attack, noise_for
from tests.experiments._cells import of_mean
from tests.experiments._mails import READ, Way, learned, losses_of, outputs, parts

MODELS, WIDTH, DELTA, BATCH = 16, 1024, 1e-4, 256
EPSILONS = (8.0, 3.0, 1.0)


def measure() -> Iterator[dict[str, Any]]:
    (train, validation, test) = ((hashed(part.texts, WIDTH, READ), part.spam) for part in parts())
    inside = halves(len(train[0]), MODELS, np.random.default_rng(5))
    n = int(inside[0].sum())
    usual, few = Way(400, 1e-2), inside[:2]
    private = {epsilon: chosen(train, validation, few, epsilon) for epsilon in EPSILONS}
    least = accuracy(train, validation, few, private[EPSILONS[1]])
    ways: dict[str, tuple[Way, float]] = {"as usual": (usual, math.inf)}
    for name, stronger in {
        "stopped early, {0.steps} steps": [usual._replace(steps=T) for T in (50, 100, 150, 200, 300)],
        "weight decay {0.weight_decay:g}": [usual._replace(weight_decay=w) for w in (3e-3, 1e-3, 3e-4, 1e-4)],
    }.items():
        way = next((way for way in stronger if accuracy(train, validation, few, way) >= least), stronger[-1])
        ways[name.format(way)] = way, math.inf
    ways["clipped, no noise"] = private[EPSILONS[0]]._replace(noise=0.0), math.inf
    ways |= {f"epsilon {epsilon:g}": (way, epsilon) for epsilon, way in private.items()}
    for name, (way, epsilon) in ways.items():
        models = [learned(train[0][half], train[1][half], way, seed) for seed, half in enumerate(inside)]
        losses = np.array([losses_of(model, *train) for model in models])
        simple = [loss_attack(each[half], each[~half]) for each, half in zip(losses, inside, strict=True)]
        ratios = [Attack.of(half, s) for half, s in zip(inside, likelihood_ratios(losses, inside), strict=True)]
        yield {
            "filter": name,
            "accuracy": of_mean([right(model, *test) for model in models]),
            "loss: AUC": of_mean([float(attack.auc) for attack in simple]),
            "loss: found at 1 %": of_mean([float(attack.found) for attack in simple]),
            "ratio: AUC": of_mean([float(attack.auc) for attack in ratios]),
            "ratio: found at 1 %": of_mean([float(attack.found) for attack in ratios]),
            "at most": None if epsilon == math.inf else min(1.0, math.exp(epsilon) * 0.01 + DELTA),
            "noise": None if way.noise is None else round(way.noise, 3),
            "steps": way.steps,
            "lr": way.lr,
            "learned from": n,
        }


def halves(n: int, models: int, rng: np.random.Generator) -> np.ndarray:
    """(models, n): each model has half of the examples, each example half of the models: one of each pair of models."""
    first = np.array([rng.permutation(n) < n // 2 for _ in range(models // 2)])
    return np.concatenate([first, ~first])


def chosen(train: Any, validation: Any, inside: np.ndarray, epsilon: float) -> Way:
    """Of DP-SGD's ways to spend an epsilon the one whose filters are right most often on the validation part."""
    n = int(inside[0].sum())
    grid = itertools.product((100, 200, 400), (1.0, 2.0, 4.0))
    ways = [Way(T, lr, BATCH, noise=noise_for(epsilon, BATCH / n, T, DELTA)) for T, lr in grid]
    return max(ways, key=lambda way: accuracy(train, validation, inside, way))


def accuracy(train: Any, part: Any, inside: np.ndarray, way: Way) -> float:
    """The mean over filters that learned from one half each."""
    models = [learned(train[0][half], train[1][half], way, seed) for seed, half in enumerate(inside)]
    return float(np.mean([right(model, *part) for model in models]))


def right(model: Any, rows: np.ndarray, spam: np.ndarray) -> float:
    return float(((outputs(model, rows) > 0) == spam).mean())
