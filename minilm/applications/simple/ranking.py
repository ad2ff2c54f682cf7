r"""Simple methods that find documents: those that share words with the question, the rare ones first.

- BM25 (Robertson and Zaragoza 2009, *The Probabilistic Relevance Framework: BM25 and Beyond*), by bm25s: with :math:`f` the times that a
  word stands in a document of length :math:`\ell`, and :math:`\bar\ell` the mean length,

  .. math::
      \text{score}(q, d) = \sum_{w \in q} \text{idf}_w \; \frac{f_{w,d}}{f_{w,d} + k_1 (1 - b + b\, \ell_d / \bar\ell)}

- the cosine of TF-IDF vectors of words or of runs of letters, by scikit-learn.

Their settings are chosen on the validation part by the mean reciprocal rank: k1, b, whether plurals count as their singular (Harman 1991,
*How Effective Is Suffixing?*, the S stemmer), whether function words count, and whether a document is searched whole or by passages, as
ours are.

`reciprocal_ranks` joins several searches (Cormack, Clarke and Büttcher 2009, *Reciprocal Rank Fusion*).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from minilm.applications.application import Split
from minilm.applications.documents import KEPT, PASSAGE, Asked, Documents, Scores, all_passages
from minilm.applications.simple.library import library
from minilm.indices import positions
from minilm.metrics import mrr, ranks
from minilm.types import HostArray

K1, B = (0.6, 0.9, 1.2, 1.6, 2.0, 3.0), (0.3, 0.5, 0.75, 0.9, 1.0)
FLATTENING = 60  # of reciprocal ranks; the value of the paper
WHOLE = 1 << 30  # words: more than any document has
_FUNCTION_WORDS = (
    "a an and are as at be but by can do does for from had has have how i if in into is it its me my no not of on or so such that the "
    "their then there these they this to was we were what when where which who why will with would you your"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
Words = Callable[[str], list[str]]


def word_methods() -> Mapping[str, Callable[[Split[Asked]], Scores]]:
    """The methods by name; each is tuned on the validation part of a split.

    They raise MissingLibraryError where their library is not installed.
    """
    return {"BM25": bm25, "TF-IDF, words": tf_idf_of_words, "TF-IDF, runs of letters": tf_idf_of_letters}


def bm25(split: Split[Asked]) -> Scores:
    """BM25: first which words and which pieces of documents, then k1 and b."""
    every = itertools.product((False, True), (False, True), (PASSAGE, WHOLE))
    ways = [(words_by(singular, function), size) for singular, function, size in every]
    words, size = _best(split, ways, lambda way: by_bm25(way[0], way[1], 1.2, 0.75))
    k1, b = _best(split, list(itertools.product(K1, B)), lambda setting: by_bm25(words, size, *setting))
    return by_bm25(words, size, k1, b)


def tf_idf_of_words(split: Split[Asked]) -> Scores:
    """The cosine of vectors of words, or of words and pairs of them."""
    ways = list(itertools.product((1, 2), (False, True), (False, True), (PASSAGE, WHOLE)))

    def make(way: tuple[int, bool, bool, int]) -> Scores:
        longest, singular, function, size = way
        return by_tf_idf(size, analyzer=_pairs(words_by(singular, function), longest))

    return make(_best(split, ways, make))


def tf_idf_of_letters(split: Split[Asked]) -> Scores:
    """The cosine of vectors of runs of letters, up to the ends of words."""
    ways = list(itertools.product(((2, 4), (3, 5), (4, 6)), (PASSAGE, WHOLE)))

    def make(way: tuple[tuple[int, int], int]) -> Scores:
        return by_tf_idf(way[1], analyzer="char_wb", ngram_range=way[0])

    return make(_best(split, ways, make))


def _best(split: Split[Asked], ways: Sequence[Any], make: Callable[[Any], Scores]) -> Any:
    """The way whose mean reciprocal rank on the validation part is the highest, of equal ones the first."""
    part = split.validation
    if not part:
        raise ValueError("there is no validation part to choose settings by.")
    documents = part[0].documents
    right, questions = [documents.index(each.answer) for each in part], [each.question for each in part]
    return max(ways, key=lambda way: mrr(ranks(make(way)(questions, documents), right).tolist()).value)


# -- searching with given settings ----------------------------------------------------------------------------------------


def words_by(singular: bool, function: bool) -> Words:
    """What takes the words out of a text, in small letters.

    Args:
        singular: whether plurals become their singular.
        function: whether function words count.
    """

    def words(text: str) -> list[str]:
        found = (word for word in re.findall(r"\w+", text.lower()) if function or word not in FUNCTION_WORDS)
        return [_singular(word) if singular else word for word in found]

    return words


def _singular(word: str) -> str:
    """Harman's S stemmer: the first of three rules that fits."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith(("us", "ss")) else word


