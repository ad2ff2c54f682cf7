r"""A gradient as a sum over paths.

By the chain rule the gradient of the loss L by one number w is a sum over all paths from w to L, and each path adds the
product of the local derivatives along it (Bauer 1974, *Computational Graphs and Rounding Error*):

.. math:: \frac{\partial L}{\partial w} = \sum_{w \to v_1 \to \dots \to L} \;
          \frac{\partial v_1}{\partial w} \frac{\partial v_2}{\partial v_1} \cdots \frac{\partial L}{\partial v_n}

There can be more paths than atoms. So they are grown from w, one op at a time, the path with the largest part first, and
while there is room: a path that stops at a value v on the way stands for all that go on from there, since the gradient that
arrived at v is the sum over those. Either way the parts add up to the gradient, exactly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from minilm.backend import as_array, device_of, to_host
from minilm.ops.reduce import sum_to
from minilm.trace.expression import operand, place
from minilm.trace.model import Call, Record, Value

Link = tuple[Call, int, int]  # a call, which input, which output
Explained = TypeVar("Explained", bound="Explanation")
ELEMENTS = 4096  # the most numbers of a Jacobian of which paths between single numbers are followed


@dataclass
class Path:
    """One path from the tensor towards the loss.

    Attributes:
        stops: the values that it goes through, with the element of each (None where whole tensors are followed).
        factors: for elements, the local derivatives along it; empty for whole tensors.
        arrived: the gradient at its last stop.
        part: what it adds to the gradient: for an element, the product of the factors and `arrived`.
        complete: whether it ends at the loss; otherwise it stands for all paths that go on from its last stop.
        links: for whole tensors, the calls along it, each with the input and the output that it passes.
    """

    stops: list[tuple[Value, tuple[int, ...] | None]]
    factors: list[float]
    arrived: Any
    part: Any
    complete: bool
    links: list[Link] = field(default_factory=list)

    def __str__(self) -> str:
        names = [operand(value) + ("" if at is None else place(at)) for value, at in self.stops]
        return " → ".join(names) + ("" if self.complete else " → …")


@dataclass
class Explanation:
    """The gradient of a value, or of one of its elements, with the paths that make it up, the largest first."""

    value: Value
    element: tuple[int, ...] | None
    gradient: Any
    paths: list[Path]

    @cached_property
    def total(self) -> Any:
        """The sum of all parts: equal to the gradient up to rounding."""
        return sum(path.part for path in self.paths)

    @classmethod
    def of(cls: type[Explained], trace: Record, value: Value, element: Any, limit: int) -> Explained:
        """Splits the gradient of a value into at most `limit` paths.

        Args:
            element: an index of one number; its paths go from number to number. None: paths go from tensor to tensor.

        Raises:
            ValueError: no gradient arrived at the value in this trace, or `limit` is not positive.
            IndexError: there is no such element.
        """
        gradient = trace.gradient_of(value)
        if gradient is None:
            raise ValueError(
                f"explain: no gradient arrived at {value.label}. Call backward() inside the trace, on something that depends on it."
            )
        if limit < 1:
            raise ValueError(f"explain: paths must be at least 1, got {limit}.")
        if element is None:
            return cls(value, None, to_host(gradient), _Tensors(trace).grow(value, None, limit))
        at = _element(value, element)
        return cls(value, at, to_host(gradient)[at].item(), _Elements(trace).grow(value, at, limit))


def _element(value: Value, element: Any) -> tuple[int, ...]:
    """An index as a tuple of numbers from 0."""
    at = element if isinstance(element, tuple) else (element,)
    if len(at) != len(value.shape) or not all(-n <= k < n for k, n in zip(at, value.shape, strict=True)):
        raise IndexError(f"explain: {value.label} has shape {value.shape}, so it has no element {at}.")
    return tuple(int(k) % n for k, n in zip(at, value.shape, strict=True))


def _size(path: Path) -> float:
    return float(np.abs(path.part).sum())


class _Walker:
    """Grows paths through the recorded uses of values."""

    def __init__(self, trace: Record) -> None:
        self.trace = trace
        self.uses: dict[int, list[tuple[Call, int]]] = defaultdict(list)
        for call, i in dict.fromkeys((c.call, c.position) for step in trace for c in step.contributions):
            self.uses[call.inputs[i].index].append((call, i))

    def grow(self, value: Value, at: Any, limit: int) -> list[Path]:
        paths = [self.start(value, at)]
        while True:
            growing = [p for p in paths if not p.complete]
            if not growing:
                break
            path = max(growing, key=_size)
            longer = self.extend(path)
            if len(paths) - 1 + len(longer) > limit:
                break
            paths = [p for p in paths if p is not path] + longer
        return sorted(paths, key=_size, reverse=True)

    def start(self, value: Value, at: Any) -> Path:
        """The path that has gone nowhere yet: all of the gradient."""
        raise NotImplementedError

    def extend(self, path: Path) -> list[Path]:
        """The paths that go one op further, with the same sum of parts."""
        raise NotImplementedError

    def links(self, value: Value) -> Iterator[tuple[Link, Value]]:
        """Each use of a value, with each output of it that a gradient came back from."""
        for call, i in self.uses[value.index]:
            for k, out in enumerate(call.outputs):
                if self.trace.gradient_of(out) is not None:
                    yield (call, i, k), out


class _Tensors(_Walker):
    """Paths from tensor to tensor: the gradient at the last stop, taken back along the path by the rules."""

    def start(self, value: Value, at: Any) -> Path:
        return self.path([(value, None)], [], self.trace.gradient_of(value), not self.uses[value.index])

    def extend(self, path: Path) -> list[Path]:
        value = path.stops[-1][0]
        longer = [
            self.path(
                [*path.stops, (out, None)], [*path.links, link], self.trace.gradient_of(out), not self.uses[out.index]
            )
            for link, out in self.links(value)
        ]
        seed = self.trace.seeds.get(value.index)
        return longer if seed is None else [*longer, self.path(path.stops, path.links, seed, True)]

    def path(self, stops: list[Any], links: list[Link], g: Any, complete: bool) -> Path:
        part = g
        for call, i, k in reversed(links):
            xp = device_of(part).xp
            gs = tuple(part if j == k else xp.zeros_like(out.array) for j, out in enumerate(call.outputs))
            part = sum_to(as_array(call.vjp(i, gs)), call.inputs[i].shape)
        return Path(stops, [], to_host(g), to_host(part), complete, links)


class _Elements(_Walker):
    """Paths from number to number, along the local derivatives that are not zero."""

    def __init__(self, trace: Record) -> None:
        super().__init__(trace)
        self.jacobians: dict[tuple[int, int, int], Any] = {}

    def start(self, value: Value, at: Any) -> Path:
        return self.path([(value, at)], [], self.trace.gradient_of(value), not self.uses[value.index])

    def extend(self, path: Path) -> list[Path]:
        value, at = path.stops[-1]
        assert at is not None
        longer = []
        for link, out in self.links(value):
            column = self.jacobian(*link)[(..., *at)]  # ∂y/∂x at this element, with y's shape
            for there in np.ndindex(column.shape):
                if column[there]:
                    factors = [*path.factors, float(column[there])]
                    g = self.trace.gradient_of(out)
                    longer.append(self.path([*path.stops, (out, there)], factors, g, not self.uses[out.index]))
        seed = self.trace.seeds.get(value.index)
        return longer if seed is None else [*longer, self.path(path.stops, path.factors, seed, True)]

    def path(self, stops: list[Any], factors: list[float], g: Any, complete: bool) -> Path:
        arrived = float(to_host(g)[stops[-1][1]])
        return Path(stops, factors, arrived, math.prod(factors) * arrived, complete)

    def jacobian(self, call: Call, i: int, k: int) -> Any:
        key = (call.index, i, k)
        if key not in self.jacobians:
            links = call.inputs[i].array.size, call.outputs[k].array.size
            if links[0] * links[1] > ELEMENTS:
                raise ValueError(
                    f"explain: {call.op.name} links {links[0]} numbers with {links[1]}, too many to follow one by one (at most "
                    f"{ELEMENTS} links). Leave out the element: explain(w) follows whole tensors."
                )
            self.jacobians[key] = call.jacobian(i, k)
        return self.jacobians[key]
