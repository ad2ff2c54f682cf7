"""Summaries beside TextRank: the first sentences, any sentences, and TextRank on other likenesses.

"The first k sentences" (lead-k) is hard to beat on news, whose writers begin with what matters. None of them learns anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Split, System
from minilm.applications.simple.library import library
from minilm.text.sentences import sentences
from minilm.types import HostArray


def _answer(parts: Sequence[str], places: Sequence[int], scores: Any = None) -> Answer:
    places = sorted(places)
    return {
        "summary": " ".join(parts[i] for i in places),
        "sentences": [
            {"text": parts[i], "place": i} | ({} if scores is None else {"score": float(scores[i])}) for i in places
        ],
    }


def lead(split: Split[Any]) -> System:
    """The first sentences."""

    def answer(questions: Sequence[Any]) -> list[Answer]:
        return [_answer(parts := sentences(q.text), range(min(q.wanted, len(parts)))) for q in questions]

    return answer


def any_sentences(split: Split[Any]) -> System:
    """Sentences drawn at random, for each text from a generator that its own bytes seed."""

    def answer(questions: Sequence[Any]) -> list[Answer]:
        found = []
        for q in questions:
            parts = sentences(q.text)
            rng = np.random.default_rng(zlib.crc32(q.text.encode("utf-8", "surrogatepass")))
            found.append(_answer(parts, rng.permutation(len(parts))[: q.wanted].tolist()))
        return found

    return answer


def tf_idf_likeness(texts: Sequence[str]) -> Callable[[Sequence[str]], HostArray]:
    """Cosines of TF-IDF, as LexRank has them (Erkan and Radev 2004), where a word that many of these texts have counts less.

    Raises:
        MissingLibraryError: scikit-learn is not installed.
    """
    vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer(sublinear_tf=True).fit(texts)

    def likeness(parts: Sequence[str]) -> HostArray:
        found = vectorizer.transform(parts)
        strength: HostArray = (found @ found.T).toarray()
        np.fill_diagonal(strength, 0.0)
        return strength

    return likeness
