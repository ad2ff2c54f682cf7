"""Pieces of n tokens or characters, counted; and how many two texts have in common. BLEU, chrF and ROUGE are made of these counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def ngrams(tokens: Sequence[Any], n: int) -> Counter[Any]:
    """How often each run of n neighbors occurs: of a text pieces of the text, of a list tuples. Empty where there are fewer."""
    if isinstance(tokens, str):
        return Counter(tokens[i : i + n] for i in range(len(tokens) - n + 1))
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def common(first: Counter[Any], second: Counter[Any]) -> int:
    """How many pieces the two have in common, each as often as the one has it that has it less often."""
    return sum(min(count, second[piece]) for piece, count in first.items() if piece in second)
