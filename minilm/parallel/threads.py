r"""A batch on several threads of this process: each computes some of its rows forward and backward, and the gradients are added.

The threads are those of `minilm.backend.threads`, and the parts of the batch their blocks: within a part every product and every kernel
stays on the part's own thread, so nobody waits but once a batch. All parts read the same parameters; what a walk back finds at them goes to
the part, not to ``grad``. A part but the first computes with a twin of the model (`twin_of`), as PyTorch's DataParallel does with its
replicas: what a layer writes down in its forward pass, it writes on the twin.

Between two kernels a thread needs Python's lock. Where kernels take some microseconds each, as NumPy's mostly do, two threads wait for it
so often that they gain nothing: `choose_threads` measures. Beside a busy process it is worse: whoever has the lock may not be running, and
a step took three times as long as on one thread. There the pool computes the parts one after another for a while. No digit hangs on that:
within a part nothing is cut, on whatever thread it is computed.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm import random
from minilm.backend import get_num_threads
from minilm.backend.threads import pool
from minilm.graph import Node, Walk, enable_grad, modes, no_grad
from minilm.nn.module import Module
from minilm.ops.loss import means_taken
from minilm.parallel.members import Share, spans
from minilm.tensor import Tensor, root_of
from minilm.types import Array

WORTH = 0.95  # of the time of the whole batch: a smaller gain is none on another day
AT_ONCE = 8  # nodes of a walk, before it looks whether another part has failed
ROUNDS, SECONDS = 8, 3.0  # of `choose_threads`, at most


def threads_backward(model: Module, method: str, share: Share, count: int, alone: bool = True) -> Tensor:
    """Adds a share's part of the gradient to the parameters, computed by `count` threads, and returns its part of the loss.

    Args:
        share: its rows may be Tensors, too.
        alone: whether it is the whole batch. Other members' parts have the weights of their rows, so these must then do here, too.

    Raises:
        ValueError: a Tensor among the rows requires a gradient, or the loss is a mean whose parts do not make the whole.
        TypeError: the method returns a pair that is not (loss, count).
    """
    work = _Work(model, method, share, count, alone)
    work.run()
    parts, factors = work.parts, work.factors()
    roots = [
        (leaf, 0, Tensor(g if factor == 1.0 else g * factor))
        for part, factor in zip(parts, factors, strict=True)
        for leaf, g in part.found
    ]
    Walk(Tensor._wrap).run(roots)  # adds them in the order of the parts; hooks of a parameter see the sum
    losses = [part.loss * factor for part, factor in zip(parts, factors, strict=True) if factor]
    return sum(losses[1:], start=losses[0])


class _Ended(Exception):
    """Another part failed: this one need not go on."""


class _Part:
    """Some rows of a batch on their way.

    Attributes:
        weight: what the loss counts for, were all rows alike; it multiplies the loss before the walk back.
        count: what the loss is a mean over; None: not known, and then it is taken for the rows.
        means: over what the means of losses inside were taken.
        found: the leaves that were reached, and the gradient at each.
        running: held while the part is computed.
    """

    def __init__(self, model: Module, rows: list[Any], first: int, size: int, weight: float, state: Any) -> None:
        self.model, self.rows, self.first, self.size, self.weight, self.state = model, rows, first, size, weight, state
        self.count: float | None = None
        self.means: list[float] = []
        self.found: list[tuple[Any, Array]] = []
        self.loss: Tensor
        self.error: BaseException | None = None
        self.running = threading.Lock()

    def compute(self, method: str, has_ended: Callable[[], bool]) -> None:
        """Forward and backward."""
        with random.draw_from(self.state), random.rows_of_batch(self.first, self.size):
            with means_taken() as means:
                result = getattr(self.model, method)(*self.rows)
            if has_ended():
                raise _Ended
            loss, self.count = _counted(result, means)
            self.means = [float(count) for count, _ in means] if self.count is None else [self.count]
            loss = loss * self.weight
            walk = _Collecting(has_ended, self.found)
            walk.run([root_of(loss, None)])
            self.loss = loss.detach()


class _Collecting(Walk):
    """A walk that leaves `grad` alone: what arrives at leaves is collected, since other parts' walks reach them, too."""

    __slots__ = ("found", "has_ended")

    def __init__(self, has_ended: Callable[[], bool], found: list[tuple[Any, Array]]) -> None:
        super().__init__(Tensor._wrap)
        self.has_ended, self.found = has_ended, found

    def to_leaves(self, order: list[Any]) -> None:
        leaves = [item for item in order if type(item) is not Node]
        nodes = [item for item in order if type(item) is Node]
        order.clear()  # nodes go as they are visited
        while nodes:
            if self.has_ended():
                raise _Ended
            some = nodes[-AT_ONCE:]
            del nodes[-AT_ONCE:]
            super().to_leaves(some)
        self.found += [(leaf, self.sums.pop(id(leaf))[0]) for leaf in reversed(leaves) if id(leaf) in self.sums]


