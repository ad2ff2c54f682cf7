import re

import numpy as np
import pytest

from minilm.applications import find, similarity, vectors
from minilm.applications.similarity import CLOSENESS, PAIRS, Pair
from minilm.applications.simple import similarity as simple
from minilm.data import DataError, Synset
from tests.applications.test_relations import tiny_bert, tokenizer

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


@pytest.fixture
def published(monkeypatch):
    """A tiny encoder in place of the published one."""
    opened = tiny_bert(hidden_dropout_prob=0.0).eval(), tokenizer()
    for place in (vectors, similarity, simple):
        monkeypatch.setattr(place, "encoder", lambda: opened)


# -- vectors ----------------------------------------------------------------------------------------------------------


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbors(published):
    texts = ["a wheel", "a part of a wheel in the city", "", "the law " * 20, "a wheel"]
    found = vectors.vectors(texts)
    assert found.shape == (5, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[4])
    for i, text in enumerate(texts):
        np.testing.assert_allclose(vectors.vectors([text])[0], found[i], atol=1e-5)
    assert vectors.vectors([]).shape == (0, 16)


def test_what_is_too_long_is_cut(published):
    np.testing.assert_allclose(*vectors.vectors(["a law " * 50, "a law " * 51], longest=20), atol=1e-6)


# -- the data ---------------------------------------------------------------------------------------------------------


def tree(depth, width=4):
    """Synsets in a tree, each with a definition of its own."""
    nouns = {"": Synset(["all"], [], "the root of all")}
    level = [""]
    for _ in range(depth):
        level = [above + str(i) for above in level for i in range(width)]
        for number in level:
            nouns[number] = Synset([number], [("@", number[:-1]), ("~", "0")], f"the thing {number} of many")
    return nouns


def test_pairs_are_what_they_are_called_and_no_definition_comes_twice(monkeypatch):
    nouns = tree(5)
    nouns["00000"] = Synset(["copy"], [("@", "0000")], "the  THING 00001 of many")
    monkeypatch.setattr(similarity, "wordnet_nouns", lambda: nouns)
    monkeypatch.setattr(similarity, "PAIRS", (5, 3, 4))
    split = find("similarity").split()
    assert [len(part) for part in (split.train, split.validation, split.test)] == [20, 12, 16]
    where = {synset.definition: number for number, synset in nouns.items()}
    texts = [text for part in (split.train, split.validation, split.test) for pair in part for text in pair[:2]]
    assert len(set(texts)) == len(texts) == 96
    for part in (split.train, split.validation, split.test):
        assert [pair.closeness for pair in part] == sorted((pair.closeness for pair in part), reverse=True)
        for pair in part:
            a, b = where[pair.first], where[pair.second]
            if pair.closeness == CLOSENESS["parent"]:
                assert a[:-1] == b
            elif pair.closeness == CLOSENESS["sisters"]:
                assert a[:-1] == b[:-1]
            elif pair.closeness == CLOSENESS["cousins"]:
                assert a[:-1] != b[:-1]
                assert a[:-2] == b[:-2]
            else:
                assert not {a, a[:-1], a[:-2]} & {b, b[:-1], b[:-2]}
    assert find("similarity").split() == split


# -- measuring --------------------------------------------------------------------------------------------------------


def test_measures_and_the_worst():
    pairs = [Pair("a", "b", c) for c in (3, 3, 2, 1, 0, 0)]
    answers = [{"similarity": s} for s in (0.9, 0.8, 0.5, 0.6, 0.1, 0.0)]
    scores = find("similarity").measure(pairs, answers)
    assert [score.name for score in scores] == ["Spearman correlation", "AUC"]
    assert 0.8 < scores[0].value < 1
    assert scores[1].value == pytest.approx(8 / 9)
    assert len(find("similarity").measure(pairs[:2], answers[:2])) == 1
    turned = [{"similarity": s} for s in (0.9, 0.8, 0.5, 0.6, 0.1, 0.95)]
    assert find("similarity").wrong(pairs, turned)[0] == 5


def test_system(published):
    system = find("similarity").open(None, "cpu")
    same, other = system([("a wheel", "a wheel"), ("a wheel", "the law of france")])
    assert same["similarity"] == pytest.approx(1, abs=1e-5)
    assert -1 <= other["similarity"] < 1
    assert system([]) == []


@pytest.mark.parametrize("name", simple.BASELINES)
def test_simple_methods(name, published):
    pytest.importorskip("sklearn")
    near = [("the city in france", "a city of france"), ("a dog of a pack", "the pack of the dog")]
    far = [("a leaf of the tree", "law ( law )"), ("wheel in a spoke", "the river in france")]
    pairs = [Pair(*texts, 1.0) for texts in near] + [Pair(*texts, 0.0) for texts in far]
    if name == "latent semantic analysis":  # it needs more words than it has directions
        pairs += [Pair(f"w{i} x{i % 50} y{i % 7}", f"w{i + 1} z{i % 90}", float(i % 2)) for i in range(400)]
    system = simple.BASELINES[name](similarity.Split(pairs, pairs, pairs, ""))
    cosines = [answer["similarity"] for answer in system([*near, *far])]
    assert min(cosines[:2]) > max(cosines[2:])
    (nothing,) = system([("", "")])
    assert nothing["similarity"] == 0


def test_lines_and_files(tmp_path):
    application = find("similarity")
    assert application.parse(application.line) == tuple(SENTENCES[:2])
    for line, message in [
        ("a", "expected a JSON object"),
        ("[1]", 'the texts "first" and "second"'),
        ('{"first": "a"}', "such as"),
    ]:
        with pytest.raises(ValueError, match=message):
            application.parse(line)
    path = tmp_path / "mine.jsonl"
    path.write_text('{"first": "a", "second": "b", "closeness": 4.5}\n\n')
    assert application.read(path) == [Pair("a", "b", 4.5)]
    for closeness in ('"x"', "true", "NaN", "null"):
        path.write_text(f'\n{{"first": "a", "second": "b", "closeness": {closeness}}}')
        with pytest.raises(DataError, match=re.escape('line 2: "closeness" should be a number')):
            application.read(path)


@pytest.mark.slow
def test_the_published_cosines():
    """https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2, to four digits."""
    try:
        system = find("similarity").open(None, "cpu")
    except DataError as error:
        pytest.skip(f"needs all-MiniLM-L6-v2 from the package registry: {error}")
    pairs = [(SENTENCES[i], SENTENCES[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert [round(answer["similarity"], 4) for answer in system(pairs)] == [0.666, 0.1046, 0.1411]


def test_there_are_enough_pairs_of_each_closeness():
    assert len(CLOSENESS) * PAIRS[2] >= 1000
