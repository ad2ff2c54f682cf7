"""Signatures: against loops, and their estimates against theory."""

import random

import numpy as np
import pytest

from minilm.data.corpus import minhash as module
from minilm.data.corpus.minhash import (
    EMPTY,
    densified,
    donors,
    expected_error,
    k_permutations,
    mix,
    one_permutation,
    one_permutation_plain,
    signatures,
    similarity,
)
from minilm.data.corpus.normalize import bare_codes
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import shingle_hashes
from tests.data.corpus.texts import any_texts, words


def hashes_of(texts):
    return shingle_hashes(bare_codes(texts), 13)


@pytest.mark.parametrize("bins", [1, 2, 7, 16, 128])
def test_many_at_once_are_each_by_itself(bins):
    hashes = hashes_of(any_texts(60, bins))
    assert one_permutation(hashes, bins, seed=3).tolist() == [
        one_permutation_plain(row.tolist(), bins, seed=3) for row in hashes.rows()
    ]


def test_nothing_is_lost_where_blocks_end(monkeypatch):
    hashes = hashes_of(any_texts(60))
    whole = one_permutation(hashes, 16)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert np.array_equal(one_permutation(hashes, 16), whole)


def test_signatures_do_not_depend_on_batches(monkeypatch):
    texts = any_texts(60)
    whole = signatures(texts, 16)
    monkeypatch.setattr(module, "BATCH", 50)
    assert np.array_equal(signatures(texts, 16), whole)
    assert np.array_equal(signatures(texts[::-1], 16), whole[::-1])
    assert whole.dtype == np.uint32
    assert signatures([], 16).shape == (0, 16)


def test_order_and_repetition_of_shingles_do_not_matter():
    some = np.random.default_rng(0).integers(0, 2**63, 300, dtype=np.uint64)
    again = np.concatenate([some[::-1], some[:100]])
    assert np.array_equal(*one_permutation(Ragged(np.concatenate([some, again]), np.array([300, 400]))))


def test_the_signature_of_two_texts_in_one_is_the_smaller_of_both_where_none_is_empty():
    """So a document may be hashed in pieces."""
    some = np.random.default_rng(0).integers(0, 2**63, 4000, dtype=np.uint64)
    parts = one_permutation(Ragged(some, np.array([1500, 2500])), 8)
    assert np.array_equal(parts.min(axis=0), one_permutation(Ragged(some, np.array([4000])), 8)[0])


def pairs_of(share, count, length):
    """Documents of some words, in pairs of which a part at the start is the same."""
    rng, known = random.Random(length), words(3000)
    same = round(share * length)
    for _ in range(count):
        start = rng.choices(known, k=same)
        yield " ".join(start + rng.choices(known, k=length - same))
        yield " ".join(start + rng.choices(known, k=length - same))


def jaccards(hashes):
    sets = [set(row.tolist()) for row in hashes.rows()]
    return np.array([len(a & b) / len(a | b) for a, b in zip(sets[::2], sets[1::2], strict=True)])


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_error_of_the_estimate_is_that_of_theory(share):
    """On documents of about 1,250 characters."""
    hashes = hashes_of(list(pairs_of(share, 100, 190)))
    exact = jaccards(hashes)
    errors = []
    for seed in range(3):
        found = one_permutation(hashes, seed=seed)
        errors.append(similarity(found[::2], found[1::2]) - exact)
    root_mean_square = np.sqrt(np.mean(np.square(errors)))
    expected = np.sqrt(np.mean(expected_error(exact) ** 2))
    assert 0.85 * expected < root_mean_square < 1.1 * expected
    assert abs(np.mean(errors)) < 4 * expected / np.sqrt(300)


def test_with_empty_bins_the_estimate_has_no_bias():
    """On documents of about 130 characters: of 128 bins half are empty."""
    hashes = hashes_of(list(pairs_of(0.8, 300, 20)))
    exact = jaccards(hashes)
    found = one_permutation(hashes)
    errors = similarity(found[::2], found[1::2]) - exact
    expected = np.sqrt(np.mean(expected_error(exact) ** 2))
    assert np.std(errors) < 1.2 * expected
    assert abs(np.mean(errors)) < 4 * expected / np.sqrt(300)


def test_numbers_in_a_row_are_as_good_as_any():
    """The polynomials of such texts lie in rows, too: what is mixed badly shows here."""
    count, length = 100, 130
    numbers = np.random.default_rng(0).integers(1000, 9000, 2 * count)
    rows = [list(map(str, range(first, first + length))) for first in numbers]
    texts = [
        " ".join(rows[i][: length // 2] + rows[j][length // 2 :]) for i in range(0, 2 * count, 2) for j in (i, i + 1)
    ]
    hashes = hashes_of(texts)
    exact, found = jaccards(hashes), one_permutation(hashes)
    errors = similarity(found[::2], found[1::2]) - exact
    assert np.sqrt(np.mean(errors**2)) < 1.15 * np.sqrt(np.mean(expected_error(exact) ** 2))


def test_the_plain_one_with_many_permutations_estimates_the_same():
    hashes = hashes_of(list(pairs_of(0.8, 1, 60)))
    exact = jaccards(hashes)[0]
    first, second = (k_permutations(row, 2000) for row in hashes.rows())
    assert abs(similarity(first, second) - exact) < 4 * expected_error(exact, 2000)
    assert len(set(first.tolist())) > 1000 * 0.1  # many orders, not one


def test_expected_error_by_hand():
    assert expected_error([0, 0.5, 0.8, 1], 100) == pytest.approx([0, 0.05, 0.04, 0])


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_an_empty_bin_asks_only_bins_that_were_full(share):
    """What was borrowed is not lent again: else a document's first number would spread."""
    found = np.full((1, 4), EMPTY, np.uint32)
    found[0, 2] = 7
    assert densified(found).tolist() == [[7, 7, 7, 7]]
    rng = np.random.default_rng(0)
    found = np.where(rng.random((50, 32)) < share, np.arange(32), EMPTY).astype(np.uint32)
    found[:, 5] = 5
    order = donors(32).tolist()
    for row, full in zip(found, densified(found).tolist(), strict=True):
        assert full == [next(j for j in (i, *order[i]) if row[j] != EMPTY) for i in range(32)]
    nothing = np.full((1, 32), EMPTY, np.uint32)
    assert np.array_equal(densified(nothing), nothing)


def test_donors_are_all_the_others_in_orders_of_their_own():
    order = donors(16)
    assert [sorted([i, *row]) for i, row in enumerate(order.tolist())] == [list(range(16))] * 16
    assert len({tuple(np.argsort(row)) for row in order}) == 16
    assert donors(1).shape == (1, 0)


def test_mix_is_splitmix64():
    """Its first three numbers from the state 0, as published."""
    found = [int(mix(np.zeros(1, np.uint64), seed)[0]) for seed in range(3)]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_mix_is_a_permutation_that_depends_on_the_seed():
    numbers = np.arange(5000, dtype=np.uint64)
    assert len(set(mix(numbers).tolist())) == 5000
    assert not set(mix(numbers).tolist()) & set(mix(numbers, 1).tolist())
    ones = np.unpackbits(mix(numbers).view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.01
    assert numbers[3] == 3  # it leaves its input as it is


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="1 bin or more, got bins = 0"):
        one_permutation(hashes_of(["a"]), 0)
    with pytest.raises(ValueError, match="document 1 has no shingle"):
        one_permutation(Ragged(np.array([5], np.uint64), np.array([1, 0])))
