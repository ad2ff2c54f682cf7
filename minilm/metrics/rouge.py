r"""ROUGE: how much of a reference summary a summary has, in n-grams or in the longest common subsequence (Lin 2004).

Of each example are counted the tokens of the answer, of the reference, and what both have: n-grams for ROUGE-n, for ROUGE-L the length of
the longest sequence of tokens that stands in both in this order, with gaps. Precision is its share of the answer, recall that of the
reference, F their harmonic mean. The number of a test set is the mean over examples.

Tokens are those of the package rouge-score: runs of a to z and 0 to 9 of the text in small letters; all else parts them. Its
stemmer (Porter's, which takes "summaries" for "summari") is left out, here as in that package's default: the numbers are those of
``RougeScorer(..., use_stemmer=False)``. Nothing of a Chinese text would be left by this rule: there a token is a character (`characters`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minilm.metrics.bleu import with_references
from minilm.metrics.ngrams import common, ngrams
from minilm.metrics.score import Score

_WORD = re.compile("[a-z0-9]+")
_CHARACTER = re.compile(r"[a-z0-9]+|[^\W_]")


class Overlap(NamedTuple):
    """Shares of what an answer and its reference have in common; 0 where one of the two is empty."""

    precision: float
    recall: float
    f: float


def words(text: str) -> list[str]:
    """The tokens of rouge-score: runs of a-z and 0-9, in small letters."""
    return _WORD.findall(text.lower())


def characters(text: str) -> list[str]:
    """For Chinese: each letter of any script alone, but a run of a-z and 0-9 as one; marks and white space are no tokens."""
    return _CHARACTER.findall(text.lower())


def rouge(
    kind: int | str,
    references: Sequence[str | Sequence[str]],
    answers: Sequence[str],
    part: str = "f",
    tokens: Callable[[str], Sequence[Any]] = words,
) -> Score:
    """The mean ROUGE of the answers, from 0 to 1.

    Args:
        kind: 1 or 2 (or any length of n-grams), or "L".
        references: one or several for each answer; of several, that with the best F counts.
        answers: the system's.
        part: "f", "precision" or "recall".
        tokens: what a text is made of: `words`, or `characters` for Chinese.

    Raises:
        ValueError: there is no such kind or part, no example, not one answer for each, no reference, or something is no text.
    """
    if part not in Overlap._fields:
        raise ValueError(f"ROUGE has no part {part!r}; there are {', '.join(Overlap._fields)}.")
    found = []
    for several, answer in with_references(references, answers):
        best = max((overlap(kind, tokens(one), tokens(answer)) for one in several), key=lambda o: o.f)
        found.append(getattr(best, part))
    return Score.mean(f"ROUGE-{kind}" if part == "f" else f"ROUGE-{kind} {part}", found)


def overlap(kind: int | str, reference: Sequence[Any], answer: Sequence[Any]) -> Overlap:
    """ROUGE of one answer, both as tokens. Arguments and errors are those of `rouge`."""
    if kind == "L":
        both, have, said = common_subsequence(reference, answer), len(reference), len(answer)
    elif isinstance(kind, int) and not isinstance(kind, bool) and kind >= 1:
        theirs, ours = ngrams(list(reference), kind), ngrams(list(answer), kind)
        both, have, said = common(ours, theirs), theirs.total(), ours.total()
    else:
        raise ValueError(f"there is no ROUGE-{kind}: give 1, 2, or 'L'.")
    if not both:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = both / said, both / have
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def common_subsequence(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The length of the longest common subsequence, a row of the table at a time as the bits of one integer.

    Equal to `common_subsequence_plain`, some fifty times as fast. The plain table's rows rise by 0 or 1 from cell to cell: a bit that is 0
    says where. With M the bits where the token stands in `first`, a row follows from that above by V = (V + (V & M)) | (V & ~M)
    (Hyyrö 2004, *Bit-Parallel LCS-length Computation Revisited*).
    """
    stands: dict[Any, int] = {}
    for i, token in enumerate(first):
        stands[token] = stands.get(token, 0) | 1 << i
    all_bits = row = (1 << len(first)) - 1
    for token in second:
        same = row & stands.get(token, 0)
        row = ((row + same) | (row - same)) & all_bits
    return len(first) - row.bit_count()


def common_subsequence_plain(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The same by the table: the length for the first i and j tokens follows from three cells beside it."""
    above = [0] * (len(second) + 1)
    for a in first:
        row = [0]
        for j, b in enumerate(second):
            row.append(above[j] + 1 if a == b else max(above[j + 1], row[j]))
        above = row
    return above[-1]
