r"""The derivative of one op as numbers, made by its backward rule alone.

The rule gives :math:`(\partial y / \partial x)^\top \bar y` for any :math:`\bar y`: a *vector-Jacobian product*, here the function
`vjp` of the gradients of all the op's outputs. With a :math:`\bar y` of one 1 and zeros it gives one row of the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minilm.backend import as_array, device_of, to_host
from minilm.ops.reduce import sum_to
from minilm.types import Array, HostArray

Vjp = Callable[[tuple[Any, ...]], Array]
SMALL = 64  # the most numbers of a Jacobian that a reader can take in


def local_derivative(vjp: Vjp, y: Array, x: Array, elementwise: bool) -> tuple[str, HostArray | None]:
    """The derivative of an op's only output y by an input x, in the form that says most; see `minilm.trace.Contribution.local`."""
    if elementwise:
        each = as_array(vjp((device_of(y).xp.ones_like(y),)))
        if each.shape == y.shape:  # else the rule itself sums, or takes its input apart
            return "elementwise", to_host(each)
    if y.size * x.size <= SMALL:
        return "jacobian", jacobian(vjp, [y], 0, x)
    return "rule", None


def jacobian(vjp: Vjp, outputs: Sequence[Array], output: int, x: Array) -> HostArray:
    r""":math:`\partial y_j / \partial x_k` by one backward rule for each number of y, the output of that number; shape: y's, then x's."""
    y = outputs[output]
    xp = device_of(y).xp
    rows = xp.zeros((y.size, *x.shape), dtype=x.dtype)
    for j in range(y.size):
        gs = [xp.zeros_like(v) for v in outputs]
        gs[output].reshape(-1)[j] = 1
        rows[j] = sum_to(as_array(vjp(tuple(gs))), x.shape)
    return to_host(rows.reshape((*y.shape, *x.shape)))
