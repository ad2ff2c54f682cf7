"""ROUGE by hand, in words and in characters; the longest common subsequence against its table."""

import numpy as np
import pytest

from minilm.metrics import rouge
from minilm.metrics.rouge import characters, common_subsequence, common_subsequence_plain, overlap, words
from tests.metrics.draws import check_draws

REFERENCE, ANSWER = "police killed the gunman", "police kill the gunman now"


def test_by_hand():
    p, r = 3 / 5, 3 / 4
    assert rouge(1, [REFERENCE], [ANSWER]).value == pytest.approx(2 * p * r / (p + r))
    assert rouge(1, [REFERENCE], [ANSWER], "precision").value == p
    assert rouge(1, [REFERENCE], [ANSWER], "recall").value == r
    assert rouge(2, [REFERENCE], [ANSWER], "recall").value == 1 / 3
    assert rouge("L", [REFERENCE], [ANSWER], "recall").value == 3 / 4
    assert rouge("L", [REFERENCE], [ANSWER], "recall").name == "ROUGE-L recall"
    assert rouge("L", ["a b c d"], ["d a c"], "precision").value == 2 / 3


def test_a_word_counts_as_often_as_both_have_it():
    assert overlap(1, list("aab"), list("aaa")).precision == 2 / 3


def test_of_several_references_that_with_the_best_f_counts():
    assert rouge(1, [["x y", REFERENCE]], [REFERENCE]).value == 1


def test_tokens():
    assert words("Don't stop: 3.5 ÉTÉ, 中文!") == ["don", "t", "stop", "3", "5", "t"]
    assert characters("中文 GPT-2 模型，été_") == ["中", "文", "gpt", "2", "模", "型", "é", "t", "é"]
    assert rouge(1, ["中文"], ["中国"]).value == 0
    assert rouge(1, ["中文"], ["中国"], tokens=characters).value == 0.5


@pytest.mark.parametrize("letters", ["ab", "abcdefgh"])
def test_the_subsequence_is_that_of_the_table(letters):
    rng = np.random.default_rng(0)
    for _ in range(100):
        first, second = ("".join(rng.choice(list(letters), rng.integers(0, 80))) for _ in range(2))
        assert common_subsequence(first, second) == common_subsequence_plain(first, second)


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    check_draws(lambda r, a: rouge("L", r, a), ["a b", "c", ""], ["a", "c d", "x"])


def test_nothing_said_nothing_asked():
    for kind in (1, 2, "L"):
        assert (
            rouge(kind, [REFERENCE], [""]).value
            == rouge(kind, [""], [ANSWER]).value
            == rouge(kind, [""], [""]).value
            == 0
        )


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: rouge(1, [], []), "there is no example"),
        (lambda: rouge(0, ["a"], ["a"]), "no ROUGE-0"),
        (lambda: rouge("W", ["a"], ["a"]), "no ROUGE-W"),
        (lambda: rouge(1, ["a"], ["a"], "p"), "no part 'p'; there are precision, recall, f"),
        (lambda: rouge(1, [[]], ["a"]), "no reference"),
    ],
)
def test_what_cannot_be_measured_is_said(call, error):
    with pytest.raises(ValueError, match=error):
        call()
