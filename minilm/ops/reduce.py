"""Reductions over axes. `axis` is None (all), one axis or several; `keepdims` leaves them with size 1."""

from __future__ import annotations

from typing import Any

from minilm.ops.op import Op, Sample, normalize_axes, op, real, shape_of
from minilm.ops.shape import expand, reshape


def reduction_samples(**options: Any) -> list[Sample]:
    """Samples of a reduction: all axes, one, several, negative, kept, of a scalar, of one element."""
    x = real(2, 3, 4, **options)
    return [
        Sample(x),
        Sample(x, axis=1),
        Sample(x, axis=(0, 2)),
        Sample(x, axis=-1, keepdims=True),
        Sample(real(**options)),
        Sample(real(1, 1, **options), axis=0),
    ]


def kept(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with the reduced axes at size 1."""
    return tuple(1 if i in axis else n for i, n in enumerate(shape))


def spread(g: Any, shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """The gradient (or result) of a reduction, repeated along the axes that it summed over."""
    return expand(reshape(g, kept(shape, axis)), shape)


@op
class sum(Op):
    formula = r"y = \sum_i x_i"
    derivative = r"\bar x_i = \bar y"
    samples = [*reduction_samples(), Sample(real(0, 3), axis=0), Sample(real(2, 0))]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("sum", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.sum(x, axis=axis, keepdims=keepdims)

    def grad_x(self, g, _y, _x, *, axis, keepdims):
        return spread(g, _x.shape, axis)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    r"""The gradient of a broadcast input: `g` summed over the axes along which the input was repeated.

    Where :math:`y_{ij} = f(x_j)`, the chain rule gives :math:`\bar x_j = \sum_i \bar y_{ij} f'(x_j)`: one copy of x fed
    every row.
    """
    have = shape_of(g)
    if have == shape:
        return g
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and have[i + lead] != 1)
    return reshape(sum(g, axis=axes), shape)
