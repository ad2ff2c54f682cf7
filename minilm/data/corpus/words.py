r"""Words, lines and paragraphs of many documents at once, as places in one array of code points.

**What a word is.** White space separates words, and each character of a script that sets none between words (`characters.UNSPACED`) is a
word of its own: "Python 是一种语言。" has 6. What holds no letter or digit and touches such a character is no word, so Chinese
punctuation is none, while a dash between spaces is one. The rules that compare words hold for Chinese in this way: 13 words are
13 of its characters, which are about 8 words to a reader. A rule on how long words are says nothing of it, and is not asked.

All functions want a row to end in white space, so that nothing reaches from one document into the next (`raw_codes`, `ended`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.characters import SPACE, UNSPACED, WRITTEN, kind, kinds
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import BASE
from minilm.indices import positions

NEWLINE = ord("\n")


class Spans(NamedTuple):
    """Parts of documents: part i is values[starts[i] : ends[i]] of the code points, none is empty.

    Attributes:
        starts: where each part begins, int64, (parts,), ascending.
        ends: where it ends.
        counts: how many parts each document has, int64, (documents,).
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many characters each part has, (parts,)."""
        return self.ends - self.starts


def raw_codes(texts: Sequence[str]) -> Ragged:
    """Documents as they stand, as code points, uint32, a newline behind each.

    Raises:
        TypeError: one of them is no string.
    """
    values = np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), "<u4")
    return Ragged(values, np.array([len(text) + 1 for text in texts], np.int64))


def ended(codes: Ragged) -> Ragged:
    """The rows with a space behind each."""
    return Ragged(np.insert(codes.values, codes.bounds[1:], ord(" ")), codes.counts + 1)


def words(codes: Ragged) -> Spans:
    """The words of each document."""
    of = kinds(codes.values)
    space, alone = (of & SPACE) > 0, (of & UNSPACED) > 0
    apart = space | alone
    begins, finishes = ~space, ~space
    begins[1:] &= apart[:-1] | alone[1:]
    finishes[:-1] &= apart[1:] | alone[:-1]
    starts, ends = np.flatnonzero(begins), np.flatnonzero(finishes) + 1

    written = running_total((of & WRITTEN) > 0)
    touches = alone[starts - 1] | alone[ends]  # before the first row comes the last row's white space
    kept = (written[ends] > written[starts]) | alone[starts] | ~touches
    return _spans(starts[kept], ends[kept], codes)


def lines(codes: Ragged) -> Spans:
    """The lines of each document in which something stands, without white space at their ends."""
    return _lines(codes)[0]


def paragraphs(codes: Ragged) -> Spans:
    """The paragraphs of each document: lines in a row, up to one or more on which nothing stands."""
    of, number = _lines(codes)
    document = np.repeat(np.arange(len(of.counts)), positions(of.counts))
    begins = np.ones(len(number), np.bool_)
    begins[1:] = (np.diff(number) > 1) | (np.diff(document) > 0)
    return _spans(of.starts[begins], of.ends[np.append(begins[1:], True)[: len(begins)]], codes)


def span_hashes(codes: Ragged, spans: Spans) -> NDArray[np.uint64]:
    """The hash of each part, (parts,): the polynomial of its characters, `shingles.text_hash`."""
    if not len(spans.starts):
        return np.empty(0, np.uint64)
    lengths = spans.lengths
    firsts = running_total(lengths)[:-1]
    place = np.arange(int(lengths.sum())) - np.repeat(firsts, positions(lengths))
    powers = np.full(int(lengths.max()), BASE, np.uint64)
    powers[0] = 1
    terms = np.cumprod(powers, dtype=np.uint64)[place]
    place += np.repeat(spans.starts, positions(lengths))
    terms *= codes.values[place] + np.uint64(1)
    return np.add.reduceat(terms, positions(firsts))


def running_total(values: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of what comes before each value, and at the end of all, (values + 1,)."""
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=total[1:])
    return total


def ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """A part of a whole, NaN where there is no whole: of nothing nothing can be said."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def ratio_plain(part: float, whole: float) -> float:
    """`ratio` of two numbers."""
    return part / whole if whole else float("nan")


def words_plain(text: str) -> list[str]:
    """The words of one document: what `words` finds in many."""
    found: list[str] = []
    for piece in text.split():
        runs = [
            (alone, "".join(run)) for alone, run in groupby(piece, lambda character: bool(kind(character) & UNSPACED))
        ]
        for alone, run in runs:
            if alone:
                found += run
            elif len(runs) == 1 or any(kind(character) & WRITTEN for character in run):
                found.append(run)
    return found


def lines_plain(text: str) -> list[str]:
    """The lines of one document: what `lines` finds in many."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def paragraphs_plain(text: str) -> list[str]:
    """The paragraphs of one document: what `paragraphs` finds in many."""
    blocks = groupby(text.split("\n"), lambda line: bool(line.strip()))
    return ["\n".join(block).strip() for stands, block in blocks if stands]


def _lines(codes: Ragged) -> tuple[Spans, NDArray[np.int64]]:
    """The lines, and the number of each among all lines, also of those on which nothing stands."""
    written = np.flatnonzero((kinds(codes.values) & SPACE) == 0)
    breaks = np.flatnonzero(codes.values == NEWLINE)
    until = np.searchsorted(written, breaks)
    since = np.append(0, until)[: len(until)]
    number = np.flatnonzero(until > since)
    return _spans(written[since[number]], written[until[number] - 1] + 1, codes), number


def _spans(starts: NDArray[np.int64], ends: NDArray[np.int64], codes: Ragged) -> Spans:
    return Spans(starts, ends, np.diff(np.searchsorted(starts, codes.bounds)))


__all__ = [
    "Spans", "ended", "lines", "lines_plain", "paragraphs", "paragraphs_plain", "ratio", "ratio_plain", "raw_codes", "running_total",
    "span_hashes", "words", "words_plain",
]  # fmt: skip
