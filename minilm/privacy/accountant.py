r"""How much noisy steps tell about one example at most: Rényi differential privacy of the subsampled Gaussian.

A learner is :math:`(\varepsilon, \delta)`-private if for any two sets of data that differ in one example, and whatever is looked for in the
result, :math:`P(\text{found} \mid \text{with}) \le e^\varepsilon P(\text{found} \mid \text{without}) + \delta`, and the other way round
(Dwork, McSherry, Nissim & Smith 2006). To add up steps, one measures by moments of the likelihood ratio instead (Mironov 2017, *Rényi
Differential Privacy*, arXiv:1702.07476). For a step of DP-SGD with the rate q and the noise :math:`\sigma`, the worst case is one
number, z. Without the example it comes from :math:`\mu_0 = \mathcal N(0, \sigma^2)`, with it from
:math:`\mu = (1 - q)\, \mu_0 + q\, \mathcal N(1, \sigma^2)`, and

.. math:: \rho(\alpha) = \frac{1}{\alpha - 1} \ln \int \mu_0(z) \left( \frac{\mu(z)}{\mu_0(z)} \right)^{\!\alpha} dz

(Mironov, Talwar & Zhang 2019, *Rényi Differential Privacy of the Sampled Gaussian Mechanism*, arXiv:1908.10530, theorems 4 and 5).
Steps add: T of them have :math:`T \rho(\alpha)`. Every :math:`\alpha > 1` gives a bound, and the least one counts:

.. math:: \varepsilon = \min_\alpha\; T \rho(\alpha) + \ln\frac{\alpha - 1}{\alpha} - \frac{\ln \delta + \ln \alpha}{\alpha - 1}

(Canonne, Kamath & Steinke 2020, *The Discrete Gaussian for Differential Privacy*, arXiv:2004.00010, proposition 12; Balle et al. 2020,
*Hypothesis Testing Interpretations and Renyi Differential Privacy*, arXiv:1905.09982.)

The paper has a finite sum for integers and two series for other orders. Here the integral itself is computed, by the trapezoidal rule: of a
smooth function that vanishes at both ends its error falls exponentially with the number of points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

from minilm.types import HostArray

ORDERS = (*(1 + k / 10 for k in range(1, 100)), *range(11, 64), 80, 96, 128, 192, 256, 512, 1024)
MOST_NOISE = 1e4  # where the search for a noise gives up


def privacy_of(noise: float, rate: float, steps: int, delta: float, orders: Sequence[float] = ORDERS) -> float:
    """The epsilon of so many steps of DP-SGD: an upper bound, for two sets of data of which one has one example more.

    Args:
        noise: sigma, the noise's standard deviation by the clipping norm; 0 tells all: infinity.
        rate: q, the probability of each example to be in a batch.
        steps: T; without one nothing is told.
        delta: in (0, 1), less than one by the number of examples.
        orders: alphas, each above 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    expect_number("delta", delta, above=0.0, below=1.0)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps must be an integer >= 0, got {steps!r}.")
    total = steps * np.array([renyi(noise, rate, alpha) for alpha in orders]) if steps else np.zeros(len(orders))
    if not total.any():
        return 0.0
    alpha = np.asarray(orders, float)
    bounds = total + np.log1p(-1 / alpha) - (math.log(delta) + np.log(alpha)) / (alpha - 1)
    return max(0.0, float(bounds.min()))


def noise_for(epsilon: float, rate: float, steps: int, delta: float, rtol: float = 1e-4) -> float:
    """The least noise, up to `rtol`, with which so many steps have at most this epsilon, by bisection.

    Raises:
        ValueError: an argument is out of its range, or no noise is enough.
    """
    expect_number("epsilon", epsilon, above=0.0)
    low, high = 0.0, 1.0
    while privacy_of(high, rate, steps, delta) > epsilon:
        low, high = high, 2 * high
        if high > MOST_NOISE:
            raise ValueError(
                f"no noise up to {MOST_NOISE:g} gives epsilon {epsilon:g} at delta {delta:g}: fewer steps, or a smaller rate."
            )
    while high - low > rtol * high:
        middle = (low + high) / 2
        low, high = (low, middle) if privacy_of(middle, rate, steps, delta) <= epsilon else (middle, high)
    return high


def renyi(noise: float, rate: float, alpha: float) -> float:
    r"""The Rényi divergence :math:`\rho(\alpha)` of one step. For q = 1 it is :math:`\alpha / (2 \sigma^2)`.

    Raises:
        ValueError: `noise` is negative, `rate` is not in [0, 1], or `alpha` not above 1; or one is NaN.
    """
    expect_number("noise", noise)
    expect_number("rate", rate, most=1.0)
    expect_number("alpha", alpha, above=1.0)
    if rate == 0:
        return 0.0
    if noise == 0:
        return math.inf
    if rate == 1:
        return alpha / (2 * noise**2)
    return max(0.0, _log_moment(noise, rate, alpha) / (alpha - 1))


def renyi_of_integer(noise: float, rate: float, alpha: int) -> float:
    r"""The same for an integer by its finite sum, the specification (Mironov, Talwar & Zhang 2019, section 3.3):

    .. math:: \rho(\alpha) = \frac{1}{\alpha - 1} \ln \sum_{k=0}^{\alpha} \binom{\alpha}{k} (1 - q)^{\alpha - k} q^k
        \exp\frac{k^2 - k}{2 \sigma^2}
    """
    terms = [
        math.lgamma(alpha + 1) - math.lgamma(k + 1) - math.lgamma(alpha - k + 1)
        + (alpha - k) * math.log1p(-rate) + k * math.log(rate) + (k * k - k) / (2 * noise**2)
        for k in range(alpha + 1)
    ]  # fmt: skip
    return _log_sum(np.array(terms)) / (alpha - 1)


def _log_moment(noise: float, rate: float, alpha: float) -> float:
    """The logarithm of the integral; its mass lies between 0, where z is drawn, and alpha, to where the power carries it."""
    step = noise * min(1.0, noise) / 6  # the integrand's next singularity is pi sigma^2 off the real line
    z = np.arange(-14 * noise, alpha + 14 * noise + step, step)
    ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * noise**2))
    return _log_sum(alpha * ratio - z**2 / (2 * noise**2)) + math.log(step / (noise * math.sqrt(2 * math.pi)))


def _log_sum(terms: HostArray) -> float:
    most = float(terms.max())
    return most + math.log(float(np.exp(terms - most).sum()))


def expect_number(
    name: str, value: float, above: float | None = None, below: float | None = None, most: float | None = None
) -> None:
    """Raises a ValueError where `value` is no finite number >= 0, or outside (above, below) or (above, most]."""
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    good = (
        good
        and (above is None or value > above)
        and (below is None or value < below)
        and (most is None or value <= most)
    )
    if not good:
        limits = [f"> {above:g}" if above is not None else ">= 0", f"< {below:g}" if below is not None else ""]
        limits.append(f"<= {most:g}" if most is not None else "")
        raise ValueError(f"{name} must be a finite number {' and '.join(filter(None, limits))}, got {value!r}.")


__all__ = ["ORDERS", "expect_number", "noise_for", "privacy_of", "renyi", "renyi_of_integer"]
