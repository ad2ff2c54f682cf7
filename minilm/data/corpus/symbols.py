"""What stands in a document besides words: signs, lists, lines that break off; and how its words look.

The rules on quality of Rae et al. 2021 (*Gopher*, appendix A.1.1), with these readings:

- an ellipsis is a run of "…", or of three dots and more, so a line of dots in a table of contents is one;
- a bullet is one of `BULLETS` at the start of a line; where it stands alone, it is no word without a letter, else lists would go;
- a word that is asked for its letters stands as it is written, one that is asked for its length is without punctuation (`bare_text`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.characters import LETTER, UNSPACED, kind, kinds
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.words import Spans, lines_plain, ratio, ratio_plain, running_total, words_plain

BULLETS = "•‣◦●○■▪*-–—"
HASH, DOT, ELLIPSIS = map(ord, "#.…")
DOTS = 3


def symbol_shares(codes: Ragged, words: Spans, lines: Spans) -> dict[str, NDArray[np.float64]]:
    """The measures of signs, (documents,) each, from documents as they stand (`raw_codes`), their words and lines.

    `words_with_a_letter`, `hashes_per_word`, `ellipses_per_word`, `bullet_lines` and `ellipsis_lines`.
    """
    values = codes.values
    letters = running_total((kinds(values) & LETTER) > 0)
    bullets = np.isin(values[lines.starts], [*map(ord, BULLETS)])
    alone = np.isin(words.starts, lines.starts[bullets]) & (words.lengths == 1)
    dots = ends_dots(values)
    ellipses = dots | (values == ELLIPSIS)
    ellipses[:-1] &= ~((values[:-1] == ELLIPSIS) & (values[1:] == ELLIPSIS))  # the last one of a run counts
    ellipses[:-1] &= ~(dots[:-1] & (values[1:] == DOT))
    return {
        "words_with_a_letter": ratio(
            Ragged(letters[words.ends] > letters[words.starts], words.counts).sums(),
            Ragged(~alone, words.counts).sums(),
        ),
        "hashes_per_word": ratio(Ragged(values == HASH, codes.counts).sums(), words.counts),
        "ellipses_per_word": ratio(Ragged(ellipses, codes.counts).sums(), words.counts),
        "bullet_lines": ratio(Ragged(bullets, lines.counts).sums(), lines.counts),
        "ellipsis_lines": ratio(
            Ragged(dots[lines.ends - 1] | (values[lines.ends - 1] == ELLIPSIS), lines.counts).sums(), lines.counts
        ),
    }


def ends_dots(values: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether a character is a dot and has two more before it."""
    dot = values == DOT
    found = dot.copy()
    for back in range(1, DOTS):
        found[:back] = False
        found[back:] &= dot[:-back]
    return found


def word_shapes(codes: Ragged, words: Spans) -> dict[str, NDArray[np.float64]]:
    """How words look, (documents,) each, from bare texts and their words.

    `unspaced_words`: the share of words that are one character of a script without spaces between words; `word_length`: the mean
    length of all others, NaN where there is none.
    """
    alone = (kinds(codes.values[words.starts]) & UNSPACED) > 0
    unspaced = Ragged(alone, words.counts).sums()
    return {
        "unspaced_words": ratio(unspaced, words.counts),
        "word_length": ratio(Ragged(words.lengths * ~alone, words.counts).sums(), words.counts - unspaced),
    }


def symbols_plain(text: str, bare_words: Sequence[str]) -> dict[str, float]:
    """All measures of one document, and of the words of its bare text, by counting."""
    words, lines = words_plain(text), lines_plain(text)
    lettered = sum(any(kind(character) & LETTER for character in word) for word in words)
    bullets = sum(words_plain(line)[:1] == [line[0]] and line[0] in BULLETS for line in lines)
    ellipses, dots, before = 0, 0, ""
    for character in text:
        dots = dots + 1 if character == "." else 0
        ellipses += dots == DOTS or (character == "…" != before)
        before = character
    others = [word for word in bare_words if not kind(word[0]) & UNSPACED]
    return {
        "words_with_a_letter": ratio_plain(lettered, len(words) - bullets),
        "hashes_per_word": ratio_plain(text.count("#"), len(words)),
        "ellipses_per_word": ratio_plain(ellipses, len(words)),
        "bullet_lines": ratio_plain(sum(line[0] in BULLETS for line in lines), len(lines)),
        "ellipsis_lines": ratio_plain(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "unspaced_words": ratio_plain(len(bare_words) - len(others), len(bare_words)),
        "word_length": ratio_plain(sum(map(len, others)), len(others)),
    }


__all__ = ["BULLETS", "ends_dots", "symbol_shares", "symbols_plain", "word_shapes"]
