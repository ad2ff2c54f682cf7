"""Ratios of sums over documents, on numbers that can be worked out by hand."""

import math

import pytest

from minilm.metrics import bits_per_byte, bits_per_character, loss_per_token, perplexity, text_size


def test_a_model_that_knows_nothing_of_its_alphabet():
    """Each of 8 tokens has probability 1/8: 3 bits, and a perplexity of 8."""
    nats = 10 * math.log(8)
    assert loss_per_token(nats, 10) == pytest.approx(math.log(8))
    assert perplexity(nats, 10) == pytest.approx(8.0)
    assert bits_per_character(nats, 10) == pytest.approx(3.0)
    assert bits_per_byte(nats, 20) == pytest.approx(1.5)


def test_documents_are_added_up_before_they_are_divided():
    """A short document that is hard, and a long one that is easy: 110 nats in 101 tokens, not (10 + 1) / 2."""
    nats, tokens = [10.0, 100.0], [1, 100]
    assert loss_per_token(nats, tokens) == pytest.approx(110 / 101)
    assert perplexity(nats, tokens) == pytest.approx(math.exp(110 / 101))
    assert bits_per_byte(nats, [4, 400]) == pytest.approx(110 / 404 / math.log(2))


@pytest.mark.parametrize(
    ("text", "characters", "size"),
    [("", 0, 0), ("abc", 3, 3), ("é", 1, 2), ("猫が", 2, 6), ("😀", 1, 4), ("\ud800", 1, 3)],
)
def test_characters_are_no_bytes(text, characters, size):
    assert text_size(text) == (characters, size)


def test_no_digit_is_lost_in_many_documents():
    """A hundred thousand documents of 0.1 after one of 1e9: their sum is exact before it is rounded."""
    nats = [1e9] + [0.1] * 100_000
    assert loss_per_token(nats, [1] * len(nats)) == math.fsum(nats) / len(nats)


def test_what_is_too_surprising_has_an_infinite_perplexity():
    assert perplexity(1e6, 1) == math.inf
    assert math.isnan(perplexity(math.nan, 1))


def test_what_cannot_be_is_told():
    for call, told in (
        (lambda: loss_per_token(1.0, 0), "there are no tokens"),
        (lambda: bits_per_byte([1.0], [0]), "there are no bytes"),
        (lambda: bits_per_character([], []), "there are no characters"),
        (lambda: loss_per_token([1.0, 2.0], [3]), "2 sums of nats and 1 counts of tokens"),
        (lambda: loss_per_token([1.0, 2.0], [3, -1]), "a count of tokens is negative: -1"),
    ):
        with pytest.raises(ValueError, match=told):
            call()
