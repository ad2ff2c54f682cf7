"""How many digits a loss and its gradient keep in float32, beside fifty digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np

from minilm.tensor import Tensor, grad

Loss = Callable[[Tensor], Tensor]


class Errors(NamedTuple):
    """Relative errors; NaN where the result is not a finite number.

    Attributes:
        loss: of the loss.
        gradient: the largest of its gradient's elements.
    """

    loss: float
    gradient: float


def loss_errors(loss: Loss, logits: list[float], target: int) -> Errors:
    r"""The errors of a cross-entropy computed in float32, against Python's ``decimal`` with 50 digits.

    Exactly, :math:`\ell = \ln \sum_j e^{x_j} - x_t` and :math:`\partial \ell / \partial x_i = p_i - [i = t]`, of the float32 numbers
    that the logits are rounded to.

    Args:
        loss: from logits ``(C)`` to the loss of the target.
        target: the index t of the right class.
    """
    x = Tensor(np.array(logits, np.float32), requires_grad=True)
    with np.errstate(all="ignore"):
        value = loss(x)
        gradient = grad(value, x)[0].numpy().astype(np.float64)
    with localcontext() as context:
        context.prec = 50
        e = [Decimal(float(each)).exp() for each in x.numpy()]
        exact = [each / sum(e) - (i == target) for i, each in enumerate(e)]
        of_loss = _relative(float(value.item()), (sum(e) / e[target]).ln())
        of_gradient = [_relative(float(g), right) for g, right in zip(gradient, exact, strict=True)]
    return Errors(of_loss, math.nan if any(map(math.isnan, of_gradient)) else max(of_gradient))


def _relative(value: float, exact: Decimal) -> float:
    return abs(float(Decimal(value) / exact - 1)) if math.isfinite(value) else math.nan


__all__ = ["Errors", "loss_errors"]
