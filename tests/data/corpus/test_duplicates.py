"""Groups of near copies, and the one that is kept: against brute force, and whatever the order of files."""

import numpy as np
import pytest

from minilm.data.components import connected_components
from minilm.data.corpus import duplicates as module
from minilm.data.corpus.bands import band_keys, buckets
from minilm.data.corpus.duplicates import (
    canonical_order,
    checked_links,
    digest,
    jaccard,
    kept_of_groups,
    near_duplicates,
    near_duplicates_plain,
    star,
)
from minilm.data.corpus.minhash import signatures
from minilm.data.corpus.normalize import bare_text
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import shingles_plain
from tests.data.corpus.texts import any_texts, families

TEXTS = families(15, length=80)


def order_of(texts):
    return canonical_order([len(text) for text in texts], [digest(text) for text in texts])


def kept_texts(texts, kept):
    return sorted({texts[i] for i in kept})


@pytest.fixture(scope="module")
def plain():
    return near_duplicates_plain(TEXTS)


def test_all_that_meet_and_are_checked_are_what_brute_force_finds(plain):
    """With bands of one number all pairs that are alike meet, and with as many leaders as documents all are compared."""
    keys = band_keys(signatures(TEXTS), 128, 1)
    checked = kept_of_groups(keys, order_of(TEXTS), lambda pairs: jaccard(TEXTS, pairs) >= 0.8, leaders=len(TEXTS))
    assert checked.tolist() == plain
    assert 15 <= len(set(plain)) < len(TEXTS)


def test_on_texts_of_any_characters():
    texts = any_texts(80)
    keys = band_keys(signatures(texts, 64), 64, 1)
    found = kept_of_groups(keys, order_of(texts), lambda pairs: jaccard(texts, pairs) >= 0.5, leaders=len(texts))
    assert found.tolist() == near_duplicates_plain(texts, 0.5)


@pytest.mark.parametrize("check", [True, False])
def test_most_of_them_are_found_and_the_check_lets_nothing_false_pass(plain, check):
    found = near_duplicates(TEXTS, check=check)
    if check:
        assert all(plain[i] == plain[kept] for i, kept in enumerate(found))
    removed = np.array(plain) != np.arange(len(plain))
    assert removed.sum() > 20
    assert (found != np.arange(len(found)))[removed].mean() > 0.6


@pytest.mark.parametrize("check", [True, False])
def test_what_is_kept_does_not_depend_on_the_order(check):
    found = kept_texts(TEXTS, near_duplicates(TEXTS, check=check))
    for seed in range(2):
        shuffled = [TEXTS[i] for i in np.random.default_rng(seed).permutation(len(TEXTS))]
        assert kept_texts(shuffled, near_duplicates(shuffled, check=check)) == found


def test_links_of_parts_together_are_those_of_the_whole():
    """The buckets may be divided among workers."""
    keys = band_keys(signatures(TEXTS), 32, 4)[order_of(TEXTS)]
    texts = [TEXTS[i] for i in order_of(TEXTS)]

    def alike(pairs):
        return jaccard(texts, pairs) >= 0.8

    n = len(texts)
    whole = connected_components(n, checked_links(buckets(keys), n, alike, leaders=2))
    parts = [checked_links(buckets(band[:, None]), n, alike, leaders=2) for band in keys.T]
    assert np.array_equal(connected_components(n, np.concatenate(parts[::-1])), whole)
    unchecked = [star(buckets(band[:, None])) for band in keys.T]
    assert np.array_equal(
        connected_components(n, np.concatenate(unchecked)), connected_components(n, star(buckets(keys)))
    )


def test_the_longest_is_kept_and_of_equals_the_one_with_the_smaller_digest():
    assert near_duplicates(["one and the same text", "One and the same text!!", "another"]).tolist() == [1, 1, 2]
    texts = ["the same text here", "The same text here"]
    smaller = int(np.argmin([digest(text) for text in texts]))
    assert near_duplicates(texts).tolist() == [smaller, smaller]
    assert canonical_order([3, 5, 5], [9, 2**64 - 1, 1]).tolist() == [2, 1, 0]


def test_a_digest_tells_texts_and_names_apart():
    assert len({digest("a"), digest("b"), digest("a", "b"), digest("ab"), digest("", "ab"), digest("\ud800")}) == 6


def test_all_equal_are_one_group_and_few_comparisons():
    compared = []

    def alike(pairs):
        compared.append(len(pairs))
        return np.ones(len(pairs), np.bool_)

    n = 20_000
    keys = np.zeros((n, 2), np.uint64)
    order = np.random.default_rng(0).permutation(n)
    assert set(kept_of_groups(keys, order, alike).tolist()) == {order[0]}
    assert compared == [n - 1]
    assert len(star(buckets(keys))) == 2 * (n - 1)


def test_a_bucket_in_which_nothing_is_alike_costs_no_more_than_its_leaders():
    compared = []

    def unlike(pairs):
        compared.append(len(pairs))
        return np.zeros(len(pairs), np.bool_)

    n = 1000
    assert len(checked_links(buckets(np.zeros((n, 1), np.uint64)), n, unlike, leaders=3)) == 0
    assert compared == [n - 1, n - 2, n - 3]


def test_two_that_are_alike_meet_though_the_first_of_their_bucket_is_like_neither():
    bucket = Ragged(np.arange(3), np.array([3]))
    found = checked_links(bucket, 3, lambda pairs: (pairs == [1, 2]).all(axis=1))
    assert found.tolist() == [[1, 2]]


def test_of_what_is_compared_already_nothing_is_compared_again():
    asked = []

    def alike(pairs):
        asked.extend(map(tuple, pairs.tolist()))
        return pairs.sum(axis=1) % 2 == 0

    keys = np.zeros((5, 4), np.uint64)
    checked_links(buckets(keys), 5, alike)
    assert len(asked) == len(set(asked))


def test_jaccard_is_that_of_sets(monkeypatch):
    texts = any_texts(40, 5)
    pairs = np.random.default_rng(0).integers(0, 40, (100, 2))
    sets = [set(shingles_plain(bare_text(text), 3)) for text in texts]
    expected = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in pairs]
    assert jaccard(texts, pairs, 3).tolist() == expected
    monkeypatch.setattr(module, "CHARACTERS", 100)
    assert jaccard(texts, pairs, 3).tolist() == expected
    assert jaccard(texts, pairs[:0]).shape == (0,)


@pytest.mark.parametrize("check", [True, False])
def test_little_to_compare(check):
    assert near_duplicates([], check=check).tolist() == near_duplicates_plain([]) == []
    assert near_duplicates(["one"], check=check).tolist() == near_duplicates_plain(["one"]) == [0]
    short = ["yes", "Yes!!", "no", "", "?", "yes"]
    assert near_duplicates(short, check=check).tolist() == near_duplicates_plain(short) == [1, 1, 2, 4, 4, 1]
