r"""A formula with indices, as code: the bridge between a display and the engine.

``indexed((m, n), lambda i, j: ...)`` reads "for i = 1 ... m, j = 1 ... n". Python counts from 0 and a formula counts from 1; nothing
else differs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minilm.ops.shape import reshape, stack
from minilm.tensor import Tensor, grad


def indexed(shape: tuple[int, ...], element: Callable[..., Tensor]) -> Tensor:
    """The Tensor whose element at each index is ``element(*index)``.

    Args:
        shape: how far each free index runs.
        element: one number, as a Tensor of shape ().

    Raises:
        ValueError: there is no element.
    """
    if 0 in shape:
        raise ValueError(f"indexed: a shape without elements, {shape}.")
    rows: Tensor = stack(*[element(*index) for index in np.ndindex(*shape)])
    result: Tensor = reshape(rows, shape)
    return result


def delta(i: int, j: int) -> float:
    """Kronecker's delta: 1 where the indices are equal, else 0."""
    return 1.0 if i == j else 0.0


def pullback(o: Tensor, x: Tensor, g: Tensor) -> Tensor:
    r"""What the engine sends back to `x` when `g` arrives at `o`: :math:`\bar x_j = \sum_i g_i\, \partial o_i / \partial x_j`.

    `g` may be any numbers of the shape of `o`: what a layer sends back may not depend on what follows it.
    """
    return grad(o, x, g)[0]


def jacobian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    r"""The engine's Jacobian, one backward pass per row: element (i, j) is :math:`\partial o_i / \partial x_j`.

    Args:
        function: from `x` to an o; both are read in the order of ``reshape(-1)``.
        x: requires a gradient.
    """
    o = reshape(function(x), (-1,))
    rows: Tensor = stack(*[reshape(grad(o[i], x, retain_graph=True)[0], (-1,)) for i in range(o.shape[0])])
    return rows


__all__ = ["delta", "indexed", "jacobian", "pullback"]
