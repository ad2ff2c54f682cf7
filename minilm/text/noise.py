"""Slips of people who write: fingers beside the key, words as they sound, characters that sound alike.

Nobody means them, and a reader hardly notices; how much worse a model gets by them is its robustness to noise. Each function takes a text
and a generator, and changes a share of its letters or words. (What is written to deceive a filter stands in `minilm.text.evasion`.)

Of letters: Belinkov and Bisk 2018, *Synthetic and Natural Noise Both Break Neural Machine Translation*, ICLR, arXiv:1711.02173, section 4,
whose natural noise is people's own misspellings, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The letters of an English keyboard; a row lies half a key to the right of the one above it."""
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def _neighbors() -> dict[str, str]:
    """Of each key those that touch it."""
    places = {key: (column + row / 2, row) for row, keys in enumerate(ROWS) for column, key in enumerate(keys)}
    return {
        a: "".join(b for b, (u, v) in places.items() if b != a and abs(u - x) <= 1 and abs(v - y) <= 1)
        for a, (x, y) in places.items()
    }


NEIGHBORS = _neighbors()


def _swapped(word: str, at: int, rng: np.random.Generator) -> str:
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def _dropped(word: str, at: int, rng: np.random.Generator) -> str:
    return word[:at] + word[at + 1 :]


def _doubled(word: str, at: int, rng: np.random.Generator) -> str:
    return word[: at + 1] + word[at:]


def _beside(word: str, at: int, rng: np.random.Generator) -> str:
    keys = NEIGHBORS.get(word[at].lower(), "")
    if not keys:
        return word
    key = keys[int(rng.integers(len(keys)))]
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


SLIPS: Mapping[str, Callable[[str, int, np.random.Generator], str]] = {
    "swap": _swapped,
    "drop": _dropped,
    "double": _doubled,
    "key": _beside,
}
"""The slips by name: two letters change places, one is left out, one is typed twice, the key beside it is hit."""


def typos(text: str, rng: np.random.Generator, share: float = 0.2, kinds: Sequence[str] = tuple(SLIPS)) -> str:
    """The text with one slip in each word of two letters or more, with the probability `share`.

    The slip is one of `kinds`, its place any letter of the word; two letters that change places are neighbors.

    Raises:
        ValueError: `share` is not from 0 to 1, or there is no such slip.
    """
    expect_share(share)
    if not kinds or (unknown := [kind for kind in kinds if kind not in SLIPS]):
        raise ValueError(f"slips are {', '.join(SLIPS)}; got {unknown if kinds else 'none'}.")

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        if len(word) < 2 or rng.random() >= share:
            return word
        kind = kinds[int(rng.integers(len(kinds)))]
        return SLIPS[kind](word, int(rng.integers(len(word) - (kind == "swap"))), rng)

    return WORD.sub(slip, text)


def misspelled(text: str, rng: np.random.Generator, known: Mapping[str, Sequence[str]], share: float = 1.0) -> str:
    """The text with people's own misspellings: each word that has some is replaced by one, with the probability `share`.

    A capital at a word's beginning stays. Words that are not in the list stay as they are.

    Args:
        known: misspellings by word, in small letters, as `minilm.data.misspellings` has them.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """
    expect_share(share)

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        others = known.get(word) or known.get(word.lower())
        if not others or rng.random() >= share:
            return word
        other = others[int(rng.integers(len(others)))]
        return other[:1].upper() + other[1:] if word[0].isupper() else other

    return WORD.sub(slip, text)


def shouted(text: str, rng: np.random.Generator, share: float = 0.2) -> str:
    """The text with words in capitals, each with the probability `share`. A reader that takes small letters for all does not notice.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """
    expect_share(share)
    return WORD.sub(lambda found: found[0].upper() if rng.random() < share else found[0], text)


def homophones(readings: Iterable[tuple[str, str]], common: Iterable[str], tones: bool = True) -> dict[str, list[str]]:
    """Of each Chinese character those that sound alike, as one writes who picks the wrong one from the list that a keyboard offers.

    Args:
        readings: words with their pinyin, such as ("好", "hao3"); those of one character are read. A character may have several.
        common: the characters that anybody would pick, such as those of a training text; others are left out.
        tones: whether the tone must be the same, too; a keyboard does not ask for it.

    Returns:
        for each common character that has some, the others in order.
    """
    able = set(common)
    by_sound: dict[str, set[str]] = {}
    for character, reading in readings:
        if len(character) == 1 and character in able:
            sound = reading.lower() if tones else reading.lower().rstrip("12345")
            by_sound.setdefault(sound, set()).add(character)
    found: dict[str, set[str]] = {}
    for alike in by_sound.values():
        for character in alike:
            found.setdefault(character, set()).update(alike - {character})
    return {character: sorted(others) for character, others in sorted(found.items()) if others}


def by_sound(readings: Iterable[tuple[str, str]]) -> dict[int, str]:
    """A table for `str.translate` that writes all characters of one sound, whatever its tone, as the first of them.

    A text loses by it which character was meant, and with it every slip from one to another of the same sound.

    Args:
        readings: as for `homophones`; of a character with several readings the first counts.
    """
    first: dict[str, str] = {}
    table: dict[int, str] = {}
    for character, reading in readings:
        if len(character) == 1 and ord(character) not in table:
            table[ord(character)] = first.setdefault(reading.lower().rstrip("12345"), character)
    return table


def with_homophones(text: str, rng: np.random.Generator, alike: Mapping[str, Sequence[str]], share: float = 0.1) -> str:
    """The text with characters that sound alike: each one that has such others is replaced with the probability `share`.

    Args:
        alike: of `homophones`.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """
    expect_share(share)
    written = []
    for character in text:
        others = alike.get(character)
        hit = bool(others) and rng.random() < share
        written.append(others[int(rng.integers(len(others)))] if others and hit else character)
    return "".join(written)


def expect_share(share: float) -> None:
    """Raises ValueError where `share` is no probability."""
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"share is a probability from 0 to 1, got {share!r}.")


__all__ = [
    "NEIGHBORS",
    "SLIPS",
    "by_sound",
    "expect_share",
    "homophones",
    "misspelled",
    "shouted",
    "typos",
    "with_homophones",
]
