r"""A choice among texts that could be the answer: what simple methods say, what was written for texts like this one, what a network writes.

Each has numbers f that speak for or against it, and the answer is the text h of those there are, H, with the highest sum

.. math:: s(h) = \sum_k \lambda_k f_k(h)

This is the log-linear model of Och and Ney 2002, *Discriminative Training and Maximum Entropy Models for Statistical Machine Translation*,
to which any method can bring its number. That all methods are asked first, that the answers to like texts are among them, and that a
network then judges, is Cao et al. 2018, *Retrieve, Rerank and Rewrite: Soft Template Based Neural Summarization*.

The weights :math:`\lambda` are learned from texts whose answer is known, so that u(h), what h is worth as an answer, can be measured.
They shall make large what a text is worth that is drawn by its sum:

.. math:: \max_\lambda \sum_x w_x \sum_{h \in H_x} p_\lambda(h)\, u(h), \qquad p_\lambda(h) \propto e^{s(h)}

(Smith and Eisner 2006, *Minimum Risk Annealing for Training Log-Linear Models*). The steeper the weights, the nearer is the draw to the
choice; so nothing is learned from texts that are never near the first place.

Some of the numbers say how far others agree with h: of two texts that are equally likely the one is better that is like many others
(Kumar and Byrne 2004, *Minimum Bayes-Risk Decoding for Statistical Machine Translation*).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minilm.creation import zeros
from minilm.ops.arithmetic import where
from minilm.optim import Adam
from minilm.tensor import Tensor
from minilm.types import HostArray

DRAFT, NEIGHBOR, NETWORK = ORIGINS = ("draft", "neighbor", "network")
LOG_P, PER_TOKEN = JUDGED = ("log p", "log p per token")
FEATURES = (
    *JUDGED,
    "tokens",
    "log of tokens",
    "neighbor",
    "neighbor's likeness",
    "nearest likeness, if no neighbor",
    "network",
    "agreement of drafts",
    "agreement of neighbors",
    "agreement of all",
    "units lost or added",
    "new words",
)
"""The numbers of a candidate, in this order. Those in `JUDGED` are the network's."""
STEPS, RATE, DECAY = 300, 0.3, 5e-5  # of the search for weights, for numbers of deviation 1
WORD = re.compile(r"[a-z0-9]+|[^\W\d_a-z]|[^\w\s]")  # a Latin word or a number; else a character


class Candidate(NamedTuple):
    """A text that could be the answer.

    Attributes:
        text: itself.
        origin: who brought it, one of `ORIGINS`.
        likeness: of a neighbor: how like the question its own text is, 0 to 1.
    """

    text: str
    origin: str
    likeness: float = 0.0


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Each text once, as it comes first."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.text, candidate)
    return list(found.values())


def features(
    question: str,
    candidates: Sequence[Candidate],
    tokens: Sequence[int],
    lost: Sequence[int],
    log_p: Sequence[float] | None,
) -> HostArray:
    """The numbers of one question's candidates, a row for each, the columns those of `FEATURES`.

    Args:
        tokens: how many each has, the end token included.
        lost: how many of what must be kept each lacks or has too much.
        log_p: log p(h | x) by the network; None: there is none, its two columns are 0.
    """
    n, cosines = np.array(tokens, np.float64), np.array([c.likeness for c in candidates])
    from_ = {origin: np.array([c.origin == origin for c in candidates]) for origin in ORIGINS}
    neighbor, p = from_[NEIGHBOR], np.zeros(len(n)) if log_p is None else np.array(log_p, np.float64)
    alike = agreement([c.text for c in candidates])
    np.fill_diagonal(alike, 0.0)  # nobody agrees with himself
    others = [from_[origin] for origin in (DRAFT, NEIGHBOR)]
    agreeing = [alike[:, whose].sum(1) / np.maximum(1, whose.sum() - whose) for whose in others]
    columns = [p, p / n, n, np.log(n), neighbor, neighbor * cosines**2, ~neighbor * cosines.max(initial=0.0)]
    columns += [from_[NETWORK], *agreeing, alike.sum(1) / max(1, len(n) - 1), np.array(lost)]
    there = {*_words(question)}
    said = [_words(c.text) for c in candidates]
    new = [sum(word not in there for word in words) / max(1, len(words)) for words in said]
    return np.stack([*columns, np.array(new)], axis=1, dtype=np.float64)


def agreement(texts: Sequence[str]) -> HostArray:
    r"""How alike each two texts are, (n, n): the F1 of their words and pairs of neighbors, :math:`2 |a \cap b| / (|a| + |b|)`."""
    counts = []
    for text in texts:
        words = _words(text)
        counts.append(Counter([*words, *itertools.pairwise(words)]))
    place = {piece: i for i, piece in enumerate({piece: 0 for count in counts for piece in count})}
    table = np.zeros((len(texts), len(place)))
    for row, count in zip(table, counts, strict=True):
        row[[place[piece] for piece in count]] = list(count.values())
    sizes = table.sum(1)
    return 2 * np.minimum(table[:, None], table).sum(-1) / np.maximum(1, sizes[:, None] + sizes)


def best(rows: HostArray, weights: Mapping[str, float]) -> int:
    """Which candidate has the highest sum; of equal ones the first."""
    return int(np.argmax(rows @ [weights.get(name, 0.0) for name in FEATURES]))


def learn_weights(
    rows: Sequence[HostArray], worth: Sequence[Sequence[float]], importance: Sequence[float]
) -> dict[str, float]:
    """The weights; see above. They begin at 0 and climb; a number that never differs within a question gets none.

    Args:
        rows: the features of each question's candidates.
        worth: what each of them is worth.
        importance: w_x, how much each question counts.
    """
    deviation = np.concatenate([each - each.mean(0) for each in rows]).std(0)
    told = deviation > 1e-9
    shape = len(rows), max(map(len, rows))
    x, u, there = np.zeros((*shape, int(told.sum()))), np.zeros(shape), np.zeros(shape, bool)
    for i, (each, values) in enumerate(zip(rows, worth, strict=True)):
        x[i, : len(each)] = (each - each.mean(0))[:, told] / deviation[told]
        u[i, : len(each)], there[i, : len(each)] = values, True
    u *= np.array(importance)[:, None] / np.sum(importance)
    weights = zeros(x.shape[-1], dtype="float64", requires_grad=True)
    optimizer = Adam([weights], RATE, betas=(0.9, 0.99), eps=1e-9, weight_decay=DECAY)
    for step in range(1, STEPS + 1):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        p = where(there, Tensor(x) @ weights, -np.inf).softmax(axis=1)
        optimizer.zero_grad()
        (p * -u).sum().backward()
        optimizer.step()
    found = dict.fromkeys(FEATURES, 0.0)
    names = [name for name, tells in zip(FEATURES, told, strict=True) if tells]
    found.update(zip(names, (weights.numpy() / deviation[told]).tolist(), strict=True))
    return {name: float(f"{weight:.3g}") for name, weight in found.items()}


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


__all__ = [
    "DRAFT",
    "FEATURES",
    "JUDGED",
    "NEIGHBOR",
    "NETWORK",
    "Candidate",
    "agreement",
    "best",
    "distinct",
    "features",
    "learn_weights",
]
