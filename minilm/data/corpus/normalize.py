"""The text as the search for duplicates sees it, and the first two steps of SlimPajama: NFC, and the filter of short documents.

The bare text of a document is lower-cased, has no punctuation, and one space where there was white space. So "Hello,  World!"
and "hello world" are one text. This is what SlimPajama's published code does before it cuts a document into shingles, with
three differences, none of which matters to English:

- punctuation is what Unicode calls so as well as Python's `string.punctuation`, so that Chinese has some, too;
- each character is lower-cased by itself (Unicode's simple mapping): a capital sigma is the same within a word and at its end;
- a text in which nothing but punctuation stands is empty here as there, but it still counts as a document (`shingles`).

Source: Soboleva et al. 2023, *SlimPajama: a 627B token cleaned and deduplicated version of RedPajama*, and its code.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.ragged import Ragged
from minilm.indices import positions

LEAST = 200
SPACE = ord(" ")
END, LEFT_OUT = 0x110000, 0x110001  # behind the last code point: marks that no text contains


def nfc(text: str) -> str:
    """The text in Unicode's composed form: "e" and an accent behind it become one "é"."""
    return unicodedata.normalize("NFC", text)


def is_punctuation(character: str) -> bool:
    """Whether the bare text does without the character."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def bare_text(text: str) -> str:
    """The bare text of one document, the plain way: what `bare_codes` computes for many."""
    kept = "".join(character.lower()[0] for character in text if not is_punctuation(character))
    return " ".join(kept.split())


def bare_codes(texts: Sequence[str]) -> Ragged:
    """The bare texts of many documents as code points, uint32: one look into a table for each character, and two masks.

    Any string is a document, also an empty one, and one with surrogates that belong to no pair.

    Raises:
        TypeError: one of them is no string.
    """
    codes = np.frombuffer("\n".join(["", *texts, ""]).encode("utf-32-le", "surrogatepass"), "<u4")
    codes = np.take(_table(), positions(codes), mode="clip")
    codes[np.cumsum([0, *(len(text) + 1 for text in texts)])] = END
    codes = codes[codes != LEFT_OUT]

    following = codes[1:]
    superfluous = codes == SPACE  # of spaces in a row the last one stays, and none before the end of a document
    superfluous[:-1] &= (following == SPACE) | (following == END)
    codes = codes[~superfluous]

    ends = np.flatnonzero(codes == END)
    starts = ends[:-1] + 1
    led_by_space = codes[starts] == SPACE
    kept = np.ones(len(codes), np.bool_)
    kept[ends] = False
    kept[starts[led_by_space]] = False
    return Ragged(codes[kept], np.diff(ends) - 1 - led_by_space)


def content_lengths(codes: Ragged) -> NDArray[np.int64]:
    """How many characters of each bare text are no spaces.

    SlimPajama leaves out documents in which they are fewer than 200 (`LEAST`), 1.86 % of its source. (Its authors say that spaces do
    not count; in their code the single ones do.)
    """
    return codes.where(codes.values != SPACE).counts


@cache
def _table() -> NDArray[np.uint32]:
    """For each code point what the bare text has in its place: a letter in lower case, a space, or `LEFT_OUT`."""
    table = np.arange(END, dtype=np.uint32)
    for code in range(0x20000):  # the planes behind have neither case nor punctuation nor white space
        character = chr(code)
        if is_punctuation(character):
            table[code] = LEFT_OUT
        elif character.isspace():
            table[code] = SPACE
        else:
            table[code] = ord(character.lower()[0])
    table.flags.writeable = False
    return table


__all__ = ["LEAST", "bare_codes", "bare_text", "content_lengths", "is_punctuation", "nfc"]
