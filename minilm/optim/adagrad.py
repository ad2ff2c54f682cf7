"""Adagrad: each element's step shrinks with the gradients that it has seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minilm.backend import Device
from minilm.optim.optimizer import Group, Optimizer
from minilm.tensor import Tensor
from minilm.types import Array


class Adagrad(Optimizer):
    r"""Adagrad.

    .. math::

        s_0 &= \sigma, \qquad s_t = s_{t-1} + g_t^2 \\
        p_t &= p_{t-1} - \frac{\eta}{1 + (t - 1)\,\kappa} \cdot \frac{g_t}{\sqrt{s_t} + \epsilon}

    element by element, with :math:`\eta` = ``lr``, :math:`\kappa` = ``lr_decay``, :math:`\sigma` = ``initial_accumulator_value``
    and :math:`\epsilon` = ``eps``. g holds the penalties (`Optimizer`).

    Duchi, Hazan & Singer 2011, Journal of Machine Learning Research 12 (the diagonal form).

    Args:
        params: leaf Tensors or groups of them (`Optimizer`).
        lr, lr_decay, weight_decay, initial_accumulator_value, eps, l1: numbers >= 0.

    Raises:
        ValueError: an option is out of its range (and what `Optimizer` raises).
    """

    array_names = ("sum",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        l1: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "l1": l1,
            },
        )

    def _update(self, device: Device, p: Array, g: Array, state: dict[str, Any], group: Group) -> None:
        xp = device.xp
        if "sum" not in state:
            state["sum"] = xp.full(p.shape, group["initial_accumulator_value"], p.dtype)
        s, scratch = state["sum"], self._scratch(device, p, 1)
        s += xp.multiply(g, g, out=scratch)
        denominator = xp.sqrt(s, out=scratch)
        denominator += group["eps"]
        update = xp.divide(g, denominator, out=scratch)
        update *= group["lr"] / (1.0 + (state["step"] - 1) * group["lr_decay"])
        p -= update
