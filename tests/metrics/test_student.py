"""Student's t: published tables, symmetry, the normal in the limit, and the share of samples whose interval holds the mean."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from minilm.metrics import mean_interval, student_cdf, student_quantile

# Abramowitz and Stegun (1964), table 26.10: t with 0.95, 0.99 and 0.999 of the distribution between -t and t.
TABLE = {
    1: (12.706, 63.657, 636.619),
    2: (4.303, 9.925, 31.598),
    3: (3.182, 5.841, 12.924),
    4: (2.776, 4.604, 8.610),
    5: (2.571, 4.032, 6.869),
    9: (2.262, 3.250, 4.781),
    10: (2.228, 3.169, 4.587),
    30: (2.042, 2.750, 3.646),
    120: (1.980, 2.617, 3.373),
}


@pytest.mark.parametrize("freedom", TABLE)
def test_published_table(freedom):
    found = [student_quantile((1 + within) / 2, freedom) for within in (0.95, 0.99, 0.999)]
    assert found == pytest.approx(
        TABLE[freedom], abs=2e-3
    )  # the third value for 2 is misprinted by 1 in its last digit


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 8, 51, 100])
def test_the_quantile_is_the_inverse(freedom):
    for share in (0.001, 0.1, 0.4, 0.5, 0.6, 0.975, 0.9999):
        assert student_cdf(student_quantile(share, freedom), freedom) == pytest.approx(share, abs=1e-12)


def test_closed_forms_of_one_and_two_degrees():
    for t in (-3.0, -0.2, 0.0, 1.0, 40.0):
        assert student_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-14)
        assert student_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-14)


def test_the_limits():
    assert student_quantile(0.975, 100_001) == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-4)
    assert student_cdf(math.inf, 5) == pytest.approx(1)
    assert student_cdf(-math.inf, 4) == pytest.approx(0)
    assert student_quantile(0.5, 3) == 0


def test_an_interval_in_numbers():
    low, high, confidence = mean_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-6)
    assert confidence == 0.95


def test_edges():
    assert mean_interval([5.0]) is None
    assert mean_interval([2, 2, 2]) == (2.0, 2.0, 0.95)
    assert mean_interval(np.array([1, 2, 4], np.float16)) == mean_interval([1.0, 2.0, 4.0])
    assert mean_interval(np.arange(8.0)[::2]) == mean_interval([0.0, 2.0, 4.0, 6.0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mean_interval([]), "at least one"),
        (lambda: mean_interval([[1.0, 2.0]]), "in a row"),
        (lambda: mean_interval([1.0, math.nan]), "not finite"),
        (lambda: mean_interval([1.0, 2.0], confidence=95), "confidence is a share"),
        (lambda: student_quantile(1.0, 3), "share lies between"),
        (lambda: student_quantile(0.9, 0), "degrees of freedom"),
        (lambda: student_quantile(0.9, 2.5), "degrees of freedom"),
        (lambda: student_cdf(math.nan, 2), "NaN"),
    ],
)
def test_what_is_no_sample_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_it_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = sum(low <= 1 <= high for low, high, _ in map(mean_interval, rng.normal(1, 2, (1000, 3))))
    assert 0.93 < held / 1000 < 0.97
