"""The field on features given by hand: what the features are, and that it learns names."""

import pytest

from minilm.applications.application import Split
from minilm.applications.named_entities import NamedEntities
from minilm.applications.simple.tagger import crf, features
from minilm.applications.tagged import CHARACTERS, WORDS
from tests.applications.test_named_entities import made


def test_features_of_a_character_are_its_neighbors_and_their_pairs():
    first, last = features("京1", CHARACTERS)
    assert first == ["-2<<", "-1<", "0京", "11", "2>", "-2,<<<", "-1,<京", "0,京1", "1,1>", "-1,1<1", "k.c0"]
    assert last[:5] == ["-2<", "-1京", "01", "1>", "2>>"]
    assert features([], CHARACTERS) == []


def test_features_of_a_word_are_its_letters_and_the_neighbors():
    (only,) = features(["Rome"], WORDS)
    assert {"wrome", "sXxxx", "b1R", "b4Rome", "e2me", "-1w<", "1w>", "p< rome"} <= set(only)


def test_it_learns_names_and_answers_lines():
    pytest.importorskip("pycrfsuite")
    parts = [made(n, seed) for seed, n in enumerate((120, 40, 40))]
    system = crf(Split(*parts, ""))
    app = NamedEntities()
    answers = system([app.question(text) for text in parts[2]])
    assert app.measure(parts[2], answers)[0].value == 1.0
    (answer,) = system(["王五在 上海。"])
    assert [(each["start"], each["text"], each["type"]) for each in answer["entities"]] == [
        (0, "王五", "PER"),
        (4, "上海", "LOC"),
    ]
