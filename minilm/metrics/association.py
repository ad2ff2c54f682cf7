r"""What vectors of words say without being asked: the Word Embedding Association Test (WEAT).

Two sets of *targets* X and Y (flowers and insects) are compared in how near they are to two sets of *attributes* A and B (pleasant and
unpleasant words). A word leans to A by

.. math:: s(w) = \frac{1}{|A|} \sum_{a \in A} \cos(w, a) - \frac{1}{|B|} \sum_{b \in B} \cos(w, b)

and the effect size is how many standard deviations the two sets of targets lie apart:

.. math:: d = \frac{\operatorname{mean}_{x \in X} s(x) - \operatorname{mean}_{y \in Y} s(y)}{\operatorname{std}_{w \in X \cup Y} s(w)}

It lies between -2 and 2 where X and Y have as many words. (Caliskan, Bryson, Narayanan 2017, *Semantics derived automatically from
language corpora contain human-like biases*, Science 356.) How sure it is has two sides. The p-value asks whether a random partition of
the same targets would lie as far apart. The interval asks how far d would move with other words of the same kind: the targets are drawn
again, with replacement, and the attributes, too, where `attributes` says so. Both sides of a test are only as good as its lists:
Ethayarajh, Duvenaud, Hirst (2019), *Understanding Undesirable Word Embedding Associations*, ACL.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from minilm.metrics.checks import unit_rows
from minilm.metrics.interval import RESAMPLES, Interval, check_draws, percentiles
from minilm.types import HostArray

PARTITIONS = 20_000  # 8 against 8 words have 12,870: those are all looked at
TIE = 1e-12  # relative: two sums of the same numbers in another order


class Association(NamedTuple):
    """How far two sets of targets lie apart.

    Attributes:
        effect: d, in standard deviations.
        p_value: the share of partitions of the targets that lie at least as far apart, in the direction of d > 0.
        exact: whether all partitions were looked at.
        interval: of d, with other words of the same kind; None where a set that is drawn has one word, or all lean alike.
    """

    effect: float
    p_value: float
    exact: bool
    interval: Interval | None


def leanings(words: Any, a: Any, b: Any) -> HostArray:
    """s(w) of each word: how much nearer it is to the set A than to B, (n,).

    Args:
        words, a, b: vectors, one per row, (n, d), (., d) and (., d). Their lengths do not matter.

    Raises:
        ValueError: a set is empty, the widths differ, a number is not finite, or a vector is zero: it has no direction.
    """
    words, a, b = _sets(words=words, a=a, b=b)
    return np.asarray((words @ a.T).mean(axis=1) - (words @ b.T).mean(axis=1))


def effect_size(x: Any, y: Any, a: Any, b: Any) -> float:
    """d, of vectors one per row; NaN where all targets lean alike.

    Raises:
        ValueError: as `leanings`.
    """
    x, y, a, b = _sets(x=x, y=y, a=a, b=b)
    return _effect(leanings(x, a, b), leanings(y, a, b))


def weat(
    x: Any,
    y: Any,
    a: Any,
    b: Any,
    *,
    attributes: bool = False,
    partitions: int = PARTITIONS,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Association:
    r"""The effect size, its p-value and its interval.

    The p-value is one-sided, as published, and is never 0: the partition that was found is one of those that are counted. Of a sample of
    m random partitions, of which k lie as far apart, it is :math:`(k + 1) / (m + 1)` (Phipson and Smyth 2010).

    Args:
        x, y: vectors of the targets, one per row.
        a, b: vectors of the attributes, one per row.
        attributes: whether the attributes are drawn for the interval, too, or only the targets.
        partitions: where there are more of them than this, so many are drawn at random.
        confidence, resamples, seed: as in `minilm.metrics.Score.interval`.

    Raises:
        ValueError: as `leanings`; or `partitions`, `resamples` or `confidence` is out of range.
    """
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise ValueError(f"partitions must be a positive integer, got {partitions!r}.")
    x, y, a, b = _sets(x=x, y=y, a=a, b=b)
    s, rng = leanings(np.concatenate([x, y]), a, b), np.random.default_rng(seed)
    p_value, exact = _p_value(s, len(x), partitions, rng)
    interval = _interval([x, y, a, b], 4 if attributes else 2, confidence, resamples, rng)
    return Association(_effect(s[: len(x)], s[len(x) :]), p_value, exact, interval)


def _effect(x: HostArray, y: HostArray) -> float:
    spread = np.concatenate([x, y]).std()
    return float((x.mean() - y.mean()) / spread) if spread > TIE else math.nan


def _p_value(s: HostArray, first: int, partitions: int, rng: np.random.Generator) -> tuple[float, bool]:
    """Of the leanings (n,), the first so many of which are of X: the share of partitions as far apart, and whether all were seen."""
    there_are = math.comb(len(s), first)
    exact = there_are <= partitions
    if exact:
        chosen = np.array(list(itertools.combinations(range(len(s)), first)))
    else:
        chosen = np.argsort(rng.random((partitions, len(s))), axis=1)[:, :first]
    # With the sum of all fixed, the means lie the farther apart, the larger the sum of X is.
    as_far = int((s[chosen].sum(axis=1) >= s[:first].sum() - TIE * np.abs(s).sum()).sum())
    return (as_far / there_are if exact else (as_far + 1) / (partitions + 1)), exact


def _interval(
    sets: list[HostArray], drawn: int, confidence: float, resamples: int, rng: np.random.Generator
) -> Interval | None:
    """The percentile interval of d, the first so many of the sets x, y, a and b drawn again."""
    check_draws(confidence, resamples)
    sizes = list(map(len, sets))
    if min(sizes[:drawn]) < 2:
        return None
    even = [np.full(n, 1 / n) for n in sizes]
    m_x, m_y, m_a, m_b = (
        rng.multinomial(n, p, resamples) / n if k < drawn else p[None]
        for k, (n, p) in enumerate(zip(sizes, even, strict=True))
    )
    x, y, a, b = sets
    words = np.concatenate([x, y])
    s = m_a @ (a @ words.T) - m_b @ (b @ words.T)  # (resamples or 1, words)
    share = np.concatenate([m_x * len(x), m_y * len(y)], axis=1) / len(words)
    middle = (share * s).sum(axis=1, keepdims=True)
    spread = np.sqrt((share * (s - middle) ** 2).sum(axis=1))
    apart = (m_x * s[:, : len(x)]).sum(axis=1) - (m_y * s[:, len(x) :]).sum(axis=1)
    effects = apart[spread > TIE] / spread[spread > TIE]
    return percentiles(effects, confidence) if len(effects) else None


def _sets(**sets: Any) -> list[HostArray]:
    """The sets as float64, each vector brought to length 1."""
    found: list[HostArray] = []
    for name, given in sets.items():
        vectors = unit_rows(name, given)
        if found and vectors.shape[1] != found[0].shape[1]:
            raise ValueError(
                f"{name}: its vectors have {vectors.shape[1]} numbers, those of {next(iter(sets))} {found[0].shape[1]}: one "
                "table of vectors gives all sets."
            )
        found.append(vectors)
    return found


__all__ = ["Association", "effect_size", "leanings", "weat"]
