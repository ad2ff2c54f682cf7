"""Ranks and what is made of them: by hand, ties against the system, nothing found."""

import numpy as np
import pytest

from minilm.metrics import mrr, ndcg, ranks, recall_at
from tests.metrics.draws import check_draws

RANKS = [1, 3, None, 2]


def test_ranks_count_what_is_as_high():
    scores = [[0.1, 0.9, 0.5], [0.3, 0.3, 0.3], [0.5, 0.2, 0.9]]
    assert ranks(scores, [1, 0, 1]).tolist() == [1, 3, 3]


def test_by_hand():
    assert mrr(RANKS).value == pytest.approx((1 + 1 / 3 + 0 + 1 / 2) / 4)
    assert [recall_at(k, RANKS).value for k in (1, 2, 3, 99)] == [0.25, 0.5, 0.75, 0.75]
    assert recall_at(5, RANKS).name == "recall@5"
    gained = (3 / np.log2(2) + 2 / np.log2(4)) / (3 / np.log2(2) + 2 / np.log2(3))
    assert ndcg([[3, 0, 2]]).value == pytest.approx(gained)
    assert ndcg([[3, 0, 2]], k=1).value == 1.0
    assert ndcg([[0, 0], [1, 0]]).value == 0.5


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    check_draws(mrr, RANKS)
    check_draws(lambda r: recall_at(2, r), RANKS)
    check_draws(ndcg, [[3, 0, 2], [0, 1], [0]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mrr([]), "there is no example"),
        (lambda: mrr([1, 0]), "rank of question 1 is 0: the first is 1"),
        (lambda: mrr([np.nan]), "rank of question 0 is nan"),
        (lambda: recall_at(0, [1]), "k = 0"),
        (lambda: ndcg([[1]], k=0), "k = 0"),
        (lambda: ndcg([[1], [-1]]), "gain of question 1 is negative"),
        (lambda: ndcg([]), "there is no example"),
        (lambda: ranks([[1.0, np.nan]], [0]), "score of question 0 is NaN"),
        (lambda: ranks([[1.0, 2.0]], [2]), "an integer from 0 to 1"),
        (lambda: ranks([1.0, 2.0], [0]), r"shape \(questions, documents\)"),
        (lambda: ranks(np.zeros((0, 2)), np.zeros(0, int)), "there is no question"),
    ],
)
def test_what_cannot_be_measured_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
