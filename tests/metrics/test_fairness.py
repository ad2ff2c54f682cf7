"""Shares of groups: by hand, against plain loops over people, in draws, and at their edges."""

import itertools

import numpy as np
import pytest

from minilm.metrics import (
    calibration_error,
    demographic_parity_difference,
    equal_opportunity_difference,
    equal_opportunity_thresholds,
    equalized_odds_difference,
    false_positive_difference,
    group_scores,
    group_shares,
    implied_false_positive_rate,
    predictive_parity_difference,
    reweighting,
)
from tests.metrics.draws import check_draws

TRUTH, SAID, WHO = [1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0, 0, 0], list("aaaabbbb")
RNG = np.random.default_rng(0)
Y, A, G = RNG.integers(0, 2, 60), RNG.integers(0, 2, 60), RNG.choice(list("abc"), 60).tolist()


def share(above, below):
    """Of those below the line, the share of those above it, one by one."""
    counted = [a for a, b in zip(above, below, strict=True) if b]
    return sum(counted) / len(counted) if counted else float("nan")


def rates(name, group, y=Y, a=A, g=G):
    y, a = ([v for v, who in zip(values, g, strict=True) if who == group] for values in (y, a))
    return {
        "selected": lambda: share(a, [1] * len(a)),
        "true": lambda: share(a, y),
        "false": lambda: share(a, [1 - v for v in y]),
        "worth": lambda: share(y, a),
    }[name]()


SCORES = {
    "selected": lambda *given, **more: demographic_parity_difference(*given[1:], **more),
    "true": equal_opportunity_difference,
    "false": false_positive_difference,
    "worth": predictive_parity_difference,
}


