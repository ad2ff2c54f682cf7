"""chrF by hand: lengths of which one side has none, recall twice, words with their marks."""

import numpy as np
import pytest

from minilm.metrics import chrf
from tests.metrics.draws import check_draws


def test_by_hand():
    """ab against abc: 1-grams 2 of 2 and 2 of 3, 2-grams 1 of 1 and 1 of 2; the longer ones only one side has, or none."""
    p, r = (2 / 2 + 1 / 1) / 2, (2 / 3 + 1 / 2) / 2
    assert chrf(["abc"], ["ab"]).value == pytest.approx(100 * 5 * p * r / (4 * p + r))
    assert (
        chrf(["ab"], ["abc"]).value > chrf(["abc"], ["ab"]).value
    )  # what is left out costs more than what is too much


def test_counts_are_summed_before_shares_are_taken():
    assert chrf(["aaaa", "b"], ["aaaa", "c"]).value != pytest.approx(50)


def test_space_is_no_character():
    assert chrf(["a b c"], ["abc"]).value == 100
    assert chrf(["a b c"], ["abc"], words=2).value < 100


def test_words_and_their_marks():
    name = chrf(["Hello, world!"], ["Hello, world!"], words=2)
    assert (name.name, name.value) == ("chrF++", 100)
    one = chrf(["(hi) x"], ["( hi) x"], words=1).value
    assert 0 < one < 100  # "(hi" and ")" are its words: of two marks the last stands alone


def test_of_several_references_the_best_counts():
    assert chrf([["xyz", "abc"]], ["abc"]).value == 100


def test_chinese_needs_no_words():
    assert 0 < chrf(["我们有四个字"], ["我们有五个字"]).value < 100


@pytest.mark.parametrize("words", [0, 2])
def test_of_a_draw_it_is_the_number_of_what_was_drawn(words):
    rng = np.random.default_rng(0)

    def make():
        return "".join(rng.choice(list("ab c"), rng.integers(0, 12)))

    check_draws(lambda r, a: chrf(r, a, words), [make() for _ in range(12)], [make() for _ in range(12)])


def test_nothing_said_nothing_asked():
    assert chrf(["abc"], [""]).value == chrf([""], ["abc"]).value == chrf([""], [""]).value == 0.0
    assert chrf(["abc"], ["xyz"]).value == 0.0
    with pytest.raises(ValueError, match="there is no example"):
        chrf([], [])
    with pytest.raises(ValueError, match="no reference"):
        chrf([[]], ["a"])
