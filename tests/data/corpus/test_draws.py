"""Draws from hashes: fair, of their own for each purpose, and the same in any order."""

import numpy as np
import pytest

from minilm.data.corpus.draws import below, copies, copies_plain, draws, held_out, held_out_plain, smallest, weights_of
from minilm.data.corpus.shuffle import shuffle_keys

DIGESTS = np.arange(20_000, dtype=np.uint64)  # numbers in a row, as no digest is: what is mixed badly shows here


def test_a_draw_is_uniform_and_each_seed_and_purpose_has_its_own():
    drawn = [draws(DIGESTS, seed, purpose) / 2.0**64 for seed in (0, 1) for purpose in ("copies", "place")]
    for one in drawn:
        assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.03


def test_a_share_of_the_numbers():
    drawn = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert below(drawn, 0.5).tolist() == [True, True, False, False]
    assert not below(drawn, 0.0).any()
    assert below(drawn, 1.0).all()
    with pytest.raises(ValueError, match=r"a share from 0 to 1, got 1\.5"):
        below(drawn, 1.5)


def test_copies_by_hand():
    assert copies(DIGESTS, np.full(len(DIGESTS), 2.0)).tolist() == [2] * len(DIGESTS)
    assert set(copies(DIGESTS, np.full(len(DIGESTS), 2.3)).tolist()) == {2, 3}
    assert not copies(DIGESTS, np.zeros(len(DIGESTS))).any()
    assert copies(DIGESTS[:0], np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("weight", [0.25, 1.5, 3.9])
def test_copies_are_the_weight_in_the_mean(weight):
    assert copies(DIGESTS, np.full(len(DIGESTS), weight)).mean() == pytest.approx(weight, abs=0.012)


def test_many_at_once_are_each_by_itself_and_in_any_order():
    rng = np.random.default_rng(0)
    digests, weights = rng.integers(0, 2**64, 300, np.uint64), rng.choice([0, 0.5, 1, 2.25], 300)
    whole = copies(digests, weights, 7)
    assert whole.tolist() == [copies_plain(int(d), float(w), 7) for d, w in zip(digests, weights, strict=True)]
    order = rng.permutation(300)
    assert np.array_equal(copies(digests[order], weights[order], 7), whole[order])
    assert held_out(digests, 0.3, 7).tolist() == held_out_plain(digests.tolist(), 0.3, 7)
    assert np.array_equal(held_out(digests[order], 0.3, 7), held_out(digests, 0.3, 7)[order])


def test_what_is_taken_once_more_comes_anywhere_in_the_shuffle():
    more = copies(DIGESTS, np.full(len(DIGESTS), 0.5)) > 0
    place = shuffle_keys(DIGESTS) / 2.0**64
    assert place[more].mean() == pytest.approx(0.5, abs=0.015)
    assert place[held_out(DIGESTS, 0.5)].mean() == pytest.approx(0.5, abs=0.015)


def test_what_is_taken_once_more_is_not_what_is_held_out():
    more = copies(DIGESTS, np.full(len(DIGESTS), 0.5)) > 0
    assert held_out(DIGESTS, 0.5)[more].mean() == pytest.approx(0.5, abs=0.02)


def test_a_group_is_not_cut():
    groups = np.repeat(DIGESTS[:2000], 3)
    held = held_out(groups, 0.1).reshape(-1, 3)
    assert np.all(held == held[:, :1])
    assert held.mean() == pytest.approx(0.1, abs=0.025)


def test_weights_give_the_shares():
    sizes = {"web": 1000, "books": 100}
    weights = weights_of({"web": 3, "books": 1}, sizes, 800)
    assert weights == pytest.approx({"web": 0.6, "books": 2})
    at_most_once = weights_of({"web": 3, "books": 1}, sizes)
    assert at_most_once == pytest.approx({"web": 0.3, "books": 1})


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_no_weight(wrong):
    with pytest.raises(ValueError, match="expected weights of 0 or more, got"):
        copies(DIGESTS[:2], np.array([1.0, wrong]))


def test_no_share_no_source_no_seed():
    with pytest.raises(ValueError, match=r"not so: \['web'\]"):
        weights_of({"web": 0, "books": 1}, {"web": 1, "books": 1})
    with pytest.raises(ValueError, match="one source at least"):
        weights_of({}, {})
    with pytest.raises(KeyError, match="books"):
        weights_of({"books": 1}, {})
    with pytest.raises(ValueError, match="a seed of 0 or more, got -1"):
        draws(DIGESTS, -1, "place")


def test_the_same_examples_are_chosen_however_the_work_is_divided():
    rng = np.random.default_rng(0)
    drawn = [(int(draw), f"example {i}") for i, draw in enumerate(rng.integers(0, 500, 300))]  # some draws are equal
    whole = smallest(20, drawn)
    assert whole == sorted(drawn)[:20]
    parts = [smallest(20, drawn[i : i + 37]) for i in range(0, 300, 37)]
    assert smallest(20, *parts[::-1]) == whole
    assert smallest(20, smallest(20, *parts[:4]), drawn[148:]) == whole
    assert smallest(3, []) == smallest(0, drawn) == []
