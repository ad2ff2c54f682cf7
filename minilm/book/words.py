"""Chapter 1 counts words: the poem that every Python carries, and its manual in three parts."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from typing import NamedTuple

from minilm.data import three_parts, without_copies
from minilm.data.sets.python_text import python_topics

END = "<end>"
"""Stands before a text and behind it, so that a model can learn how texts begin and stop."""


class WordParts(NamedTuple):
    """Paragraphs, each a list of words between two `END`.

    Attributes:
        train: to count.
        validation: to choose on.
        test: read once, for the report.
        copies: how many paragraphs the text repeats.
    """

    train: list[list[str]]
    validation: list[list[str]]
    test: list[list[str]]
    copies: int


def split_words(text: str) -> list[str]:
    """The runs of letters and apostrophes, in lower case."""
    return re.findall(r"[a-z']+", text.lower())


def poem() -> list[list[str]]:
    """The Zen of Python (Tim Peters, 2004), line by line, each a list of its words."""
    with contextlib.redirect_stdout(io.StringIO()):  # importing it prints the poem
        import this
    text = codecs.decode(this.s, "rot13")
    return [split_words(line) for line in text.splitlines() if line]


def manual_words(*, copies: bool = False, seed: int = 0) -> WordParts:
    """The paragraphs of Python's manual in 80, 10 and 10 %, drawn with a seed.

    Args:
        copies: leave in the text what repeats an earlier paragraph, so that it can stand in two parts; by default such paragraphs go
            before the split.
        seed: draws the parts.

    Raises:
        DataError: this Python has no manual.
    """
    blocks = [block for topic in python_topics().values() for block in topic.split("\n\n")]
    blocks = [block for block in blocks if split_words(block)]
    once = without_copies(blocks)
    kept = blocks if copies else once.kept
    parts = three_parts(len(kept), seed=seed)
    train, validation, test = ([[END, *split_words(kept[k]), END] for k in part] for part in parts)
    return WordParts(train, validation, test, once.copies)


def share_of_runs(test: list[list[str]], train: list[list[str]], n: int = 10) -> float:
    """The share of the test part's runs of n words that the training part has, too: what near copies and quotations leave, from 0 to 1.

    Raises:
        ValueError: no paragraph of the test part has n words.
    """
    known = {run for paragraph in train for run in _runs(paragraph, n)}
    mine = [run for paragraph in test for run in _runs(paragraph, n)]
    if not mine:
        raise ValueError(f"no paragraph of the test part has a run of {n} words.")
    return sum(run in known for run in mine) / len(mine)


def _runs(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]


__all__ = ["END", "WordParts", "manual_words", "poem", "share_of_runs", "split_words"]
