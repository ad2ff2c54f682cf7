"""Connected components, all links at once against one after the other."""

import numpy as np
import pytest

from minilm.data.components import connected_components, connected_components_plain


@pytest.mark.parametrize("seed", range(5))
def test_all_at_once_is_one_after_the_other(seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        n = int(rng.integers(1, 40))
        links = rng.integers(0, n, (rng.integers(0, 40), 2))
        assert connected_components(n, links).tolist() == connected_components_plain(n, links.tolist())


def test_by_hand():
    links = np.array([[4, 1], [3, 5], [1, 3], [2, 2]])
    assert connected_components(7, links).tolist() == [0, 1, 2, 1, 1, 1, 6]


def test_nothing():
    none = np.empty((0, 2), np.int64)
    assert connected_components(0, none).tolist() == []
    assert connected_components(3, none).tolist() == [0, 1, 2]


def chain(n):
    return np.column_stack([np.arange(n - 1), np.arange(1, n)])


@pytest.mark.parametrize("kind", ["chain", "shuffled", "star"])
def test_long_chains_and_large_stars(kind):
    n = 20_000
    links = {
        "chain": chain(n),
        "shuffled": np.random.default_rng(0).permutation(n)[chain(n)],
        "star": np.column_stack([np.arange(n - 1), np.full(n - 1, n - 1)]),
    }[kind]
    assert not connected_components(n, links).any()


def test_the_input_is_left_as_it_is():
    links = chain(5)
    connected_components(5, links)
    assert np.array_equal(links, chain(5))


def test_a_link_to_nowhere():
    with pytest.raises(IndexError):
        connected_components(2, np.array([[0, 2]]))
