r"""How far a larger batch replaces steps: the critical batch size.

To reach a loss with batches of B examples takes, in the model of McCandlish, Kaplan, Amodei et al. (2018), *An Empirical Model of
Large-Batch Training*, arXiv:1812.06162, equation 2.11 solved for the steps,

.. math:: S(B) = S_{min} \left(1 + \frac{B_{crit}}{B}\right), \qquad E(B) = B\, S(B) = E_{min} \left(1 + \frac{B}{B_{crit}}\right)

steps and examples, with :math:`B_{crit} = E_{min} / S_{min}`. Far below it twice the batch needs half the steps; far above it twice
the batch costs twice the examples and saves nothing. At it one pays twice the least of both.

`noise_scale` foretells it from gradients alone (appendix A.1 there): the squared length of the mean gradient of b examples is on average

.. math:: \operatorname{E} |g_b|^2 = |G|^2 + \frac{\operatorname{tr} \Sigma}{b}, \qquad
    B_{simple} = \frac{\operatorname{tr} \Sigma}{|G|^2}

with G the gradient over all examples and :math:`\Sigma` the covariance of those of single ones. Two batch sizes give two equations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class CriticalBatch(NamedTuple):
    """The model's two constants.

    Attributes:
        least_steps: S_min, of batches without end.
        least_examples: E_min, of batches of one.
    """

    least_steps: float
    least_examples: float

    @property
    def size(self) -> float:
        """B_crit, in examples."""
        return self.least_examples / self.least_steps

    def steps(self, batch: float) -> float:
        """S(B)."""
        return self.least_steps + self.least_examples / batch


def fit_critical_batch(batches: Sequence[float], steps: Sequence[float]) -> CriticalBatch:
    """The constants with the least squared relative error of the steps; both are linear in S(B).

    Args:
        batches: sizes, at least two different ones.
        steps: what each needed to reach the same loss.

    Raises:
        ValueError: there are not as many of both, a number is not positive and finite, all batches have one size, or the steps do
            not fall as the model says, so that a constant would not be positive.
    """
    B, S = (np.asarray(values, np.float64) for values in (batches, steps))
    if B.ndim != 1 or B.shape != S.shape:
        raise ValueError(f"expected as many batch sizes as numbers of steps, got {B.shape} and {S.shape}.")
    if not all(np.isfinite(x).all() and (x > 0).all() for x in (B, S)) or len(np.unique(B)) < 2:
        raise ValueError(
            "batch sizes and steps are positive numbers, and there are at least two different batch sizes."
        )
    columns = np.stack([1 / S, 1 / (B * S)], axis=1)
    least_steps, least_examples = np.linalg.lstsq(columns, np.ones(len(B)), rcond=None)[0]
    if least_steps <= 0 or least_examples <= 0:
        raise ValueError(
            "these steps do not follow S_min (1 + B_crit / B): they fall faster than 1 / B, or they grow. "
            "Give larger or smaller batches, and each its own learning rate."
        )
    return CriticalBatch(float(least_steps), float(least_examples))


def noise_scale(small: float, small_squared: float, large: float, large_squared: float) -> float:
    """B_simple, from the mean squared lengths of gradients of batches of two sizes; infinite where no signal is left.

    Args:
        small, large: the batch sizes.
        small_squared, large_squared: the mean over many batches of the squared length of the gradient.

    Raises:
        ValueError: the sizes are not 0 < small < large, or a squared length is negative.
    """
    if not 0 < small < large or not min(small_squared, large_squared) >= 0:
        raise ValueError(
            f"expected 0 < small < large and squared lengths of at least 0, got {small}, {large}, {small_squared}, "
            f"{large_squared}."
        )
    signal = (large * large_squared - small * small_squared) / (large - small)
    noise = (small_squared - large_squared) / (1 / small - 1 / large)
    return noise / signal if signal > 0 else math.inf


__all__ = ["CriticalBatch", "fit_critical_batch", "noise_scale"]
