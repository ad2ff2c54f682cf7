"""The graph of packages, its split, and who tells the sections: on six packages that are written down."""

import numpy as np
import pytest

from minilm.book import links
from minilm.book.links import Packages, bags, by_labels, fit_gcn, fit_sgc, likeness, packages, split_by_source, told
from minilm.data import PackageLinks
from minilm.nn.graph import Graph

ROWS = [
    PackageLinks("ogg-play", "sound", "ogg", "plays sound", ("libogg", "libc6", "gone")),
    PackageLinks("ogg-tools", "sound", "ogg", "cuts sound", ("libogg", "libc6", "ogg-play")),
    PackageLinks("mail-read", "mail", "mail", "reads mail", ("libc6", "libonce")),
    PackageLinks("libc6", "libs", "glibc", "C library", ("libgcc",)),
    PackageLinks("libogg", "libs", "libogg", "Ogg library", ("libc6",)),
    PackageLinks("libonce", "libs", "once", "needed once", ()),
]


def blocks(n=40, seed=0):
    """Two sections that link among themselves, and whose words are those of their section half of the time."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 2
    edges = [(i, (i + 2 * k) % n) for i in range(n) for k in (1, 2)]
    words = bags([{f"w{labels[i] if rng.random() < 0.5 else rng.integers(2)}", "the"} for i in range(n)])
    return Packages(
        [str(i) for i in range(n)], labels, np.arange(n), Graph.normalized(np.array(edges).T, n), words, words
    )


def test_nodes_and_edges(monkeypatch):
    monkeypatch.setattr(links, "package_links", lambda: ROWS)
    found = packages(("mail", "sound"))
    assert found.names == ["ogg-play", "ogg-tools", "mail-read", "libc6", "libogg"]
    assert found.labels.tolist() == [1, 1, 0]
    assert found.sources[0] == found.sources[1] != found.sources[2]
    pairs = {tuple(edge) for edge in found.graph.edges.T.tolist() if edge[0] < edge[1]}
    assert pairs == {(0, 4), (0, 3), (1, 4), (1, 3), (0, 1), (2, 3), (3, 4)}
    assert found.words.sources == 3  # library, ogg, sound: what two nodes have
    assert found.words_and_names.sources == 5  # and what two need: libc6, libogg
    assert found.classes == 2


def test_bags_are_vectors_of_length_one_of_words_that_two_have():
    graph = bags([{"a", "b", "c"}, {"a", "b"}, {"a", "d"}, set()])
    assert graph.sources == 2
    np.testing.assert_allclose(graph.dense(), [[0.5**0.5] * 2, [0.5**0.5] * 2, [1, 0], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_siblings_are_in_one_part(seed):
    found = blocks()
    found.sources[:] = np.arange(40) // 4
    split = split_by_source(found, seed)
    assert sorted(np.concatenate(split)) == list(range(40))
    of = [set(found.sources[part]) for part in split]
    assert sum(map(len, of)) == len(set.union(*of))


def test_few_labels_are_as_many_of_each_section():
    found = blocks()
    split = split_by_source(found, 0, per_section=3)
    assert np.bincount(found.labels[split.train]).tolist() == [3, 3]
    assert split.test.tolist() == split_by_source(found, 0).test.tolist()


@pytest.mark.slow
def test_who_looks_at_the_links_tells_more():
    found = blocks()
    split = split_by_source(found, 1)
    alone, passed, network = fit_sgc(found, split, 0, 0), fit_sgc(found, split, 2, 0), fit_gcn(found, split, 0)
    assert alone.test < passed.test <= 1
    assert network.test > alone.test
    assert by_labels(found, split, share=0.9).test == 1.0
    assert fit_sgc(found, split, 0, 0, names=True) is not None


def test_without_a_label_nearby_it_is_the_most_frequent():
    found = blocks()
    found = Packages(found.names, found.labels, found.sources, Graph.normalized([[], []], 40), found.words, found.words)
    split = split_by_source(found, 0)
    common = np.bincount(found.labels[split.train]).argmax()
    unlabeled = np.concatenate([split.validation, split.test])
    assert (by_labels(found, split, share=0.5).classes[unlabeled] == common).all()


def test_told():
    found = blocks()
    split = split_by_source(found, 0)
    assert told(found, split, found.labels)[:2] == (1.0, 1.0)
    assert told(found, split, 1 - found.labels)[:2] == (0.0, 0.0)


def test_likeness():
    assert likeness(np.ones((5, 3))) == pytest.approx(1)
    assert abs(likeness(np.random.default_rng(0).standard_normal((500, 50)))) < 0.05
    assert likeness(np.zeros((3, 2))) == 0
