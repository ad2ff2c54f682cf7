"""TextRank's scores beside networkx's PageRank, and its common words beside scikit-learn's counts."""

import numpy as np
import pytest

networkx = pytest.importorskip("networkx")
text = pytest.importorskip("sklearn.feature_extraction.text")

from minilm.applications.extractive import text_rank, word_overlap


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_page_rank(seed, damping):
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((12, 12)) * (rng.random((12, 12)) < 0.3), 1)
    w += w.T
    w[seed] = w[:, seed] = 0  # a node without an edge
    theirs = networkx.pagerank(networkx.from_numpy_array(w), alpha=damping, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(text_rank(w, damping), [theirs[i] for i in range(12)], atol=1e-9)


def test_common_words():
    sentences = ["the cat sat on the mat", "A cat, on 2 mats!", "dogs bark", "The CAT on the mat was black"]
    counts = text.CountVectorizer(binary=True, token_pattern=r"[a-z0-9]+").fit_transform(sentences).toarray()
    common, sizes = counts @ counts.T, counts.sum(axis=1)
    expected = common / (np.log(sizes)[:, None] + np.log(sizes))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(word_overlap(sentences), expected)
