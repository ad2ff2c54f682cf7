"""The runs that a scaling law is fitted to: small GPTs, each of which reads a number of characters of one text once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minilm import random
from minilm.data import python_docs
from minilm.graph import no_grad
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.size import parameter_count
from minilm.nn import functional as F
from minilm.optim import AdamW, WarmupCosineLR, clip_grad_norm_
from minilm.text import CharTokenizer
from minilm.types import HostArray

CONTEXT, BATCH, LAYERS, HEADS = 64, 4, 2, 2
GPT2_WIDTH = 768
LONGEST = (1, 2, 4, 8)  # characters that are to be right in a row


class Characters(NamedTuple):
    """A text as numbers of characters, in contexts of 64 and the character that follows: (contexts, 65) each.

    Attributes:
        train: nine tenths of it; contexts do not overlap.
        validation, test: the halves of the last tenth.
        vocabulary: how many characters there are.
    """

    train: HostArray
    validation: HostArray
    test: HostArray
    vocabulary: int


def characters(text: str | None = None) -> Characters:
    """Python's manual, or another text, cut into its parts. The vocabulary is that of its first nine tenths: what they
    lack is left out of the last.

    Raises:
        ValueError: a part has no whole context.
    """
    text = python_docs() if text is None else text
    cuts = [0, *(int(len(text) * share) for share in (0.9, 0.95)), len(text)]
    known = set(text[: cuts[1]])
    tokenizer = CharTokenizer.train(text[: cuts[1]])
    train, validation, test = (
        _contexts(np.asarray(tokenizer.encode("".join(c for c in text[a:b] if c in known)), np.int64))
        for a, b in itertools.pairwise(cuts)
    )
    return Characters(train, validation, test, tokenizer.vocab_size)


def _contexts(ids: HostArray) -> HostArray:
    rows = (len(ids) - 1) // CONTEXT
    if rows < 1:
        raise ValueError(
            f"a part of the text has {len(ids)} characters: expected more than {CONTEXT}. Give a longer text."
        )
    return np.lib.stride_tricks.sliding_window_view(ids, CONTEXT + 1)[::CONTEXT][:rows]


def shape(width: int, vocabulary: int) -> GPTConfig:
    """The GPT of a width: two blocks with two heads, a context of 64 characters."""
    return GPTConfig(vocabulary, CONTEXT, LAYERS, HEADS, width, bias=False)


def parameters(width: int, vocabulary: int) -> int:
    """The weights of the GPT of a width, embeddings included."""
    return parameter_count(shape(width, vocabulary))


def reading(
    text: Characters, width: int, tokens: int, *, rate: float, seed: int, fresh: int | None = None
) -> dict[str, float]:
    r"""Trains a GPT on a number of characters, and measures it.

    GPT-2's first weights have the deviation 0.02, made for a width of 768. Here it is :math:`0.02 \sqrt{768 / C}` for the width C, so that
    sums over the width begin as large as there: with 0.02 the small widths hardly began to learn.
    AdamW, with a tenth of the steps to warm up and a cosine that ends where training ends: a schedule that is made for
    another length costs loss (Hoffmann et al. 2022, section 3.1).

    Args:
        text: what it reads, and is measured on.
        width: of the GPT.
        tokens: characters that it reads, in batches of 256.
        rate: the highest learning rate.
        seed: of the weights, and of which contexts are read in which order.
        fresh: how many of the characters differ: they are read again and again; None: all.

    Returns:
        "loss" on the test part and "validation loss" (nats per character), "parameters", "tokens", and "right 1", "right 2", ...: the
        share of places from which so many characters in a row are the likeliest by the model.

    Raises:
        ValueError: there are fewer characters than are to be read, or less than a batch is.
        FloatingPointError: the loss is not finite any more.
    """
    random.manual_seed(seed)
    model = GPT(shape(width, text.vocabulary))
    _widen(model, math.sqrt(GPT2_WIDTH / width))
    batches = list(_batches(text.train, tokens, tokens if fresh is None else fresh, np.random.default_rng(seed)))
    optimizer = AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.1)
    schedule = WarmupCosineLR(optimizer, len(batches) // 10, len(batches), min_lr=rate / 10)
    for step, rows in enumerate(batches):
        schedule.go_to(step)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(rows[:, :-1]).reshape(-1, text.vocabulary), rows[:, 1:].reshape(-1))
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    validation, test = measured(model, text.validation), measured(model, text.test)
    if not math.isfinite(test["loss"]):
        raise FloatingPointError(f"the loss became {test['loss']}")
    about = {"validation loss": validation["loss"], "parameters": parameters(width, text.vocabulary), "tokens": tokens}
    return {**test, **about}


def _widen(model: GPT, factor: float) -> None:
    for weight in model.parameters():
        if weight.ndim == 2:
            weight.data *= factor


def _batches(rows: HostArray, tokens: int, fresh: int, rng: np.random.Generator) -> Iterator[HostArray]:
    steps, different = tokens // (BATCH * CONTEXT), fresh // CONTEXT
    if steps < 1 or not BATCH <= different <= len(rows):
        raise ValueError(
            f"{tokens:,} characters, {fresh:,} of them different: expected at least {BATCH * CONTEXT}, and at most the "
            f"{len(rows) * CONTEXT:,} that there are."
        )
    chosen = rng.permutation(len(rows))[:different]
    passes = [rng.permutation(chosen) for _ in range(math.ceil(steps * BATCH / different))]
    order = np.concatenate(passes)
    for step in range(steps):
        yield rows[order[step * BATCH : (step + 1) * BATCH]]


def measured(model: GPT, rows: HostArray, longest: Sequence[int] = LONGEST) -> dict[str, float]:
    """The loss on contexts, and the share of places from which 1, 2, ... characters in a row are right.

    Right are those that greedy writing would write: as long as it has written what stands there, its context is the text's.
    Places with a character that is the one before it do not count: runs of blanks are too easy.
    """
    total, right = 0.0, []
    with no_grad():
        for start in range(0, len(rows), 64):
            inputs, targets = rows[start : start + 64, :-1], rows[start : start + 64, 1:]
            logits = model(inputs)
            total += F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="sum").item()
            right.append(logits.numpy().argmax(-1) == targets)
    hits, counted = np.concatenate(right), rows[:, 1:] != rows[:, :-1]
    return {"loss": total / hits.size, **{f"right {k}": in_a_row(hits, counted, k) for k in longest}}


def in_a_row(hits: HostArray, counted: HostArray, count: int) -> float:
    """Of the places from which `count` places are all counted, the share from which they are all hits: (rows, places), Boolean.

    NaN where there is no such place.
    """
    there = _runs(counted, count)
    return float(_runs(hits, count)[there].mean()) if there.any() else math.nan


def _runs(marks: HostArray, count: int) -> HostArray:
    return np.asarray(np.lib.stride_tricks.sliding_window_view(marks, count, axis=1).all(-1))


__all__ = ["Characters", "characters", "in_a_row", "measured", "parameters", "reading", "shape"]
