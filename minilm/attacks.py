r"""Attacks on an input: the change within a ball that raises a model's loss most, found by its gradient.

.. math:: \max_{\lVert \delta \rVert \le \epsilon} \; L(x + \delta)

One step to the ball's edge is the fast gradient method (`fgsm`): :math:`\delta = \epsilon \operatorname{sign}(\nabla_x L)` where no
number may change by more than :math:`\epsilon`, and :math:`\delta = \epsilon \nabla_x L / \lVert \nabla_x L \rVert_2` where the whole
change has that length (Goodfellow, Shlens, Szegedy 2015, *Explaining and Harnessing Adversarial Examples*, ICLR, arXiv:1412.6572, section
4; on the vectors of words: Miyato, Dai, Goodfellow 2017, *Adversarial Training Methods for Semi-Supervised Text Classification*, ICLR,
arXiv:1605.07725, section 3). Both are exact for a loss that grows with a linear function of x. Several smaller steps, each followed by the
way back into the ball, find more (`pgd`; Madry et al. 2018, *Towards Deep Learning Models Resistant to Adversarial Attacks*, ICLR,
arXiv:1706.06083, section 2.1).

A loss that an attack does not raise is no proof that none can: the gradient may point nowhere (Athalye, Carlini, Wagner 2018,
*Obfuscated Gradients Give a False Sense of Security*, ICML, arXiv:1802.00420).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.graph import enable_grad
from minilm.tensor import Tensor, grad
from minilm.types import HostArray

Loss = Callable[[Tensor], Tensor]
"""From a batch of inputs (n, ...) to the loss of each, (n,): an example's loss may not depend on the others."""
NORMS = ("inf", "2")


def fgsm(loss: Loss, x: Any, epsilon: float, norm: str = "inf", bounds: tuple[float, float] | None = None) -> HostArray:
    """One step to the edge of the ball. Arguments, result and errors as for `pgd`; the step is kept even where it lowers the loss."""
    x, device = _checked(x, epsilon, norm, bounds)
    slope, _ = _slopes(loss, x, device)
    return _within(x + _direction(slope, norm) * epsilon, x, epsilon, norm, bounds)


def pgd(
    loss: Loss,
    x: Any,
    epsilon: float,
    norm: str = "inf",
    *,
    steps: int = 10,
    step: float | None = None,
    rng: np.random.Generator | None = None,
    bounds: tuple[float, float] | None = None,
) -> HostArray:
    r"""Projected gradient ascent: steps along the gradient's direction, each followed by the nearest point of the ball.

    .. math:: x_{k+1} = \Pi_{B_\epsilon(x)} \bigl( x_k + \eta\, d(\nabla_x L(x_k)) \bigr)

    with d the signs, or the gradient divided by its length. Of all points on the way each example keeps the one with the highest loss, x
    itself included, so that none is better off than before. The model's weights get no gradient.

    Args:
        loss: L of each example of a batch.
        x: inputs (n, ...): pixels, or the vectors of words; a Tensor, or an array.
        epsilon: the ball's radius: 0 or more.
        norm: "inf", the largest change of a number; "2", the length of an example's whole change.
        steps: how many, 1 or more.
        step: the length of one, :math:`\\eta`; None: :math:`2.5\, \epsilon / \text{steps}`, so that the edge can be reached and followed.
        rng: draws where to begin, within the ball; None: at x.
        bounds: the least and the greatest value that an input may have, as (0, 1) of pixels.

    Returns:
        the changed inputs, (n, ...), of x's dtype, on the host.

    Raises:
        ValueError: x is no batch, epsilon, steps or step is out of range, the norm is unknown, an input is out of bounds already, L gives
            something else than one number per example, or its gradient is not finite.
    """
    x, device = _checked(x, epsilon, norm, bounds)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"attack: steps must be a positive integer, got {steps!r}.")
    eta = 2.5 * epsilon / steps if step is None else step
    if not 0 <= eta < math.inf:
        raise ValueError(f"attack: step must be 0 or more, got {eta}.")
    at = x if rng is None else _within(x + _drawn(rng, x, epsilon, norm), x, epsilon, norm, bounds)
    best, highest = x.copy(), _losses(loss, x, device)
    for _ in range(steps):
        slope, before = _slopes(loss, at, device)
        _keep(best, highest, at, before)
        at = _within(at + _direction(slope, norm) * eta, x, epsilon, norm, bounds)
    _keep(best, highest, at, _losses(loss, at, device))
    return best


