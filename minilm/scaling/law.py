r"""The power law of loss in parameters and characters read, and its fit to measured runs.

.. math:: L(N, D) = E + A N^{-\alpha} + B D^{-\beta}

(Hoffmann et al. 2022, *Training Compute-Optimal Large Language Models*, arXiv:2203.15556, section 3.3.) E is what no model can
know, the second term what a model of N parameters cannot hold, the third what D tokens did not teach.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from minilm.types import HostArray

DELTA = 1e-3  # of the Huber loss, as Hoffmann et al. chose it
STARTS = tuple(itertools.product((0.0, 4.0, 8.0), (0.0, 4.0, 8.0), (-2.0, 0.5), (0.25, 0.75), (0.25, 0.75)))


class Law(NamedTuple):
    """The five numbers of the law; `a` and `alpha` belong to the parameters, `b` and `beta` to what is read."""

    e: float
    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, parameters: Any, tokens: Any) -> Any:
        """What it predicts, for numbers or arrays."""
        n, d = np.asarray(parameters, np.float64), np.asarray(tokens, np.float64)
        found = self.e + self.a * n**-self.alpha + self.b * d**-self.beta
        return float(found) if found.ndim == 0 else found

    def split(self, compute: float, per_token: float = 6.0) -> tuple[float, float]:
        r"""The parameters and tokens with the lowest loss at a price C = 6 N D (Hoffmann et al. 2022, equation 4).

        .. math::

            N = \left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)} \left(\frac{C}{6}\right)^{\beta/(\alpha+\beta)},
            \quad D = \frac{C}{6N}

        Args:
            compute: C, in floating-point operations.
            per_token: those of a parameter for each token: two forward, four backward.

        Raises:
            ValueError: the compute is not positive, or a term of the law does not fall.
        """
        if not (compute > 0 and per_token > 0):
            raise ValueError(f"compute is a number of operations above 0, got {compute!r} at {per_token!r} per token.")
        if min(self.a, self.b, self.alpha, self.beta) <= 0:
            raise ValueError(f"no split is the best where a term of the law does not fall: {self}.")
        pairs = compute / per_token
        ratio = self.alpha * self.a / (self.beta * self.b)
        n = ratio ** (1 / (self.alpha + self.beta)) * pairs ** (self.beta / (self.alpha + self.beta))
        return n, pairs / n


def fit_law(parameters: Any, tokens: Any, losses: Any, *, delta: float = DELTA, start: Law | None = None) -> Law:
    r"""The law that fits measured losses, as Hoffmann et al. (2022, section 3.3) do it: the least Huber loss of the log of the loss.

    With :math:`a = \ln A` and so on, :math:`\ln L = \text{LSE}(a - \alpha \ln N, b - \beta \ln D, e)`: positive whatever a, b and e are.
    They minimize by L-BFGS from a grid of starts; here it is Levenberg and Marquardt's method (Marquardt 1963, *An Algorithm for
    Least-Squares Estimation of Nonlinear Parameters*), with weights for Huber's loss (Huber 1964), from a smaller grid.

    Args:
        parameters, tokens, losses: one of each for a run, positive.
        delta: where Huber's loss goes over from squares to absolute values.
        start: where to begin instead of at the grid: a law that is near.

    Raises:
        ValueError: there are fewer than 5 runs, numbers that are not positive, or of one kind a single value only.
    """
    n, d, y = _logs(parameters, tokens, losses)
    if not (isinstance(delta, int | float) and delta > 0):
        raise ValueError(f"delta is a number above 0, got {delta!r}.")
    lowest = float(y.min())
    starts: Any = STARTS if start is None else [_free(start)]
    found = [_descend(np.array([a, b, min(e, lowest - 0.05), x, z]), n, d, y, delta, 30) for a, b, e, x, z in starts]
    best = min(found, key=lambda pair: pair[1])[0]
    return _law(_descend(best, n, d, y, delta, 500)[0])


def _logs(*columns: Any) -> list[HostArray]:
    found = [np.asarray(column, np.float64) for column in columns]
    if any(column.shape != found[0].shape or column.ndim != 1 for column in found):
        raise ValueError(f"expected parameters, tokens and loss of each run, got {[column.shape for column in found]}.")
    if len(found[0]) < 5:
        raise ValueError(f"five numbers are not fitted to {len(found[0])} runs: measure at least 5, better 15.")
    if not all(np.isfinite(column).all() and (column > 0).all() for column in found):
        raise ValueError("parameters, tokens and losses are numbers above 0: leave out the runs that failed.")
    if any(len(np.unique(column)) < 2 for column in found[:2]):
        raise ValueError("parameters and tokens must vary: a law of one of them alone is not found so.")
    return [np.log(column) for column in found]


def _terms(free: HostArray, n: HostArray, d: HostArray) -> HostArray:
    """The logarithms of the three terms: (3, runs)."""
    a, b, e, alpha, beta = free
    return np.stack([a - alpha * n, b - beta * d, np.full_like(n, e)])


def _residuals(free: HostArray, n: HostArray, d: HostArray, y: HostArray) -> tuple[HostArray, HostArray]:
    """ln L - y, and its derivatives by a, b, e, alpha, beta: those of a log of a sum are the shares of its terms."""
    terms = _terms(free, n, d)
    top = terms.max(0)
    total = np.exp(terms - top).sum(0)
    p, q, r = np.exp(terms - top) / total
    return top + np.log(total) - y, np.stack([p, q, r, -p * n, -q * d], 1)


def _huber(residuals: HostArray, delta: float) -> float:
    size = np.abs(residuals)
    return float(np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)).sum())


def _descend(
    free: HostArray, n: HostArray, d: HostArray, y: HostArray, delta: float, most: int
) -> tuple[HostArray, float]:
    """Steps of least squares, each run weighted by what Huber's loss has of its square; damped until a step helps."""
    damping = 1e-2
    residuals, slopes = _residuals(free, n, d, y)
    loss = _huber(residuals, delta)
    for _ in range(most):
        weights = np.minimum(1.0, delta / np.maximum(np.abs(residuals), 1e-300))
        normal, gradient = slopes.T @ (weights[:, None] * slopes), slopes.T @ (weights * residuals)
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), gradient)
        moved = free - step
        there, new_slopes = _residuals(moved, n, d, y)
        new = _huber(there, delta)
        if new < loss:
            done = loss - new < 1e-12 * loss
            free, residuals, slopes, loss, damping = moved, there, new_slopes, new, max(damping / 3, 1e-9)
            if done:
                break
        elif (damping := damping * 4) > 1e9:
            break
    return free, loss


