"""Adam and AdamW: momentum, divided by a running root mean square of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minilm.backend import Device
from minilm.optim.optimizer import Group, Optimizer
from minilm.tensor import Tensor
from minilm.types import Array


class Adam(Optimizer):
    r"""Adam.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad \hat m_t = \frac{m_t}{1 - \beta_1^t} \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
        p_t &= p_{t-1} - \eta\, \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    from :math:`m_0 = v_0 = 0`, element by element, with :math:`\eta` = ``lr``, :math:`(\beta_1, \beta_2)` = ``betas`` and
    :math:`\epsilon` = ``eps``. With ``amsgrad``, :math:`\max_{s \le t} v_s` takes the place of :math:`v_t` in
    :math:`\hat v_t`. g holds the penalties (`Optimizer`), ``weight_decay`` too, which is thus divided by
    :math:`\sqrt{\hat v}` as well: `AdamW` is the remedy.

    Kingma & Ba 2015, algorithm 1; amsgrad: Reddi, Kale & Kumar 2018 (bias-corrected here, as in PyTorch).

    Args:
        params: leaf Tensors or groups of them (`Optimizer`).
        lr, eps, weight_decay, l1: numbers >= 0.
        betas: two numbers in [0, 1).
        amsgrad: never let the denominator shrink.

    Raises:
        ValueError: an option is out of its range (and what `Optimizer` raises).
    """

    array_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        l1: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "l1": l1},
        )

    def _update(self, device: Device, p: Array, g: Array, state: dict[str, Any], group: Group) -> None:
        for name in self.array_names if group["amsgrad"] else self.array_names[:2]:
            if name not in state:
                state[name] = device.xp.zeros(p.shape, p.dtype)
        device.adamw(
            p,
            g,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if group["amsgrad"] else None,
            step=state["step"],
            lr=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"] if self.decoupled_decay else 0.0,
        )


class AdamW(Adam):
    r"""Adam with decoupled weight decay: the parameters shrink by themselves, whatever their gradients' size.

    .. math:: p_t = (1 - \eta \lambda)\, p_{t-1} - \eta\, \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with :math:`\lambda` = ``weight_decay``, which is not part of g here; ``l1`` is. The rest is `Adam`'s.

    Loshchilov & Hutter 2019, algorithm 2. As in PyTorch, ``lr`` multiplies the decay too.

    Args:
        params: leaf Tensors or groups of them (`Optimizer`).
        lr, eps, weight_decay, l1: numbers >= 0.
        betas: two numbers in [0, 1).
        amsgrad: never let the denominator shrink.

    Raises:
        ValueError: an option is out of its range (and what `Optimizer` raises).
    """

    decoupled_decay = True

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        l1: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, l1=l1)