class _Work:
    """The parts of one batch."""

    def __init__(self, model: Module, method: str, share: Share, count: int, alone: bool) -> None:
        self.model, self.method, self.size, self.grad, self.alone = model, method, share.size, modes.grad, alone
        self.ended = False
        cuts = spans(share.size, min(count, share.size))
        states = random.part_states(len(cuts))
        self.parts = [
            _Part(
                model if k == 0 else twin_of(model),
                [_rows(x, cut) for x in share.rows],
                share.first + cut.start,
                cut.stop - cut.start,
                share.weight * (cut.stop - cut.start) / share.size,
                state,
            )
            for k, (cut, state) in enumerate(zip(cuts, states, strict=True))
        ]

    def run(self) -> None:
        """Computes all parts: at once, as far as there are threads, or one after another.

        Raises:
            BaseException: what a part raised, of several the first in their order. No part is being computed any more then.
        """
        try:
            pool.run(self._compute, [(part,) for part in self.parts])
        except BaseException:  # Ctrl-C, while this thread waited for another's part
            self.ended = True
            for part in self.parts:
                with part.running:
                    pass
            raise
        for part in self.parts:
            if part.error is not None:
                raise part.error

    def _compute(self, part: _Part) -> None:
        with part.running, enable_grad() if self.grad else no_grad():
            if self.ended:
                return
            try:
                part.compute(self.method, self._has_ended)
            except _Ended:
                pass
            except BaseException as error:
                self.ended, part.error = True, error

    def _has_ended(self) -> bool:
        return self.ended

    def factors(self) -> list[float]:
        """What corrects each part's weight, the share of its rows, to that of what its loss is a mean over.

        Raises:
            ValueError: it is not known what that is, and a mean inside the loss was over other shares of the parts.
        """
        known = [part.count for part in self.parts if part.count is not None]
        total = math.fsum(known)
        if not self.alone or len(known) < len(self.parts):
            self._expect_even_means()
            return [1.0] * len(self.parts)
        if not total:  # a mean over nothing, which is NaN with gradient 0
            return [1.0] * len(self.parts)
        return [
            1.0 if n * self.size == part.size * total else (n / total) * (self.size / part.size)
            for n, part in zip(known, self.parts, strict=True)
        ]

    def _expect_even_means(self) -> None:
        """Refuses means inside the loss that are over more of one part than of another."""
        first = self.parts[0]
        for part in self.parts[1:]:
            if len(part.means) == len(first.means) and all(
                math.isclose(a * part.size, b * first.size, rel_tol=1e-6)
                for a, b in zip(first.means, part.means, strict=True)
            ):
                continue
            raise ValueError(
                f"DataParallel: {type(self.model).__name__}.{self.method} takes a mean over the targets that count, and of these the parts "
                f"of the batch have unequally many: {_listed(first)}, and {_listed(part)}. The parts' means do not make that of the whole "
                "batch. Let the method return (loss, count), where count is what the loss is a mean over, or compute the batch on one "
                "thread (threads=1)."
            )


def _listed(part: _Part) -> str:
    return f"{', '.join(f'{count:g}' for count in part.means) or 'none'} in {part.size} rows"


def _rows(x: Any, cut: slice) -> Any:
    """Some rows of an array or Tensor."""
    if not isinstance(x, Tensor):
        return x[cut]
    if x.requires_grad:
        raise ValueError(
            f"DataParallel: a {x.shape} Tensor of the batch requires a gradient, and the threads compute those of parameters alone: "
            "give it .detach()ed, or compute the batch on one thread (threads=1)."
        )
    return Tensor(x.data[cut])


def _counted(result: Any, means: Sequence[tuple[Any, Any]]) -> tuple[Tensor, float | None]:
    """A method's loss, and what it is a mean over: what the method says, or what the loss was divided by where it is such a mean itself.

    Raises:
        TypeError, ValueError: the method returned a pair, and the second is no count.
    """
    if not isinstance(result, tuple):
        return result, next((float(count) for count, mean in means if _is_mean(result, mean)), None)
    return check_counted(result)


