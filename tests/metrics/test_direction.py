"""The direction of pairs: found, taken out, and the neighbors that stay."""

import numpy as np
import pytest

from minilm.metrics import along, neighbor_share, pair_direction, without

RNG = np.random.default_rng(0)


def pairs(n=6, width=5, seed=0):
    """Words that differ in the first number, and a little in the others."""
    rng = np.random.default_rng(seed)
    middle, noise = rng.standard_normal((n, width)), 0.05 * rng.standard_normal((n, width))
    return middle + np.eye(width)[0] + noise, middle - np.eye(width)[0] - noise


def test_by_hand():
    """Two pairs of unit vectors that differ along the first axis only."""
    first, second = [[0.6, 0.8], [0.6, -0.8]], [[-0.6, 0.8], [-0.6, -0.8]]
    np.testing.assert_allclose(pair_direction(first, second), [1, 0], atol=1e-12)
    np.testing.assert_allclose(pair_direction(second, first), [-1, 0], atol=1e-12)
    np.testing.assert_allclose(along([[3.0, 4.0], [0.0, 2.0]], [5.0, 0.0]), [0.6, 0.0])
    np.testing.assert_allclose(without([[3.0, 4.0]], [2.0, 0.0]), [[0.0, 1.0]])


def test_it_is_the_first_component_of_the_centered_words():
    first, second = pairs()
    a, b = (s / np.linalg.norm(s, axis=1, keepdims=True) for s in (first, second))
    words = np.concatenate([a - (a + b) / 2, b - (a + b) / 2])
    values, vectors = np.linalg.eigh(words.T @ words)
    found = pair_direction(first, second)
    assert abs(found @ vectors[:, -1]) == pytest.approx(1.0)
    assert ((a - b) @ found).sum() > 0
    assert np.linalg.norm(found) == pytest.approx(1.0)


def test_nothing_is_left_along_the_direction_and_lengths_are_1():
    vectors, g = RNG.standard_normal((9, 5)), RNG.standard_normal(5)
    left = without(vectors, g)
    np.testing.assert_allclose(along(left, g), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 1)
    np.testing.assert_allclose(without(left, g), left)


@pytest.mark.parametrize("rows", [None, [3, 0, 11], []])
def test_neighbors_are_those_of_a_plain_loop(rows):
    vectors, marked = RNG.standard_normal((12, 4)), RNG.integers(0, 2, 12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = []
    for i in range(12) if rows is None else rows:
        others = sorted((j for j in range(12) if j != i), key=lambda j: -float(unit[i] @ unit[j]))
        expected.append(marked[others[:3]].mean())
    np.testing.assert_allclose(neighbor_share(vectors, marked, 3, rows), expected)


def test_in_pieces_they_are_the_same(monkeypatch):
    vectors, marked = RNG.standard_normal((20, 4)), RNG.integers(0, 2, 20) > 0
    whole = neighbor_share(vectors, marked, 5)
    monkeypatch.setattr("minilm.metrics.direction.AT_ONCE", 40)
    np.testing.assert_array_equal(neighbor_share(vectors, marked, 5), whole)


def test_a_word_is_no_neighbor_of_its_own():
    vectors = np.array([[1.0, 0], [1.0, 0.1], [-1.0, 0]])
    assert neighbor_share(vectors, [1, 0, 0], 1).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pair_direction([[1.0, 0]], [[1.0, 0]]), "same vector: there is no direction between them"),
        (lambda: pair_direction([[1.0, 0]], [[1.0, 0], [0, 1.0]]), r"got shapes \(1, 2\) and \(2, 2\)"),
        (lambda: pair_direction(np.zeros((0, 2)), np.zeros((0, 2))), "first: expected one vector per row"),
        (lambda: along([[1.0, np.inf]], [1.0, 0]), "vectors: row 0 is not finite"),
        (lambda: along([[1.0, 0]], [0.0, 0]), "direction: row 0 is zero"),
        (lambda: along([[1.0, 0]], [1.0, 0, 0]), "the vectors have 2 numbers, and the direction 3"),
        (lambda: without([[0, 1.0], [2.0, 0]], [1.0, 0]), "row 1 points along the direction"),
        (lambda: neighbor_share(np.eye(3), [1, 0], 1), "yes or no for each of 3 words"),
        (lambda: neighbor_share(np.eye(3), [1, 0, 2], 1), "yes or no"),
        (lambda: neighbor_share(np.eye(3), [1, 0, 1], 3), "from 1 to 2, got 3"),
        (lambda: neighbor_share(np.eye(3), [1, 0, 1], 1, [3]), "numbers of words, from 0 to 2, got 3 to 3"),
    ],
)
def test_what_cannot_be_measured_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
