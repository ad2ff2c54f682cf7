r"""Was this example among those that the model learned from? An attacker's guess, and how good it is.

A model has a smaller loss on what it has seen. So the simplest attack says "member" where the loss is below a line (Yeom, Giacomelli,
Fredrikson & Jha 2018, *Privacy Risk in Machine Learning*, arXiv:1709.01604). A better one asks what loss *this* example has in models
that learned with it and without it (Carlini, Chien, Nasr, Song, Terzis & Tramèr 2022, *Membership Inference Attacks From First Principles*,
arXiv:2112.03570). They also say how to report it: not the mean over all examples, but how many members are found where hardly anyone is
accused wrongly, the true positive rate at a false positive rate of 1 % say.

A model that is :math:`(\varepsilon, \delta)`-private bounds every attack: :math:`\text{TPR} \le e^\varepsilon\, \text{FPR} + \delta`
(Kairouz, Oh & Viswanath 2015, *The Composition Theorem for Differential Privacy*, arXiv:1311.0776).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minilm.metrics import Score, auc, true_positive_rate_at
from minilm.types import HostArray


class Attack(NamedTuple):
    """How well members are told from others: half of the pairs by chance, and as many members as others over any line."""

    auc: Score
    found: Score

    @classmethod
    def of(cls, member: Any, scores: Any, false_positive_rate: float = 0.01) -> Attack:
        """Of scores, the higher the more they say "member".

        Args:
            member: (n,) what is true.
            scores: (n,).
            false_positive_rate: where the true positive rate, `found`, is read.

        Raises:
            ValueError: as `minilm.metrics.true_positive_rate_at`.
        """
        return cls(auc(member, scores), true_positive_rate_at(member, scores, false_positive_rate))


def loss_attack(members: Any, others: Any, false_positive_rate: float = 0.01) -> Attack:
    """The attack by a line between losses.

    Args:
        members, others: (m,), (n,) losses of examples that the model learned from, and of others.

    Raises:
        ValueError: one of the two has no example, or a loss is NaN.
    """
    members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
    member = np.arange(len(members) + len(others)) < len(members)
    return Attack.of(member, -np.concatenate([members, others]), false_positive_rate)


def likelihood_ratios(losses: Any, inside: Any) -> HostArray:
    r"""The attack by likelihood ratios (LiRA, with one variance for all examples), of each model by all the others.

    Of :math:`\phi = \ln p - \ln(1 - p)`, with p the probability of the right label, each example has a mean in models that learned from it
    and one in those that did not. The score is the logarithm of two normal densities' ratio at the attacked model's own :math:`\phi`.
    With few models the variance is taken over all examples (section VI.C of the paper).

    Args:
        losses: (K, n) negative log-probabilities of the right labels, by K models.
        inside: (K, n) booleans: from which examples each model learned. Each example is in two models and out of two, at least.

    Returns:
        (K, n) scores, the higher the more they say "member".

    Raises:
        ValueError: shapes do not fit, a loss is negative or NaN, or an example is in or out of too few models.
    """
    losses, inside = np.asarray(losses, np.float64), np.asarray(inside)
    if losses.ndim != 2 or losses.shape != inside.shape or inside.dtype != bool:
        raise ValueError(
            f"expected losses and booleans of one shape (models, examples), got {losses.shape} and {inside.dtype} {inside.shape}."
        )
    if not (losses >= 0).all():
        raise ValueError("a loss is negative or NaN: expected negative logarithms of probabilities.")
    few = np.minimum(inside.sum(axis=0), (~inside).sum(axis=0))
    if not few.size or few.min() < 2:
        raise ValueError(
            "each example must be in two models, and out of two, so that one is left where one is attacked."
        )
    phi = -losses - np.log(np.maximum(-np.expm1(-losses), 1e-15))
    scores = np.empty_like(losses)
    for k in range(len(losses)):
        rest = np.arange(len(losses)) != k
        with_it, without = (_mean_and_deviation(phi[rest], here[rest]) for here in (inside, ~inside))
        scores[k] = _log_density(phi[k], *with_it) - _log_density(phi[k], *without)
    return scores


def _mean_and_deviation(phi: HostArray, here: HostArray) -> tuple[HostArray, float]:
    """Each example's mean over the models where it is here, and the deviation from it over all examples."""
    mean = np.where(here, phi, 0).sum(axis=0) / here.sum(axis=0)
    degrees = max(1, int(here.sum()) - here.shape[1])
    return mean, max(1e-6, math.sqrt(float((np.where(here, phi - mean, 0) ** 2).sum()) / degrees))


def _log_density(x: HostArray, mean: HostArray, deviation: float) -> HostArray:
    return -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation)


def exposure(loss: float, others: Any) -> float:
    r"""How far a secret stands out among as likely ones that the model never saw, in bits.

    .. math:: \log_2 (n + 1) - \log_2 \text{rank}

    with the rank of its loss among n others' and its own (Carlini, Liu, Erlingsson, Kos & Song 2019, *The Secret Sharer*,
    arXiv:1802.08232).
    A secret that was not learned has 1.44 bits on average, one that stands before all others :math:`\log_2 (n + 1)`.

    Raises:
        ValueError: there are no others, or a loss is NaN.
    """
    others = np.asarray(others, np.float64)
    if others.ndim != 1 or not others.size or np.isnan(others).any() or math.isnan(loss):
        raise ValueError("expected a loss and a list of others' losses, none of them NaN.")
    return math.log2(len(others) + 1) - math.log2(1 + int((others <= loss).sum()))


__all__ = ["Attack", "exposure", "likelihood_ratios", "loss_attack"]