def _is_mean(loss: Tensor, mean: Array) -> bool:
    """Whether a loss is this mean; where the model is of float16, the mean was taken in float32, and cast."""
    if loss.data is mean:
        return True
    cast = loss.grad_fn is not None and loss.grad_fn.op.name == "cast"
    return cast and np.array_equal(mean.astype(loss.dtype), loss.data, equal_nan=True)


def check_counted(result: Any) -> tuple[Tensor, float]:
    """The pair (loss, count) that a method returned.

    Raises:
        TypeError, ValueError: it is none.
    """
    if len(result) != 2 or not isinstance(result[0], Tensor):
        raise TypeError(
            f"DataParallel: expected a loss, or a pair (loss, count), got {len(result)} of {', '.join(type(x).__name__ for x in result)}."
        )
    loss, count = result
    number = float(count.item() if isinstance(count, Tensor) else count)
    if not 0 <= number < math.inf:
        raise ValueError(f"DataParallel: the count of a pair (loss, count) is a number of at least 0, got {number!r}.")
    return loss, number


def twin_of(module: Module, made: dict[int, Module] | None = None) -> Module:
    """A module with the same parameters, whose own attributes, and those of the modules below it, can be set without changing the first.

    Buffers that are saved with a model are copied: a layer may write into them. Lists, dicts and functions are the same objects as before.
    """
    made = {} if made is None else made
    twin = made.get(id(module))
    if twin is None:
        twin = made[id(module)] = object.__new__(type(module))
        own, persistent = twin.__dict__, module._buffers
        for name, value in module.__dict__.items():
            if isinstance(value, Module):
                value = twin_of(value, made)
            elif persistent.get(name) and isinstance(value, Tensor):
                value = value.detach().clone()
            own[name] = value
    return twin


class Choice(NamedTuple):
    """How many threads pay for a batch.

    Attributes:
        threads: 1 where they do not.
        why: what was measured, or why nothing was, in words.
    """

    threads: int
    why: str


def choose_threads(model: Module, *batch: Any, method: str = "loss") -> Choice:
    """How many threads pay for such batches, by measuring: the whole batch and its parts in turn, the least time of each.

    The model, its gradients and the random numbers are as they were afterwards. Gradients on one thread and on several differ by rounding,
    so two runs with the same number of threads give the same bits, and a number that hangs on a timing does not: keep the one chosen.

    Args:
        batch: what the method takes, as for `DataParallel.backward`.
    """
    params, most = list(model.parameters()), get_num_threads()
    rows = len(batch[0])
    if any(p.device.name != "cpu" for p in params):
        return Choice(1, "the model is not on the CPU")
    if most < 2:
        return Choice(1, "minilm has one thread")
    if rows < 2:
        return Choice(1, "the batch has one row")
    counts = [1, *sorted({*(2**k for k in range(1, most.bit_length())), most})]
    times = dict.fromkeys([count for count in counts if count <= max(2, rows)], math.inf)
    share = Share(0, list(batch), 1.0)
    with _left_alone(model) as twin:
        end = time.perf_counter() + SECONDS
        for n in range(ROUNDS + 1):
            for count in times:
                for p in params:
                    p.grad = None
                began = time.perf_counter()
                if count == 1:
                    whole_backward(twin, method, batch)
                else:
                    threads_backward(twin, method, share, count)
                if n:  # the first finds memory and compiles
                    times[count] = min(times[count], time.perf_counter() - began)
            if n > 1 and time.perf_counter() > end:
                break
    best = min(times, key=lambda count: times[count])
    chosen = best if times[best] < WORTH * times[1] else 1
    told = ", ".join(f"{times[count] * 1e3:.1f} ms on {count}" for count in times if count > 1)
    return Choice(
        chosen, f"forward and backward take {times[1] * 1e3:.1f} ms on one thread for the whole batch, {told}"
    )


def whole_backward(model: Module, method: str, batch: Sequence[Any], scale: float = 1.0) -> Tensor:
    """The loss of a batch that is computed at once, whose gradients are added to the parameters' ``grad``."""
    result = getattr(model, method)(*batch)
    loss: Tensor = (check_counted(result)[0] if isinstance(result, tuple) else result) * scale
    loss.backward()
    return loss.detach()


@contextlib.contextmanager
def _left_alone(model: Module) -> Iterator[Module]:
    """A twin of a model to try things with; afterwards gradients and random numbers are as before."""
    state, before = random.get_state(), [(p, p.grad) for p in model.parameters()]
    try:
        yield twin_of(model)
    finally:
        random.set_state(state)
        for p, grad in before:
            p.grad = grad


__all__ = ["Choice", "choose_threads", "threads_backward", "twin_of", "whole_backward"]
