r"""How well a language model predicts documents: each token once, with as much context as the model has.

A document that is longer than the model's context is read in windows that overlap. The first window counts all of its tokens; each
next one is `stride` tokens further on, and counts only its last ones, which no window has counted:

::

    context 4, stride 2     1 2 3 4 5 6 7 8 9      tokens that are predicted
                            1 2 3 4                the first window: all count
                                (3 4) 5 6          the second: 5 and 6, which see 3 and 4
                                    (5 6) 7 8

So every token that has `context - stride` tokens before it sees at least so many. With a stride of 1 each sees all that the model can,
at the price of a pass for each token; with the whole context as stride each window begins anew, and its first tokens see next to
nothing, as in the validation of a training (`minilm.training.language_model`), which cuts its text so because it is the cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minilm.backend.detect import memory
from minilm.graph import no_grad
from minilm.metrics import (
    Interval,
    bits_per_byte,
    bits_per_character,
    difference_interval,
    loss_per_token,
    perplexity,
    ratio_interval,
    text_size,
)
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.text import Tokenizer, TokenizerError
from minilm.types import HostArray

AT_ONCE = 1 << 25  # logits of a batch
PART = 1 << 22  # logits that a loss is computed of
AHEAD = 16  # batches' worth of windows that are sorted by length, so that a batch has little padding

MEASURES: dict[str, tuple[str, Callable[[Any, Any], float], Callable[[float], float]]] = {
    "nats per token": ("tokens", loss_per_token, float),
    "perplexity": ("tokens", perplexity, lambda loss: math.exp(loss) if loss < 709.0 else math.inf),
    "bits per character": ("characters", bits_per_character, lambda nats: nats / math.log(2)),
    "bits per byte": ("bytes", bits_per_byte, lambda nats: nats / math.log(2)),
}
"""By name: what the nats are divided by, the measure of their sums, and the measure as a function of the ratio, which rises."""


@dataclass(frozen=True)
class Evaluation:
    """What was found, document by document. The arrays have a number for each document that counts.

    Attributes:
        nats: the surprise of its tokens, added in float64.
        tokens, characters, bytes: of what was predicted. Where nothing precedes the first token, it is not predicted, and its text
            not counted: a character belongs to the token that its first byte is in.
        numbers: which of the given documents it is, from 0.
        empty: how many documents had no text.
        unpredicted: how many had one token alone, and nothing before it.
        context: the most tokens that a token's prediction saw.
        stride: by how much windows were moved on.
        begin: the id of the token that stands before each document; None: none does.
    """

    nats: HostArray
    tokens: HostArray
    characters: HostArray
    bytes: HostArray
    numbers: HostArray
    empty: int
    unpredicted: int
    context: int
    stride: int
    begin: int | None

    def measure(self, name: str) -> float:
        """One of `MEASURES`, of all documents together."""
        counted, of, _ = MEASURES[name]
        return of(self.nats, getattr(self, counted))

    def interval(self, name: str, seed: int = 0) -> Interval | None:
        """Its interval over documents (`minilm.metrics.interval`); None for one document, or an infinite surprise."""
        counted, _, of_ratio = MEASURES[name]
        if not np.isfinite(self.nats).all():
            return None
        found = ratio_interval(self.nats, getattr(self, counted), seed=seed)
        return found and Interval(of_ratio(found.low), of_ratio(found.high), found.confidence)


class Difference(NamedTuple):
    """By how much a measure of the first model is above that of the second, over so many documents that both predicted."""

    value: float
    interval: Interval | None
    documents: int


@no_grad()
def evaluate(
    model: Any,
    tokenizer: Tokenizer,
    documents: Iterable[str],
    *,
    stride: int | None = None,
    context: int | None = None,
    batch_size: int | None = None,
) -> Evaluation:
    """Predicts every token of every document once. The sums do not depend on the batches, but for the rounding of float32.

    Before the first token stands the one that begins a text, where the tokenizer has one (`bos_id`). Where it has none, the first token
    has no context and is not counted.

    Args:
        model: gives logits (B, T, vocab_size) of the next token for ids (B, T), such as `GPT` and `Llama`.
        tokenizer: the model's.
        documents: texts.
        stride: how far a window is moved on, 1 to `context`; default: half of it.
        context: the length of a window in tokens; default: the longest that the model takes.
        batch_size: windows of a forward pass; default: as many as have some 33 million logits.

    Raises:
        ValueError: no document has a token to predict, an argument is out of range, or a prediction is not a number.
        TokenizerError: the tokenizer does not know a document's text; the message names the document, counted from 1.
        MemoryError: the logits of one window do not fit into memory.
    """
    longest, vocabulary = model.cache_size.longest, model.config.vocab_size
    context = _within("context", context, longest, longest)
    stride = _within("stride", stride, context, max(1, context // 2))
    _check_memory(context, vocabulary)
    most = None if batch_size is None else _within("batch_size", batch_size, 1 << 31, 1)
    begin = getattr(tokenizer, "bos_id", None)
    found = _Sums(begin, context, stride)
    was_training = model.training
    model.train(False)
    try:
        pool: list[_Window] = []
        waiting, room = 0, AT_ONCE // vocabulary  # tokens
        for number, text in enumerate(documents):
            new = found.windows(number, text, tokenizer)
            pool += new
            waiting += sum(len(window.ids) for window in new)
            if waiting >= AHEAD * max(context, room):
                found.add(model, batches(pool, room, most))
                pool, waiting = [], 0
        found.add(model, batches(pool, room, most))
    finally:
        model.train(was_training)
    return found.evaluation()


def compare(first: Evaluation, second: Evaluation, name: str = "bits per byte", seed: int = 0) -> Difference:
    """By how much a measure of `first` is above that of `second`, over the documents that both predicted, with a paired interval.

    Only bits compare models with different tokens.

    Raises:
        ValueError: there is no document that both predicted, or the measure is the perplexity, whose difference says nothing.
    """
    if name == "perplexity":
        raise ValueError("compare the nats per token: a difference of perplexities depends on where it is.")
    counted, of, of_ratio = MEASURES[name]
    both = np.intersect1d(first.numbers, second.numbers)
    if not len(both):
        raise ValueError("the two evaluations have no document in common.")
    sides = []
    for side in (first, second):
        there = np.isin(side.numbers, both)
        sides.append((side.nats[there], getattr(side, counted)[there]))
    value = of(*sides[0]) - of(*sides[1])
    if not math.isfinite(value):
        return Difference(value, None, len(both))
    found = difference_interval(sides[0], sides[1], seed=seed)
    interval = found and Interval(of_ratio(found.low), of_ratio(found.high), found.confidence)
    return Difference(value, interval, len(both))


class _Window(NamedTuple):
    """The ids of a window, the targets that count (its last ones), and the document's place among those that count."""

    ids: HostArray
    targets: HostArray
    place: int


