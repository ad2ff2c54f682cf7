"""Gradient clipping, between backward() and step()."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from minilm.backend import DeviceError, as_array, quiet
from minilm.optim.flat import join
from minilm.signals import hold_signals
from minilm.tensor import Tensor
from minilm.types import Array


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    r"""Scales all gradients, in place, by one factor such that their common norm is at most `max_norm`.

    .. math:: g \leftarrow g \cdot \min\!\left(1, \frac{\text{max\_norm}}{\lVert g \rVert + 10^{-6}}\right)

    where :math:`\lVert g \rVert` is the norm of all gradients as one vector: their direction stays. Pascanu, Mikolov &
    Bengio 2013, algorithm 1. The norm stays on the device, so a GPU is not waited for, and there the gradients move into one
    flat array: otherwise each would cost two launches.

    Ctrl-C waits until all gradients are scaled.

    Args:
        parameters: Tensors; those without a gradient are passed over, and one that comes twice counts once.
        max_norm: >= 0; infinity only measures.
        norm_type: 2 for the Euclidean norm, infinity for the largest magnitude.

    Returns:
        The norm before clipping, a Tensor without axes. It is NaN or infinite when a gradient is.

    Raises:
        ValueError: there are no parameters (a generator is used up once read), `max_norm` is negative, NaN or no number, or
            `norm_type` is neither 2 nor infinity.
        TypeError: `parameters` holds something that is no Tensor.
        DeviceError: the gradients are on more than one device.
    """
    limit = _limit("max_norm", max_norm)
    if norm_type not in (2, math.inf):
        raise ValueError(f"norm_type must be 2 or infinity, got {norm_type!r}.")
    grads = _gradients("clip_grad_norm_", parameters)
    if not grads:
        return Tensor(0.0)
    with hold_signals(), quiet():
        return Tensor(_scaled(grads, limit, norm_type))


def _scaled(grads: list[Tensor], limit: float, norm_type: float) -> Array:
    """Scales the gradients, and returns the norm that they had."""
    xp = grads[0].device.xp
    one_by_one = not grads[0].device.asynchronous or len({g.dtype for g in grads}) > 1
    arrays = [g.data for g in grads] if one_by_one else [join(grads)]
    if norm_type == 2:
        multiply = grads[0].device.multiply
        flat = [a.reshape(-1) for a in arrays]
        flat = [a.astype(np.float32) if a.dtype == np.float16 else a for a in flat]  # where 257 squared is infinite
        squares = [multiply(a, a) for a in flat]
        norm = as_array(xp.sqrt(xp.stack(squares).sum()))
    else:
        norm = as_array(xp.stack([xp.abs(a).max() for a in arrays]).max())
    scale = xp.minimum(limit / (norm + 1e-6), 1.0)
    for a in arrays:
        xp.multiply(a, scale, out=a)
    for g in grads:
        g.bump_version()
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limits every element of the gradients, in place, to [-clip_value, clip_value]. The direction may change.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        clip_value: >= 0.

    Raises:
        ValueError: there are no parameters (a generator is used up once read), or `clip_value` is negative, NaN or no number.
        TypeError: `parameters` holds something that is no Tensor.
    """
    limit = _limit("clip_value", clip_value)
    grads = _gradients("clip_grad_value_", parameters)
    with hold_signals():
        for g in grads:
            g.device.xp.clip(g.data, -limit, limit, out=g.data)
            g.bump_version()


def _limit(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not float(value) >= 0.0:
        raise ValueError(f"{name} must be a number >= 0, got {value!r}.")
    return float(value)


def _gradients(who: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not params:
        raise ValueError(f"{who} got no parameters. A generator is used up once read.")
    for i, p in enumerate(params):
        if not isinstance(p, Tensor):
            raise TypeError(f"{who}: parameter {i} is a {type(p).__name__}, expected a Tensor.")
    grads = list({id(p.grad): p.grad for p in params if p.grad is not None and p.grad.size}.values())
    devices = sorted({g.device.name for g in grads})
    if len(devices) > 1:
        raise DeviceError(f"gradients are clipped on one device, these are on {' and '.join(devices)}.")
    return grads
