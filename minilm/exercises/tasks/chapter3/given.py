"""What a set-up of this chapter hands to students: the walk back, so that only the ops are left to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Scalar:
    """A number that remembers what it was made of.

    Attributes:
        value: the number.
        parents: the scalars it was computed from.
        slopes: its derivative in each of them, as plain numbers.
        grad: what `backward` found: the derivative of the result in this number.
    """

    def __init__(self, value: float, parents: Sequence[Scalar] = (), slopes: Sequence[float] = ()) -> None:
        self.value, self.parents, self.slopes = value, tuple(parents), tuple(slopes)
        self.grad = 0.0

    def __add__(self, other: Any) -> Any:
        other = self._of(other)
        return type(self)(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Any:
        other = self._of(other)
        return type(self)(self.value * other.value, (self, other), (other.value, self.value))

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        """Gives every scalar that this one was computed from its `grad`: each after all that use it, (3.9)."""
        uses: dict[Scalar, int] = {}
        found = [self]
        while found:
            for parent in found.pop().parents:
                if parent not in uses:
                    found.append(parent)
                uses[parent] = uses.get(parent, 0) + 1
        self.grad = 1.0
        ready = [self]
        while ready:
            scalar = ready.pop()
            for parent, slope in zip(scalar.parents, scalar.slopes, strict=True):
                parent.grad += slope * scalar.grad
                uses[parent] -= 1
                if not uses[parent]:
                    ready.append(parent)

    def _of(self, other: Any) -> Any:
        return other if isinstance(other, Scalar) else type(self)(other)
