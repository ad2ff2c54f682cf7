r"""The same text of somebody else: words are exchanged for their partners, *he* for *she*, *actor* for *actress*.

What a system says should be the same of both, where only the words differ (template swaps); and a text and its counterpart, both
learned from, tell a model that the words do not matter (counterfactual augmentation: Lu et al. 2018, *Gender Bias in Neural Natural
Language Processing*; Zhao et al. 2018, *Gender Bias in Coreference Resolution: Evaluation and Debiasing Methods*).

English makes one swap ambiguous: *her* is *his* ("her film") or *him* ("saw her"). Here *her* becomes *his* where a word follows that is
no function word, and *him* elsewhere; the papers cited ask a tagger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PRONOUNS = (("he", "she"), ("him", "her"), ("his", "her"), ("himself", "herself"))
FUNCTION = (
    "a an and are as at but by for from had has her his how if in into is it its my not of off on or our out over so than that the "
    "their then this to up was we were what when where which while who why will with would you your"
)
_FUNCTION = frozenset(FUNCTION.split())
_WORD = re.compile(r"[^\W\d_]+")


class Swap:
    """Exchanges words for their partners, in both directions; capitals stay where they are.

    Args:
        pairs: the two words of each pair, in lower case. Of a word in several pairs the first counts.

    Raises:
        ValueError: there is no pair, one is not of two different words, or a word is not in lower case.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.partner: dict[str, str] = {}
        for pair in pairs:
            if len(pair) != 2 or len(set(pair)) != 2 or any(not _WORD.fullmatch(x) or x != x.lower() for x in pair):
                raise ValueError(f"a pair is two different words in lower case, got {pair!r}.")
            for word, other in (pair, pair[::-1]):
                self.partner.setdefault(word, other)
        if not self.partner:
            raise ValueError("there is no pair: nothing would be exchanged.")

    def __call__(self, text: str) -> str:
        """The text with each word that has a partner exchanged; the same text where none has.

        >>> Swap(PRONOUNS)("He gave Her his book; she thanked him.")
        'She gave Him her book; he thanked her.'
        """
        return _WORD.sub(self._exchanged, text)

    def _exchanged(self, found: re.Match[str]) -> str:
        word = found.group()
        other = self.partner.get(word.lower(), word)
        if word.lower() == "her" and other in ("him", "his"):
            after = re.match(r"\s+([^\W\d_]+)", found.string[found.end() :])
            other = "his" if after and after.group(1).lower() not in _FUNCTION else "him"
        if other == word:
            return word
        if word.isupper() and len(word) > 1:
            return other.upper()
        return other[0].upper() + other[1:] if word[0].isupper() else other


__all__ = ["PRONOUNS", "Swap"]