def test_by_hand():
    found = group_shares(TRUTH, SAID, WHO)
    assert list(found) == ["a", "b"]
    assert found["a"] == (4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert found["b"] == (4, 0.25, 0.25, 1.0, 0.0, 1.0, 1.0)
    assert demographic_parity_difference(SAID, WHO, ("a", "b")).value == 0.25
    assert equal_opportunity_difference(TRUTH, SAID, WHO, ("a", "b")).value == -0.5
    assert false_positive_difference(TRUTH, SAID, WHO, ("a", "b")).value == 0.5
    assert predictive_parity_difference(TRUTH, SAID, WHO, ("a", "b")).value == -0.5
    assert equalized_odds_difference(TRUTH, SAID, WHO, ("a", "b")).value == 0.5


@pytest.mark.parametrize("name", SCORES)
def test_against_a_loop_over_people(name):
    of = {group: rates(name, group) for group in "abc"}
    for between in itertools.permutations("abc", 2):
        score = SCORES[name](Y, A, G, between=between)
        assert score.value == pytest.approx(of[between[0]] - of[between[1]])
        assert not score.higher_is_better
    assert SCORES[name](Y, A, G).value == pytest.approx(max(of.values()) - min(of.values()))


def test_equalized_odds_is_the_larger_gap():
    gaps = [abs(rates(name, "a") - rates(name, "c")) for name in ("true", "false")]
    assert equalized_odds_difference(Y, A, G, ("a", "c")).value == pytest.approx(max(gaps))
    assert equalized_odds_difference(Y, A, G, ("c", "a")).value == pytest.approx(max(gaps))


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    y, a, g = Y[:30], A[:30], ["ab"[i % 2] for i in range(30)]
    for score in SCORES.values():
        check_draws(lambda *columns, score=score: score(*columns, between=("a", "b")), y, a, g)


def test_a_group_in_which_nothing_counts_has_no_share():
    found = group_shares([0, 1], [0, 1], ["a", "b"])
    assert np.isnan([found["a"].true_positive, found["a"].precision, found["b"].false_positive]).all()
    assert np.isnan(equal_opportunity_difference([0, 1], [0, 1], ["a", "b"], ("a", "b")).value)


def test_scores_of_each_group_are_those_of_its_people():
    p = RNG.random(60)
    found = group_scores(calibration_error, G, Y, p)
    assert set(found) == set("abc")
    for group, score in found.items():
        mine = [i for i in range(60) if G[i] == group]
        assert score.value == pytest.approx(calibration_error(Y[mine], p[mine]).value)


def test_the_false_positive_rate_follows_from_the_other_three():
    for group in "abc":
        s = group_shares(Y, A, G)[group]
        assert implied_false_positive_rate(s.base, s.precision, s.true_positive) == pytest.approx(s.false_positive)
    found = implied_false_positive_rate(np.array([0.5, 0.2]), 0.8, 0.6)
    np.testing.assert_allclose(found, [0.15, 0.0375])


def test_reweighted_the_truth_does_not_depend_on_the_group():
    y = RNG.integers(0, 3, 60)
    w = reweighting(y, G)
    shares = {g: [w[(np.array(G) == g) & (y == c)].sum() / w[np.array(G) == g].sum() for c in range(3)] for g in "abc"}
    np.testing.assert_allclose([shares["a"], shares["b"]], [shares["c"]] * 2)
    np.testing.assert_allclose(shares["a"], np.bincount(y) / 60)
    assert w.sum() == pytest.approx(60)
    for g in "abc":
        assert w[np.array(G) == g].sum() == pytest.approx(G.count(g))
    assert reweighting([1, 1, 0, 0], list("aabb")).tolist() == [0.5] * 4  # cells that are empty stay so
    assert reweighting(TRUTH, WHO)[0] == 4 * 3 / (8 * 2)


def test_thresholds_give_one_true_positive_rate_and_the_most_right_decisions():
    rng = np.random.default_rng(2)
    g = np.array(["a", "b"])[rng.integers(0, 2, 400)]
    y = rng.random(400) < np.where(g == "a", 0.6, 0.3)
    p = np.clip(0.5 * y + 0.3 * (g == "a") + 0.4 * rng.random(400) - 0.1, 0, 1)
    cuts = equal_opportunity_thresholds(y, p, g)
    said = p >= np.array([cuts[k] for k in g.tolist()])
    found = group_shares(y, said, g)
    smallest = min(int(y[g == k].sum()) for k in "ab")
    assert abs(found["a"].true_positive - found["b"].true_positive) <= 1 / smallest
    best = 0
    for rate in np.arange(1, 201) / 200:  # the rates that are tried
        said = np.zeros(400, bool)
        for k in "ab":
            mine = np.sort(p[(g == k) & y])
            cut = max(t for t in mine if (mine >= t).mean() >= rate - 1e-12)
            said[g == k] = p[g == k] >= cut
        best = max(best, (said == y).sum())
    assert (np.array([p[i] >= cuts[g[i]] for i in range(400)]) == y).sum() == best


def test_groups_may_be_numbers_or_an_array():
    named = demographic_parity_difference(SAID, WHO, ("a", "b")).value
    assert demographic_parity_difference(SAID, [0] * 4 + [7] * 4, (0, 7)).value == named
    assert demographic_parity_difference(np.array(SAID, bool), np.array(WHO), ("a", "b")).value == named


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: group_shares([], [], []), "there is no example"),
        (lambda: group_shares([1], [1, 0], ["a"]), "1 examples and 2 answers"),
        (lambda: group_shares([1, 0], [1, 0], ["a"]), "2 examples and 1"),
        (lambda: demographic_parity_difference([1, 0.5], ["a", "b"]), "answer of example 1 is 0.5, expected yes or no"),
        (lambda: demographic_parity_difference([1, 0], "ab"), "got one text: 'ab'"),
        (lambda: demographic_parity_difference([1, 0], ["a"]), "2 examples and 1"),
        (lambda: demographic_parity_difference([1, 0], ["a", "b"], ("a", "z")), "no group 'z'; there are 'a', 'b'"),
        (lambda: reweighting([1, 0], ["a"]), "2 examples and 1"),
        (lambda: equal_opportunity_thresholds([1, 0], [0.2, 1.5], ["a", "b"]), "probability of example 1 is 1.5"),
        (lambda: equal_opportunity_thresholds([1, 0], [0.2, 0.5], ["a", "b"]), "group 'b' has no example whose truth"),
        (lambda: group_scores(calibration_error, G, [1]), "60 examples and 1"),
    ],
)
def test_what_cannot_be_measured_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
