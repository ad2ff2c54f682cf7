"""Relations without a network: a linear model on features of head, tail and what stands around them, and parts of it.

The parts say what gives the answer away: the model that sees the tail alone, where it stands alone, or the head alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.simple.library import library

PARTS = ("head", "before", "tail", "after", "place")
STRENGTHS = (0.03, 0.1, 0.3, 1.0)
"""The values of C, a linear SVM's price of an error, that are tried; of Naive Bayes, the counts that are added to each feature."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


def features(example: Any, parts: Sequence[str] = PARTS) -> list[str]:
    """What stands in a definition, as names: words, pairs of words, endings, capitals, and where the tail stands."""
    before, after = (
        _TOKEN.findall(text.lower())
        for text in (example.sentence[: example.tail_start], example.sentence[example.tail_end :])
    )
    tail = example.sentence[example.tail_start : example.tail_end]
    found: dict[str, Callable[[], Iterable[str]]] = {
        "head": lambda: _named("head", example.head),
        "tail": lambda: _named("tail", tail),
        "before": lambda: [
            *(f"before={word}" for word in before),
            *(f"before={first} {second}" for first, second in pairwise(before)),
            *(f"next before={' '.join(before[-n:])}" for n in (1, 2, 3)),
            f"begins={' '.join(before[:2])}",
        ],
        "after": lambda: [
            *(f"after={word}" for word in after),
            *(f"after={first} {second}" for first, second in pairwise(after)),
            *(f"next after={' '.join(after[:n])}" for n in (1, 2, 3)),
        ],
        "place": lambda: [f"words before={min(len(before), 12)}", f"words after={min(len(after), 12)}"],
    }
    return [name for part in parts for name in found[part]()]


def _named(part: str, text: str) -> Iterator[str]:
    words = _TOKEN.findall(text)
    yield from (f"{part}={word.lower()}" for word in words)
    yield from (f"{part} ends={words[-1].lower()[-n:]}" for n in (2, 3, 4) if words)
    yield f"{part} has words={min(len(words), 4)}"
    yield f"{part} has capitals={sum(word[0].isupper() for word in words)} of {min(len(words), 4)}"


def _fitted(split: Split[Any], parts: Sequence[str], model: Callable[[float], Any]) -> System:
    """The model with the strength that the validation part likes best."""
    vectorizer = library("sklearn.feature_extraction.text").CountVectorizer
    counter = vectorizer(analyzer=partial(features, parts=parts), binary=True)
    x, y = counter.fit_transform(split.train), [example.relation for example in split.train]
    seen, wanted = counter.transform(split.validation), [example.relation for example in split.validation]
    fitted = [model(strength).fit(x, y) for strength in STRENGTHS]
    best = max(fitted, key=lambda each: each.score(seen, wanted))

    def answer(questions: Sequence[Any]) -> list[Answer]:
        return [{"label": str(label)} for label in best.predict(counter.transform(questions))]

    return answer


def linear(split: Split[Any], parts: Sequence[str] = PARTS) -> System:
    """A linear SVM."""
    return _fitted(split, parts, lambda strength: library("sklearn.svm").LinearSVC(C=strength, random_state=0))


def naive_bayes(split: Split[Any]) -> System:
    """Naive Bayes on the same features."""
    return _fitted(split, PARTS, lambda strength: library("sklearn.naive_bayes").MultinomialNB(alpha=strength))


BASELINES: dict[str, Baseline] = {
    "linear SVM": linear,
    "Naive Bayes": naive_bayes,
    "linear SVM, tail alone": partial(linear, parts=("tail",)),
    "linear SVM, head alone": partial(linear, parts=("head",)),
    "linear SVM, place alone": partial(linear, parts=("place",)),
}

__all__ = ["BASELINES", "features"]
