r"""Names and other spans of a sentence: read from its tags, and measured as wholes.

A tag says of a token whether a span begins in it (B), goes on (I), ends (E), is this one token (S), or none is there (O), and of what
type the span is: B-PER. Three ways of tagging are usual:

- "BIO" (also IOB2): B begins every span;
- "IOB1": B begins a span only where one of the same type ends right before it, else I does;
- "BIOES": E ends spans, S is a span of one token.

A system can say what no way of tagging allows, such as O I-PER. `spans` reads it as the program conlleval does and seqeval by default, all
three ways alike: whatever continues nothing begins a span (Tjong Kim Sang & Buchholz 2000). With `strict` only what is well-formed
counts, as in seqeval's strict mode (but for a malformed B after a span in "IOB1": seqeval drops the span before it, too).

A span is right if its start, its end and its type are. The numbers follow from counts as those of labels do (`minilm.metrics.counts`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from minilm.metrics.checks import same_length
from minilm.metrics.counts import Number, averaged, f1_of, precision_of, recall_of
from minilm.metrics.score import Score

SCHEMES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES"}


class Span(NamedTuple):
    """Tokens `start` to `end`, without the last, and what they are."""

    start: int
    end: int
    type: str


def spans(tags: Sequence[str], strict: str | None = None) -> list[Span]:
    """The spans of a sentence, in order.

    Args:
        tags: one per token: "O", or a letter, "-" and a type. A letter alone has the type "_".
        strict: "BIO", "IOB1" or "BIOES": only what is well-formed counts; None: as conlleval.

    Raises:
        ValueError: a tag is none, or none of this way of tagging.
    """
    if strict is not None and strict not in SCHEMES:
        raise ValueError(f"there is no scheme {strict!r}; there are {', '.join(SCHEMES)}.")
    known = "BIES" if strict is None else SCHEMES[strict]
    parts = [_parts(tag, where, known) for where, tag in enumerate(tags)]
    found, start = [], None
    before = ("O", "")
    for i, (letter, kind) in enumerate([*parts, ("O", "")]):
        on = start is not None and before[0] in "BI" and letter in "IE" and before[1] == kind
        if not on:
            if start is not None and (strict != "BIOES" or before[0] in "ES"):
                found.append(Span(start, i, before[1]))
            start = i if letter != "O" and _begins(letter, kind, before, strict) else None
        before = (letter, kind)
    return found


def tags_of(spans: Iterable[Span | tuple[int, int, str]], n: int, scheme: str = "BIO") -> list[str]:
    """The tags of n tokens with these spans.

    Raises:
        ValueError: there is no such scheme, a span is empty or reaches beyond the tokens, or two overlap.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"there is no scheme {scheme!r}; there are {', '.join(SCHEMES)}.")
    tags = ["O"] * n
    for start, end, kind in sorted(spans):
        if not 0 <= start < end <= n:
            raise ValueError(f"a span from {start} to {end} is none of {n} tokens.")
        if tags[start] != "O":
            raise ValueError(f"two spans share token {start}.")
        tags[start:end] = [f"I-{kind}"] * (end - start)
        if scheme != "IOB1" or (start and tags[start - 1] in (f"I-{kind}", f"B-{kind}")):
            tags[start] = f"B-{kind}"
        if scheme == "BIOES":
            tags[end - 1] = f"S-{kind}" if end == start + 1 else f"E-{kind}"
    return tags


def span_precision(
    truth: Sequence[Iterable[Hashable]],
    answers: Sequence[Iterable[Hashable]],
    average: str = "micro",
    *,
    of: str | None = None,
) -> Score:
    """Of the spans that were said, the share that is right.

    Args:
        truth, answers: the spans of each sentence: each a `Span`, or whatever tuple ends in the type. A sentence counts a span once.
        average: "micro" counts all spans alike; "macro" and "weighted" average the types' numbers.
        of: one type, whose own number is wanted.

    Returns:
        the score, drawn by sentences; NaN where no sentence has a span and none is said: there is nothing to be right.

    Raises:
        ValueError: there is no sentence, not one list of spans for each, no such average, or a type that does not occur.
    """
    return _score("span precision", precision_of, truth, answers, average, of)


def span_recall(
    truth: Sequence[Iterable[Hashable]],
    answers: Sequence[Iterable[Hashable]],
    average: str = "micro",
    *,
    of: str | None = None,
) -> Score:
    """Of the true spans, the share that was said. Arguments, NaN and errors are those of `span_precision`."""
    return _score("span recall", recall_of, truth, answers, average, of)


def span_f1(
    truth: Sequence[Iterable[Hashable]],
    answers: Sequence[Iterable[Hashable]],
    average: str = "micro",
    *,
    of: str | None = None,
) -> Score:
    """The harmonic mean of the two. Arguments, NaN and errors are those of `span_precision`."""
    return _score("span F1", f1_of, truth, answers, average, of)


def _score(
    name: str,
    number: Number,
    truth: Sequence[Iterable[Hashable]],
    answers: Sequence[Iterable[Hashable]],
    average: str,
    of: str | None,
) -> Score:
    same_length(truth, answers)
    pairs = [(set(true), set(said)) for true, said in zip(truth, answers, strict=True)]
    kinds = [of] if of is not None else sorted({span[-1] for pair in pairs for part in pair for span in part})  # type: ignore[index]
    number_of = {kind: i for i, kind in enumerate(kinds)}
    rows = np.zeros((len(pairs), 3, max(1, len(kinds))))
    for i, (true, said) in enumerate(pairs):
        for row, part in enumerate((true & said, true, said)):
            for span in part:
                if (column := number_of.get(span[-1])) is not None:  # type: ignore[index]
                    rows[i, row, column] += 1
    score = averaged(name, number, rows, kinds or ["_"], average, of)
    return score.named(name) if of is None and average == "micro" else score


def _parts(tag: str, where: int, known: str) -> tuple[str, str]:
    letter, _, kind = tag.partition("-")
    if letter == "O" and not kind:
        return "O", ""
    if len(letter) != 1 or letter not in known:
        raise ValueError(f"tag {where} is {tag!r}, expected O or one of {', '.join(known)} with a type, as in B-PER.")
    return letter, kind or "_"


def _begins(letter: str, kind: str, before: tuple[str, str], strict: str | None) -> bool:
    """Whether a token that does not continue a span begins one."""
    if strict == "IOB1":
        return letter == "I" or (before[0] in "BI" and before[1] == kind)
    return strict is None or letter in "BS"
