"""A matrix in print."""

import numpy as np
import pytest

import minilm as ml
from minilm.book.labeled import labeled


def test_words_stand_at_both_axes_and_zeros_are_dots():
    text = labeled(ml.tensor([[1.0, 0.0], [-0.25, 0.001]]), ["a", "cat"], ["x", "longer"])
    assert text.split("\n") == [
        "        x longer",
        "a    1.00      .",
        "cat -0.25      .",
    ]  # fmt: skip


def test_minus_infinity_and_whole_numbers():
    assert labeled(np.array([[-np.inf, 2.0]]), ["a"], ["b", "c"], digits=0) == "     b c\na -inf 2"


def test_words_must_fit():
    with pytest.raises(ValueError, match=r"shape \(2, 2\) has other axes than 1 and 2 words"):
        labeled(np.zeros((2, 2)), ["a"], ["b", "c"])
