"""RMSprop: gradients divided by a running root mean square of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minilm.backend import Device
from minilm.optim.optimizer import Group, Optimizer
from minilm.tensor import Tensor
from minilm.types import Array


class RMSprop(Optimizer):
    r"""RMSprop.

    .. math::

        v_t &= \alpha\, v_{t-1} + (1 - \alpha)\, g_t^2, \qquad
        \bar g_t = \alpha\, \bar g_{t-1} + (1 - \alpha)\, g_t \\
        u_t &= \frac{g_t}{\sqrt{\tilde v_t} + \epsilon}, \qquad
        \tilde v_t = \begin{cases} v_t - \bar g_t^2 & \text{centered} \\ v_t & \text{else} \end{cases} \\
        b_t &= \mu\, b_{t-1} + u_t, \qquad p_t = p_{t-1} - \eta\, b_t

    from :math:`v_0 = \bar g_0 = b_0 = 0`, element by element, with :math:`\eta` = ``lr``, :math:`\alpha` = ``alpha``,
    :math:`\epsilon` = ``eps``, :math:`\mu` = ``momentum``. :math:`\tilde v_t` is a variance when centered; what rounding leaves
    of it below 0 counts as 0. g holds the penalties (`Optimizer`).

    Tieleman & Hinton 2012, "Neural Networks for Machine Learning", lecture 6.5; centered and with momentum: Graves
    2013, "Generating Sequences With Recurrent Neural Networks", equations 38 to 41 (which put eps inside the root).

    Args:
        params: leaf Tensors or groups of them (`Optimizer`).
        lr, eps, weight_decay, momentum, l1: numbers >= 0.
        alpha: in [0, 1).
        centered: divide by the standard deviation of the gradient rather than by its root mean square.

    Raises:
        ValueError: an option is out of its range (and what `Optimizer` raises).
    """

    array_names = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        l1: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "l1": l1,
            },
        )

    def _update(self, device: Device, p: Array, g: Array, state: dict[str, Any], group: Group) -> None:
        xp, alpha = device.xp, group["alpha"]
        for name, used in (
            ("square_avg", True),
            ("grad_avg", group["centered"]),
            ("momentum_buffer", group["momentum"]),
        ):
            if used and name not in state:
                state[name] = xp.zeros(p.shape, p.dtype)
        scratch, v = self._scratch(device, p, 1), state["square_avg"]
        v *= alpha
        square = xp.multiply(g, g, out=scratch)
        square *= 1.0 - alpha
        v += square
        if group["centered"]:
            mean = state["grad_avg"]
            mean *= alpha
            mean += xp.multiply(g, 1.0 - alpha, out=scratch)
            v = xp.subtract(v, xp.multiply(mean, mean, out=scratch), out=scratch)
            xp.maximum(v, 0.0, out=v)
        root = xp.sqrt(v, out=scratch)
        root += group["eps"]
        update = xp.divide(g, root, out=scratch)
        if group["momentum"]:
            b = state["momentum_buffer"]
            b *= group["momentum"]
            b += update
            update = b
        p -= xp.multiply(update, group["lr"], out=scratch)
