"""Intervals over documents: what they hold, and how often (measured by simulation, in a slow test)."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from minilm.metrics import difference_interval, ratio_interval


def documents(n, rng, spread=1.0):
    """Sums and lengths of n documents: lengths differ by e**spread, and a long one is a little easier."""
    lengths = np.exp(rng.normal(6, spread, n))
    return lengths * (2.0 + 0.5 * rng.gamma(1.5, 1.0, n) - 0.1 * (np.log(lengths) - 6)), lengths


def test_the_middle_of_all_draws():
    """Of two documents four draws are equally likely, of which two have both documents."""
    low, high, confidence = ratio_interval([1.0, 6.0], [1.0, 3.0], resamples=4000)
    assert (low, high, confidence) == (1.0, 2.0, 0.95)
    low, high, _ = ratio_interval([1.0, 6.0], [1.0, 3.0], confidence=0.4, resamples=4000)
    assert (low, high) == (1.75, 1.75)


def test_it_is_of_the_ratio_of_sums_not_of_the_mean_of_ratios():
    """One long document and many short ones: the ratio of sums is near the long one's."""
    above, below = np.array([1000.0] + [5.0] * 20), np.array([1000.0] + [1.0] * 20)
    low, high, _ = ratio_interval(above, below)
    assert low < above.sum() / below.sum() < high
    assert np.mean(above / below) > 4.5 > above.sum() / below.sum()
    assert low == pytest.approx(1.0, abs=0.1)


def test_alike_documents_have_no_width():
    low, high, _ = ratio_interval([4.0, 2.0, 8.0], [2.0, 1.0, 4.0])
    assert low == high == 2.0


def test_a_seed_gives_one_interval():
    a, b = documents(30, np.random.default_rng(0))
    assert ratio_interval(a, b, seed=3) == ratio_interval(a, b, seed=3) != ratio_interval(a, b, seed=4)
    assert ratio_interval(a * 2, b * 2, seed=3) == pytest.approx(ratio_interval(a, b, seed=3))


def test_draws_in_parts_are_the_same_draws(monkeypatch):
    a, b = documents(30, np.random.default_rng(0))
    whole = ratio_interval(a, b)
    monkeypatch.setattr("minilm.metrics.interval.AT_ONCE", 300)
    assert ratio_interval(a, b) == pytest.approx(whole)


def test_one_document_has_no_interval():
    assert ratio_interval([3.0], [2.0]) is None
    assert difference_interval(([3.0], [2.0]), ([4.0], [2.0])) is None


def test_a_paired_difference_is_told_apart_where_the_ratios_overlap():
    """The second model is worse by 0.02 in every document; documents differ by far more."""
    rng = np.random.default_rng(0)
    a, b = documents(40, rng)
    worse = a + b * (0.02 + 0.002 * rng.standard_normal(40))
    first, second = ratio_interval(a, b), ratio_interval(worse, b)
    assert first.high > second.low
    low, high, _ = difference_interval((a, b), (worse, b))
    assert low < high < 0
    assert (low + high) / 2 == pytest.approx(-0.02, abs=0.002)
    assert difference_interval((a, b), (a, b))[:2] == (0.0, 0.0)


def test_what_cannot_be_is_told():
    for call, told in (
        (lambda: ratio_interval([], []), "there is no document"),
        (lambda: ratio_interval([1.0], [1.0, 2.0]), r"one numerator and one denominator .* \(1,\) and \(2,\)"),
        (lambda: ratio_interval([1.0, 1.0], [1.0, 0.0]), "document 1 counts 0"),
        (lambda: ratio_interval([1.0, math.nan], [1.0, 1.0]), "not finite"),
        (lambda: ratio_interval([1.0, 1.0], [1.0, 1.0], confidence=95), "between 0 and 1, got 95"),
        (lambda: ratio_interval([1.0, 1.0], [1.0, 1.0], resamples=10), "at least 100"),
        (lambda: difference_interval(([1.0], [1.0]), ([1.0, 2.0], [1.0, 1.0])), "the same documents, got 1 and 2"),
    ):
        with pytest.raises(ValueError, match=told):
            call()


def bca(a, b, draws):
    """Efron's corrected percentiles (1987), for comparison."""
    normal, r = NormalDist(), a.sum() / b.sum()
    bias = normal.inv_cdf(float(np.clip(((draws < r).mean() + (draws <= r).mean()) / 2, 1e-3, 1 - 1e-3)))
    without = (a.sum() - a) / (b.sum() - b)
    d = without.mean() - without
    skew = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    ends = [bias + z for z in (normal.inv_cdf(0.025), normal.inv_cdf(0.975))]
    return np.quantile(draws, [normal.cdf(bias + z / (1 - skew * z)) for z in ends])


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(10, 0.82), (20, 0.86), (50, 0.9), (200, 0.925)])
def test_coverage(n, least):
    """How many of 600 intervals hold the ratio that two million documents have; and that BCa does not hold it more often."""
    rng = np.random.default_rng(n)
    population = documents(2_000_000, rng)
    truth, held, held_bca, trials = population[0].sum() / population[1].sum(), 0, 0, 600
    for trial in range(trials):
        a, b = documents(n, rng)
        low, high, _ = ratio_interval(a, b, resamples=1000, seed=trial)
        held += low <= truth <= high
        times = rng.multinomial(n, np.full(n, 1 / n), 1000)
        low, high = bca(a, b, (times @ a) / (times @ b))
        held_bca += low <= truth <= high
    print(f"{n} documents: {held / trials:.3f} of the intervals hold the true ratio, {held_bca / trials:.3f} of BCa's")
    assert least <= held / trials <= 0.975
    assert held_bca <= held + 0.02 * trials
