"""Pairs of digits and words, and thresholds: on digits that are one pixel each."""

import numpy as np
import pytest

from minilm.book import digits
from minilm.book.digits import (
    Part,
    alikeness,
    chosen_threshold,
    digit_parts,
    fit_classifier,
    fit_exits,
    fit_towers,
    lookup_scores,
    named,
    shown,
    stopped,
    tower_scores,
)
from minilm.book.number_words import NUMBER_WORDS

WORDS = {name: NUMBER_WORDS[name] for name in ("Italian", "Portuguese", "Chinese")}


def part(n=100, seed=0):
    rng, labels = np.random.default_rng(seed), np.arange(n) % 10
    return Part((np.eye(10)[labels] + 0.1 * rng.standard_normal((n, 10))).astype(np.float32), labels)


def test_ten_words_in_each_language():
    assert {len(words) for words in NUMBER_WORDS.values()} == {10}
    assert len(NUMBER_WORDS) == 22
    assert all(len(set(words)) == 10 for words in NUMBER_WORDS.values())


def test_parts_are_disjoint_and_have_all_digits(monkeypatch):
    images = np.arange(100 * 4, dtype=np.uint16).reshape(100, 2, 2)
    monkeypatch.setattr(digits, "mnist_5k", lambda: (images, np.arange(100) // 10))
    parts = digit_parts(3)
    assert [len(each.digits) for each in parts] == [70, 10, 20]
    assert len({row[0] for each in parts for row in each.images.tolist()}) == 100
    assert np.bincount(parts.test.digits).tolist() == [2] * 10
    assert parts.train.images.dtype == np.float32


@pytest.mark.slow
def test_towers_name_digits_also_by_a_word_that_looks_like_one_they_know():
    model = fit_towers(part(), WORDS, seed=0, epochs=40)
    assert named(tower_scores(model, part(seed=1).images, WORDS["Italian"]), part().digits) > 0.9
    spanish = tower_scores(model, part(seed=1).images, NUMBER_WORDS["Spanish"])
    assert named(spanish, part().digits) > 0.5
    korean = tower_scores(model, part(seed=1).images, tuple("영일이삼사오육칠팔구"))
    assert not korean.any()


def test_a_classifier_and_a_dictionary():
    model = fit_classifier(part(), seed=0, epochs=40)
    scores = lookup_scores(model, part(seed=1).images, WORDS["Italian"], WORDS)
    assert named(scores, part().digits) > 0.9
    assert shown(scores, part().digits, first=5) > 0.9
    assert named(lookup_scores(model, part(seed=1).images, NUMBER_WORDS["Spanish"], WORDS), part().digits) > 0.7


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("due", "due", 1), ("due", "dos", 1 / 3), ("", "", 1), ("a", "", 0), ("tre", "tres", 3 / 4)],
)
def test_alikeness(a, b, expected):
    assert alikeness(a, b) == pytest.approx(expected)
    assert alikeness(b, a) == pytest.approx(expected)


def test_named_and_shown():
    scores = np.eye(10)[np.arange(20) % 10]
    assert named(scores, np.arange(20) % 10) == 1.0
    assert shown(scores, np.arange(20) % 10, first=2) == 1.0
    assert named(scores, (np.arange(20) + 1) % 10) == 0.0
    assert shown(scores, (np.arange(20) + 1) % 10, first=2) == 0.0


def test_thresholds():
    model = fit_exits(part(), (4, 8), seed=0, epochs=3)
    costs = [stopped(model, part(seed=1), t).cost for t in (0.0, 0.3, 0.6, 2.0)]
    assert costs == sorted(costs)
    assert (costs[0], costs[-1]) == tuple(model.costs())
    whole = stopped(model, part(seed=1), 2.0).accuracy
    t = chosen_threshold(model, part(seed=1), (0.0, 0.3, 0.6, 0.9))
    assert stopped(model, part(seed=1), t).accuracy >= whole
    assert chosen_threshold(model, part(seed=1), ()) == 2.0
