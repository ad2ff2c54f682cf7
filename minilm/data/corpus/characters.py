"""What a character is to the corpus' rules: white space, a letter, of a script that sets no spaces between words.

One look into a table answers for all characters of many documents; `kind` says the same of one character.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from minilm.indices import positions

SPACE, LETTER, WRITTEN, UNSPACED, HAN = (1 << bit for bit in range(5))

PLANE_TWO, PLANE_FOUR = 0x20000, 0x40000  # between them Unicode keeps nothing but Chinese characters
HAN_BLOCKS = ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
UNSPACED_BLOCKS = (
    *HAN_BLOCKS,
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F),  # the kana of Japanese
)  # fmt: skip


def kind(character: str) -> int:
    """What a character is, as the sum of these:

    - `SPACE`: white space;
    - `LETTER`: a letter of any script, `WRITTEN`: a letter or a digit;
    - `UNSPACED`: a letter of a script without spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer), or a mark on one;
    - `HAN`: a Chinese character, which Japanese has, too.
    """
    code = ord(character)
    if code >= PLANE_TWO:
        return LETTER | WRITTEN | UNSPACED | HAN if code < PLANE_FOUR else 0
    found = SPACE * character.isspace() | LETTER * character.isalpha() | WRITTEN * character.isalnum()
    if unicodedata.category(character)[0] in "LM" or code == 0x3007:  # the Chinese zero is a number to Unicode
        found |= UNSPACED * _within(code, UNSPACED_BLOCKS) | HAN * _within(code, HAN_BLOCKS)
    return found


def kinds(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """`kind` of each of many code points."""
    return np.take(_table(), positions(codes))


def _within(code: int, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in blocks)


@cache
def _table() -> NDArray[np.uint8]:
    table = np.zeros(0x110000, np.uint8)
    table[:PLANE_TWO] = [kind(chr(code)) for code in range(PLANE_TWO)]
    table[PLANE_TWO:PLANE_FOUR] = kind(chr(PLANE_TWO))
    table.flags.writeable = False
    return table


__all__ = ["HAN", "LETTER", "SPACE", "UNSPACED", "WRITTEN", "kind", "kinds"]
