"""What headlines are held against: the beginning of the text, and the headline of the nearest text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Split, System
from minilm.applications.simple.library import library
from minilm.text.sentences import sentences

Measure = Callable[[Sequence[Any], Sequence[Answer]], float]
LENGTHS = range(5, 16)
AT_ONCE = 64  # texts whose cosines with all known ones are in memory


def first_sentence(split: Split[Any]) -> System:
    """The text's first sentence."""

    def answer(questions: Sequence[str]) -> list[Answer]:
        return [{"headline": (sentences(question) or [question])[0]} for question in questions]

    return answer


def lead(split: Split[Any], measure: Measure) -> System:
    """The first k words of the first sentence, without what most descriptions begin with ("The Foo package provides a ..."): k is chosen on
    the validation part, and so is whether the beginning up to "is", "provides", "contains" is left out."""
    first = first_sentence(split)

    def system(words: int, after: bool) -> System:
        def answer(questions: Sequence[str]) -> list[Answer]:
            return [{"headline": " ".join(after_verb(found["headline"], after)[:words])} for found in first(questions)]

        return answer

    systems = [system(words, after) for words in LENGTHS for after in (False, True)]
    return _best(systems, split, measure)


def nearest_neighbor(split: Split[Any], measure: Measure) -> System:
    """The headline of that text of the training part which has most in common: the cosine of TF-IDF vectors of words, or of words and pairs
    of them, as the validation part has it."""
    text = library("sklearn.feature_extraction.text")
    known = [pair.source for pair in split.train]

    def system(longest: int) -> System:
        vectors = text.TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True, min_df=2)
        rows = vectors.fit_transform(known).T.tocsr()

        def answer(questions: Sequence[str]) -> list[Answer]:
            asked, nearest = vectors.transform(questions), list[int]()
            for start in range(0, len(questions), AT_ONCE):
                nearest += np.asarray((asked[start : start + AT_ONCE] @ rows).argmax(axis=1)).ravel().tolist()
            return [{"headline": split.train[i].target} for i in nearest]

        return answer

    return _best([system(longest) for longest in (1, 2)], split, measure)


def after_verb(sentence: str, after: bool) -> list[str]:
    """The words of a sentence, or, if `after`, those behind its "is", "provides" ... and an article."""
    words = sentence.rstrip(".").split()
    places = [i for i, word in enumerate(words[:8]) if word in ("is", "provides", "contains", "implements", "offers")]
    if not after or not places:
        return words
    rest = words[places[0] + 1 :]
    return rest[1:] if rest[:1] and rest[0].lower() in ("a", "an", "the") else rest


def _best(systems: Sequence[System], split: Split[Any], measure: Measure) -> System:
    """That which is worth most on the validation part."""
    questions = [pair.source for pair in split.validation]
    return max(systems, key=lambda system: measure(split.validation, system(questions)))


__all__ = ["after_verb", "first_sentence", "lead", "nearest_neighbor"]