def _law(free: HostArray) -> Law:
    a, b, e, alpha, beta = free.tolist()
    return Law(math.exp(e), math.exp(a), alpha, math.exp(b), beta)


def _free(law: Law) -> tuple[float, ...]:
    return math.log(law.a), math.log(law.b), math.log(max(law.e, 1e-300)), law.alpha, law.beta


def resampled(
    parameters: Any, tokens: Any, losses: Any, *, draws: int = 200, seed: int = 0, delta: float = DELTA
) -> list[Law]:
    """Laws fitted to draws of the runs with replacement (the bootstrap; Efron 1979): how far the law would move with other runs.

    Args:
        parameters, tokens: one for each cell of a grid.
        losses: (cells, seeds). A draw takes cells, and in each cell seeds, of which it fits the means.
        draws: how many laws; a draw that has too few different cells for a fit is drawn anew.

    Raises:
        ValueError: as `fit_law`; or the losses are not a row of seeds for each cell.
    """
    n, d, each = (np.asarray(x, np.float64) for x in (parameters, tokens, losses))
    if each.ndim != 2 or len(each) != len(n):
        raise ValueError(
            f"expected the losses of each of {len(n)} cells, seed by seed, got an array of shape {each.shape}."
        )
    whole = fit_law(n, d, each.mean(1), delta=delta)
    rng = np.random.default_rng(seed)
    found: list[Law] = []
    while len(found) < draws:
        cells = rng.integers(len(n), size=len(n))
        seeds = rng.integers(each.shape[1], size=(len(n), each.shape[1]))
        if min(len(np.unique(n[cells])), len(np.unique(d[cells]))) < 3:
            continue
        means = np.take_along_axis(each[cells], seeds, 1).mean(1)
        found.append(fit_law(n[cells], d[cells], means, delta=delta, start=whole))
    return found


__all__ = ["DELTA", "Law", "fit_law", "resampled"]
