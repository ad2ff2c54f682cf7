"""Probabilities: bins by hand, their edges, the error of a system that knows nothing of itself."""

import numpy as np
import pytest

from minilm.metrics import brier, calibration_error, reliability
from tests.metrics.draws import check_draws

RIGHT, SURE = [1, 0, 1, 1], [0.9, 0.8, 0.3, 0.55]


def test_by_hand():
    found = reliability(RIGHT, SURE, bins=2)
    assert found.edges.tolist() == [0, 0.5, 1]
    assert found.counts.tolist() == [1, 3]
    np.testing.assert_allclose(found.confidence, [0.3, 0.75])
    np.testing.assert_allclose(found.accuracy, [1, 2 / 3])
    assert calibration_error(RIGHT, SURE, bins=2).value == pytest.approx(1 / 4 * 0.7 + 3 / 4 * (0.75 - 2 / 3))
    assert brier(RIGHT, SURE).value == pytest.approx((0.01 + 0.64 + 0.49 + 0.2025) / 4)
    assert not calibration_error(RIGHT, SURE).higher_is_better
    assert not brier(RIGHT, SURE).higher_is_better


def test_a_bin_holds_its_upper_edge_and_the_first_holds_0():
    assert reliability([1] * 4, [0.0, 0.5, 0.51, 1.0], bins=2).counts.tolist() == [2, 2]


def test_an_empty_bin_has_no_share():
    found = reliability(RIGHT, SURE, bins=10)
    assert found.counts.tolist() == [0, 0, 1, 0, 0, 1, 0, 1, 1, 0]
    assert np.isnan(found.accuracy[0])
    assert np.isnan(found.confidence[0])


def test_two_classes_count_twice_in_briers_own_form():
    p = np.array(SURE)
    assert brier(RIGHT, np.stack([1 - p, p], 1)).value == pytest.approx(2 * brier(RIGHT, p).value)
    assert brier([2, 0], [[0, 0, 1], [0, 0, 1]]).value == 1.0


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    rng = np.random.default_rng(0)
    right, sure = rng.integers(0, 2, 30), rng.random(30)
    check_draws(calibration_error, right, sure)
    check_draws(brier, right, sure)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibration_error([], []), "there is no example"),
        (lambda: calibration_error([1], [1.2]), "probability of example 0 is 1.2, expected a number from 0 to 1"),
        (lambda: calibration_error([1, 1], [0.5, np.nan]), "probability of example 1 is nan"),
        (lambda: calibration_error([2], [0.5]), "what is right of example 0 is 2"),
        (lambda: reliability([1], [0.5], bins=0), "positive integer, got 0"),
        (lambda: brier([1], [-0.1]), "probability of example 0 is -0.1"),
        (lambda: brier([0], [[0.5, 0.4]]), "probabilities of example 0 sum to 0.9"),
        (lambda: brier([0], [[1.5, -0.5]]), "lowest probability of example 0 is -0.5"),
        (lambda: brier([2], [[0.5, 0.5]]), "an integer from 0 to 1"),
        (lambda: brier([0], [[[1.0]]]), "got an array of shape"),
    ],
)
def test_what_cannot_be_measured_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
