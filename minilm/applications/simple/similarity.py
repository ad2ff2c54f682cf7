"""Similarity without a network that reads: common words, latent topics, and averaged vectors of words.

Each learns from the sentences of the training part, whose closeness none of them looks at, and takes the settings that the validation part
likes best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.simple.library import library
from minilm.applications.vectors import encoder
from minilm.metrics import spearman
from minilm.types import HostArray

Vectors = Callable[[Sequence[str]], Any]
"""From n sentences to n rows, dense or sparse."""


def by_cosine(vectors: Vectors) -> System:
    """The cosine of the vectors of both sentences; 0 where one of them is zero."""

    def answer(questions: Sequence[tuple[str, str]]) -> list[Answer]:
        first, second = (vectors([pair[k] for pair in questions]) for k in (0, 1))
        dots, *squares = (
            np.asarray(_rowwise(a, b)).ravel() for a, b in ((first, second), (first, first), (second, second))
        )
        lengths = np.sqrt(squares[0] * squares[1])
        return [{"similarity": float(d / n) if n > 0 else 0.0} for d, n in zip(dots, lengths, strict=True)]

    return answer


def _rowwise(a: Any, b: Any) -> Any:
    return (a * b).sum(axis=1) if isinstance(a, np.ndarray) else a.multiply(b).sum(axis=1)


def best(split: Split[Any], systems: Iterable[System]) -> System:
    """The system whose cosines follow the closeness of the validation part best."""
    truth = [pair.closeness for pair in split.validation]
    questions = [(pair.first, pair.second) for pair in split.validation]

    def worth(system: System) -> float:
        return spearman(truth, [answer["similarity"] for answer in system(questions)]).value

    return max(systems, key=worth)


def _texts(split: Split[Any]) -> list[str]:
    return [text for pair in split.train for text in (pair.first, pair.second)]


def tf_idf(split: Split[Any]) -> System:
    """The cosine of TF-IDF, of words with and without stop words and of pieces of words."""
    vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer
    kinds = (
        {"stop_words": None}, {"stop_words": "english"}, {"stop_words": "english", "ngram_range": (1, 2)},
        {"analyzer": "char_wb", "ngram_range": (3, 5)},
    )  # fmt: skip
    texts = _texts(split)
    return best(split, (by_cosine(vectorizer(sublinear_tf=True, **kind).fit(texts).transform) for kind in kinds))


def lsa(split: Split[Any]) -> System:
    """Latent semantic analysis (Deerwester et al. 1990): TF-IDF in the directions in which words vary together."""
    pipeline = library("sklearn.pipeline").make_pipeline
    vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer
    svd = library("sklearn.decomposition").TruncatedSVD
    texts = _texts(split)
    return best(
        split,
        (
            by_cosine(
                pipeline(vectorizer(sublinear_tf=True, stop_words="english"), svd(width, random_state=0))
                .fit(texts)
                .transform
            )
            for width in (100, 300)
        ),
    )


def averaged_vectors(split: Split[Any]) -> System:
    r"""The weighted mean of vectors of words, MiniLM's own before its first layer: what a word means without its sentence.

    Weights and correction are those of Arora, Liang and Ma (2017, *A Simple but Tough-to-Beat Baseline for Sentence Embeddings*): a word of
    frequency p weighs :math:`a / (a + p)`, and the direction that all sentences share is taken out.
    """
    bert, tokenizer = encoder()
    table = bert.words.weight.numpy()
    texts = _texts(split)
    counts = Counter(id for text in texts for id in tokenizer.encode(text))
    frequency = np.zeros(len(table))
    frequency[list(counts)] = np.fromiter(counts.values(), np.float64) / max(sum(counts.values()), 1)

    def means(sentences: Sequence[str], a: float) -> HostArray:
        weight = a / (a + frequency)
        found = np.zeros((len(sentences), table.shape[1]))
        for row, sentence in zip(found, sentences, strict=True):
            if ids := tokenizer.encode(sentence):
                row += (weight[ids, None] * table[ids]).sum(axis=0) / len(ids)
        return found

    def vectors(a: float, shared: bool) -> Vectors:
        common = np.zeros((0, table.shape[1]))
        if shared:
            common = np.linalg.svd(means(texts[:4000], a), full_matrices=False)[2][:1]  # (1, C), of length 1

        def of(sentences: Sequence[str]) -> HostArray:
            found = means(sentences, a)
            return found - found @ common.T @ common

        return of

    return best(split, (by_cosine(vectors(a, shared)) for a in (1e-4, 1e-3, 1e9) for shared in (False, True)))


BASELINES: dict[str, Baseline] = {
    "averaged word vectors": averaged_vectors,
    "latent semantic analysis": lsa,
    "cosine of TF-IDF": tf_idf,
}

__all__ = ["BASELINES"]
