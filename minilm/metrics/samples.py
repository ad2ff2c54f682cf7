r"""What written text is like that nobody wrote before: how varied it is, how much it repeats itself, how much it copied.

A model's loss says how well it reads. How it writes also depends on how tokens are drawn from it: greedy text, the likeliest token
each time, runs in circles (Holtzman et al. 2020, *The Curious Case of Neural Text Degeneration*). None of these numbers says that a text
is good: random characters are varied, repeat nothing and copy nothing. Read beside them those of text that people wrote.

Each has one number per sample, and its score is the mean over the samples. Tokens may be characters or words, as one likes: a string is
a sequence of characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.metrics.ngrams import ngrams
from minilm.metrics.score import Score


def distinct(n: int, samples: Sequence[Sequence[Any]]) -> Score:
    """distinct-n (Li et al. 2016, 5.3): the different n-grams of a sample by all of its n-grams, 1 where none comes twice.

    It falls with the length: compare samples of one length. NaN of samples too short for an n-gram.

    Raises:
        ValueError: n is below 1, or there is no sample.
    """
    _check(n, samples)
    rows = [(len(counts), sum(counts.values())) for counts in (ngrams(sample, n) for sample in samples)]
    return _mean_ratio(f"distinct-{n}", rows, higher_is_better=True)


def repeated(n: int, samples: Sequence[Sequence[Any]]) -> Score:
    """The share of a sample's n-grams that came before in the same sample: 1 - distinct-n (seq-rep-n of Welleck et al. 2020, 6).

    Raises:
        ValueError: as `distinct`.
    """
    _check(n, samples)
    rows = []
    for sample in samples:
        counts = ngrams(sample, n)
        rows.append((sum(counts.values()) - len(counts), sum(counts.values())))
    return _mean_ratio(f"repeated {n}-grams", rows, higher_is_better=False)


def copied(n: int, samples: Sequence[Sequence[Any]], training: Sequence[Any]) -> Score:
    """The share of a sample's n-grams that stand in the training text (McCoy et al. 2023, *RAVEN*); 1 less it is the novelty.

    Raises:
        ValueError: as `distinct`.
    """
    _check(n, samples)
    known = ngrams(training, n)
    rows = []
    for sample in samples:
        counts = ngrams(sample, n)
        rows.append((sum(times for gram, times in counts.items() if gram in known), sum(counts.values())))
    return _mean_ratio(f"copied {n}-grams", rows, higher_is_better=False)


def _check(n: int, samples: Sequence[Any]) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n-grams have a positive length, got {n!r}.")
    if isinstance(samples, str) or not len(samples):
        raise ValueError("expected a list of samples, at least one; for one text, give [text].")


def _mean_ratio(name: str, rows: Sequence[tuple[int, int]], *, higher_is_better: bool) -> Score:
    """The mean of above by below over the samples that have any n-gram."""
    table = np.array([(above / below, 1.0) if below else (0.0, 0.0) for above, below in rows])

    def mean(above: Any, below: Any) -> Any:
        return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)

    return Score.of_sums(name, table, mean, higher_is_better=higher_is_better)


__all__ = ["copied", "distinct", "repeated"]
