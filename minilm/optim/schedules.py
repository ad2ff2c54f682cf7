r"""Learning-rate schedules: the rate of step t as a formula, for each parameter group from its own base rate.

After each ``optimizer.step()`` call ``schedule.step()``. A schedule's constructor sets the rate of the first step, t = 0.
In the formulas :math:`\eta_0` is a group's base rate: its ``"lr"`` when its first schedule was made (kept in the group as
``"initial_lr"``, so that a second schedule starts from the same base).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

from minilm.optim.optimizer import Optimizer, checked_number


class LRScheduler:
    """A schedule whose rate depends on t alone; the base of all but `ReduceLROnPlateau`.

    Attributes:
        last_epoch: t, the number of calls of `step` (PyTorch's name for it).
        base_lrs: each group's base rate.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = _checked_optimizer(optimizer)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._apply()

    def lr_at(self, t: int, base: float) -> float:
        """The rate of step `t` for a group with the base rate `base`."""
        raise NotImplementedError

    def lrs_at(self, t: int) -> list[float]:
        """The rate of each group at step `t` >= 0, whatever the current step: what to plot."""
        return [self.lr_at(t, base) for base in self.base_lrs]

    def step(self) -> None:
        """Goes on to the next t and sets the groups' rates."""
        self.go_to(self.last_epoch + 1)

    def go_to(self, t: int) -> None:
        """Goes to step `t` >= 0 and sets the groups' rates: where a step's number is known, nothing else need be saved."""
        self.last_epoch = t
        self._apply()

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _apply(self) -> None:
        _set_lrs(self.optimizer, self.lrs_at(self.last_epoch))

    def state_dict(self) -> dict[str, Any]:
        """The schedule's place, as values that JSON carries exactly. Its formula's numbers are the constructor's."""
        return {"schedule": type(self).__name__, "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to the place that `state_dict` saved and sets the groups' rates.

        Raises:
            ValueError: the state is another schedule's, or is damaged.
        """
        t, base = _checked_place(self, state), _checked_lrs(self.optimizer, state, "base_lrs")
        self.last_epoch, self.base_lrs = t, base
        self._apply()


class StepLR(LRScheduler):
    r""":math:`\eta_t = \eta_0\, \gamma^{\lfloor t / s \rfloor}`: times `gamma` every s = `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _count("step_size", step_size), checked_number("gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    r""":math:`\eta_t = \eta_0\, \gamma^{|\{m \in \text{milestones} : m \le t\}|}`: times `gamma` at each milestone."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(_count("milestones", m, least=0) for m in milestones)
        self.gamma = checked_number("gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        return base * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    r""":math:`\eta_t = \eta_0\, \gamma^t`."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = checked_number("gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        return base * self.gamma**t


class LinearLR(LRScheduler):
    r""":math:`\eta_t = \eta_0 \bigl(a + (b - a) \min(t, n) / n\bigr)`: a straight line, then constant.

    With a = `start_factor`, b = `end_factor` and n = `total_iters`. With a < b it is the warm-up of Goyal et al. 2017.
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor = checked_number("start_factor", start_factor)
        self.end_factor = checked_number("end_factor", end_factor)
        self.total_iters = _count("total_iters", total_iters)
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        share = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class CosineAnnealingLR(LRScheduler):
    r""":math:`\eta_t = \eta_{min} + \tfrac{1}{2} (\eta_0 - \eta_{min}) (1 + \cos(\pi t / T))`, with T = `T_max`.

    It falls from :math:`\eta_0` to :math:`\eta_{min}` = `eta_min` at t = T, and rises again after: train for T steps, or see
    `WarmupCosineLR`. Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = _count("T_max", T_max), checked_number("eta_min", eta_min)
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        return _cosine(base, self.eta_min, t / self.T_max)


class WarmupCosineLR(LRScheduler):
    r"""A linear warm-up, half a cosine down, then constant: the schedule that GPT-2-sized models are trained with.

    .. math::

        \eta_t = \eta_0 \cdot \begin{cases}
            (t + 1) / (w + 1) & t < w \\
            f + \tfrac{1}{2} (1 - f) \bigl(1 + \cos(\pi (t - w) / (n - w))\bigr) & w \le t \le n \\
            f & t > n
        \end{cases}

    with w = `warmup_steps`, n = `total_steps` and f = `min_factor`. The form is nanoGPT's (``get_lr`` in its train.py), with
    the lowest rate as a fraction of each group's base rate.

    Args:
        min_lr: the lowest rate itself, for all groups, in place of :math:`f \eta_0`.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        min_factor: float = 0.1,
        min_lr: float | None = None,
    ) -> None:
        self.warmup_steps = _count("warmup_steps", warmup_steps, least=0)
        self.total_steps = _count("total_steps", total_steps)
        self.min_factor = checked_number("min_factor", min_factor)
        self.min_lr = None if min_lr is None else checked_number("min_lr", min_lr)
        if self.warmup_steps >= self.total_steps:
            raise ValueError(f"warmup_steps must be below total_steps, got {self.warmup_steps} and {self.total_steps}.")
        super().__init__(optimizer)

    def lr_at(self, t: int, base: float) -> float:
        if t < self.warmup_steps:
            return base * (t + 1) / (self.warmup_steps + 1)
        share = (t - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        lowest = base * self.min_factor if self.min_lr is None else self.min_lr
        return _cosine(base, lowest, min(share, 1.0))


class OneCycleLR(LRScheduler):
    r"""One cycle over `total_steps` = n steps: up to the highest rate, then down, far below where it began.

    From :math:`\eta_{max} / d` it rises to :math:`\eta_{max}` at step pn - 1 and falls to :math:`\eta_{max} / (d\, d')` at step
    n - 1, with :math:`\eta_{max}` = `max_lr`, d = `div_factor`, d' = `final_div_factor`, p = `pct_start`. With `three_phase` it is back
    at :math:`\eta_{max} / d` at step 2pn - 2, and falls from there. Each phase is half a cosine or a straight line.

    Smith & Topin 2018, "Super-Convergence". The momentum is not cycled (PyTorch: ``cycle_momentum=False``).

    Args:
        max_lr: for all groups, or one for each. The groups' own rates are not used.
        anneal_strategy: ``"cos"`` or ``"linear"``.

    Raises:
        ValueError: an argument is out of its range; from `step`, when there are more than `total_steps` calls.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        groups = _checked_optimizer(optimizer).param_groups
        peaks = [max_lr] * len(groups) if isinstance(max_lr, Real) else list(max_lr)  # type: ignore[arg-type]
        if len(peaks) != len(groups):
            raise ValueError(f"max_lr has {len(peaks)} values for {len(groups)} parameter groups.")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}.")
        self.total_steps = _count("total_steps", total_steps)
        self.div_factor = _positive("div_factor", div_factor)
        self.final_div_factor = _positive("final_div_factor", final_div_factor)
        self._interpolate = _cosine if anneal_strategy == "cos" else _line
        self._phases = self._planned(checked_number("pct_start", pct_start), three_phase)
        for group, peak in zip(groups, peaks, strict=True):
            group["initial_lr"] = checked_number("max_lr", peak) / self.div_factor
        super().__init__(optimizer)

    def _planned(self, pct_start: float, three_phase: bool) -> list[tuple[float, float, float]]:
        """Each phase's last step, and its first and last rate as multiples of the first rate of all."""
        n, peak, low = self.total_steps, self.div_factor, 1.0 / self.final_div_factor
        top = pct_start * n - 1
        phases = [(top, 1.0, peak), (n - 1.0, peak, low)]
        if three_phase:
            phases = [(top, 1.0, peak), (2.0 * top, peak, 1.0), (n - 1.0, 1.0, low)]
        ends = [0.0, *(end for end, _, _ in phases)]
        if any(end <= start for start, end in pairwise(ends)):
            raise ValueError(
                f"pct_start = {pct_start} and total_steps = {n} leave a phase without steps: the phases end at steps {ends[1:]}."
            )
        return phases

    def lr_at(self, t: int, base: float) -> float:
        start = 0.0
        for end, first, last in self._phases:
            if t <= end:
                return self._interpolate(base * first, base * last, (t - start) / (end - start))
            start = end
        return base * self._phases[-1][2]

    def step(self) -> None:
        if self.last_epoch >= self.total_steps:
            raise ValueError(f"OneCycleLR was made for total_steps = {self.total_steps}; this is one more.")
        super().step()


class SequentialLR(LRScheduler):
    r"""Schedules one after the other: number i counts its own t from ``milestones[i - 1]``.

    A linear warm-up before any schedule: ``SequentialLR(opt, [LinearLR(opt, 0.01, total_iters=100), after], [100])``.

    Args:
        schedulers: of the same optimizer; not `ReduceLROnPlateau`, whose rates are not a function of t.
        milestones: the step at which each schedule but the first begins, increasing.

    Raises:
        ValueError: the numbers do not fit, the milestones do not increase, or a schedule is not this optimizer's.
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        self.milestones = [_count("milestones", m) for m in milestones]
        self.schedulers = list(schedulers)
        if len(self.schedulers) != len(self.milestones) + 1:
            raise ValueError(f"{len(self.schedulers)} schedules need one milestone fewer, got {len(self.milestones)}.")
        if sorted(set(self.milestones)) != self.milestones:
            raise ValueError(f"milestones must increase, got {self.milestones}.")
        for schedule in self.schedulers:
            if not isinstance(schedule, LRScheduler) or schedule.optimizer is not optimizer:
                raise ValueError(f"{type(schedule).__name__} is no schedule by step count of this optimizer.")
        super().__init__(optimizer)

    def lrs_at(self, t: int) -> list[float]:
        i = bisect_right(self.milestones, t)
        return self.schedulers[i].lrs_at(t - self.milestones[i - 1] if i else t)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        _checked_place(self, state)
        states = state.get("schedulers")
        if not isinstance(states, list) or len(states) != len(self.schedulers):
            raise ValueError(
                f"the saved state should hold {len(self.schedulers)} schedules' states under 'schedulers'."
            )
        for schedule, each in zip(self.schedulers, states, strict=True):
            schedule.load_state_dict(each)
        super().load_state_dict(state)


class ReduceLROnPlateau:
    """Multiplies the rates by `factor` when a metric has not improved for more than `patience` calls.

    Args:
        mode: ``"min"`` (a loss) or ``"max"`` (an accuracy).
        factor: in [0, 1).
        threshold: an improvement smaller than this does not count: a fraction of the best value
            (`threshold_mode` ``"rel"``) or a difference (``"abs"``).
        cooldown: calls after a reduction that are not counted.
        min_lr: no rate falls below it.
        eps: a reduction by less than this is not made.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"mode must be 'min' or 'max', threshold_mode 'rel' or 'abs'; got {mode!r}, {threshold_mode!r}."
            )
        self.optimizer, self.mode, self.threshold_mode = _checked_optimizer(optimizer), mode, threshold_mode
        self.factor, self.threshold = (
            checked_number("factor", factor, below=1.0),
            checked_number("threshold", threshold),
        )
        self.patience, self.cooldown = _count("patience", patience, least=0), _count("cooldown", cooldown, least=0)
        self.min_lr, self.eps = checked_number("min_lr", min_lr), checked_number("eps", eps)
        self.last_epoch, self.num_bad_epochs, self.cooldown_counter = 0, 0, 0
        self.best: float | None = None

    def step(self, metrics: Any) -> None:
        """Counts one evaluation, whose result is `metrics`: a number or a Tensor of one. NaN is no improvement."""
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            _set_lrs(self.optimizer, [self._reduced(lr) for lr in self.get_last_lr()])
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown

    def _is_better(self, value: float) -> bool:
        if self.best is None:
            return math.isfinite(value)
        sign = 1.0 if self.mode == "max" else -1.0
        limit = (
            self.best * (1.0 + sign * self.threshold)
            if self.threshold_mode == "rel"
            else self.best + sign * self.threshold
        )
        return sign * value > sign * limit

    def _reduced(self, lr: float) -> float:
        new = max(lr * self.factor, self.min_lr)
        return new if lr - new > self.eps else lr

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The counters, the best value and the rates, as values that JSON carries exactly."""
        return {
            "schedule": type(self).__name__,
            "last_epoch": self.last_epoch,
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "lrs": self.get_last_lr(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to the place that `state_dict` saved and sets the groups' rates.

        Raises:
            ValueError: the state is another schedule's, or is damaged.
        """
        t, lrs, best = _checked_place(self, state), _checked_lrs(self.optimizer, state, "lrs"), state.get("best")
        if best is not None and (not isinstance(best, float) or not math.isfinite(best)):
            raise ValueError(f"the saved best value must be a finite float or None, got {best!r}.")
        bad, cooldown = (_count(name, state.get(name), least=0) for name in ("num_bad_epochs", "cooldown_counter"))
        self.last_epoch, self.best, self.num_bad_epochs, self.cooldown_counter = t, best, bad, cooldown
        _set_lrs(self.optimizer, lrs)


def _line(first: float, last: float, share: float) -> float:
    return first + (last - first) * share


def _cosine(first: float, last: float, share: float) -> float:
    """From `first` (share = 0) to `last` (share = 1) along half a cosine."""
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * share))


