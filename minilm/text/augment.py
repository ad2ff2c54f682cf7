r"""More sentences from few: words left out, exchanged, inserted, or replaced by a word of the same meaning.

`eda` is Easy Data Augmentation (Wei and Zou 2019, EMNLP, arXiv:1901.11196, section 2): of a sentence of :math:`l` words one of four
operations changes :math:`n = \max(1, \lfloor \alpha l \rfloor)`. It differs from the paper in two points: synonyms come from a table that
the caller gives, and words that have no entry there play the part of its stop words. `drop_words` is its fourth operation, and by itself
the word dropout of Iyyer et al. (2015, ACL, section 3).

Whether that helps is another question: a label may hang on the very word that goes ("not").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Synonyms = Mapping[str, Sequence[str]]
OPERATIONS = ("replace", "insert", "swap", "drop")


def drop_words(words: Sequence[str], p: float, rng: np.random.Generator) -> list[str]:
    """Leaves each word out with probability p; of a sentence of which nothing would stay, one word does.

    Raises:
        ValueError: p is no probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p is the probability of a word to be left out, from 0 to 1, got {p!r}.")
    kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True) if draw >= p]
    return kept or [words[int(rng.integers(len(words)))]] if words else []


def swap_words(words: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Exchanges two different places, n times: of fewer than two words nothing changes."""
    found = list(words)
    for _ in range(n if len(found) > 1 else 0):
        i, j = rng.choice(len(found), 2, replace=False)
        found[i], found[j] = found[j], found[i]
    return found


def replace_words(words: Sequence[str], n: int, synonyms: Synonyms, rng: np.random.Generator) -> list[str]:
    """Replaces n different words that have synonyms, wherever they stand, by one of theirs; fewer where there are not so many."""
    candidates = sorted({word for word in words if synonyms.get(word)})
    chosen = {}
    for k in rng.permutation(len(candidates))[:n]:
        others = synonyms[candidates[k]]
        chosen[candidates[k]] = others[int(rng.integers(len(others)))]
    return [chosen.get(word, word) for word in words]


def insert_words(words: Sequence[str], n: int, synonyms: Synonyms, rng: np.random.Generator) -> list[str]:
    """Inserts at any place a synonym of a word of the sentence, n times; nothing where no word has one."""
    found = list(words)
    candidates = [word for word in words if synonyms.get(word)]
    for _ in range(n if candidates else 0):
        others = synonyms[candidates[int(rng.integers(len(candidates)))]]
        found.insert(int(rng.integers(len(found) + 1)), others[int(rng.integers(len(others)))])
    return found


def eda(words: Sequence[str], share: float, synonyms: Synonyms, rng: np.random.Generator) -> list[str]:
    """One changed copy of a sentence, by one of the four `OPERATIONS`, each as likely as the others.

    Args:
        words: of the sentence.
        share: :math:`\\alpha`, of the words that are changed, from 0 to 1; the paper advises 0.05 to 0.1.
        synonyms: from a word to others of the same meaning.

    Raises:
        ValueError: the share is out of its range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is that of the words which change, from 0 to 1, got {share!r}.")
    n = max(1, int(share * len(words)))
    operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
    if operation == "replace":
        return replace_words(words, n, synonyms, rng)
    if operation == "insert":
        return insert_words(words, n, synonyms, rng)
    return swap_words(words, n, rng) if operation == "swap" else drop_words(words, share, rng)


__all__ = ["OPERATIONS", "drop_words", "eda", "insert_words", "replace_words", "swap_words"]
