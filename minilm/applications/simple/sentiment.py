"""Simple methods for opinions: rules and a word list (VADER), published vectors of sentences, ridge regression for the intensity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.labels import label_answers
from minilm.applications.simple.library import library
from minilm.applications.simple.linear import WORDS
from minilm.types import HostArray


def class_methods(vectors: Callable[[Sequence[str]], HostArray]) -> Mapping[str, Baseline]:
    """Methods that answer with the label of a text.

    Args:
        vectors: of texts, (n, width), from a published model that is not trained any further.
    """
    return {
        "VADER, rules and word list": _rules,
        "logistic regression, published vectors": lambda split: _on(vectors, split),
    }


def _rules(split: Split[Any]) -> System:
    """Words with ratings, and rules for negation, "but", emphasis and capitals (Hutto and Gilbert 2014).

    Nothing is learned but how probable a label is, and from which sum on: on the validation part.
    """
    compound = library("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer().polarity_scores

    def sums(texts: Sequence[str]) -> HostArray:
        return np.array([[compound(text)["compound"]] for text in texts]).reshape(-1, 1)

    found = library("sklearn.linear_model").LogisticRegression(C=100.0)
    found.fit(sums([each.text for each in split.validation]), [each.label for each in split.validation])
    return lambda questions: _answers(found, sums(questions))


def _on(vectors: Callable[[Sequence[str]], HostArray], split: Split[Any]) -> System:
    (x, wanted), (unseen, right) = (
        (vectors([each.text for each in part]), np.array([each.label for each in part]))
        for part in (split.train, split.validation)
    )
    make = library("sklearn.linear_model").LogisticRegression
    learners = [make(C=cost, max_iter=1000).fit(x, wanted) for cost in (1.0, 10.0, 100.0)]
    best = max(learners, key=lambda learner: float((learner.predict(unseen) == right).mean()))
    return lambda questions: _answers(best, vectors(questions))


def _answers(learner: Any, x: HostArray) -> list[Answer]:
    return label_answers(list(map(str, learner.classes_)), learner.predict_proba(x)) if len(x) else []


def intensity_methods() -> Mapping[str, Baseline]:
    """Methods that answer {"intensity": ...} to a text, of examples with a text and a rating."""
    return {
        "mean rating": _mean_rating,
        "ridge regression, words": lambda split: _ridge(
            split, analyzer="word", ngram_range=(1, 2), token_pattern=WORDS
        ),
        "ridge regression, characters": lambda split: _ridge(split, analyzer="char", ngram_range=(2, 5), min_df=2),
    }


def _mean_rating(split: Split[Any]) -> System:
    """The same for each text."""
    mean = float(np.mean([example.rating for example in split.train]))
    return lambda questions: [{"intensity": mean} for _ in questions]


def _ridge(split: Split[Any], **ngrams: Any) -> System:
    """Least squares with a penalty on TF-IDF (Hoerl and Kennard 1970, *Ridge Regression*), chosen by the validation part's error."""
    vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer(sublinear_tf=True, **ngrams)
    (texts, ratings), (others, wanted) = (
        ([each.text for each in part], np.array([each.rating for each in part]))
        for part in (split.train, split.validation)
    )
    x, unseen = vectorizer.fit_transform(texts), vectorizer.transform(others)
    make = library("sklearn.linear_model").Ridge
    learners = [make(alpha=alpha, solver="sparse_cg").fit(x, ratings) for alpha in (0.3, 1.0, 3.0, 10.0)]
    best = min(learners, key=lambda learner: float(((learner.predict(unseen) - wanted) ** 2).mean()))

    def answer(questions: Sequence[str]) -> list[Answer]:
        found = best.predict(vectorizer.transform(questions)) if len(questions) else []
        return [{"intensity": float(min(4.0, max(-4.0, value)))} for value in found]

    return answer


__all__ = ["class_methods", "intensity_methods"]
