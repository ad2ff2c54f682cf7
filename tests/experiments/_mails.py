"""Mails for the experiments on privacy and on evasion, of near copies one each; and linear filters that read hashed words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import minilm as ml
from minilm import nn, optim
from minilm.applications import find
from minilm.applications.ngrams import hashed
from minilm.nn import functional as F
from minilm.privacy import poisson_batches, private_gradients

READ = 3000  # characters of a mail that a filter reads
Score = Callable[[Sequence[str]], np.ndarray]


class Mails(NamedTuple):
    texts: list[str]
    spam: np.ndarray

    def of(self, spam: bool) -> list[str]:
        return [text for text, kind in zip(self.texts, self.spam, strict=True) if kind == spam]


@cache
def parts() -> tuple[Mails, Mails, Mails]:
    """Training, validation and test part, one mail for each group of near copies: who has one would know the others."""
    split = find("spam").split()
    return tuple(_first_of_each(part) for part in (split.train, split.validation, split.test))


def _first_of_each(part: Sequence[Any]) -> Mails:
    firsts = list({mail.group: mail for mail in reversed(part)}.values())
    return Mails([mail.text[:READ] for mail in firsts], np.array([mail.label == "spam" for mail in firsts]))


class Way(NamedTuple):
    """How a filter learns: with Adam, or with DP-SGD where there is a `noise`.

    Attributes:
        batch: the mean size of a batch.
        noise: in units of the clipping norm, 1; None: neither clipping nor noise.
    """

    steps: int
    lr: float
    batch: int = 128
    weight_decay: float = 0.0
    noise: float | None = None


def learned(rows: np.ndarray, spam: np.ndarray, way: Way, seed: int) -> nn.Linear:
    """A linear filter: its output, one number per mail, is positive where it says spam."""
    ml.manual_seed(seed)
    model = nn.Linear(rows.shape[1], 1)
    make = optim.Adam if way.noise is None else optim.SGD
    optimizer = make(model.parameters(), lr=way.lr, weight_decay=way.weight_decay)

    def losses(x: np.ndarray, y: np.ndarray) -> ml.Tensor:
        return F.binary_cross_entropy_with_logits(model(ml.tensor(x)).reshape(-1), ml.tensor(y), reduction="none")

    rng = np.random.default_rng(seed)
    for batch in _batches(len(rows), way, rng):
        x, y = rows[batch], spam[batch].astype(np.float32)
        if way.noise is None:
            optimizer.zero_grad()
            losses(x, y).mean().backward()
        else:
            private_gradients(model, losses, x, y, clip=1.0, noise=way.noise, expected=way.batch, rng=rng)
        optimizer.step()
    return model


def _batches(n: int, way: Way, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for batch in poisson_batches(n, min(1.0, way.batch / n), way.steps, rng):
        if len(batch) or way.noise is not None:
            yield batch


def outputs(model: nn.Linear, rows: np.ndarray) -> np.ndarray:
    return model(ml.tensor(rows)).numpy()[:, 0].astype(np.float64)


def losses_of(model: nn.Linear, rows: np.ndarray, spam: np.ndarray) -> np.ndarray:
    """-ln p of what each mail is."""
    return np.logaddexp(0, np.where(spam, -1, 1) * outputs(model, rows))


def text_filter(mails: Mails, seed: int = 0, width: int = 4096) -> Score:
    """The filter of texts that is learned from mails."""
    model = learned(hashed(mails.texts, width, READ), mails.spam, Way(400, 1e-2), seed)
    return lambda texts: outputs(model, hashed(texts, width, READ))
