"""Exact match and F1 of tokens: what is no part of an answer, several right ones, none."""

import pytest

from minilm.metrics import exact_match, normalized, token_f1
from tests.metrics.draws import check_draws


def test_what_is_no_part_of_an_answer():
    assert normalized(" The  U.S. Army's\tan apple-tree a ") == "us armys appletree"
    assert normalized("theatre") == "theatre"
    assert normalized("the") == ""


def test_exact_match():
    assert exact_match(["Paris", ["one", "1"], "x"], ["paris.", "the 1", "y"]).value == 2 / 3


def test_f1_of_tokens():
    p, r = 2 / 3, 2 / 4
    assert token_f1(["in the old city of york"], ["old city centre"]).value == pytest.approx(
        2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5)
    )
    assert token_f1(["b b c d"], ["b b x"]).value == pytest.approx(2 * p * r / (p + r))
    assert token_f1([["x", "b c"]], ["b c"]).value == 1.0
    assert token_f1(["北京大学"], ["北京"]).value == 0.0
    assert token_f1(["北京大学"], ["北京"], tokens=list).value == pytest.approx(2 * 2 / 6)


def test_no_answer_is_right_for_no_answer_alone():
    assert token_f1(["", "", "x"], ["", "x", ""]).value == exact_match(["", "", "x"], ["", "x", ""]).value == 1 / 3


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    check_draws(token_f1, ["a b", "c", ""], ["b", "c d", ""])
    check_draws(exact_match, ["b", "c", ""], ["b", "c d", ""])


@pytest.mark.parametrize("metric", [exact_match, token_f1])
def test_what_cannot_be_measured_is_said(metric):
    for truth, answers, words in (
        ([], [], "no example"),
        (["a"], [], "1 examples and 0"),
        ([[]], ["a"], "no reference"),
    ):
        with pytest.raises(ValueError, match=words):
            metric(truth, answers)