def _pairs(words: Words, longest: int) -> Words:
    """What takes words, and up to `longest` in a row, out of a text."""

    def runs(text: str) -> list[str]:
        found = words(text)
        return [" ".join(found[i : i + n]) for n in range(1, longest + 1) for i in range(len(found) - n + 1)]

    return runs


def by_bm25(words: Words, size: int, k1: float, b: float) -> Scores:
    """BM25 of passages of that many words; the best of a document counts."""
    library("bm25s")

    def index(texts: Sequence[str]) -> Callable[[Sequence[str]], HostArray]:
        found = library("bm25s").BM25(k1=k1, b=b)
        known = [words(text) for text in texts]
        vocabulary = {word for each in known for word in each}
        if vocabulary:
            found.index(known, show_progress=False)

        def search(questions: Sequence[str]) -> HostArray:
            asked = [[word for word in words(question) if word in vocabulary] for question in questions]
            return np.array([found.get_scores(each) if each else np.zeros(len(texts)) for each in asked], np.float64)

        return search

    return _searching(index, size)


def by_tf_idf(size: int, **options: Any) -> Scores:
    """The cosine with passages of that many words; the best of a document counts.

    Args:
        options: of scikit-learn's TfidfVectorizer.
    """
    make = library("sklearn.feature_extraction.text").TfidfVectorizer

    def index(texts: Sequence[str]) -> Callable[[Sequence[str]], HostArray]:
        vectorizer = make(sublinear_tf=True, **options)
        try:
            vectors = vectorizer.fit_transform(texts).T
        except ValueError:  # no text has a word
            return lambda questions: np.zeros((len(questions), len(texts)))
        return lambda questions: (vectorizer.transform(questions) @ vectors).toarray()

    return _searching(index, size)


def _searching(index: Callable[[Sequence[str]], Callable[[Sequence[str]], HostArray]], size: int) -> Scores:
    """The scores of documents by those of their passages. A document without a word of the question is not found."""

    @lru_cache(KEPT)
    def indexed(documents: Documents) -> tuple[Callable[[Sequence[str]], HostArray], HostArray]:
        texts, first = all_passages(documents, size)
        return index(texts), first

    def scores(questions: Sequence[str], documents: Documents) -> HostArray:
        search, first = indexed(documents)
        found = np.maximum.reduceat(search(questions), positions(first), axis=1)
        return np.where(found > 0, found, -np.inf)

    return scores


def reciprocal_ranks(searches: Sequence[Scores]) -> Scores:
    r"""Several searches joined: :math:`\sum_s 1 / (60 + \text{rank}_s)`; a search that does not find a document adds nothing to it."""

    def scores(questions: Sequence[str], documents: Documents) -> HostArray:
        total = np.zeros((len(questions), len(documents)))
        for search in searches:
            found = search(questions, documents)
            places = (-found).argsort(axis=1, kind="stable").argsort(axis=1) + 1
            total += np.where(np.isfinite(found), 1 / (FLATTENING + places), 0.0)
        return np.where(total > 0, total, -np.inf)

    return scores


__all__ = [
    "bm25",
    "by_bm25",
    "by_tf_idf",
    "reciprocal_ranks",
    "tf_idf_of_letters",
    "tf_idf_of_words",
    "word_methods",
    "words_by",
]
