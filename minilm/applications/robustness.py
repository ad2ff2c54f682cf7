r"""A small reader of sentences that can be made tougher: by noise, by word dropout, by attacks on the vectors of its words.

The mean of the words' vectors goes through one hidden layer (Iyyer et al. 2015, *Deep Unordered Composition Rivals Syntactic Methods for
Text Classification*, ACL, whose word dropout is here, too):

.. math:: P(\text{positive}) = \sigma\Bigl(u \cdot \operatorname{relu}\bigl(A \textstyle\sum_t \bar v_{w_t} / T + b\bigr) + c\Bigr),
    \qquad \bar v_k = \frac{v_k - \sum_j f_j v_j}{\sqrt{\sum_j f_j \bigl(v_j - \sum_i f_i v_i\bigr)^2}}

The vectors are normalized over the words' frequencies f (Miyato, Dai, Goodfellow 2017, *Adversarial Training Methods for Semi-Supervised
Text Classification*, section 2): else training would make them long, and a change of a given length harmless.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm import nn
from minilm.attacks import adversarial_loss, pgd
from minilm.creation import zeros
from minilm.graph import no_grad
from minilm.nn import functional as F
from minilm.optim import AdamW
from minilm.random import manual_seed
from minilm.tensor import Tensor
from minilm.types import HostArray

Noise = Callable[[str, np.random.Generator], str]
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")
UNKNOWN = 0
AT_ONCE = 256


def words(text: str) -> list[str]:
    """The words of a text in small letters, and its question and exclamation marks."""
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class Remedy:
    """What is done while learning, so that the reader is tougher.

    Attributes:
        noise: what half of the sentences go through, drawn anew each epoch; None: nothing.
        dropout: the probability with which a word is left out.
        epsilon: the length by which an attack may change a sentence's vectors; 0: there is no attack.
        steps: of the attack: 1 is the fast gradient, more are projected ascent.
    """

    noise: Noise | None = None
    dropout: float = 0.0
    epsilon: float = 0.0
    steps: int = 1


class AveragingReader(nn.Module):
    """The reader. Untrained; `learn` gives a trained one.

    Args:
        texts: what it is to know the words of; those that occur once are unknown ones.
        width: numbers per vector, and units of the hidden layer.

    Raises:
        ValueError: there is no word in the texts.
    """

    def __init__(self, texts: Sequence[str], width: int = 32) -> None:
        super().__init__()
        counts = Counter(word for text in texts for word in words(text))
        if not counts:
            raise ValueError("a reader needs texts with at least one word.")
        known = sorted(word for word, count in counts.items() if count > 1)
        self.number = {word: i for i, word in enumerate(known, UNKNOWN + 1)}
        rare = sum(count for count in counts.values() if count == 1)
        shares = np.array([rare, *(counts[word] for word in known)], np.float32)
        self.shares = Tensor((shares / shares.sum())[:, None])
        self.table = nn.Embedding(len(known) + 1, width)
        self.hidden, self.output = nn.Linear(width, width), nn.Linear(width, 1)
        self.output.bias = nn.Parameter(zeros(1))

    def vectors(self, ids: HostArray) -> Tensor:
        """The normalized vectors of words, (B, T) -> (B, T, width)."""
        v = self.table.weight
        v = v - (v * self.shares).sum(axis=0)
        v = v / ((v * v * self.shares).sum(axis=0) + 1e-6).sqrt()
        return F.embedding(ids, v)

    def logits(self, vectors: Tensor, weights: HostArray) -> Tensor:
        """(B,) from vectors (B, T, width) and how much each word counts, (B, T), of the sum 1 or 0."""
        mean = (vectors * Tensor(weights[..., None])).sum(axis=1)
        return self.output(F.relu(self.hidden(mean)))[:, 0]

    def rows(self, texts: Sequence[str]) -> tuple[HostArray, HostArray]:
        """Numbers of words and how much each counts, both (B, T); a text without a word is of unknown ones."""
        found = [[self.number.get(word, UNKNOWN) for word in words(text)] or [UNKNOWN] for text in texts]
        ids = np.full((len(found), max(map(len, found))), UNKNOWN)
        weights = np.zeros(ids.shape, np.float32)
        for i, row in enumerate(found):
            ids[i, : len(row)], weights[i, : len(row)] = row, 1 / len(row)
        return ids, weights

    @no_grad()
    def probabilities(self, texts: Sequence[str]) -> HostArray:
        """P(positive) of each text, (n,)."""
        parts = [self.rows(texts[i : i + AT_ONCE]) for i in range(0, len(texts), AT_ONCE)]
        return np.concatenate([np.zeros(0), *(self.logits(self.vectors(ids), w).sigmoid().numpy() for ids, w in parts)])

    def attacked(self, texts: Sequence[str], labels: HostArray, epsilon: float, steps: int = 10) -> HostArray:
        """P(positive) of each text after an attack on its vectors by their gradient, within the length `epsilon`, (n,)."""
        found = [np.zeros(0)]
        for i in range(0, len(texts), AT_ONCE):
            ids, weights = self.rows(texts[i : i + AT_ONCE])
            loss = self._loss(weights, labels[i : i + AT_ONCE])
            with no_grad():
                x = pgd(loss, self.vectors(ids), epsilon, "2", steps=steps)
                found.append(self.logits(Tensor(x), weights).sigmoid().numpy())
        return np.concatenate(found)

    def _loss(self, weights: HostArray, labels: HostArray) -> Callable[[Tensor], Tensor]:
        truth = Tensor(np.asarray(labels, np.float32))
        return lambda v: F.binary_cross_entropy_with_logits(self.logits(v, weights), truth, reduction="none")


def learn(
    train: tuple[Sequence[str], Any],
    validation: tuple[Sequence[str], Any],
    remedy: Remedy = Remedy(),
    *,
    seed: int = 0,
    epochs: int = 8,
    batch: int = 64,
    learning_rate: float = 3e-3,
) -> AveragingReader:
    """A reader trained on texts and labels (n,) of 0 and 1; of its epochs the one is kept that is best on the validation part.

    Raises:
        ValueError: there is no word to learn, or not one label per text.
    """
    texts, labels = train[0], np.asarray(train[1])
    if labels.shape != (len(texts),):
        raise ValueError(f"expected one label per text, ({len(texts)},), got {labels.shape}.")
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    reader = AveragingReader(texts)
    optimizer = AdamW(reader.parameters(), lr=learning_rate, weight_decay=0.01)
    best, kept = -1.0, reader.state_dict()
    for _ in range(epochs):
        given = _noisy(texts, remedy.noise, rng)
        order = rng.permutation(len(texts))
        for i in range(0, len(order), batch):
            some = order[i : i + batch]
            optimizer.zero_grad()
            _losses(reader, [given[k] for k in some], labels[some], remedy, rng).mean().backward()
            optimizer.step()
        right = float(((reader.probabilities(validation[0]) > 0.5) == np.asarray(validation[1])).mean())
        if right > best:
            best, kept = right, {name: Tensor(value.numpy().copy()) for name, value in reader.state_dict().items()}
    reader.load_state_dict(kept)
    return reader


def _noisy(texts: Sequence[str], noise: Noise | None, rng: np.random.Generator) -> list[str]:
    if noise is None:
        return list(texts)
    return [noise(text, rng) if rng.random() < 0.5 else text for text in texts]


def _losses(
    reader: AveragingReader, texts: Sequence[str], labels: HostArray, remedy: Remedy, rng: np.random.Generator
) -> Tensor:
    ids, weights = reader.rows(texts)
    if remedy.dropout:
        weights = weights * (rng.random(weights.shape) >= remedy.dropout)
        weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    loss, vectors = reader._loss(weights, labels), reader.vectors(ids)
    if remedy.epsilon:
        return adversarial_loss(loss, vectors, remedy.epsilon, "2", steps=remedy.steps)
    return loss(vectors)


__all__ = ["AveragingReader", "Noise", "Remedy", "learn", "words"]
