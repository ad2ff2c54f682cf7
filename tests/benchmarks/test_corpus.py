"""The benchmark of the search for near copies runs, and both sides find the same."""

import numpy as np
import pytest

from tests.benchmarks import corpus


def test_it_prints_ratios(capsys, monkeypatch):
    monkeypatch.setattr(corpus, "sides", lambda: {"minilm": (corpus.our_signatures, corpus.our_search)})
    corpus.main(["--documents", "20", "--rounds", "1", "--scale", "0.001"])
    printed = capsys.readouterr().out
    assert printed.splitlines()[2].startswith("minilm")
    assert "peak MB" in printed


def test_both_sides_compare_the_same_texts():
    for text in corpus.texts_of(6):
        assert corpus.bare_text_published(text) == corpus.bare_text(text)


@pytest.mark.slow
def test_datasketch_estimates_the_same():
    pytest.importorskip("datasketch")
    texts = corpus.texts_of(60)
    ours = corpus.our_signatures(texts)
    theirs = corpus.their_signatures(None)(texts)
    estimates = corpus.similarity(ours[::2], ours[1::2])
    others = np.array([first.jaccard(second) for first, second in zip(theirs[::2], theirs[1::2], strict=True)])
    assert np.abs(estimates - others).mean() < 0.06
