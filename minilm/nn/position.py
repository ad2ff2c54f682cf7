"""Where a token stands: attention alone does not know, so these layers say it.

All take the position of the first token as `start`, for generation that continues a sequence.
"""

from __future__ import annotations

import numpy as np

from minilm.backend import to_device
from minilm.creation import zeros
from minilm.nn import init
from minilm.nn.checks import expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.ops.arguments import shape_of
from minilm.ops.dtypes import get_default_dtype
from minilm.ops.shape import stack
from minilm.tensor import Tensor
from minilm.types import HostArray


class SinusoidalPositions(Module):
    r"""Adds sines and cosines of geometrically spaced frequencies.

    .. math:: y_t = x_t + P_t, \quad P_{t, 2i} = \sin(t\, \omega_i), \quad P_{t, 2i+1} = \cos(t\, \omega_i),
        \quad \omega_i = 10000^{-2i/d}

    Shapes: x and y ``(..., length, width)``. Vaswani et al., Attention is all you need, NeurIPS 2017, 3.5.

    Args:
        max_length: the number of positions in the table, which is computed once.
        width: d, an even number.

    Raises:
        ValueError: the input has another width, or positions beyond max_length.
    """

    table: Tensor

    def __init__(self, max_length: int, width: int) -> None:
        super().__init__()
        expect_sizes("SinusoidalPositions", max_length=max_length, width=width)
        expect_even("SinusoidalPositions", width)
        self.max_length, self.width = max_length, width
        angle = angles(max_length, width, 10000.0)
        table = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(max_length, width)
        self.register_buffer("table", table.astype(get_default_dtype()), persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        return x + rows(self, self.table, x, start)

    def extra_repr(self) -> str:
        return f"max_length={self.max_length}, width={self.width}"


class LearnedPositions(Module):
    r"""Adds a learned vector for each position.

    .. math:: y_t = x_t + P_t

    Shapes: x and y ``(..., length, width)``, P ``(max_length, width)``, which starts normal with standard deviation 0.02.

    Raises:
        ValueError: the input has another width, or positions beyond max_length.
    """

    def __init__(self, max_length: int, width: int) -> None:
        super().__init__()
        expect_sizes("LearnedPositions", max_length=max_length, width=width)
        self.max_length, self.width = max_length, width
        self.weight = Parameter(zeros(max_length, width))
        init.normal_(self.weight, 0.0, 0.02)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        return x + rows(self, self.weight, x, start)

    def extra_repr(self) -> str:
        return f"max_length={self.max_length}, width={self.width}"


class RotaryPositions(Module):
    r"""Turns pairs of a query's or key's numbers by angles that grow with the position.

    .. math:: \begin{pmatrix} y_{2i} \\ y_{2i+1} \end{pmatrix} = \begin{pmatrix} \cos t\omega_i & -\sin t\omega_i \\
        \sin t\omega_i & \cos t\omega_i \end{pmatrix} \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix},
        \quad \omega_i = base^{-2i/d}

    The scalar product of a query at position s and a key at position t then depends on t - s alone. Neighbors are paired,
    (0, 1), (2, 3) ..., as in the paper; weights of models that pair i with i + d/2 (GPT-NeoX, LLaMA in transformers) need their
    query and key rows reordered. Su et al., RoFormer: Enhanced Transformer with rotary position embedding, 2021, 3.4.2.

    Shapes: x and y ``(..., length, width)``, where width is that of one head, an even number. Any position will do: the sines and
    cosines are computed when they are first asked for.

    Raises:
        ValueError: the width is odd, or the input has another.
    """

    def __init__(self, width: int, base: float = 10000.0) -> None:
        super().__init__()
        expect_sizes("RotaryPositions", width=width)
        expect_even("RotaryPositions", width)
        self.width, self.base = width, base
        self._table: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        stop = start + expect_sequence(self, x, self.width)
        cos, sin = (table[start:stop] for table in self._tables(stop, x))
        pairs = x.reshape((*x.shape[:-1], self.width // 2, 2))
        even, odd = pairs[..., 0], pairs[..., 1]
        turned = stack(even * cos - odd * sin, even * sin + odd * cos, axis=-1)
        return turned.reshape(x.shape)

    def _tables(self, stop: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines for at least `stop` positions, kept for the next call in the dtype and on the device of x."""
        table = self._table
        if table is None or len(table[0]) < stop or table[0].dtype != x.dtype or table[0].device is not x.device:
            angle = angles(1 << (stop - 1).bit_length(), self.width, self.base)
            table = tuple(Tensor(to_device(f(angle).astype(x.dtype), x.device)) for f in (np.cos, np.sin))  # type: ignore[assignment]
            self._table = table
        return table  # type: ignore[return-value]

    def extra_repr(self) -> str:
        return f"width={self.width}, base={self.base}"


def angles(length: int, width: int, base: float) -> HostArray:
    r"""The angles :math:`t\, base^{-2i/d}`, shape ``(length, width / 2)``."""
    return np.outer(np.arange(length), base ** (-np.arange(0, width, 2) / width))


def rows(layer: Module, table: Tensor, x: Tensor, start: int) -> Tensor:
    """The table's rows for the positions of x."""
    stop = start + expect_sequence(layer, x, layer.width)
    if start < 0 or stop > layer.max_length:
        raise ValueError(f"{layer!r} has positions 0 to {layer.max_length - 1}; {start} to {stop - 1} were asked for.")
    return table[start:stop]


def expect_sequence(layer: Module, x: Tensor, width: int) -> int:
    """The length of a sequence of vectors; raises where x is none."""
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != width:
        raise ValueError(f"{layer!r} expected an input of shape (..., length, {width}), got {shape}.")
    return shape[-2]


def expect_even(layer: str, width: int) -> None:
    """Raises unless numbers can be taken in pairs."""
    if width % 2:
        raise ValueError(f"{layer}: width must be even, since numbers are treated in pairs; got {width}.")


__all__ = ["LearnedPositions", "RotaryPositions", "SinusoidalPositions"]
