"""The power law: its exponents come back, the split is where the loss is lowest, and what moves the fit."""

import numpy as np
import pytest

from minilm.scaling import Law, fit_law, percentiles, resampled
from minilm.scaling.law import _residuals

PUBLISHED = Law(1.69, 406.4, 0.34, 410.7, 0.28)  # Hoffmann et al. (2022), equation 10
OURS = Law(1.2, 15.0, 0.35, 200.0, 0.45)
N, D = (x.ravel() for x in np.meshgrid([3e3, 1e4, 3e4, 1e5], [5e4, 1e5, 2e5]))


@pytest.mark.parametrize("law", [PUBLISHED, OURS, Law(0.5, 40.0, 0.5, 2000.0, 0.6)])
def test_the_exponents_come_back(law):
    assert fit_law(N, D, law.loss(N, D)) == pytest.approx(law, rel=1e-5)


def test_the_published_law_in_numbers():
    """Chinchilla: 70 billion parameters, 1.4 trillion tokens: below 2.0 nats, and almost the split that its compute allows."""
    assert PUBLISHED.loss(70e9, 1.4e12) == pytest.approx(1.937, abs=1e-3)
    assert isinstance(PUBLISHED.loss(70e9, 1.4e12), float)
    assert PUBLISHED.loss([70e9, 280e9], [1.4e12, 300e9]).shape == (2,)


@pytest.mark.parametrize("law", [PUBLISHED, OURS])
def test_the_split_is_the_best_of_a_fine_grid(law):
    compute = 1e15
    n, d = law.split(compute)
    assert 6 * n * d == pytest.approx(compute)
    sizes = n * np.exp(np.linspace(-1, 1, 2001))
    losses = law.loss(sizes, compute / 6 / sizes)
    assert abs(losses.argmin() - 1000) <= 1
    assert law.loss(n, d) <= losses.min()


def test_what_ten_times_the_compute_buys():
    (n, d), (more_n, more_d) = PUBLISHED.split(1e20), PUBLISHED.split(1e21)
    assert more_n / n == pytest.approx(10 ** (0.28 / 0.62))
    assert more_d / d == pytest.approx(10 ** (0.34 / 0.62))


def test_the_slopes_are_the_derivatives():
    free, y = np.array([2.0, 5.0, 0.1, 0.3, 0.4]), np.log(OURS.loss(N, D))
    slopes = _residuals(free, np.log(N), np.log(D), y)[1]
    for k in range(5):
        step = 1e-6 * np.eye(5)[k]
        numeric = (
            _residuals(free + step, np.log(N), np.log(D), y)[0] - _residuals(free - step, np.log(N), np.log(D), y)[0]
        ) / 2e-6
        assert slopes[:, k] == pytest.approx(numeric, abs=1e-8)


def test_one_bad_run_moves_it_little():
    """Huber's loss: with squares alone the same run moves the prediction far."""
    losses = OURS.loss(N, D) * np.exp(np.random.default_rng(0).normal(0, 2e-4, len(N)))
    losses[5] *= 1.1
    true = OURS.loss(3e5, 2e5)
    robust, squares = fit_law(N, D, losses).loss(3e5, 2e5), fit_law(N, D, losses, delta=1e6).loss(3e5, 2e5)
    assert abs(robust - true) < 0.01 < 0.03 < abs(squares - true)


def test_the_order_of_the_runs_and_their_dtype_do_not_matter():
    losses = OURS.loss(N, D) * np.exp(np.random.default_rng(1).normal(0, 0.005, len(N)))
    turned = fit_law(N[::-1], D[::-1].astype(np.int64), losses[::-1])
    assert turned == pytest.approx(fit_law(N, D, losses), rel=1e-4)
    assert fit_law(N.astype(np.int64).tolist(), D.tolist(), losses.tolist()) == pytest.approx(
        fit_law(N, D, losses), rel=1e-4
    )


def test_draws_hold_what_is_true():
    rng = np.random.default_rng(2)
    losses = OURS.loss(N, D)[:, None] * np.exp(rng.normal(0, 0.004, (len(N), 3)))
    draws = resampled(N, D, losses, draws=60)
    assert draws == resampled(N, D, losses, draws=60)
    for name in ("alpha", "beta"):
        low, high, _ = percentiles([getattr(each, name) for each in draws])
        assert low < getattr(OURS, name) < high
        assert high - low > 0.01
    low, high, _ = percentiles([each.loss(3e5, 2e5) for each in draws])
    assert low < OURS.loss(3e5, 2e5) < high


def test_percentiles():
    assert percentiles(np.arange(101)) == pytest.approx((2.5, 97.5, 0.95))
    assert percentiles([3.0]) == (3.0, 3.0, 0.95)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fit_law(N[:4], D[:4], N[:4]), "at least 5"),
        (lambda: fit_law(N, D, N[:-1]), "each run"),
        (lambda: fit_law(N, D, -N), "above 0"),
        (lambda: fit_law(N, D, N * np.nan), "above 0"),
        (lambda: fit_law(N * 0 + 5, D, N), "must vary"),
        (lambda: fit_law(N, D, N, delta=0), "delta"),
        (lambda: resampled(N, D, N), "seed by seed"),
        (lambda: PUBLISHED.split(0), "above 0"),
        (lambda: Law(1.0, 1.0, -0.1, 1.0, 0.1).split(1e9), "does not fall"),
        (lambda: percentiles([]), "expected draws"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