def adversarial_loss(
    loss: Loss,
    x: Tensor,
    epsilon: float,
    norm: str = "inf",
    *,
    steps: int = 1,
    share: float = 0.5,
    rng: np.random.Generator | None = None,
    bounds: tuple[float, float] | None = None,
) -> Tensor:
    r"""What adversarial training lowers: the loss of each example as it is and as an attack leaves it, weighted.

    .. math:: (1 - s)\, L(x) + s\, L(x + \delta), \qquad
        \delta \approx \operatorname*{argmax}_{\lVert \delta \rVert \le \epsilon} L(x + \delta)

    The change is a constant: no gradient goes through how it was found (Goodfellow et al. 2015, section 6, with s = 1/2; Miyato et al.
    2017, section 3, where x are the vectors of words, which the gradient reaches; Madry et al. 2018, section 2, with s = 1).

    Args:
        x: inputs (n, ...); where they were computed from weights, these get their gradient.
        steps: 1: `fgsm`; more: `pgd`.
        share: s, from 0 to 1.
        loss, epsilon, norm, rng, bounds: as for `pgd`.

    Returns:
        (n,) losses, with their graph.

    Raises:
        ValueError: `share` is not from 0 to 1; else as for `pgd`.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"attack: share must be from 0 to 1, got {share}.")
    if steps == 1:
        found = fgsm(loss, x, epsilon, norm, bounds)
    else:
        found = pgd(loss, x, epsilon, norm, steps=steps, rng=rng, bounds=bounds)
    delta = Tensor(found - to_host(x.data), device=x.device)
    return loss(x) * (1 - share) + loss(x + delta) * share


def project(delta: HostArray, epsilon: float, norm: str = "inf") -> HostArray:
    """The nearest change within the ball, for each example: (n, ...) -> (n, ...).

    "inf": each number is cut to -epsilon .. epsilon. "2": what is longer than epsilon is shortened to it.
    """
    if norm == "inf":
        return np.clip(delta, -epsilon, epsilon)
    return delta * np.minimum(1.0, epsilon / np.maximum(_lengths(delta), np.finfo(delta.dtype).tiny))


def _within(at: HostArray, x: HostArray, epsilon: float, norm: str, bounds: tuple[float, float] | None) -> HostArray:
    """The point in the ball around x, and in the bounds: x lies in them, so that cutting to them only comes nearer to it."""
    found = x + project((at - x).astype(x.dtype), epsilon, norm)
    return (found if bounds is None else np.clip(found, *bounds)).astype(x.dtype)


def _direction(slope: HostArray, norm: str) -> HostArray:
    """The way of length 1 on which a linear function grows most; none where there is no slope."""
    if norm == "inf":
        return np.sign(slope)
    lengths = _lengths(slope)
    return slope / np.where(lengths == 0, 1, lengths)


def _lengths(x: HostArray) -> HostArray:
    """The Euclidean length of each example, (n, 1, ...), by its largest number first: squares of small slopes would be 0."""
    axes = tuple(range(1, x.ndim))
    largest = np.abs(x).max(axis=axes, keepdims=True, initial=0)
    scaled = x / np.where(largest == 0, 1, largest)
    return largest * np.sqrt((scaled * scaled).sum(axis=axes, keepdims=True))


def _drawn(rng: np.random.Generator, x: HostArray, epsilon: float, norm: str) -> HostArray:
    """A change that is uniform in the ball: each number, or the direction with a radius of the right distribution."""
    if norm == "inf":
        return np.asarray(rng.uniform(-epsilon, epsilon, x.shape), x.dtype)
    way = _direction(np.asarray(rng.standard_normal(x.shape)), norm)
    size = max(1, x[0].size) if len(x) else 1
    radius = epsilon * rng.random((len(x), *[1] * (x.ndim - 1))) ** (1 / size)
    return np.asarray(way * radius, x.dtype)


def _slopes(loss: Loss, x: HostArray, device: Any) -> tuple[HostArray, HostArray]:
    """The gradient of each example's loss, (n, ...), and the losses, (n,)."""
    at = Tensor(x, device=device).requires_grad_(True)
    with enable_grad():
        y = _one_each(loss(at), len(x))
        if not y.requires_grad:
            raise ValueError(
                "attack: the loss does not depend on the input by ops of the engine: there is no gradient."
            )
        slope = to_host(grad(y.sum(), at)[0].data)
    if not np.isfinite(slope).all():
        raise ValueError("attack: the gradient of the loss is not finite; ml.detect_anomaly() says where that begins.")
    return slope, to_host(y.data)


def _losses(loss: Loss, x: HostArray, device: Any) -> HostArray:
    return np.array(to_host(_one_each(loss(Tensor(x, device=device)), len(x)).data))


def _one_each(y: Tensor, n: int) -> Tensor:
    if y.shape != (n,):
        raise ValueError(
            f'attack: the loss must be one number per example, ({n},), got {y.shape}; cross_entropy(..., reduction="none") gives that.'
        )
    return y


def _keep(best: HostArray, highest: HostArray, at: HostArray, losses: HostArray) -> None:
    """Takes over the points whose loss is higher."""
    more = losses > highest
    best[more], highest[more] = at[more], losses[more]


def _checked(x: Any, epsilon: float, norm: str, bounds: tuple[float, float] | None) -> tuple[HostArray, Any]:
    """The inputs on the host, and their device."""
    device = x.device if isinstance(x, Tensor) else None
    found = np.array(to_host(x.data) if isinstance(x, Tensor) else x)
    if found.ndim < 1 or not np.issubdtype(found.dtype, np.floating):
        raise ValueError(f"attack: expected a batch of floats (n, ...), got {found.dtype} of shape {found.shape}.")
    if norm not in NORMS:
        raise ValueError(f"attack: norm must be one of {', '.join(NORMS)}; got {norm!r}.")
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"attack: epsilon must be 0 or more, got {epsilon}.")
    if not np.isfinite(found).all():
        raise ValueError("attack: an input is not finite: no ball is around it.")
    if bounds is not None and found.size and not bounds[0] <= found.min() <= found.max() <= bounds[1]:
        raise ValueError(f"attack: the inputs go from {found.min():g} to {found.max():g}, beyond the bounds {bounds}.")
    return found, device


__all__ = ["NORMS", "Loss", "adversarial_loss", "fgsm", "pgd", "project"]
