"""The language of a document, told by its script and its function words: English, Chinese, or another.

English is recognized by the words that a sentence cannot do without. Of 3,000 descriptions of Debian's packages, each of more than 300
characters, half have a quarter of such words or more, and 99 in 100 more than 10.9 %; the 10 below 8 % are lists. Words that are frequent
in other languages of the same letters are not among them: "on" is French, too, "at" Danish, "was" German. Two are, "is" and "of",
which Dutch has more rarely. Chinese is recognized by its characters: Japanese has kana between them.

What it cannot do: tell Japanese without kana, Cantonese or classical Chinese from Chinese, and traditional from simplified characters;
name any other language; see that a document is half in one and half in another (the half with more words decides); judge lists,
tables, program code and poems of few function words, or a text of ten words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.characters import HAN, UNSPACED, kind, kinds
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import text_hash
from minilm.data.corpus.words import Spans, ratio, ratio_plain

ENGLISH_WORDS = frozenset([
    "the", "of", "and", "to", "that", "is", "for", "with", "it", "this", "by", "from", "are", "be", "which", "you", "not", "have",
    "has", "can", "if", "when", "will", "they",
])  # fmt: skip
LEAST_ENGLISH, LEAST_HAN, HALF = 0.08, 0.8, 0.5


def language_shares(codes: Ragged, words: Spans, hashes: NDArray[np.uint64]) -> dict[str, NDArray[np.float64]]:
    """From bare texts and their words, (documents,) each.

    `english_words`: the share of English function words among the words that spaces separate; `han`: the share of Chinese
    characters among those of scripts without spaces.
    """
    of = kinds(codes.values[words.starts])
    alone = (of & UNSPACED) > 0
    known = np.array([text_hash(word) for word in sorted(ENGLISH_WORDS)], np.uint64)
    unspaced = Ragged(alone, words.counts).sums()
    return {
        "english_words": ratio(Ragged(np.isin(hashes, known), words.counts).sums(), words.counts - unspaced),
        "han": ratio(Ragged((of & HAN) > 0, words.counts).sums(), unspaced),
    }


def languages(
    unspaced: NDArray[np.float64], english: NDArray[np.float64], han: NDArray[np.float64]
) -> NDArray[np.str_]:
    """For each document "en", "zh" or "other", from `unspaced_words`, `english_words` and `han`; NaN makes it "other"."""
    alone = unspaced >= HALF
    return np.select([alone & (han >= LEAST_HAN), ~alone & (english >= LEAST_ENGLISH)], ["zh", "en"], "other")


def language_plain(words: Sequence[str]) -> dict[str, float]:
    """`language_shares` of the words of one bare text."""
    others = [word for word in words if not kind(word[0]) & UNSPACED]
    return {
        "english_words": ratio_plain(sum(word in ENGLISH_WORDS for word in others), len(others)),
        "han": ratio_plain(sum(bool(kind(word[0]) & HAN) for word in words), len(words) - len(others)),
    }


__all__ = ["ENGLISH_WORDS", "HALF", "LEAST_ENGLISH", "LEAST_HAN", "language_plain", "language_shares", "languages"]
