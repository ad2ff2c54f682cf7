import math

import pytest

from minilm.metrics.samples import copied, distinct, repeated


def test_by_hand():
    words = [["a", "b", "a", "b", "a"], ["x", "y", "z"]]  # bigrams ab ba ab ba: 2 of 4; xy yz: 2 of 2
    assert distinct(2, words).value == pytest.approx((2 / 4 + 1) / 2)
    assert repeated(2, words).value == pytest.approx((2 / 4 + 0) / 2)
    assert copied(2, words, ["z", "a", "b", "z", "x", "y", "z"]).value == pytest.approx((2 / 4 + 2 / 2) / 2)


def test_characters_and_words_are_both_tokens():
    assert distinct(1, ["aab"]).value == pytest.approx(2 / 3) == distinct(1, [["a", "a", "b"]]).value
    assert copied(2, ["abc"], "xbcx").value == 0.5
    assert copied(2, [["ab", "c"]], ["ab", "d"]).value == 0


def test_what_is_new_is_not_copied_and_what_is_all_the_same_repeats():
    assert copied(3, ["hello"], "hello world").value == 1
    assert copied(3, ["hello"], "HELLO WORLD").value == 0
    assert repeated(1, ["aaaaaaaaaa"]).value == 0.9
    assert distinct(1, ["aaaaaaaaaa"]).value == pytest.approx(0.1)


def test_samples_too_short_for_an_n_gram_do_not_count():
    assert distinct(3, ["ab", "abcd"]).value == 1
    assert math.isnan(distinct(3, ["ab", ""]).value)
    assert math.isnan(copied(3, ["ab"], "abc").value)


@pytest.mark.parametrize("measure", [distinct, repeated, lambda n, samples: copied(n, samples, "abc")])
def test_errors(measure):
    with pytest.raises(ValueError, match="positive length, got 0"):
        measure(0, ["abc"])
    with pytest.raises(ValueError, match="for one text, give"):
        measure(1, "abc")
    with pytest.raises(ValueError, match="at least one"):
        measure(1, [])
