"""Simple methods for spans: their runs of words, the features, and a field that learns what a question asks for."""

import pytest

from minilm.applications.application import Split
from minilm.applications.readings import Reading
from minilm.applications.simple.spans import crf, features, form_of, form_words, sliding_window, span_methods, words_of

pytestmark = pytest.mark.host
TEXTS = [("toe", "digits", "foot"), ("leaf", "organ", "plant"), ("door", "panel", "car"), ("page", "sheet", "book")]
READINGS = [
    Reading(question.format(head), text, (answer,), text.index(answer), kind, form)
    for head, kind_of, whole in TEXTS * 15
    for text in [f"one of the small {kind_of} of a {whole}"]
    for question, answer, kind, form in [
        ("What is {} part of?", whole, "whole", 0),
        ("What kind of thing is {}?", kind_of, "kind", 1),
    ]
]
SPLIT = Split(READINGS[:-8], READINGS[-8:], READINGS[-8:], "")


def answers(system, *pairs):
    return [each["answer"] for each in system(list(pairs))]


def test_words_and_where_they_stand():
    text = "a son-in-law's über  (3.11) 字"
    assert [word.text for word in words_of(text)] == ["a", "son-in-law's", "über", "(", "3.11", ")", "字"]
    assert all(text[word.start : word.end] == word.text for word in words_of(text))
    assert words_of("  ") == [("  ", 0, 2)]


def test_noun_phrases_of_words_between_function_words():
    methods = span_methods()
    text = "a hill in the far North of Africa"
    assert answers(methods["first noun phrase"](SPLIT), ("?", text)) == ["hill"]
    assert answers(methods["longest noun phrase"](SPLIT), ("?", text)) == ["far North"]
    assert answers(methods["longest noun phrase"](SPLIT), ("?", "of the (a)"), ("?", "...")) == ["of the (a)", "..."]


def test_a_window_prefers_what_stands_beside_the_questions_words():
    system = sliding_window(SPLIT)
    assert answers(system, ("What is in Fez?", "a city, then a long list of things: a river in Fez")) == ["river"]


def test_the_form_of_a_question():
    form = form_words([each.question for each in READINGS])
    assert form_of("What is the Bay of Fundy part of?", form - {"toe", "leaf", "door", "page"})[:3] == [
        "what",
        "is",
        "X",
    ]
    assert form_of("What is it?", frozenset()) == ["X"]


def test_without_a_question_there_are_fewer_features():
    words = words_of("the foot")
    alone, asked = features(words, ["X"]), features(words, ["what", "is", "X"])
    assert [len(each) for each in alone] == [13, 13]
    assert all(set(a) < set(b) for a, b in zip(alone, asked, strict=True))


def test_the_field_learns_what_is_asked_for():
    pytest.importorskip("pycrfsuite")
    text = "one of the small wheels of a bicycle"
    pairs = [("What is it part of?", text), ("What kind of thing is it?", text)]
    assert answers(crf(SPLIT, question=True), *pairs) == ["bicycle", "wheels"]
    assert len(set(answers(crf(SPLIT, question=False), *pairs))) == 1
