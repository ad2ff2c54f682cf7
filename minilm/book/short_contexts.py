"""Chapter 3: a text in three parts, cut into short contexts, and what is measured of a model that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minilm import metrics
from minilm.data import split_indices
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.nn import Module
from minilm.text import CharTokenizer
from minilm.types import HostArray


class Parts(NamedTuple):
    """Paragraphs to learn from, to choose on, to report on."""

    train: list[str]
    validation: list[str]
    test: list[str]


def parts(paragraphs: Sequence[str], *, seed: int = 0) -> Parts:
    """Eight, one and one tenth of the paragraphs, drawn at random; within a part they stand in the order of the text."""
    rest, test = split_indices(len(paragraphs), 0.1, seed=seed)
    train, validation = split_indices(len(rest), 1 / 9, seed=seed)
    return Parts(*([paragraphs[i] for i in np.sort(rows)] for rows in (rest[train], rest[validation], test)))


def share_known(text: str, known: str, length: int = 50) -> float:
    """The share of a text's characters that lie within a run of `length` characters that `known` holds, too."""
    runs = {known[i : i + length] for i in range(len(known) - length + 1)}
    found = np.zeros(len(text), bool)
    for i in range(len(text) - length + 1):
        if text[i : i + length] in runs:
            found[i : i + length] = True
    return float(found.mean()) if len(text) else 0.0


def examples(text: str, tokenizer: CharTokenizer, length: int) -> tuple[HostArray, HostArray]:
    """All contexts of a text (N, length), and the ids that follow them (N,)."""
    ids = tokenizer.encode_array(text).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(ids, length + 1)
    return windows[:, :length], windows[:, length]


def log_likelihoods(model: Module, contexts: HostArray, targets: HostArray) -> HostArray:
    """ln p of each target after its context, (N,): without a graph, in pieces that fit into memory."""
    found = []
    with no_grad():
        for start in range(0, len(targets), 4096):
            logs = model(contexts[start : start + 4096]).log_softmax().numpy()
            found.append(logs[np.arange(len(logs)), targets[start : start + 4096]])
    return np.concatenate(found).astype(np.float64)


def mean_per_paragraph(nats: HostArray, paragraphs: Sequence[str], skipped: int) -> metrics.Interval:
    """The interval of the mean of a text's nats, where paragraphs are what is drawn anew.

    Args:
        nats: of each character of the paragraphs, joined by an empty line, but for the first `skipped`.
    """
    sizes = np.array([len(p) + 2 for p in paragraphs])
    sizes[-1] -= 2
    owner = np.repeat(np.arange(len(sizes)), positions(sizes))[skipped:]
    sums, counts = (np.bincount(positions(owner), weights=w, minlength=len(sizes)) for w in (nats, np.ones(len(nats))))
    found = metrics.ratio_interval(sums[counts > 0], counts[counts > 0])
    assert found is not None  # there are more paragraphs than one
    return found


class Share(NamedTuple):
    """A share, with its interval."""

    value: float
    low: float
    high: float


def recognized(
    odds: Callable[[str], float], ours: Sequence[str], others: Sequence[str], length: int, *, seed: int = 0
) -> Share:
    """The share of paragraphs' beginnings whose log-odds has the right sign: the mean of both sources' shares.

    Its interval: the middle 95 % of the shares of 2,000 draws of as many paragraphs from each source.

    Args:
        odds: of a piece of text, above 0 where it is taken for one of `ours`.
        length: of the beginnings; shorter paragraphs are left out.
    """
    rng, means, draws = np.random.default_rng(seed), [], []
    for texts, sign in ((ours, 1), (others, -1)):
        right = np.array([sign * odds(text[:length]) > 0 for text in texts if len(text) >= length], np.float64)
        means.append(right.mean())
        draws.append(rng.binomial(len(right), right.mean(), 2000) / len(right))
    low, high = np.quantile((draws[0] + draws[1]) / 2, [0.025, 0.975])
    return Share(float(np.mean(means)), float(low), float(high))


__all__ = [
    "Parts", "Share", "examples", "log_likelihoods", "mean_per_paragraph", "parts", "recognized", "share_known",
]  # fmt: skip