def cuts(inputs: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """The windows of a document: (start, first position that counts, end), each up to `context` long."""
    first, end = 0, min(context, inputs)
    while first < inputs:
        yield max(0, end - context), first, end
        first, end = end, min(end + stride, inputs)


def batches(pool: list[_Window], tokens: int, most: int | None) -> Iterator[list[_Window]]:
    """Windows of like length together: `most` of them, or as many as have so many tokens with their padding, and one at least."""
    batch: list[_Window] = []
    for window in sorted(pool, key=lambda window: len(window.ids)):
        count = len(batch) + 1
        if batch and (count * len(window.ids) > tokens if most is None else count > most):
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


class _Sums:
    """What is added up, document by document."""

    def __init__(self, begin: int | None, context: int, stride: int) -> None:
        self.begin, self.context, self.stride = begin, context, stride
        self.numbers: list[int] = []
        self.counts: list[tuple[int, int, int]] = []  # tokens, characters, bytes
        self.nats: list[float] = []
        self.empty = self.unpredicted = 0

    def windows(self, number: int, text: str, tokenizer: Tokenizer) -> list[_Window]:
        """A document's windows; it gets its place."""
        if not text:
            self.empty += 1
            return []
        try:
            ids = tokenizer.encode_array(text).astype(np.int64)
        except TokenizerError as error:
            raise TokenizerError(f"document {number + 1}: {error}") from None
        characters, size = text_size(text)
        if self.begin is not None:
            ids = np.concatenate([[self.begin], ids])
        elif len(ids):
            alone = _bytes_of(tokenizer, int(ids[0]))
            characters, size = characters - sum(byte & 0xC0 != 0x80 for byte in alone), size - len(alone)
        if len(ids) < 2 or size < 1 or characters < 1:
            self.unpredicted += 1
            return []
        place = len(self.numbers)
        self.numbers.append(number)
        self.counts.append((len(ids) - 1, characters, size))
        self.nats.append(0.0)
        return [
            _Window(ids[start:end], ids[first + 1 : end + 1], place)
            for start, first, end in cuts(len(ids) - 1, self.context, self.stride)
        ]

    def add(self, model: Any, batches: Iterable[list[_Window]]) -> None:
        """The surprise of the targets of some windows."""
        for batch in batches:
            for window, nats in zip(batch, _nats(model, batch), strict=True):
                if math.isnan(nats):
                    raise ValueError(
                        f"document {self.numbers[window.place] + 1}: what the model predicts is not a number. Are its weights whole?"
                    )
                self.nats[window.place] += nats

    def evaluation(self) -> Evaluation:
        if not self.numbers:
            raise ValueError(
                f"there is nothing to predict: {self.empty} documents without text, {self.unpredicted} of one token alone."
            )
        tokens, characters, size = np.array(self.counts, np.int64).T
        return Evaluation(np.array(self.nats), tokens, characters, size, np.array(self.numbers), self.empty, self.unpredicted,
                          self.context, self.stride, self.begin)  # fmt: skip


def _nats(model: Any, batch: list[_Window]) -> list[float]:
    """For each window the surprise of its targets, added in float64.

    Short windows are padded at the end. A position sees only those before it, so the padding changes nothing.
    """
    length = max(len(window.ids) for window in batch)
    ids = np.stack([np.pad(window.ids, (0, length - len(window.ids))) for window in batch])
    logits = model(ids)  # (B, T, vocab_size)
    found = []
    for row, window in enumerate(batch):
        end, count = len(window.ids), len(window.targets)
        part, total = max(1, PART // logits.shape[-1]), 0.0
        for at in range(0, count, part):
            targets = Tensor(window.targets[at : at + part], device=logits.device)
            start = end - count + at
            losses = F.cross_entropy(logits[row, start : start + len(targets)], targets, reduction="none")
            total += float(losses.numpy().astype(np.float64).sum())
        found.append(total)
    return found


def _bytes_of(tokenizer: Tokenizer, id: int) -> bytes:
    """The bytes that a token stands for."""
    if hasattr(tokenizer, "decode_bytes"):
        found: bytes = tokenizer.decode_bytes([id])
        return found
    return tokenizer.decode([id]).encode("utf-8", "surrogatepass")


def _within(name: str, value: int | None, most: int, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be 1 to {most:,}, got {value:,}.")
    return value


def _check_memory(context: int, vocabulary: int) -> None:
    there, need = memory(), 8 * context * vocabulary
    if there is not None and need > there:
        raise MemoryError(
            f"{context:,} tokens at once make {need / 1e9:,.0f} GB of logits, and there are {there / 1e9:,.0f}: use a smaller context"
        )


__all__ = ["MEASURES", "Difference", "Evaluation", "compare", "cuts", "evaluate"]
