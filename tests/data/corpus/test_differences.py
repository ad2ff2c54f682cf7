"""Words that one text has and the other has not, and nothing else, are marked; no text takes long."""

import random
import time

import pytest

from minilm.data.corpus.differences import MOST, differences
from tests.data.corpus.texts import any_texts


def marked(one, other):
    """Both texts with marks in brackets."""
    return ["".join(f"[{text}]" if mark else text for text, mark in parts) for parts in differences(one, other)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a b c", "a x c", ["a [b] c", "a [x] c"]),
        ("a b c d", "a c d e f", ["a [b] c d", "a c d [e f]"]),
        ("  a\n\tb ", "a b", ["  a\n\tb ", "a b"]),
        ("The end.", "the end", ["[The end.]", "[the end]"]),
        ("中国，很大", "中国很小 x", ["中国[，]很[大]", "中国很[小 x]"]),
        ("", "a", ["", "[a]"]),
        ("", "", ["", ""]),
        ("a b", "c d", ["[a b]", "[c d]"]),
        ("x " + "a " * 300, "a " * 300 + "y", ["[x] " + "a " * 300, "a " * 300 + "[y]"]),
    ],
)
def test_by_hand(one, other, expected):
    assert marked(one, other) == expected
    assert marked(other, one) == expected[::-1]


def test_parts_are_the_text_and_what_is_not_marked_is_the_same():
    texts = any_texts(60)
    for one, other in zip(texts, [*texts[1:], texts[0]], strict=True):
        found = differences(one, other)
        assert ["".join(text for text, _ in parts) for parts in found] == [one, other]
        same = ["".join("".join(text.split()) for text, mark in parts if not mark) for parts in found]
        assert same[0] == same[1]


def test_behind_the_most_words_nothing_is_marked():
    numbers = " ".join(map(str, range(MOST - 1)))
    assert marked(f"{numbers} x b", f"{numbers} y b")[0].endswith("98 [x] b")
    assert "[" not in marked(f"a {numbers} x b", f"a {numbers} y b")[0]


@pytest.mark.slow
def test_texts_of_few_words_again_and_again_do_not_take_long():
    rng = random.Random(0)
    one, other = ("".join(rng.choices("中国", k=9_000)) for _ in range(2))
    began = time.process_time()
    differences(one, other)
    assert time.process_time() - began < 5
