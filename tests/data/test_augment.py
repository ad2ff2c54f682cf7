"""Images moved aside: against a loop over pixels, within the limits, each by its own way."""

import numpy as np
import pytest

from minilm.data import shifted


def test_each_image_is_one_of_all_shifts():
    images = np.arange(1, 1 + 30 * 12, dtype=np.uint8).reshape(30, 4, 3) % 250 + 1
    found = shifted(images, 2, np.random.default_rng(0))
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    ways = set()
    for image, moved in zip(images, found, strict=True):
        (way,) = [(d, r) for d in range(-2, 3) for r in range(-2, 3) if np.array_equal(moved, by_hand(image, d, r))]
        ways.add(way)
    assert len(ways) > 10
    assert {d for d, _ in ways} == {r for _, r in ways} == {-2, -1, 0, 1, 2}


def by_hand(image, down, right):
    moved = np.zeros_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if 0 <= i + down < image.shape[0] and 0 <= j + right < image.shape[1]:
                moved[i + down, j + right] = image[i, j]
    return moved


def test_by_no_pixel_nothing_changes_and_what_was_given_stays():
    images = np.random.default_rng(1).random((5, 3, 3), dtype=np.float32)
    before = images.copy()
    np.testing.assert_array_equal(shifted(images, 0, np.random.default_rng(0)), images)
    shifted(images, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(images, before)


def test_the_seed_decides():
    images = np.random.default_rng(1).random((20, 6, 6))
    one, same, other = (shifted(images, 2, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_edges():
    assert shifted(np.zeros((0, 4, 4)), 1, np.random.default_rng(0)).shape == (0, 4, 4)
    aside = np.random.default_rng(0).random((4, 8, 5)).swapaxes(1, 2)
    np.testing.assert_array_equal(
        shifted(aside, 3, np.random.default_rng(2)), shifted(aside.copy(), 3, np.random.default_rng(2))
    )


def test_bad_arguments():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"expected images of shape \(n, height, width\), got \(4, 4\)"):
        shifted(np.zeros((4, 4)), 1, rng)
    for most in (-1, 4, 1.5):
        with pytest.raises(ValueError, match="most is a number of pixels, from 0 to 3"):
            shifted(np.zeros((2, 4, 5)), most, rng)
