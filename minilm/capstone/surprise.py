r"""How many bits a character of a text costs: a language model and a count of characters, over the same characters.

A text is given in two parts, what stands before and what is to be foretold: nothing but the mark between documents before a document, a
question before its answer. The measure is

.. math:: \text{bits per character} = -\frac{1}{C \ln 2} \sum_t \ln p(x_t \mid x_{<t})

summed over the tokens to be foretold, C their characters. It does not depend on how a text is cut into tokens, so a model of word pieces
and a count of characters can be compared. The intervals are over groups that belong together (`minilm.metrics.interval`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.applications.simple.ngrams import NGram
from minilm.evaluation.language_model import cuts
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.metrics.interval import Interval, difference_interval, ratio_interval
from minilm.nn import functional as F
from minilm.types import HostArray

ORDERS = (4, 5, 6, 7)
ROWS = 32  # windows of a forward pass


class Part(NamedTuple):
    """A text to be foretold, and what stands before it."""

    before: str
    text: str


class Measured(NamedTuple):
    """What a system needs for some parts, in nats.

    Attributes:
        name: of the system.
        nats, characters: for each part.
    """

    name: str
    nats: HostArray
    characters: HostArray

    @property
    def bits(self) -> float:
        """Bits per character, of all parts together."""
        return float(self.nats.sum() / self.characters.sum() / np.log(2))

    def interval(self, groups: Sequence[Any] | None = None) -> Interval | None:
        """Where it lies with other parts of the kind, 95 %."""
        found = ratio_interval(*grouped(self, groups))
        return found and _in_bits(found)

    def less(self, other: Measured, groups: Sequence[Any] | None = None) -> Interval | None:
        """By how many bits it needs less than another one does, paired, 95 %."""
        found = difference_interval(grouped(other, groups), grouped(self, groups))
        return found and _in_bits(found)


def grouped(measured: Measured, groups: Sequence[Any] | None) -> tuple[HostArray, HostArray]:
    """The sums of the nats and of the characters of each group; without groups each part is its own."""
    if groups is None:
        return measured.nats, measured.characters
    numbers = np.unique(np.array(groups), return_inverse=True)[1]
    return np.bincount(positions(numbers), measured.nats), np.bincount(positions(numbers), measured.characters)


@no_grad()
def by_model(name: str, model: Any, tokenizer: Any, end: int, parts: Sequence[Part]) -> Measured:
    """What a language model needs. Every part begins after the end token, as documents do in its training text.

    A part that is longer than the model's context is read in windows that overlap by half, as `minilm.evaluation` reads documents.

    Args:
        model: gives logits (B, T, vocab_size) for ids (B, T), such as `GPT`.
        end: the token between two documents.
    """
    longest = model.cache_size.longest
    windows: list[tuple[int, HostArray, HostArray]] = []
    for number, part in enumerate(parts):
        before, text = tokenizer.encode(part.before), tokenizer.encode(part.text)
        ids = np.array([end, *before, *text], np.int64)
        for start, first, stop in cuts(len(ids) - 1, longest, longest // 2):
            first = max(first, len(before))
            if first < stop:
                windows.append((number, ids[start:stop], ids[first + 1 : stop + 1]))
    windows.sort(key=lambda window: len(window[1]))
    nats = np.zeros(len(parts))
    was_training = model.training
    model.train(False)
    for at in range(0, len(windows), ROWS):
        batch = windows[at : at + ROWS]
        width = len(batch[-1][1])
        logits = model(np.stack([np.pad(ids, (0, width - len(ids))) for _, ids, _ in batch]))
        for row, (number, ids, targets) in enumerate(batch):
            losses = F.cross_entropy(logits[row, len(ids) - len(targets) : len(ids)], targets, reduction="none")
            nats[number] += losses.numpy().sum(dtype=np.float64)
    model.train(was_training)
    return Measured(name, nats, np.array([len(part.text) for part in parts]))


def by_counting(name: str, counts: NGram, parts: Sequence[Part]) -> Measured:
    """What an n-gram of characters needs; `BETWEEN` stands before each part."""
    nats = [counts.nats(BETWEEN + before + text)[-len(text) :].sum() for before, text in parts]
    return Measured(name, np.array(nats), np.array([len(text) for _, text in parts]))


BETWEEN = "\n\n"
"""What stands between two texts that are counted together."""


def tuned_ngram(
    texts: Sequence[str],
    validation: Sequence[Part],
    orders: Sequence[int] = ORDERS,
    say: Callable[[str], None] = lambda _: None,
) -> NGram:
    """The n-gram of some texts whose order foretells others best.

    Args:
        texts: to count.
        validation: by which the order is chosen.
        say: is told what each order needs.
    """
    text, best = BETWEEN.join(["", *texts]), None
    for order in orders:
        counts = NGram(text, order)
        bits = by_counting("", counts, validation).bits
        say(f"{order}-gram: {bits:.3f} bits per character on the validation part")
        if best is None or bits < best[0]:
            best = bits, counts
    if best is None:
        raise ValueError("no order to try.")
    return best[1]


def _in_bits(interval: Interval) -> Interval:
    return Interval(interval.low / np.log(2), interval.high / np.log(2), interval.confidence)


__all__ = ["BETWEEN", "ORDERS", "Measured", "Part", "by_counting", "by_model", "grouped", "tuned_ngram"]
