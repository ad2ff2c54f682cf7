"""Stopping early on images of digits, and smaller networks of the same cost (chapter 8)."""

import numpy as np

from minilm.book.digits import chosen_threshold, digit_parts, fit_classifier, fit_exits, stopped
from minilm.graph import no_grad
from minilm.tensor import Tensor
from tests.experiments._cells import over_seeds

SEEDS, WIDTHS, EPOCHS = 5, (64, 256, 512), 10
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
SMALL = (64, 76, 96)
"""Widths of the one hidden layer of the smaller networks."""


def measure():
    found = {}
    for seed in range(SEEDS):
        parts = digit_parts(seed)
        model = fit_exits(parts.train, WIDTHS, seed=seed, epochs=EPOCHS)
        runs = {
            "stops early, threshold chosen": chosen_threshold(model, parts.validation, THRESHOLDS),
            "first head": 0.0,
            "last head": 2.0,
        } | {f"threshold {t}": t for t in THRESHOLDS}
        for name, threshold in runs.items():
            found.setdefault(name, []).append(stopped(model, parts.test, threshold)[1:])
        for width in SMALL:
            found.setdefault(f"plain, {width} wide", []).append(plain(parts, (width,), seed))
        found.setdefault("plain, as wide and deep", []).append(plain(parts, WIDTHS, seed))
    first = np.array(found["stops early, threshold chosen"])[:, 0]
    for name, values in found.items():
        accuracy, cost = np.array(values).T
        yield {"network": name, "accuracy": over_seeds(accuracy), "multiplications": round(cost.mean()),
               "stops early less this": over_seeds(first - accuracy)}  # fmt: skip


def plain(parts, widths, seed):
    """Accuracy and multiplications of a network that always runs whole."""
    model = fit_classifier(parts.train, widths, seed=seed, epochs=EPOCHS)
    with no_grad():
        classes = model(Tensor(parts.test.images)).numpy().argmax(axis=1)
    return (classes == parts.test.digits).mean(), sum(layer.weight.size for layer in model.layers)
