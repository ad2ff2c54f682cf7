"""The S-curve, and buckets by sorting."""

import numpy as np
import pytest

from minilm.data.corpus.bands import band_keys, bands_and_rows, buckets, probability


def lists(found):
    return [row.tolist() for row in found.rows()]


def test_the_curve_by_hand():
    assert probability([0, 0.5, 1], 2, 1) == pytest.approx([0, 0.75, 1])
    assert probability(0.8, 9, 13) == pytest.approx(0.3988, abs=1e-4)


def test_the_curve_is_how_often_signatures_meet():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**32, (4000, 16), dtype=np.uint32)
    second = np.where(rng.random(first.shape) < 0.8, first, first + np.uint32(1))
    met = (band_keys(first, 4, 4) == band_keys(second, 4, 4)).any(axis=1).mean()
    assert met == pytest.approx(probability(0.8, 4, 4), abs=0.03)


@pytest.mark.parametrize(
    ("threshold", "bins", "misses", "expected"),
    [
        (0.8, 128, 0.5, (9, 13)),
        (0.5, 128, 0.5, (25, 5)),
        (0.9, 64, 0.5, (3, 21)),
        (0.8, 128, 0.9, (14, 9)),
        (0.8, 1, 0.5, (1, 1)),
    ],
)
def test_bands_and_rows(threshold, bins, misses, expected):
    """As datasketch chooses them."""
    assert bands_and_rows(threshold, bins, misses=misses) == expected


@pytest.mark.parametrize("given", [(0.0, 128), (1.0, 128), (0.8, 0), (float("nan"), 128)])
def test_no_threshold(given):
    with pytest.raises(ValueError, match="expected a threshold between 0 and 1"):
        bands_and_rows(*given)


def test_a_key_is_the_whole_band_and_nothing_else():
    signatures = np.array(
        [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [2, 1, 3, 4, 5], [1, 2, 4, 3, 5], [9, 2, 9, 4, 5]], np.uint32
    )
    keys = band_keys(signatures, 2, 2)
    assert (keys[:, 0] == keys[0, 0]).tolist() == [True, True, False, True, False]
    assert (keys[:, 1] == keys[0, 1]).tolist() == [True, True, True, False, False]


def test_bands_that_do_not_fit():
    with pytest.raises(ValueError, match="4 bands of 3 need 12 numbers, but the signatures have 5"):
        band_keys(np.zeros((2, 5), np.uint32), 4, 3)


def test_buckets_by_hand():
    keys = np.array([[9, 1], [5, 2], [9, 3], [5, 1], [7, 3], [9, 3]], np.uint64)
    assert lists(buckets(keys)) == [[1, 3], [0, 2, 5], [0, 3], [2, 4, 5]]


@pytest.mark.parametrize("documents", [0, 1])
def test_nothing_to_meet(documents):
    assert lists(buckets(np.zeros((documents, 3), np.uint64))) == []


def test_buckets_are_those_of_a_table():
    keys = np.random.default_rng(0).integers(0, 40, (60, 3), dtype=np.uint64)
    expected = []
    for band in keys.T.tolist():
        table = {}
        for document, key in enumerate(band):
            table.setdefault(key, []).append(document)
        expected += [table[key] for key in sorted(table) if len(table[key]) > 1]
    assert lists(buckets(keys)) == expected
