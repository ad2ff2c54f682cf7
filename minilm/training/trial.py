"""A model with its batch, its loss and its update, to be tried without being changed: what `minilm.training.checks` asks about."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm import random
from minilm.backend import to_device, to_host
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.nn import functional as F
from minilm.nn.module import Module
from minilm.optim import AdamW, Optimizer
from minilm.tensor import Tensor
from minilm.training.modes import modes_kept
from minilm.types import HostArray

Loss = Callable[[Any, HostArray], Tensor]
Update = Callable[[Module, Optimizer, HostArray, HostArray], Any]
BATCH = 32


def mean_cross_entropy(outputs: Any, targets: HostArray) -> Tensor:
    """The mean over all targets; outputs have one axis more, the classes."""
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


def adamw(model: Module) -> Optimizer:
    """AdamW with a rate of 0.003."""
    return AdamW(model.parameters(), lr=3e-3)


def one_update(model: Module, optimizer: Optimizer, x: HostArray, y: HostArray) -> None:
    """Forgets the gradients, computes those of the mean cross-entropy, and takes the optimizer's step."""
    optimizer.zero_grad()
    mean_cross_entropy(model(x), y).backward()
    optimizer.step()


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Attributes:
        model: takes a batch, returns a Tensor whose last axis is the classes.
        x, y: the examples to learn from, along the first axis, and their classes.
        held_out: examples and classes that are not learned from; None: there are none.
        loss: from the model's outputs and the classes to the mean loss.
        optimizer: makes one for the model.
        update: does one update of the model with a batch.
        classes: how many there are; default: the size of the outputs' last axis.
        causal: whether an output at a position, the second axis, may depend on nothing behind it.
        baseline: the held-out loss of a simple method; default: that of the classes' shares in `y`.
        steps: updates of a short training.
        seed: of the batches, and of what the model draws.
    """

    model: Module
    x: HostArray
    y: HostArray
    held_out: tuple[HostArray, HostArray] | None = None
    loss: Loss = mean_cross_entropy
    optimizer: Callable[[Module], Optimizer] = adamw
    update: Update = one_update
    classes: int | None = None
    causal: bool = False
    baseline: float | None = None
    steps: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name, pair in (("", (self.x, self.y)), ("held_out: ", self.held_out or (self.x, self.y))):
            x, y = pair
            if not len(x) or len(x) != len(y):
                raise ValueError(
                    f"{name}x and y need one row per example, at least one, got {len(x)} and {len(y)} rows."
                )
        if self.y.dtype.kind not in "iu":
            raise TypeError(f"y must be classes, integers from 0, got {self.y.dtype}.")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps!r}.")
        if self.causal and (self.x.ndim < 2 or self.x.shape[1] < 2):
            raise ValueError(f"causal: x needs a second axis of at least 2 positions, got {self.x.shape}.")

    @contextlib.contextmanager
    def begun(self) -> Iterator[Optimizer]:
        """Within it the model may be trained, with the optimizer that it yields; afterwards it is as it was before."""
        with untouched(self.model, self.seed):
            yield self.optimizer(self.model)

    def outputs(self, x: HostArray) -> HostArray:
        """What the model gives in evaluation, without a graph."""
        with modes_kept(self.model), no_grad():
            self.model.eval()
            return to_host(self.model(x).data)

    def measured(self, x: HostArray, y: HostArray) -> float:
        """The mean loss in evaluation."""
        with no_grad():
            return self.loss(Tensor(self.outputs(x)), y).item()

    def train(self, optimizer: Optimizer, y: HostArray) -> None:
        """`steps` updates with batches of the examples, whose classes are given."""
        rng = np.random.default_rng(self.seed)
        for _ in range(self.steps):
            rows = rng.permutation(len(self.x))[:BATCH]
            self.update(self.model, optimizer, self.x[rows], y[rows])

    @property
    def shares(self) -> HostArray:
        """How often each class comes in `y`, each counted once more than it is seen, so that none is impossible."""
        count = self.classes or self.outputs(self.x[:1]).shape[-1]
        seen = np.bincount(positions(self.y.reshape(-1)), minlength=count) + 1.0
        shares: HostArray = seen / seen.sum()
        return shares

    @property
    def simple(self) -> float:
        """The held-out loss to be below of."""
        assert self.held_out is not None
        return (
            float(-np.log(self.shares[self.held_out[1].reshape(-1)]).mean()) if self.baseline is None else self.baseline
        )


@contextlib.contextmanager
def untouched(model: Module, seed: int) -> Iterator[None]:
    """Within it the random numbers begin with the seed; afterwards they, the model's arrays, gradients and modes are as before."""
    state = random.get_state()
    before = [(p, to_host(p.data).copy(), p.grad) for p in model.parameters()]
    buffers = [(module, name, value, to_host(value.data).copy()) for module in model.modules()
               for name, value in vars(module).items() if type(value) is Tensor]  # fmt: skip
    random.manual_seed(seed)
    model.zero_grad()  # a backward pass would add to the arrays that are there
    try:
        with modes_kept(model), np.errstate(all="ignore"):  # a training that diverges is a finding
            yield
    finally:
        random.set_state(state)
        with no_grad():
            for p, array, grad in before:
                p.copy_(to_device(array, p.device))
                p.grad = grad
            for module, name, value, array in buffers:
                value.copy_(to_device(array, value.device))
                setattr(module, name, value)  # a layer may have put another in its place


def rates_of(optimizer: Any) -> list[float]:
    """The learning rates of its groups; none where it is no `Optimizer`."""
    return [float(group["lr"]) for group in getattr(optimizer, "param_groups", ())]


def set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def range_test(trial: Trial, low: float = 1e-6, high: float = 10.0, updates: int = 71) -> tuple[HostArray, HostArray]:
    """The learning-rate range test (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3).

    One short training in which the rate grows with each update, here by a constant factor: where the loss falls, the rate is of use,
    and where it rises again, too high.

    Returns:
        rates: from `low` to `high`.
        losses: of the first batch after the update with each; infinite where it is not finite.
    """
    rates, losses = np.geomspace(low, high, updates), np.full(updates, math.inf)
    x, y = trial.x[:BATCH], trial.y[:BATCH]
    with trial.begun() as optimizer:
        for i, rate in enumerate(rates):
            set_rate(optimizer, float(rate))
            trial.update(trial.model, optimizer, x, y)
            loss = trial.measured(x, y)
            if not math.isfinite(loss):
                break
            losses[i] = loss
    return rates, losses


__all__ = ["Trial", "adamw", "mean_cross_entropy", "one_update", "range_test", "rates_of", "set_rate", "untouched"]
