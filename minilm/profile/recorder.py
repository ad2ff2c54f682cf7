r"""Recording a profile: each op and each backward rule, with its time, its cost and the memory around it.

A `Recorder` observes the engine (`minilm.graph.observe`): it is told before a rule runs and after it. Rules may run inside
rules (a gradient that is itself recorded is made of ops), so open calls stand on a stack, and a call's own time is

.. math:: t_{\text{own}} = (t_{\text{end}} - t_{\text{start}}) - \sum_{\text{calls directly inside}} (t_{\text{end}} - t_{\text{start}})

Own times add up to the time of the whole block, less what passes between ops. Costs are counted likewise: a rule that is
made of other ops has none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from minilm import graph
from minilm.backend import Device, get_device
from minilm.graph import Node, modes
from minilm.ops.op import Op
from minilm.profile.calls import Call, Scope
from minilm.profile.clock import Clock, clock_for, uses_gpu
from minilm.profile.cost import Sizes, arrays_in, backward_bytes, flops, forward_bytes, is_array
from minilm.profile.memory import Memory, memory_of
from minilm.profile.results import Peak, Results
from minilm.profile.rows import module_rows, op_rows, path_labels
from minilm.tensor import Tensor

Self = TypeVar("Self", bound="Recorder")


class Recorder:
    """The observer of one block, and after it what it found: `results`.

    Args:
        device: whose clock to use; default: the GPU's where this process uses it, else the CPU's.
        clock, memory: others than the device's.

    Attributes:
        device: whose clock was used.
    """

    def __init__(
        self, device: str | Device | None = None, clock: Clock | None = None, memory: Memory | None = None
    ) -> None:
        self.device = get_device(device or ("cuda" if uses_gpu() else "cpu"))
        self._clock, self._memory = clock or clock_for(self.device), memory or memory_of(self.device)
        self._root = Scope(None, None)
        self._within = [self._root]
        self._open: list[Call] = []
        self._calls: list[Call] = []
        self._made_by: dict[int, Call] = {}  # by a node's number: the call that recorded it
        self._leaves: list[Any] = []  # got a gradient that was not yet seen
        self._uncounted: set[str] = set()
        self._state = "new"
        self._start: Any = None
        self._results: Results | None = None
        self._most: tuple[int, Call | None] = (0, None)
        self._observing: Any = None

    def __enter__(self: Self) -> Self:
        if self._state != "new":
            raise RuntimeError("this profile has been used already; begin another one with ml.profile().")
        if any(isinstance(other, Recorder) for other in modes.observers):
            raise RuntimeError(
                "a profile is running in this thread already, and would measure this one; use p.section('name') to set "
                "a part of its block apart, or end it first."
            )
        self._state = "running"
        self._observing = graph.observe(self)
        self._observing.__enter__()
        self._clock.pause()
        self._start = self._clock.mark()
        self._clock.resume()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._clock.pause()
        end = self._clock.mark()
        self._observing.__exit__(None, None, None)
        while len(self._within) > 1:
            self.leave(None)
        self._drop(0)
        self._clock.finish()
        self._results = self._settle(self._clock.between(self._start, end))
        self._state = "done"

    @property
    def results(self) -> Results:
        """The numbers.

        Raises:
            RuntimeError: the block has not ended yet, or not begun.
        """
        if self._results is None:
            raise RuntimeError(
                "a profile is read after its with block: until then times are not complete."
                if self._state == "running"
                else "nothing was measured yet: use 'with ml.profile() as p:', and read p after the block."
            )
        return self._results

    def before(self, op: Op, stage: str) -> None:
        """A rule is about to run."""
        clock = self._clock
        clock.pause()
        if self._open and not self._open[-1].nests:  # it raised: nothing runs inside of it
            self._drop(len(self._open) - 1)
        outer = self._open[-1] if self._open else None
        inside_rule = outer is not None and outer.stage != "section"
        call = Call(op.name, stage, outer, outer if inside_rule else self._within[-1])
        self._open.append(call)
        self._memory.follow(self._new_gradients())
        self._memory.begin()
        clock.push(op.name if stage == "forward" else f"{op.name} backward")
        call.start = clock.mark()
        clock.resume()

    def forward(self, op: Op, inputs: tuple[Any, ...], params: dict[str, Any], outputs: list[Tensor]) -> None:
        """An op has run."""
        self._clock.pause()
        call = self._close(op.name, "forward")
        if call is not None:
            node = outputs[0].grad_fn
            operands = [x.data if isinstance(x, Tensor) else x for x in inputs]
            arrays, results = [x for x in operands if is_array(x)], [y.data for y in outputs]
            kept = [] if node is None else arrays_in(node.aux)
            sizes = Sizes(tuple(map(_shape, operands)), tuple(y.shape for y in results), params)
            self._count(call, op, sizes, forward_bytes(op, arrays, results, kept))
            self._memory.follow(arrays)
            self._note(call, [*results, *kept])
            if node is not None:
                self._made_by[node.seq] = call
        self._clock.resume()

    def backward(self, node: Node, g: Any, grads: list[Any]) -> None:
        """A backward rule has run."""
        self._clock.pause()
        call = self._close(node.op.name, "backward")
        if call is not None:
            call.origin = self._made_by.get(node.seq)
            arrived = [_array(x) for x in (g if node.op.multi else (g,)) if x is not None]
            made = [None if d is None else _array(d) for d in grads]
            if not call.inner:  # else the ops inside it have been counted
                needs = tuple(d is not None for d in made)
                outputs = tuple(_shape(x) or () for x in (g if node.op.multi else (g,)))
                sizes = Sizes(tuple(map(_shape, node.inputs)), outputs, node.params, needs)
                self._count(call, node.op, sizes, backward_bytes(node, arrived, made))
            self._memory.follow(arrived)
            self._note(call, [d for d in made if d is not None])
            self._leaves += [
                p[0]
                for p, d in zip(node.parents, made, strict=True)
                if p is not None and d is not None and type(p[0]) is not Node
            ]
        self._clock.resume()

    def enter(self, module: Any) -> None:
        """A Module was called."""
        self._clock.pause()
        self._drop_failed()
        scope = self._within[-1].call(module)
        if scope.parent is self._root and scope.calls == 1:
            held = [array for p in module.parameters() for array in (p, p.grad) if array is not None]
            self._memory.follow(tensor.data for tensor in held)
        self._within.append(scope)
        self._clock.push(scope.path)
        self._clock.resume()

    def leave(self, module: Any) -> None:
        """The Module has returned, or raised."""
        if len(self._within) > 1:  # else the block began, or ended, inside of it
            self._drop_failed()
            self._within.pop()
            self._clock.pop()

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Gives a part of the block a row of its own: what passes in it outside of ops, such as an optimizer's step::

            with p.section("AdamW"):
                optimizer.step()

        Raises:
            RuntimeError: the profile is not running.
        """
        if self._state != "running":
            raise RuntimeError("section() belongs inside the with block of its profile.")
        self._clock.pause()
        call = Call(name, "section", self._open[-1] if self._open else None, self._within[-1])
        self._open.append(call)
        self._clock.push(name)
        call.start = self._clock.mark()
        self._clock.resume()
        try:
            yield
        finally:
            self._clock.pause()
            if call in self._open:
                call.end = self._clock.mark()
                self._drop(self._open.index(call))
                call.alive = self._memory.live
                self._calls.append(call)
            self._clock.resume()

    def _close(self, name: str, stage: str) -> Call | None:
        """Ends the latest open call of that rule; None where it began before the profile did."""
        for i in reversed(range(len(self._open))):
            call = self._open[i]
            if call.stage == "section":
                break
            if call.name == name and call.stage == stage:
                call.end = self._clock.mark()
                self._drop(i)
                self._calls.append(call)
                if call.outer is not None:
                    call.outer.inner += 1
                return call
        return None

    def _drop(self, depth: int) -> None:
        """Forgets open calls: the one that has ended, and those above it, which raised."""
        while len(self._open) > depth:
            self._open.pop()
            self._clock.pop()

    def _drop_failed(self) -> None:
        """Forgets open rules where a Module begins or ends: no rule calls a Module, so that they raised."""
        while self._open and self._open[-1].stage != "section":
            self._drop(len(self._open) - 1)

    def _count(self, call: Call, op: Op, sizes: Sizes, moved: int) -> None:
        count = flops(op, sizes, call.stage == "backward")
        if count is None:
            self._uncounted.add(op.name)
        call.flops, call.bytes = count or 0, moved

    def _note(self, call: Call, arrays: list[Any]) -> None:
        """What a call made, and how much is alive with it."""
        call.made = self._memory.made(arrays)
        call.alive = self._memory.live
        if call.alive > self._most[0]:
            self._most = (call.alive, call)

    def _new_gradients(self) -> list[Any]:
        """The arrays in ``grad`` of leaves that a gradient has just gone to."""
        found = [leaf.grad.data for leaf in self._leaves if leaf is not None and leaf.grad is not None]
        self._leaves.clear()
        return found

    def _settle(self, total: int) -> Results:
        """The calls of all those nanoseconds added up; lets go of everything else."""
        known = set(map(id, self._calls))
        for call in self._calls:
            spent = self._clock.between(call.start, call.end)
            call.own += spent
            if call.outer is not None and id(call.outer) in known:
                call.outer.own -= spent
        paths = path_labels(self._root)
        results = Results(
            self.device,
            total * 1e-9,
            self._clock.own * 1e-9,
            op_rows(self._calls),
            module_rows(self._calls, self._root, paths.__getitem__),
            module_rows(self._calls, self._root, lambda scope: scope.kind),
            self._peak(paths),
            [call.alive for call in self._calls if call.stage != "section"],
            sorted(self._uncounted),
        )
        self._memory.finish()
        self._calls, self._leaves, self._made_by, self._most = [], [], {}, (0, None)
        self._root, self._within = Scope(None, None), []
        return results

    def _peak(self, paths: dict[Scope, str]) -> Peak:
        alive, call = self._most
        if call is None:
            return Peak(0, "", "", "")
        scope = call.scope()
        return Peak(alive, call.name, call.within, "" if scope is None else paths.get(scope, ""))


def _shape(x: Any) -> tuple[int, ...] | None:
    shape = getattr(x, "shape", None)
    return None if shape is None else tuple(shape)


def _array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x
