"""Texts that people read as before, and a filter does not: letters that look alike, letters apart, letters that nobody sees, good words.

An attack here changes how a text is written, never what it says; it is there to measure how far a filter can be trusted. Beside it
stands what undoes it: `normalized`. Lowd & Meek 2005, *Good Word Attacks on Statistical Spam Filters* (CEAS), is where the words come from
that a spammer adds; Unicode's Technical Standard 39, section 4, where letters are looked up that are easily confused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from minilm.text.noise import expect_share

LOOKALIKES = {
    "a": "а", "c": "с", "d": "ԁ", "e": "е", "h": "һ", "i": "і", "j": "ј", "l": "ӏ", "o": "о", "p": "р", "q": "ԛ", "s": "ѕ", "v": "ѵ",
    "w": "ԝ", "x": "х", "y": "у", "A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "I": "І", "J": "Ј", "K": "К", "M": "М", "O": "О",
    "P": "Р", "S": "Ѕ", "T": "Т", "V": "Ѵ", "X": "Х", "Y": "Ү",
}  # fmt: skip
"""Of a Latin letter a Cyrillic one that looks the same."""

LATIN = str.maketrans({other: letter for letter, other in LOOKALIKES.items()})
INVISIBLE = "\u200b"  # the zero width space
WORD = re.compile(r"[^\W\d_]{2,}")  # letters alone
APART = re.compile(r"(?<![^\W_])[^\W\d_](?: [^\W\d_]){2,}(?![^\W_])")  # three letters or more, a blank between each two


def homoglyphs(text: str, rng: np.random.Generator, share: float = 1.0) -> str:
    """The text with lookalikes: each letter that has one (`LOOKALIKES`) is replaced with the probability `share`.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """
    chance = _chances(len(text), rng, share)
    return "".join(LOOKALIKES.get(c, c) if hit else c for c, hit in zip(text, chance, strict=True))


def spaced(text: str, rng: np.random.Generator, share: float = 1.0, by: str = " ") -> str:
    """The text with letters apart, "f r e e": each word with the probability `share`.

    Where letters are apart by a blank, words are by three, or nobody could read them.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """
    edge = " " if by == " " else ""

    def apart(word: str) -> str:
        return f"{edge}{by.join(word)}{edge}"

    return _of_words(text, apart, rng, share)


def invisible(text: str, rng: np.random.Generator, share: float = 1.0) -> str:
    """The text with a zero width space in each word, at a random place, with the probability `share`.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """

    def cut(word: str) -> str:
        place = int(rng.integers(1, len(word)))
        return word[:place] + INVISIBLE + word[place:]

    return _of_words(text, cut, rng, share)


def good_words(
    score: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str], candidates: Sequence[str], most: int
) -> list[str]:
    """The words that make a filter's score of some texts fall most, found by asking it: the active attack of Lowd & Meek, section 5.

    Each candidate is added to each text by itself, so a thousand words and ten texts take ten thousand questions. Where the filter is
    linear that finds the best words; where it is not, good ones.

    Args:
        score: of texts, (n,), the higher the more they are refused.
        texts: that are to get through, such as a few mails of the attacker's own.
        candidates: words.
        most: how many are wanted.

    Returns:
        the best first; of equal ones the first that was given. Only words by which the score falls.

    Raises:
        ValueError: there is no text, or `most` is negative.
    """
    if not texts or most < 0:
        raise ValueError(f"expected a text at least, and a number of words >= 0, got {len(texts)} texts and {most}.")
    before = np.asarray(score(texts))
    falls = np.array([float((before - score([with_words(t, [word]) for t in texts])).mean()) for word in candidates])
    order = np.argsort(-falls, kind="stable")[:most]
    return [candidates[i] for i in order if falls[i] > 0]


def with_words(text: str, words: Sequence[str]) -> str:
    """The text with words above it: a filter that reads only the beginning does read them."""
    return f"{' '.join(words)}\n\n{text}" if words else text


def interleaved(text: str, words: Sequence[str], every: int = 1) -> str:
    """The text with one of the words, in turn, behind each `every` words of its own: people see them, or they are white on white.

    Raises:
        ValueError: `every` is not positive.
    """
    if every < 1:
        raise ValueError(f"every must be a positive number of words, got {every!r}.")
    if not words:
        return text
    own = text.split()
    parts = [own[i : i + every] for i in range(0, len(own), every)]
    return " ".join(" ".join([*part, words[i % len(words)]]) for i, part in enumerate(parts))


def normalized(text: str) -> str:
    """The text as a filter should read it: compatible forms as one (NFKC), nothing invisible, lookalikes in Latin, letters apart joined.

    It is for the filter's eyes only: it makes nonsense of Russian, and joins a list of letters. Twice is as once.
    """
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf").translate(LATIN)
    return APART.sub(lambda found: found[0].replace(" ", ""), seen)


def _of_words(text: str, change: Callable[[str], str], rng: np.random.Generator, share: float) -> str:
    expect_share(share)
    return WORD.sub(lambda found: change(found[0]) if rng.random() < share else found[0], text)


def _chances(n: int, rng: np.random.Generator, share: float) -> np.ndarray:
    expect_share(share)
    return rng.random(n) < share


__all__ = [
    "INVISIBLE",
    "LOOKALIKES",
    "good_words",
    "homoglyphs",
    "interleaved",
    "invisible",
    "normalized",
    "spaced",
    "with_words",
]
