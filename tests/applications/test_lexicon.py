"""The learned lexicon: the fast version is the plain one, a text that tells words apart is enough, and nothing is found in nothing."""

import numpy as np
import pytest

from minilm.applications.lexicon import NULL, ibm_model_1, ibm_model_1_plain, likeliest

HOUSES = [
    (["the", "house"], ["das", "haus"]),
    (["the", "book"], ["das", "buch"]),
    (["a", "book"], ["ein", "buch"]),
]


def made(n, seed=0):
    """Texts of words that each have a partner, in any order, and a word that comes from none."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, 12, rng.integers(1, 6)) for _ in range(n)]
    return [([f"e{i}" for i in some], [*(f"f{i}" for i in rng.permutation(some)), "!"]) for some in words]


@pytest.mark.parametrize("iterations", [1, 2, 7])
@pytest.mark.parametrize("texts", [HOUSES, made(40)], ids=["houses", "made up"])
def test_it_is_what_the_plain_one_computes(texts, iterations):
    fast, plain = ibm_model_1(texts, iterations), ibm_model_1_plain(texts, iterations)
    found = {
        (fast.sources[e], fast.targets[f]): p for (e, f), p in zip(fast.pairs.tolist(), fast.probabilities, strict=True)
    }
    assert found.keys() == plain.keys()
    for pair, p in plain.items():
        assert found[pair] == pytest.approx(p, rel=1e-9), pair


def test_the_first_step_by_hand():
    t = ibm_model_1_plain([(["a"], ["x"]), (["a", "b"], ["x"])], 1)  # shares of a: 1/2 and 1/3, of b: 1/3
    assert t["a", "x"] == t["b", "x"] == t[NULL, "x"] == 1.0
    t = ibm_model_1_plain([(["a"], ["x"]), (["b"], ["y"])], 1)  # none: half of x, half of y
    assert t[NULL, "x"] == t[NULL, "y"] == 0.5


def test_the_probabilities_of_a_word_add_up_to_one():
    found = ibm_model_1(made(60))
    np.testing.assert_allclose(np.bincount(found.pairs[:, 0], found.probabilities), 1.0)


def test_it_finds_the_partners():
    found = likeliest(ibm_model_1(made(200), 12), 1, 0.3)
    assert {e: words[0][0] for e, words in found.items()} == {f"e{i}": f"f{i}" for i in range(12)}


def test_the_houses_of_the_paper():
    best = {e: words[0][0] for e, words in likeliest(ibm_model_1(HOUSES, 20), 1, 0.0).items()}
    assert best == {"the": "das", "house": "haus", "book": "buch", "a": "ein"}


def test_at_most_so_many_and_none_that_is_less_likely():
    alignment = ibm_model_1(made(60), 3)
    all_of_them = likeliest(alignment, 100, 0.0)
    two = likeliest(alignment, 2, 0.0)
    assert {e: words[:2] for e, words in all_of_them.items()} == two
    assert all(p >= 0.4 for words in likeliest(alignment, 3, 0.4).values() for _, p in words)
    assert NULL not in all_of_them


@pytest.mark.parametrize("texts", [[], [([], [])], [(["a"], [])]])
def test_nothing_is_found_where_nothing_is_written(texts):
    assert likeliest(ibm_model_1(texts), 2, 0.0) == {}


def test_a_target_without_a_source_comes_from_none():
    found = ibm_model_1([([], ["x", "y"])])
    assert found.sources == [NULL]
    assert sorted(found.targets) == ["x", "y"]
    assert likeliest(found, 1, 0.0) == {}
