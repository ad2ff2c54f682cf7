r"""chrF: character n-grams of a translation and its reference (Popović 2015); chrF++ counts pairs of words, too (Popović 2017).

For each length of n-gram, over all sentences: of those of the translations, the share :math:`P_n` that the references have, and of the
references' the share :math:`R_n` that the translations have. With P and R their means over the lengths:

.. math:: chrF_\beta = 100 \, (1 + \beta^2) \frac{P R}{\beta^2 P + R}, \qquad \beta = 2

Recall counts twice as much as precision. A length of which either side has none is left out of the means (sacrebleu's default; the
author's own program has it count as almost 0). White space is no character here. It needs no words, and so no tokenizer: it suits Chinese.

The numbers are those of sacrebleu: ``nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no``, with ``nw:2`` for chrF++.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.metrics.bleu import with_references
from minilm.metrics.ngrams import common, ngrams
from minilm.metrics.score import Score
from minilm.types import HostArray

CHARACTERS = 6  # longest n-gram
BETA = 2


def chrf(references: Sequence[str | Sequence[str]], answers: Sequence[str], words: int = 0) -> Score:
    """chrF of all answers at once, from 0 to 100.

    Args:
        references: one or several for each answer; of several, the one with the best chrF counts.
        answers: the system's.
        words: the longest n-gram of words that counts beside those of characters: 2 for chrF++.

    Returns:
        the score; 0 where nothing is right, or one side is empty.

    Raises:
        ValueError: there is no example, not one answer for each, no reference, or something is no text.
    """
    rows = []
    for several, answer in with_references(references, answers):
        ours = _pieces(answer, words)
        each = [_counts(ours, _pieces(reference, words)) for reference in several]
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.append(max(each, key=lambda counts: float(_chrf(*counts[:, None])[0])))
    return Score.of_sums("chrF" + "+" * words, rows, _chrf)


def _pieces(text: str, words: int) -> list[Counter[Any]]:
    letters, parts = "".join(text.split()), _words(text) if words else []
    return [ngrams(letters, n) for n in range(1, CHARACTERS + 1)] + [ngrams(parts, n) for n in range(1, words + 1)]


def _words(text: str) -> list[str]:
    """Words; one mark of ASCII at the end of a word stands alone, or else one at its beginning (as in the author's program)."""
    found = []
    for word in text.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            found += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in string.punctuation:
            found += [word[0], word[1:]]
        else:
            found.append(word)
    return found


def _counts(ours: list[Counter[Any]], theirs: list[Counter[Any]]) -> HostArray:
    """For each length how many pieces we have, the reference has, and both have."""
    rows = [(a.total() if b else 0, b.total(), common(a, b)) for a, b in zip(ours, theirs, strict=True)]
    return np.array(rows, np.float64).reshape(-1)


def _chrf(*sums: HostArray) -> HostArray:
    ours, theirs, both = np.stack(sums).reshape(-1, 3, len(sums[0])).swapaxes(0, 1)
    counted = (ours > 0) & (theirs > 0)
    lengths = np.maximum(counted.sum(axis=0), 1)
    p, r = (np.where(counted, both / whole, 0.0).sum(axis=0) / lengths for whole in (ours, theirs))
    return np.where(p + r > 0, 100 * (1 + BETA**2) * p * r / (BETA**2 * p + r), 0.0)
