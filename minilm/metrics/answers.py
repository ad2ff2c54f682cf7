"""How near a short answer is to the right one: exact match and F1 of tokens, as SQuAD measures (Rajpurkar et al. 2016).

Case, ASCII's punctuation, the articles a, an, the, and white space are no part of an answer. A question may have several right answers:
the nearest counts. A question that has no answer has the empty text for one, and an empty text is right for it alone (SQuAD 2.0).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from minilm.metrics.bleu import with_references
from minilm.metrics.ngrams import common
from minilm.metrics.score import Score

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_MARKS = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """Without case, punctuation and articles, words parted by one space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_MARKS)).split())


def exact_match(truth: Sequence[str | Sequence[str]], answers: Sequence[str]) -> Score:
    """The share of answers that are a right one, once both are `normalized`.

    Args:
        truth: one or several right answers for each question.
        answers: the system's.

    Raises:
        ValueError: there is no question, not one answer for each, no right answer, or something is no text.
    """
    return Score.mean(
        "exact match",
        [normalized(answer) in map(normalized, several) for several, answer in with_references(truth, answers)],
    )


def token_f1(
    truth: Sequence[str | Sequence[str]], answers: Sequence[str], tokens: Callable[[str], Sequence[Any]] = str.split
) -> Score:
    """The mean F1 of the tokens of the answers, from 0 to 1.

    Args:
        truth, answers: as in `exact_match`; so are the errors.
        tokens: those of a normalized text: its words; `list` takes its characters, for Chinese.
    """
    found = []
    for several, answer in with_references(truth, answers):
        ours = Counter(tokens(normalized(answer)))
        found.append(max(_f1(Counter(tokens(normalized(right))), ours) for right in several))
    return Score.mean("token F1", found)


def _f1(theirs: Counter[Any], ours: Counter[Any]) -> float:
    if not theirs or not ours:
        return float(theirs == ours)
    return 2 * common(ours, theirs) / (ours.total() + theirs.total())
