import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data import DataError, fold_text, without_copies

TEXTS = st.text(st.sampled_from("aAbÉe\u0301 ,.!-\u3000\t+ß😀Ａ"), max_size=6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("To be, or not", "to be or NOT!"), ("a\tb\u3000\n", "a b"), ("Straße", "STRASSE"), ("ＡＢＣ１２", "abc12"),
        ("caf\u00e9", "cafe\u0301"), ("很好，很 便宜。", "很好很便宜"), ("can\u2019t", "can't"), ("zero\u200bwidth", "zerowidth"),
        ("ﬁne", "FINE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)  # fmt: skip
def test_what_is_folded(a, b):
    assert fold_text(a) == fold_text(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [("C++", "C"), ("😀", "😡"), ("5 $", "5 €"), ("?", "!"), ("", "?"), ("3", "4"), ("e", "é"), ("不好", "好")],
)
def test_what_is_not(a, b):
    assert fold_text(a) != fold_text(b)


@given(TEXTS)
def test_folding_twice_is_folding_once(text):
    once = fold_text(text)
    assert fold_text(once) == once
    assert unicodedata.is_normalized("NFKC", once)


@given(st.lists(TEXTS, max_size=12))
def test_the_plain_rule(texts):
    plain = [text for place, text in enumerate(texts) if fold_text(text) not in map(fold_text, texts[:place])]
    found = without_copies(texts)
    assert found.kept == plain == [texts[place] for place in found.indices]
    assert found.removed == found.copies == len(texts) - len(plain)
    assert found.contradictions == 0


def test_the_first_is_kept_as_it_is():
    pairs = [("Good.", 1), ("bad", 0), ("good", 1), ("GOOD!", 1)]
    found = without_copies(pairs, key=lambda pair: pair[0])
    assert (found.kept, found.indices, found.copies) == (pairs[:2], [0, 1], 2)


def test_a_text_with_two_labels_goes_altogether():
    pairs = [("so so", 1), ("good", 1), ("So so!", 0), ("so so", 1), ("Good", 1)]
    found = without_copies(pairs, lambda pair: pair[0], label=lambda pair: pair[1])
    assert found.kept == [("good", 1)]
    assert (found.copies, found.contradictions, found.removed) == (1, 3, 4)
    assert without_copies(pairs, lambda pair: pair[0]).kept == pairs[:2]


def test_nothing_is_no_mistake():
    found = without_copies(iter([]))
    assert (found.kept, found.removed) == ([], 0)


def test_what_is_no_text_is_refused():
    with pytest.raises(DataError, match=r"item 1 is compared by tuple .*pass key="):
        without_copies(["a", ("b", 1)])
    with pytest.raises(DataError, match=r"label=\.\.\. gives arrays"):
        without_copies(["a", "a"], label=lambda text: np.zeros(2))
