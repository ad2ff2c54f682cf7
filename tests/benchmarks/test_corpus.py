"""The benchmark of the corpus runs, and all sides estimate what they say."""

import numpy as np
import pytest

from minilm.data.corpus import bare_text
from tests.benchmarks import corpus, corpus_peers, corpus_texts
from tests.benchmarks.corpus_peers import PEERS, minilm


@pytest.fixture
def made_up(monkeypatch):
    """Documents that are the same on every machine."""
    monkeypatch.setattr(corpus_texts, "descriptions", lambda: (corpus_texts.made_up(20), False))
    monkeypatch.setattr(corpus_texts, "news", lambda: (corpus_texts.joined(["我们在这里。" * 20] * 30), False))


def test_it_prints_ratios_and_each_step(capsys, monkeypatch, made_up):
    monkeypatch.setattr(corpus_peers, "peers", lambda: ([minilm()], ["datasketch"]))
    monkeypatch.setattr(corpus_peers, "versions", dict)
    monkeypatch.setattr(corpus, "find_spec", lambda name: None)
    corpus.main(["--documents", "20", "--rounds", "1", "--short", "20", "--megabytes", "0.01"])
    printed = capsys.readouterr().out
    assert printed.startswith("beside nobody; not installed: datasketch\n")
    for part in ("English: 20 documents of 1,", ", made up", "(  1.00x)", "peak MB", "tokenizing (our BPE)", "\nall "):
        assert part in printed


def test_both_sides_compare_the_same_texts(made_up):
    for text in corpus_texts.made_up(6):
        assert corpus_peers.bare_text_published(text) == bare_text(text)
    english, chinese, short, long = corpus_texts.shapes(20, 50, 0.1)
    assert [len(text) for text in short.texts] == [20] * 50
    assert [len(text) for text in long.texts] == [100_000]
    assert len(chinese.texts) == 2
    assert min(map(len, chinese.texts)) >= corpus_texts.LENGTH
    assert len(english.texts) == 20


def test_the_error_of_an_estimate_is_measured_beside_theory(made_up):
    texts = corpus_texts.made_up(200)
    assert 0.8 < corpus.error(minilm(), minilm().make(texts), texts) < 1.25
    always_half = minilm()._replace(estimate=lambda sketches, pairs: np.full(len(pairs), 0.5))
    assert corpus.error(always_half, None, texts) > 2


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PEERS if name != "rensa, rho"])  # which estimates something else
def test_a_peer_estimates_what_it_says(name):
    package, make = PEERS[name]
    pytest.importorskip(package)
    peer, texts = make(), corpus_texts.made_up(120)
    assert corpus.error(peer, peer.make(texts), texts) < 1.3


@pytest.mark.slow
def test_datasketch_finds_as_many_groups():
    pytest.importorskip("datasketch")
    texts = [text for text in corpus_texts.made_up(60) for _ in range(2)]
    ours, theirs = minilm(), PEERS["datasketch"][1]()
    assert corpus.our_search(ours.make(texts), texts) == corpus.their_search(theirs.make(texts), texts)
