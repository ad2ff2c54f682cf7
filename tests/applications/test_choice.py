"""The choice: the features by hand, the weights that are learned, and which text wins."""

import numpy as np
import pytest

from minilm.applications.choice import (
    FEATURES,
    Candidate,
    agreement,
    best,
    distinct,
    features,
    learn_weights,
)

CANDIDATES = [
    Candidate("open file", "draft"),
    Candidate("open the file", "neighbor", 0.5),
    Candidate("shut door", "neighbor", 0.25),
    Candidate("open a file", "network"),
]


def table(log_p=(-1.0, -2.0, -6.0, -1.5), lost=(0, 1, 0, 0)):
    rows = features("open FILE", CANDIDATES, [2, 4, 3, 4], lost, log_p)
    return {name: rows[:, i].tolist() for i, name in enumerate(FEATURES)}


def test_each_text_once_as_it_comes_first():
    twice = [*CANDIDATES[:2], Candidate("open file", "network"), CANDIDATES[3]]
    assert distinct(twice) == [*CANDIDATES[:2], CANDIDATES[3]]
    assert distinct([]) == []


def test_two_texts_agree_in_words_and_pairs_of_them():
    found = agreement(["open file", "open the file", "", "打开文件", "打开"])
    assert found[0, 1] == pytest.approx(2 * 2 / (3 + 5))
    assert found[3, 4] == pytest.approx(2 * 3 / (7 + 3))  # two characters and the pair of them
    assert found[0, 2] == found[2, 2] == 0
    assert found[0, 0] == found[3, 3] == 1
    assert np.array_equal(found, found.T)
    assert agreement(["the the"] * 2)[0, 1] == 1


def test_features_by_hand():
    found = table()
    assert found["log p"] == [-1, -2, -6, -1.5]
    assert found["log p per token"] == [-0.5, -0.5, -2, -0.375]
    assert found["tokens"] == [2, 4, 3, 4]
    assert found["log of tokens"] == pytest.approx(np.log([2, 4, 3, 4]).tolist())
    assert found["neighbor"] == [0, 1, 1, 0]
    assert found["neighbor's likeness"] == [0, 0.25, 0.0625, 0]
    assert found["nearest likeness, if no neighbor"] == [0.5, 0, 0, 0.5]
    assert found["network"] == [0, 0, 0, 1]
    assert found["units lost or added"] == [0, 1, 0, 0]
    assert found["new words"] == [0, pytest.approx(1 / 3), 1, pytest.approx(1 / 3)]


def test_nobody_agrees_with_himself():
    found = table()
    assert found["agreement of drafts"] == [0, 0.5, 0, 0.5]  # the only draft has no other to agree with
    assert found["agreement of neighbors"] == [0.25, 0, 0, pytest.approx((2 * 2 / 10) / 2)]  # and each neighbor one
    assert found["agreement of all"] == pytest.approx([1 / 3, 0.9 / 3, 0, 0.9 / 3])


def test_without_a_network_its_numbers_are_nothing():
    found = table(None)
    assert found["log p"] == found["log p per token"] == [0] * 4


def test_the_highest_sum_wins_and_of_equal_ones_the_first():
    rows = features("open FILE", CANDIDATES, [2, 4, 3, 4], [0] * 4, [-1.0, -2.0, -6.0, -1.5])
    assert best(rows, {}) == 0
    assert best(rows, {"tokens": 1.0}) == 1
    assert best(rows, {"log p": -1.0}) == 2
    assert best(rows, {"network": 1.0, "log p": 0.1}) == 3


class TestWeights:
    def made(self, n=60):
        """Questions of four candidates, and what each is worth: the first three numbers tell, the others do not."""
        rng = np.random.default_rng(0)
        rows = [rng.normal(size=(4, len(FEATURES))) + rng.normal() * 9 for _ in range(n)]
        wanted = np.zeros(len(FEATURES))
        wanted[:3] = 1.0, -0.5, 0.25
        return rows, [row @ wanted for row in rows]

    def test_they_find_the_best_whatever_a_question_adds_to_all(self):
        rows, worth = self.made()
        found = learn_weights(rows, [each + 50 * (i % 3) for i, each in enumerate(worth)], [1.0] * len(rows))
        assert list(found) == list(FEATURES)
        assert np.mean([best(row, found) == np.argmax(each) for row, each in zip(rows, worth, strict=True)]) > 0.9
        assert found[FEATURES[0]] > -found[FEATURES[1]] > found[FEATURES[2]] > 0

    def test_questions_may_have_more_or_fewer_candidates(self):
        rows, worth = self.made()
        fewer = [i % 4 + 1 for i in range(len(rows))]
        cut = [row[:n] for row, n in zip(rows, fewer, strict=True)]
        found = learn_weights(cut, [each[:n] for each, n in zip(worth, fewer, strict=True)], [1.0] * len(rows))
        assert np.mean([best(row, found) == np.argmax(each) for row, each in zip(rows, worth, strict=True)]) > 0.8

    def test_what_never_differs_within_a_question_gets_none(self):
        rows, worth = self.made()
        for row in rows:
            row[:, 3] = row[0, 3]
        found = learn_weights(rows, worth, [1.0] * len(rows))
        assert found[FEATURES[3]] == 0
        assert all(np.isfinite(list(found.values())))

    def test_a_question_counts_as_much_as_it_is_important(self):
        rows, _ = self.made()
        worth = [row[:, 0] * (1 if i % 2 else -1) for i, row in enumerate(rows)]
        found = learn_weights(rows, worth, [100.0 if i % 2 else 1.0 for i in range(len(rows))])
        assert np.mean([best(row, found) == np.argmax(row[:, 0]) for row in rows]) > 0.8
