r"""Four domains of sentiment: what is learned from one kind of text, tried on another, and what can be done about it.

The same people rated sentences on films and on products, tweets, and sentences of editorials (Hutto and Gilbert 2014), so that the
question is the same everywhere and only the text differs: a domain shift. Where no text of the target has a label, three remedies are
known. `importance_weights` counts a text of the source by how much it looks like one of the target; `aligned` gives the source's
vectors the target's covariance; `adapted` gives the answers the target's shares of labels. `proxy_distance` tells how far apart two
domains are for a classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm.applications.application import Split
from minilm.applications.sentiment import CLEAR, Opinion, label_of
from minilm.applications.simple.library import library
from minilm.data import DOMAINS, rated_sentences, three_parts, without_copies
from minilm.types import HostArray

SIZES: tuple[int, int, int] = (
    1700,
    400,
    700,
)  # of each domain's parts: the smallest domain has 2,930 sentences that are clear


@dataclass(frozen=True)
class Sentence(Opinion):
    """An opinion, and the review or editorial that it is of: intervals are over those."""

    document: str = ""


def domain_splits(sizes: tuple[int, int, int] = SIZES) -> Mapping[str, Split[Sentence]]:
    """Each domain's sentences in three parts of the same sizes, so that no domain teaches more because it has more.

    A text stands once in all of them, and the sentences of one document in one part. Those rated nearer to 0 than `CLEAR` are left out.

    Raises:
        DataError: the sentences cannot be had.
        ValueError: a domain has fewer sentences than `sizes` asks for.
    """
    rows = without_copies(
        [row for row in rated_sentences() if abs(row.intensity) >= CLEAR], key=lambda row: row.text
    ).kept
    found = {}
    train, validation, test = (size / sum(sizes) for size in sizes)
    for domain in DOMAINS:
        own = [row for row in rows if row.domain == domain]
        if len(own) < sum(sizes):
            raise ValueError(f"{domain}: {len(own):,} sentences are clear, and parts of {sizes} need {sum(sizes):,}.")
        parts = three_parts(len(own), (train, validation, test), groups=[row.document for row in own])
        sentences = [Sentence(row.text, label_of(row.intensity), row.intensity, row.document) for row in own]
        found[domain] = Split.of(
            sentences,
            [part[:size] for part, size in zip(parts, sizes, strict=True)],
            f"Of {domain}, {sizes} sentences.",
        )
    return found


def importance_weights(source: HostArray, target: HostArray, cost: float = 1.0) -> HostArray:
    r"""How much an example of the source should count for the target: the ratio of their densities, by a classifier.

    .. math:: w(x) = \frac{p_T(x)}{p_S(x)} = \frac{n}{m} \, \frac{g(x)}{1 - g(x)}

    with g the probability of a logistic regression that x is of the target, learned from n vectors of the source and m of the target
    (Shimodaira 2000, *Improving predictive inference under covariate shift by weighting the log-likelihood function*; by a classifier:
    Bickel, Brückner, Scheffer 2009, *Discriminative Learning Under Covariate Shift*, JMLR 10).

    Args:
        source, target: vectors, (n, d) and (m, d).
        cost: of a mistake, C of the regression: the smaller, the more even the weights.

    Returns:
        (n,) weights, divided by their mean.

    Raises:
        ValueError: there is no vector, or they have different widths.
    """
    x, of_target = _both(source, target)
    learner = library("sklearn.linear_model").LogisticRegression(C=cost, max_iter=1000).fit(x, of_target)
    g = learner.predict_proba(source)[:, 1]
    odds = g / np.maximum(1.0 - g, 1e-12)
    return odds / odds.mean()


def effective_size(weights: HostArray) -> float:
    r"""How many equal weights would teach as much: :math:`(\sum w)^2 / \sum w^2`, from 1 to their number (Kish 1965, *Survey Sampling*).

    Raises:
        ValueError: there is no weight above 0.
    """
    w = np.asarray(weights, np.float64)
    if not (w > 0).any() or (w < 0).any():
        raise ValueError("an effective size is of weights that are 0 or more, one of them above 0.")
    return float(w.sum() ** 2 / (w**2).sum())


def aligned(source: HostArray, target: HostArray, ridge: float = 1e-3) -> HostArray:
    r"""The source's vectors with the target's mean and covariance: whitened with their own, then colored with the target's.

    .. math:: \tilde x = \mu_T + \Sigma_T^{1/2} \, \Sigma_S^{-1/2} \, (x - \mu_S)

    (CORAL: Sun, Feng, Saenko 2016, *Return of Frustratingly Easy Domain Adaptation*, AAAI, arXiv:1511.05547; there the means are equal
    already). No label is used.

    Args:
        source, target: vectors, (n, d) and (m, d).
        ridge: a share of the mean variance that is added to each, for directions in which nearly nothing varies.

    Raises:
        ValueError: there is no vector, or they have different widths.
    """
    _both(source, target)
    whiten, color = (_power(x, power, ridge) for x, power in ((source, -0.5), (target, 0.5)))
    return target.mean(axis=0) + (source - source.mean(axis=0)) @ whiten @ color


def adapted(probabilities: HostArray, prior: HostArray, steps: int = 100) -> HostArray:
    r"""Probabilities where labels are as frequent as in the target, whose shares are estimated from the answers alone.

    .. math:: q(y \mid x) \propto \frac{\pi_y}{p_y} \, p(y \mid x), \qquad \pi_y \leftarrow \frac{1}{m} \sum_x q(y \mid x)

    until the shares stay: expectation and maximization (Saerens, Latinne, Decaestecker 2002, *Adjusting the Outputs of a Classifier to
    New a Priori Probabilities*, Neural Computation 14(1)). It is right where only the shares differ, and the texts of a label are alike.

    Args:
        probabilities: of m texts of the target, (m, labels), as the source's classifier gives them.
        prior: (labels,) the labels' shares in what it learned from.
        steps: at most so many rounds.

    Raises:
        ValueError: the shapes do not fit, or a share of `prior` is 0.
    """
    p, prior = np.asarray(probabilities, np.float64), np.asarray(prior, np.float64)
    if p.ndim != 2 or prior.shape != p.shape[1:] or not len(p):
        raise ValueError(
            f"probabilities (texts, labels) and a share per label are needed, not {p.shape} and {prior.shape}."
        )
    if (prior <= 0).any():
        raise ValueError(f"each label needs a share above 0, and the shares are {prior.tolist()}.")
    q, shares = p, prior
    for _ in range(steps):
        weighted = p * (shares / prior)
        q = weighted / weighted.sum(axis=1, keepdims=True)
        before, shares = shares, q.mean(axis=0)
        if np.abs(shares - before).max() < 1e-8:
            break
    return q


def proxy_distance(source: HostArray, target: HostArray, cost: float = 1.0) -> float:
    r"""How far two domains are apart: :math:`2 (1 - 2 \epsilon)` with :math:`\epsilon` the error of a classifier that tells them.

    From 0, where it has to guess, to 2. It learns from every second vector and is asked about the others; as much of either domain is
    taken. (The proxy A-distance: Ben-David, Blitzer, Crammer, Pereira 2006, *Analysis of Representations for Domain Adaptation*, NIPS.)

    Args:
        source, target: vectors, (n, d) and (m, d), in random order.
        cost: of a mistake, C of the logistic regression.

    Raises:
        ValueError: there are fewer than two vectors of one, or they have different widths.
    """
    n = min(len(source), len(target))
    if n < 2:
        raise ValueError(f"two vectors of each domain are needed, and there are {len(source)} and {len(target)}.")
    x, of_target = _both(source[:n], target[:n])
    learner = library("sklearn.linear_model").LogisticRegression(C=cost, max_iter=1000).fit(x[::2], of_target[::2])
    error = float((learner.predict(x[1::2]) != of_target[1::2]).mean())
    return max(0.0, 2.0 * (1.0 - 2.0 * error))


def _both(source: Any, target: Any) -> tuple[HostArray, HostArray]:
    """The vectors of both, those of the source first, and which are of the target."""
    if (
        np.ndim(source) != 2
        or np.ndim(target) != 2
        or not len(source)
        or not len(target)
        or source.shape[1] != target.shape[1]
    ):
        raise ValueError(
            f"vectors of two domains, (n, d) and (m, d), are needed, not {np.shape(source)} and {np.shape(target)}."
        )
    return np.concatenate([source, target]), np.repeat([False, True], [len(source), len(target)])


def _power(x: HostArray, power: float, ridge: float) -> HostArray:
    """The covariance of the rows, (d, d), to a power."""
    centered = np.asarray(x, np.float64) - x.mean(axis=0)
    covariance = centered.T @ centered / len(x)
    values, directions = np.linalg.eigh(
        covariance + ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    )
    return (directions * values**power) @ directions.T


__all__ = [
    "SIZES",
    "Sentence",
    "adapted",
    "aligned",
    "domain_splits",
    "effective_size",
    "importance_weights",
    "proxy_distance",
]
