"""The critical batch size: constants come back, what they mean, and the noise scale of gradients whose noise is known."""

import math

import numpy as np
import pytest

from minilm.scaling import CriticalBatch, fit_critical_batch, noise_scale

BATCHES = np.array([1, 4, 16, 64, 256])


@pytest.mark.parametrize("known", [CriticalBatch(20.0, 1500.0), CriticalBatch(500.0, 40.0)])
def test_the_constants_come_back(known):
    found = fit_critical_batch(BATCHES, known.steps(BATCHES))
    assert found == pytest.approx(known, rel=1e-9)
    assert found.size == pytest.approx(known.least_examples / known.least_steps)


def test_at_the_critical_batch_one_pays_twice_the_least_of_both():
    known = CriticalBatch(30.0, 1200.0)
    assert known.size == 40
    assert known.steps(known.size) == 60
    assert known.size * known.steps(known.size) == 2400


def test_the_published_form():
    """(S / S_min - 1) (E / E_min - 1) = 1: McCandlish et al. 2018, equation 2.11."""
    known = CriticalBatch(7.0, 300.0)
    for batch in (1.0, 10.0, 1000.0):
        steps = known.steps(batch)
        assert (steps / 7 - 1) * (batch * steps / 300 - 1) == pytest.approx(1)


def test_errors_count_by_their_share():
    """Ten percent more at both ends moves both constants by ten percent, though the steps differ by a factor of 60."""
    known = CriticalBatch(20.0, 1500.0)
    assert fit_critical_batch(BATCHES, 1.1 * known.steps(BATCHES)) == pytest.approx((22, 1650))
    noisy = known.steps(BATCHES) * np.array([1.1, 1, 1, 1, 0.9])
    found = fit_critical_batch(BATCHES, noisy)
    a = np.stack([1 / noisy, 1 / (BATCHES * noisy)], axis=1)
    assert np.array(found) == pytest.approx(np.linalg.solve(a.T @ a, a.sum(axis=0)))


@pytest.mark.parametrize(
    ("batches", "steps", "text"),
    [
        ([1, 2], [3.0], "as many batch sizes as numbers of steps"),
        ([4, 4], [3.0, 3.0], "at least two different"),
        ([1, 2], [3.0, math.nan], "positive numbers"),
        ([0, 2], [3.0, 2.0], "positive numbers"),
        ([1, 2], [3.0, 4.0], "do not follow"),
        ([1, 2], [9.0, 1.0], "do not follow"),
        ([], [], "at least two different"),
    ],
)
def test_what_cannot_be_fitted(batches, steps, text):
    with pytest.raises(ValueError, match=text):
        fit_critical_batch(batches, steps)


def test_the_noise_scale_of_known_gradients():
    """|G|^2 = 25 and a variance of 2 in each of 50 directions: 100 / 25 = 4."""
    assert noise_scale(2, 25 + 100 / 2, 50, 25 + 100 / 50) == pytest.approx(4)


def test_the_noise_scale_of_drawn_gradients():
    rng, mean = np.random.default_rng(0), np.full(10, 0.5)
    lengths = {
        b: np.mean([((mean + rng.normal(0, 2, (b, 10)).mean(axis=0)) ** 2).sum() for _ in range(2000)]) for b in (4, 64)
    }
    assert noise_scale(4, lengths[4], 64, lengths[64]) == pytest.approx(40 / 2.5, rel=0.15)


def test_without_a_signal_the_scale_is_infinite():
    assert noise_scale(1, 10.0, 10, 1.0) == math.inf


@pytest.mark.parametrize("given", [(0, 1.0, 2, 1.0), (4, 1.0, 4, 1.0), (1, -1.0, 2, 1.0), (1, math.nan, 2, 1.0)])
def test_what_has_no_noise_scale(given):
    with pytest.raises(ValueError, match="expected 0 < small < large"):
        noise_scale(*given)
