"""Chapter 8 on images of digits: fitting two towers and networks that stop early, and what stands beside them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minilm import random
from minilm.data import mnist_5k, split_indices
from minilm.graph import no_grad
from minilm.models.early_exit import EarlyExitMLP
from minilm.models.mlp import MLP
from minilm.models.two_towers import TwoTowers
from minilm.nn import functional as F
from minilm.optim import AdamW, LinearLR
from minilm.tensor import Tensor
from minilm.types import HostArray


class Part(NamedTuple):
    """Images ``(n, 784)``, 0 to 1, and their digits ``(n,)``."""

    images: HostArray
    digits: HostArray


class Parts(NamedTuple):
    """To learn from, to choose on, to report on."""

    train: Part
    validation: Part
    test: Part


def digit_parts(seed: int) -> Parts:
    """The 5,000 images of MNIST in 70, 10 and 20 %, drawn with a seed, each with its share of every digit."""
    images, digits = mnist_5k()
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    rest, test = split_indices(len(digits), 0.2, seed=seed, stratify=digits)
    train, chosen = split_indices(len(rest), 0.125, seed=seed, stratify=digits[rest])
    return Parts(*(Part(flat[rows], digits[rows]) for rows in (rest[train], rest[chosen], test)))


def fit(
    model: TwoTowers | EarlyExitMLP | MLP,
    loss: Callable[[HostArray], Tensor],
    rows: int,
    *,
    seed: int,
    epochs: int,
    rate: float,
) -> None:
    """AdamW on batches of 50 rows, with a rate that falls to 0 along a line."""
    rng, optimizer, batch = np.random.default_rng(seed), AdamW(model.parameters(), lr=rate, weight_decay=0.01), 50
    steps = epochs * (rows // batch)
    schedule = LinearLR(optimizer, 1.0, 0.0, steps)
    for step in range(steps):
        schedule.go_to(step)
        optimizer.zero_grad()
        loss(rng.choice(rows, batch, replace=False)).backward()
        optimizer.step()


# -- words ------------------------------------------------------------------------------------------------------------


def fit_towers(part: Part, words: Mapping[str, Sequence[str]], *, seed: int, epochs: int = 6) -> TwoTowers:
    """Two towers that learn from images, each with its digit in a language drawn anew for each batch's row."""
    random.manual_seed(seed)
    table = np.array([list(each) for each in words.values()])  # [languages, 10]
    model, rng = TwoTowers(part.images.shape[1], table.ravel().tolist()), np.random.default_rng(seed)
    counts = model.counts(table.ravel().tolist())

    def loss(rows: HostArray) -> Tensor:
        chosen = 10 * rng.integers(len(table), size=len(rows)) + part.digits[rows]
        return model.loss(Tensor(part.images[rows]), Tensor(counts[chosen]))

    fit(model, loss, len(part.digits), seed=seed, epochs=epochs, rate=0.005)
    return model


def tower_scores(model: TwoTowers, images: HostArray, words: Sequence[str]) -> HostArray:
    """Cosines of images and words: ``(images, words)``."""
    with no_grad():
        return (model.embed_images(Tensor(images)) @ model.embed_words(Tensor(model.counts(words))).T).numpy()


def fit_classifier(part: Part, widths: Sequence[int] = (64,), *, seed: int, epochs: int = 6) -> MLP:
    """A classifier of digits."""
    random.manual_seed(seed)
    model = MLP((part.images.shape[1], *widths, 10))
    fit(
        model,
        lambda rows: F.cross_entropy(model(Tensor(part.images[rows])), part.digits[rows]),
        len(part.digits),
        seed=seed,
        epochs=epochs,
        rate=0.005,
    )
    return model


def lookup_scores(model: MLP, images: HostArray, words: Sequence[str], known: Mapping[str, Sequence[str]]) -> HostArray:
    """What a classifier and a dictionary say of images and words, ``(images, words)``: the probability of the word's digit.

    What digit a word stands for: shares of the ten, by how alike (`alikeness`) the known word of each is that is the most alike; they are
    sharpened, so that the best one counts.
    """
    with no_grad():
        p = F.softmax(model(Tensor(images))).numpy()  # [images, 10]
    new, old = [letters(w) for w in words], [[letters(w) for w in each] for each in known.values()]
    alike = np.array([[max(alikeness(w, each[d]) for each in old) for d in range(10)] for w in new])
    shares = np.exp(20 * alike)
    return p @ (shares / shares.sum(axis=1, keepdims=True)).T


def letters(word: str) -> str:
    """A word as the towers read it: accents are characters of their own, so that a letter without its accent is half right."""
    return unicodedata.normalize("NFKD", word.lower())


def alikeness(a: str, b: str) -> float:
    """One less the edit distance of two words over the length of the longer one (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return 1 - row[-1] / max(len(a), len(b), 1)


def named(scores: HostArray, digits: HostArray) -> float:
    """The share of images to which the word of their digit has the highest score of ten."""
    return float((scores.argmax(axis=1) == digits).mean())


def shown(scores: HostArray, digits: HostArray, first: int = 10) -> float:
    """Of the images that a word finds first, the share that show its digit; the mean over ten words."""
    best = np.argsort(-scores, axis=0, kind="stable")[:first]  # [first, 10]
    return float((digits[best] == np.arange(10)).mean())


# -- exits ------------------------------------------------------------------------------------------------------------


def fit_exits(part: Part, widths: Sequence[int] = (32, 128, 512), *, seed: int, epochs: int = 10) -> EarlyExitMLP:
    """A network with a head after each block; all heads learn together."""
    random.manual_seed(seed)
    model = EarlyExitMLP(part.images.shape[1], widths, 10)
    fit(
        model,
        lambda rows: model.loss(Tensor(part.images[rows]), part.digits[rows]),
        len(part.digits),
        seed=seed,
        epochs=epochs,
        rate=0.003,
    )
    return model


class Stopped(NamedTuple):
    """A threshold, the share that is answered rightly with it, and the multiplications per image."""

    threshold: float
    accuracy: float
    cost: float


def stopped(model: EarlyExitMLP, part: Part, threshold: float) -> Stopped:
    """What a threshold gives on a part."""
    with no_grad():
        found = model.decide(Tensor(part.images), threshold)
    cost = model.costs()[found.blocks - 1].mean()
    return Stopped(threshold, float((found.classes == part.digits).mean()), float(cost))


def chosen_threshold(model: EarlyExitMLP, part: Part, thresholds: Sequence[float]) -> float:
    """The lowest threshold that answers as many of a part as running all blocks does."""
    whole = stopped(model, part, 2.0).accuracy
    return min((t for t in thresholds if stopped(model, part, t).accuracy >= whole), default=2.0)


__all__ = [
    "Part", "Parts", "Stopped", "alikeness", "chosen_threshold", "digit_parts", "fit", "fit_classifier", "fit_exits", "fit_towers",
    "letters",
    "lookup_scores", "named", "shown", "stopped", "tower_scores",
]  # fmt: skip
