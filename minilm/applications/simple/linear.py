r"""Simple methods that tell to which of some classes a text belongs: a weight for each word or run of characters, and nothing else.

A text is the vector :math:`x` of how often each n-gram occurs in it, and a class has one score, :math:`w_k \cdot x + b_k`. What the methods
differ in is where the weights come from. Which settings a method has is chosen on the validation part, from a small grid; its
probabilities are fitted there, too (Platt 1999, *Probabilistic Outputs for Support Vector Machines*).

- naive Bayes: from counts alone (McCallum and Nigam 1998, *A Comparison of Event Models for Naive Bayes Text Classification*).
- logistic regression and linear SVM on TF-IDF (Joachims 1998, *Text Categorization with Support Vector Machines*).
- NBSVM: an SVM on what naive Bayes found (Wang and Manning 2012, *Baselines and Bigrams: Simple, Good Sentiment and Topic
  Classification*).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Baseline, Split, System
from minilm.applications.labels import label_answers
from minilm.applications.simple.library import library
from minilm.types import HostArray

COSTS = (0.1, 0.3, 1.0, 3.0)  # of a mistake, C of an SVM; the reciprocal of the decay
WORDS = r"(?u)\b\w+\b|[^\w\s]"  # a word, or a character that is neither a letter nor white space: "!" and "$" say much


def label_methods(
    text: Callable[[Any], str],
    label: Callable[[Any], str],
    *,
    words: bool = True,
    characters: tuple[int, int] = (2, 5),
    further: Callable[[Sequence[str]], HostArray] | None = None,
) -> Mapping[str, Baseline]:
    """The methods by name, for examples with a text and a label, and questions that are texts.

    They answer {"label": ..., "probability": ..., "probabilities": {label: ...}}.

    Args:
        text, label: of an example.
        words: whether the texts have words, between blanks; Chinese has none, and characters stand for them.
        characters: the shortest and the longest run of characters that counts.
        further: of texts a vector each, (n, k), which one more method has beside the words: where ours has it, too.
    """
    unit = {"ngram_range": (1, 2), "token_pattern": WORDS} if words else {"analyzer": "char", "ngram_range": characters}
    runs = {"analyzer": "char", "ngram_range": characters, "max_features": 400_000}

    def counts(**more: Any) -> Any:
        return library("sklearn.feature_extraction.text").CountVectorizer(**unit, **more)

    def weighted(**more: Any) -> Any:
        return library("sklearn.feature_extraction.text").TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **more)

    def svm(cost: float) -> Any:
        return library("sklearn.svm").LinearSVC(C=cost)

    def regression(cost: float) -> Any:
        return library("sklearn.linear_model").LogisticRegression(C=cost, max_iter=500)

    def bayes(smoothing: float) -> Any:
        return library("sklearn.naive_bayes").MultinomialNB(alpha=smoothing)

    def method(
        vectors: Sequence[Callable[[], Any]], make: Callable[[float], Any], settings: Sequence[float]
    ) -> Baseline:
        return lambda split: _tuned(split, text, label, vectors, make, settings)

    plain = [lambda: counts(min_df=1), lambda: counts(min_df=2)]
    by_words = [lambda: weighted(**unit, min_df=1), lambda: weighted(**unit, min_df=2)]
    by_runs = [lambda: weighted(**runs, min_df=2)]
    by_both = [lambda: Beside(weighted(**unit, min_df=1), further)] if further else []
    return {
        "most frequent label": lambda split: _most_frequent(split, label),
        "naive Bayes": method(plain, bayes, (0.01, 0.03, 0.1, 0.3, 1.0)),
        "logistic regression": method(by_words, regression, (3.0, 10.0, 30.0, 100.0)),
        "NBSVM": method([lambda: counts(min_df=1, binary=True)], NBSVM, (0.01, 0.1, 1.0)),
        **({"linear SVM, words": method(by_words, svm, COSTS)} if words else {}),
        "linear SVM, characters": method(by_runs, svm, COSTS),
        **({"linear SVM, words and encoder": method(by_both, svm, COSTS)} if further else {}),
    }


class Beside:
    """The vectors of a vectorizer, and further numbers of each text beside them.

    Args:
        vectorizer: of scikit-learn; its vectors (n, features) are sparse.
        further: of texts a vector each, (n, k).
    """

    def __init__(self, vectorizer: Any, further: Callable[[Sequence[str]], HostArray]) -> None:
        self.vectorizer, self.further = vectorizer, further

    def fit_transform(self, texts: Sequence[str]) -> Any:
        """What the vectorizer learns from the texts, and their vectors (n, features + k), sparse."""
        return self._beside(self.vectorizer.fit_transform(texts), texts)

    def transform(self, texts: Sequence[str]) -> Any:
        """The vectors of other texts, (n, features + k), sparse."""
        return self._beside(self.vectorizer.transform(texts), texts)

    def _beside(self, x: Any, texts: Sequence[str]) -> Any:
        return library("scipy.sparse").hstack([x, self.further(texts)], format="csr")


def _most_frequent(split: Split[Any], label: Callable[[Any], str]) -> System:
    """Each label as probable as it is frequent in the training part, whatever the text."""
    counts = Counter(map(label, split.train))
    labels = sorted(counts)
    shares = np.array([[counts[each] for each in labels]]) / len(split.train)
    return lambda questions: label_answers(labels, np.repeat(shares, len(questions), axis=0))


def _tuned(
    split: Split[Any],
    text: Callable[[Any], str],
    label: Callable[[Any], str],
    vectors: Sequence[Callable[[], Any]],
    make: Callable[[float], Any],
    settings: Sequence[float],
) -> System:
    """The method with the vectors and the setting that are right most often on the validation part; of equal ones the first."""
    (texts, wanted), (others, right) = (
        ([text(each) for each in part], np.array([label(each) for each in part]))
        for part in (split.train, split.validation)
    )
    found: list[tuple[float, int, Any, Any, Any]] = []
    for make_vectors in vectors:
        vectorizer = make_vectors()
        x, unseen = vectorizer.fit_transform(texts), vectorizer.transform(others)
        for setting in settings:
            learner = make(setting).fit(x, wanted)
            found.append((float((learner.predict(unseen) == right).mean()), -len(found), vectorizer, learner, unseen))
    _, _, vectorizer, learner, unseen = max(found, key=lambda each: each[:2])
    labels = [str(each) for each in learner.classes_]
    probable = _platt(_scores(learner, unseen), right, labels)
    return lambda questions: (
        label_answers(labels, probable(_scores(learner, vectorizer.transform(questions)))) if len(questions) else []
    )


def _scores(learner: Any, x: Any) -> HostArray:
    """One score per class, (n, K), the highest for the class that is predicted."""
    if hasattr(learner, "decision_function"):
        scores = np.asarray(learner.decision_function(x))
        return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores
    return np.asarray(learner.predict_joint_log_proba(x))


def _platt(scores: HostArray, right: HostArray, labels: Sequence[str]) -> Callable[[HostArray], HostArray]:
    """Probabilities softmax(a s + c) from scores s: one factor a > 0 for all classes, so that what is predicted stays, and no bias.

    The factor is the one with the highest likelihood on the validation part, found among those of a fine scale.
    """
    places = np.array([labels.index(each) if each in labels else -1 for each in right])
    known = np.flatnonzero(places >= 0)
    factors = np.geomspace(1e-4, 1e2, 121)

    def probable(scores: HostArray, factor: float) -> HostArray:
        powers = np.exp(factor * (scores - scores.max(axis=1, keepdims=True)))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def surprise(factor: float) -> float:
        return float(
            -np.log(np.maximum(probable(scores[known], factor)[np.arange(len(known)), places[known]], 1e-300)).sum()
        )

    best = min(factors, key=surprise)
    return lambda scores: probable(scores, best)


class NBSVM:
    """A linear SVM on binary counts times the log-ratio r of naive Bayes, its weights drawn towards their mean (Wang and Manning 2012).

    For more than two classes there is one for each class against the others.

    Args:
        cost: of a mistake, C.
        share: of the SVM's own weights, the paper's beta; what is left has each weight's mean magnitude.
        smoothing: added to each count of naive Bayes, the paper's alpha.
    """

    def __init__(self, cost: float, share: float = 0.25, smoothing: float = 1.0) -> None:
        self.cost, self.share, self.smoothing = cost, share, smoothing

    def fit(self, x: Any, wanted: HostArray) -> NBSVM:
        """Learns from binary counts (n, features), sparse, and their labels (n,)."""
        self.classes_ = np.unique(wanted)
        columns = [self._against(x, wanted == each) for each in self.classes_[len(self.classes_) == 2 :]]
        self.weights, self.biases = np.stack([w for w, _ in columns], axis=1), np.array([b for _, b in columns])
        return self

    def _against(self, x: Any, of_class: HostArray) -> tuple[HostArray, float]:
        p, q = (self.smoothing + np.asarray(x[rows].sum(axis=0)).ravel() for rows in (of_class, ~of_class))
        r = np.log((p / p.sum()) / (q / q.sum()))
        svm = library("sklearn.svm").LinearSVC(C=self.cost)
        svm.fit(x.multiply(r).tocsr(), of_class)
        w = svm.coef_[0]
        return r * ((1 - self.share) * np.abs(w).mean() + self.share * w), float(svm.intercept_[0])

    def decision_function(self, x: Any) -> HostArray:
        """A score per class, (n, K), or one, (n,), where there are two."""
        scores = np.asarray(x @ self.weights + self.biases)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, x: Any) -> HostArray:
        """The labels (n,)."""
        scores = self.decision_function(x)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]


__all__ = ["NBSVM", "Beside", "label_methods"]