def _checked_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a schedule needs an Optimizer, got {type(optimizer).__name__}.")
    return optimizer


def _count(name: str, value: Any, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}.")
    return value


def _positive(name: str, value: Any) -> float:
    number = checked_number(name, value)
    if not number:
        raise ValueError(f"{name} must be > 0, got {value!r}.")
    return number


def _set_lrs(optimizer: Optimizer, lrs: Sequence[float]) -> None:
    if len(lrs) != len(optimizer.param_groups):
        raise ValueError(
            f"the schedule was made for {len(lrs)} parameter groups, the optimizer now has {len(optimizer.param_groups)}: "
            "add groups before making the schedule."
        )
    for group, lr in zip(optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr


def _checked_place(schedule: Any, state: Any) -> int:
    """The saved t of a state that is this kind of schedule's."""
    name = type(schedule).__name__
    if not isinstance(state, Mapping) or state.get("schedule") != name:
        found = state.get("schedule") if isinstance(state, Mapping) else type(state).__name__
        raise ValueError(f"this is the state of {found!r}, not of {name}.")
    return _count("the saved last_epoch", state.get("last_epoch"), least=0)


def _checked_lrs(optimizer: Optimizer, state: Mapping[str, Any], key: str) -> list[float]:
    lrs = state.get(key)
    if not isinstance(lrs, list) or len(lrs) != len(optimizer.param_groups):
        raise ValueError(f"the saved {key} must be {len(optimizer.param_groups)} numbers, got {lrs!r}.")
    return [checked_number(f"the saved {key}", lr) for lr in lrs]
