"""Two texts side by side: which words of each the other one has not, at its place.

A character of a script without spaces is a word, as in `words`. Only words are compared, with case and punctuation, but without the white
space between them: what a reader sees. The longest run of words that both have is found first, and then what is left and right of it
(Ratcliff and Metzener 1988, in Python's difflib): near copies share long runs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import groupby

from minilm.data.corpus.characters import PLANE_FOUR, PLANE_TWO, UNSPACED_BLOCKS

MOST = 2000  # words of each text that are compared: 0.4 s where all are the same word, and nothing takes longer
_ALONE = "".join(f"{chr(first)}-{chr(last)}" for first, last in (*UNSPACED_BLOCKS, (PLANE_TWO, PLANE_FOUR - 1)))
WORDS = re.compile(rf"\s+|[{_ALONE}]\s*|[^\s{_ALONE}]+\s*")


def differences(one: str, other: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts in parts (text, whether the other one lacks it); the parts of each together are the text.

    Behind `MOST` words nothing is compared and nothing marked.
    """
    words = [WORDS.findall(text) for text in (one, other)]
    bare = [[word.strip() for word in some[:MOST]] for some in words]
    marked = [[True] * len(some) for some in bare]
    for at, place, size in difflib.SequenceMatcher(None, bare[0], bare[1], autojunk=False).get_matching_blocks():
        marked[0][at : at + size] = [False] * size
        marked[1][place : place + size] = [False] * size
    first, second = (list(_parts(some, marks)) for some, marks in zip(words, marked, strict=True))
    return first, second


def _parts(words: list[str], marks: list[bool]) -> Iterator[tuple[str, bool]]:
    """Words in a row that are marked alike as one part; white space behind the last marked one is not marked."""
    marks = marks + [False] * (len(words) - len(marks))
    for mark, run in groupby(zip(words, marks, strict=True), lambda pair: pair[1]):
        text = "".join(word for word, _ in run)
        end = len(text.rstrip()) if mark else len(text)
        if text[:end]:
            yield text[:end], mark
        if text[end:]:
            yield text[end:], False


__all__ = ["MOST", "WORDS", "differences"]
