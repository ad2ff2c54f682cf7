"""BLEU by hand, its tokens, smoothing, several references, and nothing in common."""

import math

import numpy as np
import pytest

from minilm.metrics import bleu, sentence_bleu
from minilm.metrics.bleu import bleu_counts, words_13a, words_zh
from tests.metrics.draws import check_draws

REFERENCES = ["the cat is on the mat today", "a dog"]
ANSWERS = ["the cat sat on the mat today", "the the dog"]


def test_the_counts_of_a_sentence():
    """Of "the the dog" only one "the" would be right if the reference had one; it has none."""
    counts = bleu_counts([REFERENCES[0]], ANSWERS[0])
    assert counts.tolist() == [7, 7, 6, 4, 2, 1, 7, 6, 5, 4]
    assert bleu_counts([REFERENCES[1]], ANSWERS[1]).tolist() == [3, 2, 1, 0, 0, 0, 3, 2, 1, 0]
    assert bleu_counts(["the cat the"], "the the the").tolist()[2] == 2


def test_by_hand():
    product = (7 / 10) * (4 / 8) * (2 / 6) * (1 / 4)
    assert bleu(REFERENCES, ANSWERS).value == pytest.approx(100 * product ** (1 / 4))
    brief = bleu(["the cat is on the mat"], ["the cat is on"]).value
    assert brief == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_what_is_missing_is_halved_again_and_again():
    """No 3-gram and no 4-gram is right: 1 / (2 * 2) and 1 / (4 * 1)."""
    value = bleu(["a b x c"], ["a b c d"]).value
    assert value == pytest.approx(100 * (3 / 4 * 1 / 3 * (1 / 4) * (1 / 4)) ** (1 / 4))


def test_several_references():
    """The most of each, and the length that is nearest; of two as near the shorter."""
    assert bleu_counts(["a b", "b b c d"], "b b a").tolist()[:3] == [3, 2, 3]
    assert bleu([["a b c d", "x"]], ["a b c d"]).value == pytest.approx(100)


def test_a_sentence_alone_goes_as_far_as_its_words():
    assert bleu(["a b"], ["a b"]).value == 0.0
    assert sentence_bleu("a b", "a b") == pytest.approx(100)
    assert sentence_bleu("a b", "c d") == 0.0
    assert sentence_bleu("a b", "") == 0.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 3.5%, isn't it?", ["It's", "3.5", "%", ",", "isn't", "it", "?"]),
        ("1,000 end. 5-6 a-b", ["1,000", "end", ".", "5", "-", "6", "a-b"]),
        ("AT&amp;T &lt;b&gt;", ["AT", "&", "T", "<", "b", ">"]),
        ("line-\nbreak\nnew <skipped>", ["linebreak", "new"]),
        ("", []),
    ],
)
def test_tokens_of_13a(text, words):
    assert words_13a(text) == words


def test_tokens_of_zh():
    assert words_zh(" 我有 2.5 kg，谢谢。") == ["我", "有", "2.5", "kg", "，", "谢", "谢", "。"]
    assert bleu(["我们有四个字"], ["我们有五个字"], tokenize="zh").value > 0
    assert bleu(["我们有四个字"], ["我们有五个字"]).value == 0.0


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    check_draws(bleu, REFERENCES, ANSWERS)
    words = list("aaabbc")
    rng = np.random.default_rng(0)

    def make():
        return " ".join(rng.choice(words, rng.integers(0, 9)))

    check_draws(bleu, [make() for _ in range(12)], [make() for _ in range(12)])


class TestEdges:
    def test_nothing_said_nothing_asked(self):
        assert bleu(["a b c d"], [""]).value == 0.0
        assert bleu([""], ["a b c d"]).value == 0.0
        assert bleu([""], [""]).value == 0.0

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: bleu([], []), "there is no example"),
            (lambda: bleu(["a"], ["a", "b"]), "1 examples and 2 answers"),
            (lambda: bleu("ab", ["a", "b"]), "got one text: 'ab'"),
            (lambda: bleu([[]], ["a"]), "example 0 has no reference"),
            (lambda: bleu(["a"], [None]), "answer of example 0 is NoneType, expected a text"),
            (lambda: bleu([[None]], ["a"]), "reference of example 0"),
            (lambda: bleu(["a"], ["a"], tokenize="intl"), "no tokenizer 'intl'; there are 13a, zh"),
        ],
    )
    def test_what_cannot_be_measured_is_said(self, call, words):
        with pytest.raises(ValueError, match=words):
            call()
