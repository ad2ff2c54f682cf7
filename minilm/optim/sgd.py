"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minilm.backend import Device
from minilm.optim.optimizer import Group, Optimizer
from minilm.tensor import Tensor
from minilm.types import Array


class SGD(Optimizer):
    r"""Gradient descent with momentum.

    .. math::

        b_1 &= g_1, \qquad b_t = \mu\, b_{t-1} + (1 - \tau)\, g_t \\
        d_t &= \begin{cases} g_t + \mu\, b_t & \text{Nesterov} \\ b_t & \text{else} \end{cases} \\
        p_t &= p_{t-1} - \eta\, d_t

    with the learning rate :math:`\eta` = ``lr``, :math:`\mu` = ``momentum`` and :math:`\tau` = ``dampening``; for
    :math:`\mu = 0`, :math:`d_t = g_t`. g holds the penalties (`Optimizer`).

    Polyak 1964 (momentum); Nesterov 1983; Sutskever, Martens, Dahl & Hinton 2013, section 2 (Nesterov's method as a momentum
    rule). As in PyTorch, :math:`\eta` multiplies the whole direction, so that a new learning rate acts at once; in those
    papers it stands inside the sum. For a constant :math:`\eta` and :math:`\tau = 0` both are the same.

    Args:
        params: leaf Tensors or groups of them (`Optimizer`).
        lr, momentum, dampening, weight_decay, l1: numbers >= 0.
        nesterov: needs ``momentum > 0`` and ``dampening = 0``.

    Raises:
        ValueError: an option is out of its range (and what `Optimizer` raises).
    """

    array_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        l1: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "l1": l1,
            },
        )

    def _checked_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked_options(options)
        if checked["nesterov"] and (not checked["momentum"] or checked["dampening"]):
            raise ValueError(
                "nesterov needs momentum > 0 and dampening = 0, "
                f"got momentum = {checked['momentum']}, dampening = {checked['dampening']}."
            )
        return checked

    def _update(self, device: Device, p: Array, g: Array, state: dict[str, Any], group: Group) -> None:
        xp, mu = device.xp, group["momentum"]
        scratch = self._scratch(device, p, 1)
        direction = g
        if mu:
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = g.copy()
            else:
                b *= mu
                b += xp.multiply(g, 1.0 - group["dampening"], out=scratch) if group["dampening"] else g
            direction = b
            if group["nesterov"]:
                direction = xp.multiply(b, mu, out=scratch)
                direction += g
        p -= xp.multiply(direction, group["lr"], out=scratch)
