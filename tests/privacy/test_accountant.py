"""The accountant against its finite sum, closed forms, published numbers, and the exact privacy of a Gaussian."""

import math

import numpy as np
import pytest

from minilm.privacy.accountant import ORDERS, noise_for, privacy_of, renyi, renyi_of_integer


@pytest.mark.parametrize("noise", [0.3, 0.7, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("rate", [1e-4, 0.01, 0.3, 0.99])
def test_the_integral_equals_the_finite_sum(noise, rate):
    for alpha in (2, 3, 17, 64, 512):
        assert renyi(noise, rate, alpha) == pytest.approx(renyi_of_integer(noise, rate, alpha), rel=1e-9, abs=1e-13)


def test_the_integral_does_not_depend_on_its_points_between_integers():
    """rho rises with alpha, so an order in between lies in between."""
    for noise, rate in ((0.5, 0.05), (2.0, 0.2)):
        values = [renyi(noise, rate, alpha) for alpha in np.arange(1.1, 6, 0.1)]
        assert (np.diff(values) > 0).all()
        assert renyi(noise, rate, 2 + 1e-9) == pytest.approx(renyi_of_integer(noise, rate, 2), rel=1e-7)


def test_the_whole_data_in_each_batch_is_the_gaussian():
    assert renyi(3.0, 1.0, 5.5) == pytest.approx(5.5 / 18)
    assert renyi(3.0, 1 - 1e-12, 5.5) == pytest.approx(5.5 / 18)
    assert renyi(3.0, 0.0, 5.5) == 0


def exact(noise, delta):
    """The epsilon of one Gaussian (Balle & Wang 2018, theorem 8), by bisection."""

    def phi(x):
        return math.erfc(-x / math.sqrt(2)) / 2

    low, high = 0.0, 100.0
    for _ in range(100):
        e = (low + high) / 2
        above = phi(0.5 / noise - e * noise) - math.exp(e) * phi(-0.5 / noise - e * noise) > delta
        low, high = (e, high) if above else (low, e)
    return high


@pytest.mark.parametrize("noise", [0.8, 2.0, 5.0])
def test_a_bound_that_is_near_the_exact_number(noise):
    """T Gaussians are one with the noise by the root of T."""
    for steps in (1, 9):
        bound, true = privacy_of(noise, 1.0, steps, 1e-5), exact(noise / math.sqrt(steps), 1e-5)
        assert true < bound < 1.12 * true + 0.02


def test_the_number_of_the_paper():
    """Abadi et al. 2016, section 3.2: q = 0.01, sigma = 4, 10,000 steps, delta 1e-5: 1.26, by the conversion of their theorem 2."""
    theirs = min(10_000 * renyi(4.0, 0.01, a) + math.log(1e5) / (a - 1) for a in ORDERS)
    assert theirs == pytest.approx(1.26, abs=0.005)
    assert privacy_of(4.0, 0.01, 10_000, 1e-5) < theirs


def test_more_noise_less_data_and_fewer_steps_tell_less():
    base = privacy_of(1.0, 0.05, 200, 1e-5)
    assert privacy_of(1.1, 0.05, 200, 1e-5) < base
    assert privacy_of(1.0, 0.04, 200, 1e-5) < base
    assert privacy_of(1.0, 0.05, 199, 1e-5) < base
    assert privacy_of(1.0, 0.05, 200, 1e-4) < base


def test_the_ends():
    assert privacy_of(0.0, 0.1, 1, 1e-5) == math.inf
    assert privacy_of(1.0, 0.1, 0, 1e-5) == 0
    assert privacy_of(1.0, 0.0, 100, 1e-5) < 0.01
    assert privacy_of(1e4, 0.01, 1, 1e-3) < 0.01


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 20.0])
def test_the_least_noise(epsilon):
    noise = noise_for(epsilon, 0.1, 100, 1e-4)
    assert privacy_of(noise, 0.1, 100, 1e-4) <= epsilon < privacy_of(noise * 0.999, 0.1, 100, 1e-4)


def test_no_noise_is_enough():
    with pytest.raises(ValueError, match=r"no noise up to 10000 gives epsilon 1e-06.*fewer steps"):
        noise_for(1e-6, 0.5, 1000, 1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.1, 1, 1e-5), "noise must be"),
        ((math.nan, 0.1, 1, 1e-5), "noise must be"),
        ((1.0, 1.1, 1, 1e-5), "rate must be a finite number >= 0 and <= 1, got 1.1"),
        ((1.0, 0.1, 1.5, 1e-5), "steps must be an integer >= 0, got 1.5"),
        ((1.0, 0.1, -1, 1e-5), "steps must be"),
        ((1.0, 0.1, 1, 0.0), "delta must be a finite number > 0 and < 1"),
        ((1.0, 0.1, 1, 1.0), "delta must be"),
        ((1.0, 0.1, 1, 1e-5, (1.0,)), "alpha must be a finite number > 1"),
        (("1", 0.1, 1, 1e-5), "noise must be"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        privacy_of(*arguments)
