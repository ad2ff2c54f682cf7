"""Who shares a batch: each member computes the gradient of some of its rows, and the members' vectors are added.

`Processes` and `Ranks` are the two kinds: processes that this one started, or the ranks of MPI, which all run the same program. Both add
in the order of the members' numbers, one after another, so that equal shares give equal bits, whoever the members are.
"""

from __future__ import annotations

import contextlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import to_host
from minilm.nn.module import Module
from minilm.optim.flat import cut
from minilm.tensor import Tensor
from minilm.types import Array, HostArray


class Share(NamedTuple):
    """A member's part of a batch: its rows, and what its mean loss counts for in that of all rows."""

    first: int
    rows: list[HostArray]
    weight: float

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.rows[0])


def shares(batch: Sequence[HostArray], count: int) -> list[Share]:
    """The parts of a batch for `count` members: consecutive rows, as many for each as can be.

    Where there are fewer rows than members, the last members compute the first row, which counts for nothing: so they draw as many
    random numbers as the others.
    """
    rows = len(batch[0])
    parts = min(count, rows)
    spans = [(rows * k // parts, rows * (k + 1) // parts) for k in range(parts)]
    found = [Share(a, [x[a:b] for x in batch], (b - a) / rows) for a, b in spans]
    return found + [Share(0, [x[:1] for x in batch], 0.0)] * (count - parts)


class Flat:
    """What a member adds to the sum, as one array: the gradients one after another, which of them there are, and the loss.

    Attributes:
        size: of the array: all numbers of the parameters, one more per parameter, and one.
    """

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = params
        self.numbers = sum(p.size for p in params)
        self.size = self.numbers + len(params) + 1

    def write(self, out: Array, loss: Tensor) -> None:
        """Lays the parameters' gradients, and the member's share of the loss, into an array."""
        device = self.params[0].device
        gradients = [
            device.xp.zeros(p.size, p.dtype) if p.grad is None else p.grad.data.reshape(-1) for p in self.params
        ]
        there = np.array([p.grad is not None for p in self.params], out.dtype)
        device.xp.concatenate([*gradients, device.from_host(there), loss.data.reshape(1)], out=out)

    def read(self, total: Array) -> tuple[Tensor, list[Tensor | None]]:
        """The loss, and the gradients that a member at least has: views of the sum."""
        there = to_host(total[self.numbers : -1]) > 0
        gradients = zip(cut(total, self.params), there.tolist(), strict=True)
        return Tensor(total[-1:].reshape(())), [Tensor(g) if has else None for g, has in gradients]


class Members(ABC):
    """Those who share each batch, this process among them.

    Attributes:
        count: how many; `number`: which of them this one is, from 0.
        led: whether this process hands the others their work. If not, each runs the same program and takes its own share.
    """

    count: int = 1
    number: int = 0
    led: bool = True

    def same_start(self, params: Sequence[Tensor]) -> None:  # noqa: B027
        """Called once, before the first batch: those that are not led take over member 0's parameters."""

    def begin(self, shares: Sequence[Share], model: Module, params: Sequence[Tensor]) -> None:  # noqa: B027
        """Called before this member computes its own share; those that are led begin with theirs."""

    def computing(self) -> contextlib.AbstractContextManager[Any]:
        """What holds while this member computes its share."""
        return contextlib.nullcontext()

    @abstractmethod
    def sum(self, own: Array) -> Array:
        """The sum of all members' arrays, each of the shape and type of this one's, added in the order of their numbers: a new array.

        Raises:
            WorkerError: a member failed, is gone or does not answer.
        """

    def fail(self, error: BaseException) -> None:  # noqa: B027
        """Called where this member fails between `begin` and `sum`: nobody must wait for it."""

    def all(self, wanted: bool) -> bool:
        """Whether every member wants it. Those that are led want what this one wants."""
        return wanted

    def close(self) -> None:  # noqa: B027
        """Lets those go that are led."""


class Alone(Members):
    """This process, and no other."""

    def sum(self, own: Array) -> Array:
        return own.copy()


def spans(size: int, count: int) -> list[slice]:
    """`size` things cut into `count` consecutive parts, as equal as can be."""
    return [slice(a, b) for a, b in itertools.pairwise(size * k // count for k in range(count + 1))]


__all__ = ["Alone", "Flat", "Members", "Share", "shares", "spans"]
