"""The power law's fit against SciPy's L-BFGS on the same objective, and Student's t against SciPy's."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from scipy import optimize, special, stats

from minilm.metrics import mean_interval, student_cdf, student_quantile
from minilm.scaling import Law, fit_law

N, D = (x.ravel() for x in np.meshgrid([3e3, 1e4, 3e4, 1e5], [5e4, 1e5, 2e5, 4e5]))


def objective(free, losses):
    a, b, e, alpha, beta = free
    log = special.logsumexp([a - alpha * np.log(N), b - beta * np.log(D), np.full(len(N), e)], axis=0)
    return special.huber(1e-3, log - np.log(losses)).sum()


@pytest.mark.parametrize("seed", range(2))
def test_no_worse_than_l_bfgs_from_a_grid(seed):
    """Hoffmann et al. (2022), section 3.3."""
    losses = Law(1.2, 15.0, 0.35, 200.0, 0.45).loss(N, D) * np.exp(np.random.default_rng(seed).normal(0, 0.004, len(N)))
    law = fit_law(N, D, losses)
    ours = objective([np.log(law.a), np.log(law.b), np.log(law.e), law.alpha, law.beta], losses)
    starts = [(a, b, e, 0.5, 0.5) for a in (0, 5) for b in (0, 5) for e in (0.0,)]
    found = [
        optimize.minimize(
            objective,
            start,
            (losses,),
            "L-BFGS-B",
            options={"maxiter": 5000, "maxfun": 50000, "ftol": 1e-14, "gtol": 1e-10},
        )
        for start in starts
    ]
    best = min(found, key=lambda each: each.fun)
    assert ours <= best.fun * (1 + 1e-6)
    assert law.alpha == pytest.approx(best.x[3], rel=0.05)
    assert law.loss(3e5, 4e5) == pytest.approx(
        Law(*np.exp(best.x[[2, 0]]), best.x[3], np.exp(best.x[1]), best.x[4]).loss(3e5, 4e5), rel=1e-3
    )


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 29, 200, 1001])
def test_students_t(freedom):
    for t in np.linspace(-6, 6, 25):
        assert student_cdf(float(t), freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-13)
    for share in (0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9995):
        assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_the_interval_of_a_mean(count):
    values = np.random.default_rng(count).normal(size=count)
    theirs = stats.t.interval(0.9, count - 1, values.mean(), stats.sem(values))
    assert mean_interval(values, confidence=0.9)[:2] == pytest.approx(theirs)
