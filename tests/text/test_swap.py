"""Words exchanged for their partners: both ways, with capitals, and her that is his or him."""

import pytest

from minilm.text.swap import PRONOUNS, Swap

SWAP = Swap([*PRONOUNS, ("man", "woman"), ("actor", "actress")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He is a man.", "She is a woman."),
        ("she saw him", "he saw her"),
        ("Her film is her best; I saw her.", "His film is his best; I saw him."),
        ("I saw her in it, and her eyes", "I saw him in it, and his eyes"),
        ("I like her, her.", "I like him, him."),
        ("HE and I", "SHE and I"),
        ("the actor's woman, no woman-hater", "the actress's man, no man-hater"),
        ("human manner hers", "human manner hers"),
        ("himself", "herself"),
        ("", ""),
        ("no such word: 他 né", "no such word: 他 né"),
    ],
)
def test_by_hand(text, expected):
    assert SWAP(text) == expected


def test_twice_is_the_same_text_where_no_her_is_in_it():
    text = "He said that the man thanked his actor; SHE laughed."
    assert SWAP(SWAP(text)) == text


def test_a_single_capital_is_that_of_a_name_not_of_a_shout():
    assert Swap([("a", "the")])("A b") == "The b"


def test_the_first_pair_of_a_word_counts():
    assert Swap([("guy", "gal"), ("guy", "woman")])("guy woman") == "gal guy"


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "there is no pair"),
        ([("man", "man")], r"two different words in lower case, got \('man', 'man'\)"),
        ([("Man", "woman")], "lower case"),
        ([("ex_wife", "ex_husband")], "lower case"),
        ([("man",)], "two different words"),
    ],
)
def test_what_is_no_pair_is_said(pairs, words):
    with pytest.raises(ValueError, match=words):
        Swap(pairs)
