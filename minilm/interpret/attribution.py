r"""Attribution: how much of an answer each part of the input is given, and a test of whether the answer agrees.

Three rules, from the cheapest to the dearest, all for a function F of one input x with a baseline b that stands for "nothing":

.. math::
    \text{gradient} \times \text{input:} \quad & (x_i - b_i)\, \frac{\partial F}{\partial x_i}(x) \\
    \text{integrated gradients:} \quad & (x_i - b_i) \int_0^1 \frac{\partial F}{\partial x_i}\bigl(b + \alpha (x - b)\bigr)\, d\alpha \\
    \text{leave one out:} \quad & F(x) - F(x \text{ without part } i)

The second adds up to F(x) - F(b), whatever F is (completeness: Sundararajan, Taly and Yan 2017, *Axiomatic Attribution for Deep
Networks*, ICML, proposition 1); the first does so for a linear F, where it is the same; the third need not. That they add up does not
say that they are right: `deletion` takes away what is called important, and looks (Samek et al. 2017, *Evaluating the visualization of
what a deep neural network has learned*, IEEE TNNLS 28(11), section III).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.graph import enable_grad, no_grad
from minilm.ops.dtypes import get_default_dtype
from minilm.tensor import Tensor, grad
from minilm.types import HostArray

Function = Callable[[Tensor], Tensor]
"""From a batch of inputs, (n, ...), to one number for each, (n,)."""
Kept = Callable[[HostArray], HostArray]
"""From rows of what is kept of an input, (n, parts), booleans, to one number for each row, (n,)."""


def integrated_gradients(f: Function, x: Any, baseline: Any = 0.0, steps: int = 32, device: Any = None) -> HostArray:
    r"""Integrated gradients by the midpoint rule.

    .. math:: (x_i - b_i)\, \frac1n \sum_{k=1}^{n} \frac{\partial F}{\partial x_i}\Bigl(b + \tfrac{k - 1/2}{n} (x - b)\Bigr)

    For F linear or quadratic it is exact with any number of steps; for a smooth F the error falls with 1 / n². How far the sum is
    from F(x) - F(b) says whether there are enough.

    Args:
        f: F, of a batch; it is called once, with all `steps` points.
        x: one input, of any shape.
        baseline: b, of that shape, or a number.
        steps: n.
        device: where the points are put; default: the host.

    Returns:
        The attributions, of the shape of x.

    Raises:
        ValueError: there is no step, the baseline has another shape, or F does not give one number for each point.
    """
    x, b = _input_and_baseline("integrated_gradients", x, baseline)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"integrated_gradients: steps must be a positive integer, got {steps!r}.")
    middles = (np.arange(steps) + 0.5) / steps
    return (x - b) * _gradients("integrated_gradients", f, x, b, middles, device).mean(axis=0)


def gradient_times_input(f: Function, x: Any, baseline: Any = 0.0, device: Any = None) -> HostArray:
    """The gradient at x times x - b: F as its tangent at x has it. Arguments, result and errors as for `integrated_gradients`."""
    x, b = _input_and_baseline("gradient_times_input", x, baseline)
    return (x - b) * _gradients("gradient_times_input", f, x, b, np.ones(1), device)[0]


def leave_one_out(f: Kept, parts: int) -> HostArray:
    """F of the whole less F without part i, for each i: (parts,). It takes parts + 1 forward passes, in one batch.

    Args:
        f: F of rows that say which parts are kept, (n, parts) -> (n,).

    Raises:
        ValueError: there is no part, or F does not give one number for each row.
    """
    if parts < 1:
        raise ValueError(f"leave_one_out: an input has at least one part, got {parts}.")
    keep = np.concatenate([np.ones((1, parts), bool), ~np.eye(parts, dtype=bool)])
    values = _one_each("leave_one_out", f(keep), parts + 1)
    return values[0] - values[1:]


def deletion(f: Kept, scores: Any, most: int) -> HostArray:
    """By how much F falls when the 1, 2, ... `most` parts with the highest scores are taken away: (most,).

    Where there are fewer parts, the last value stands for what is beyond. Of equal scores the first part goes first.

    Args:
        f: as in `leave_one_out`.
        scores: (parts,), an attribution: high where F would fall most.

    Raises:
        ValueError: the scores are no vector or hold NaN, or `most` is not positive.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
        raise ValueError(
            f"deletion: expected a score for each part, without NaN, got shape {scores.shape}: {scores.tolist()!r:.60}."
        )
    if most < 1:
        raise ValueError(f"deletion: at least one part is taken away, got most={most}.")
    order = np.argsort(-scores, kind="stable")
    gone = np.minimum(np.arange(most + 1), scores.size)
    rank = np.empty(scores.size, np.int64)
    rank[order] = np.arange(scores.size)
    values = _one_each("deletion", f(rank >= gone[:, None]), most + 1)
    return values[0] - values[1:]


def _input_and_baseline(name: str, x: Any, baseline: Any) -> tuple[HostArray, HostArray]:
    x, b = (to_host(a.data) if isinstance(a, Tensor) else np.asarray(a) for a in (x, baseline))
    x = x if x.dtype.kind == "f" else x.astype(get_default_dtype())
    if b.shape not in ((), x.shape):
        raise ValueError(
            f"{name}: the baseline has shape {b.shape}, the input {x.shape}; give one of that shape, or a number."
        )
    return x, np.broadcast_to(b.astype(x.dtype), x.shape)


def _gradients(name: str, f: Function, x: HostArray, b: HostArray, alphas: HostArray, device: Any) -> HostArray:
    """The gradient of F at each point b + alpha (x - b): (points, ...). Parameters of a model get none."""
    at = alphas.astype(x.dtype).reshape(-1, *[1] * x.ndim)
    points = Tensor(b + at * (x - b), device=device).requires_grad_(True)
    with enable_grad():
        y = f(points)
        if y.shape != (len(alphas),):
            raise ValueError(
                f"{name}: F must give one number for each of the {len(alphas)} points of a batch, shape ({len(alphas)},); got "
                f"{y.shape}. Choose one output, such as logits[:, 1]."
            )
        if not y.requires_grad:
            raise ValueError(f"{name}: F does not depend on its input by ops of the engine: there is no gradient.")
        return to_host(grad(y.sum(), points)[0].data)


def _one_each(name: str, values: Any, n: int) -> HostArray:
    with no_grad():
        values = to_host(values.data) if isinstance(values, Tensor) else np.asarray(values)
    if values.shape != (n,):
        raise ValueError(f"{name}: F must give one number for each of the {n} rows, got shape {values.shape}.")
    return values


__all__ = ["deletion", "gradient_times_input", "integrated_gradients", "leave_one_out"]
