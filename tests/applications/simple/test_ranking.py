"""Simple searches: what BM25 and TF-IDF compute, by hand; which settings are chosen; and what they cannot find."""

import math

import numpy as np
import pytest

from minilm.applications.application import Split
from minilm.applications.documents import Asked
from minilm.applications.simple.ranking import (
    WHOLE,
    by_bm25,
    by_tf_idf,
    reciprocal_ranks,
    word_methods,
    words_by,
)

pytestmark = pytest.mark.host
DOCUMENTS = ("the cat sat on the mat", "dogs and cats\n\nbark at the moon", "a tree")


def test_words():
    text = "Ponies, classes and the buses; its glass: STUDIES 3.11"
    assert words_by(True, False)(text) == "pony classe and buse glass study 3 11".replace(" and", "").split()
    assert words_by(False, True)("It is Über-so") == ["it", "is", "über", "so"]


def test_bm25_is_the_formula():
    pytest.importorskip("bm25s")
    words, k1, b = words_by(False, True), 1.2, 0.75
    found = by_bm25(words, WHOLE, k1, b)(["the cat the"], DOCUMENTS)[0]
    texts = [words(text) for text in DOCUMENTS]
    mean = sum(map(len, texts)) / 3
    expected = []
    for text in texts:
        total = 0.0
        for word in ("the", "cat", "the"):
            n, f = sum(word in each for each in texts), text.count(word)
            total += math.log(1 + (3 - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * len(text) / mean))
        expected.append(total if total else -np.inf)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("make", [lambda size: by_bm25(words_by(False, False), size, 1.2, 0.75), by_tf_idf])
def test_the_best_passage_counts_and_what_shares_no_word_is_not_found(make):
    pytest.importorskip("bm25s")
    pytest.importorskip("sklearn")
    whole, cut = (make(size)(["moon", "xylophone", ""], DOCUMENTS) for size in (WHOLE, 3))
    assert whole[0].argmax() == cut[0].argmax() == 1
    assert cut[0, 1] != whole[0, 1]
    assert np.isneginf(whole[1:]).all()
    assert np.isneginf(make(WHOLE)(["moon"], ("...", ""))).all()


def test_ranks_are_joined():
    first = lambda questions, documents: np.array([[3.0, 2.0, -np.inf]])  # noqa: E731
    second = lambda questions, documents: np.array([[-np.inf, 5.0, -np.inf]])  # noqa: E731
    found = reciprocal_ranks([first, second])(["q"], ("a", "b", "c"))
    np.testing.assert_allclose(found, [[1 / 61, 1 / 62 + 1 / 61, -np.inf]])


def test_settings_are_chosen_on_the_validation_part(monkeypatch):
    """Functions words decide here: only who counts them finds the answer."""
    pytest.importorskip("bm25s")
    pytest.importorskip("sklearn")
    documents = ("which of them", "other words", "nothing")
    split = Split([], [Asked("which of the trees", documents[0], "", documents)] * 2, [], "")
    for name, tune in word_methods().items():
        assert tune(split)(["which of the trees"], documents)[0].argmax() == 0, name
    with pytest.raises(ValueError, match="no validation part"):
        word_methods()["BM25"](Split([], [], [], ""))
