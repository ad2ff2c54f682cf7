"""Convolution, pooling, and the way from images to vectors. Formulas and derivatives stand in `minilm.ops.conv`."""

from __future__ import annotations

import math
from typing import Any

from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.ops.op import shape_of
from minilm.tensor import Tensor, zeros

Pair = int | tuple[int, int]  # one number, or (vertical, horizontal)


class _Conv(Module):
    r"""Filters slid over the input, each giving one output channel.

    Weight ``(out_channels, in_channels / groups, *kernel)`` and bias ``(out_channels,)`` start uniform in
    :math:`\pm 1/\sqrt{n_{in}}`, where :math:`n_{in}` counts the numbers in a window (`init.default_`).

    Args:
        kernel_size, stride, dilation: size of a window, steps between windows, and steps between the places in one.
        padding: zeros around the input, or ``"valid"`` (none), or ``"same"`` (the output is as large as the input).
        groups: the channels are dealt into so many groups, and each filter sees one of them.
        bias: False leaves the bias out.

    Raises:
        ValueError: groups does not divide both channel counts, or the input's channels or axes are wrong.
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * self.axes
        expect_sizes(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        expect_sizes(name, **{f"kernel_size[{i}]": n for i, n in enumerate(kernel)})
        if len(kernel) != self.axes:
            raise ValueError(f"{name}: kernel_size must be one number or {self.axes}, got {kernel_size}.")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}."
            )
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.weight = Parameter(zeros(out_channels, in_channels // groups, *kernel))
        self.bias = Parameter(zeros(out_channels)) if bias else None
        init.default_(self.weight, self.bias)

    def _options(self, x: Any) -> dict[str, Any]:
        """The options of the op, once the input is known to fit."""
        shape, sizes = shape_of(x), ("height, width", "length")[self.axes == 1]
        if len(shape) != self.axes + 2 or shape[1] != self.in_channels:
            raise ValueError(f"{self!r} expected an input of shape (batch, {self.in_channels}, {sizes}), got {shape}.")
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def extra_repr(self) -> str:
        options = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        shown = [
            f"{name}={getattr(self, name)!r}" for name, default in options.items() if getattr(self, name) != default
        ]
        shown += [] if self.bias is not None else ["bias=False"]
        return ", ".join([f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}", *shown])


class Conv1d(_Conv):
    __doc__ = (_Conv.__doc__ or "") + "\n    Shapes: x ``(N, in_channels, L)``, y ``(N, out_channels, L')``.\n    "

    axes = 1

    def forward(self, x: Any) -> Any:
        options = self._options(x)
        return F.conv1d(x, self.weight, self.bias, **options)


class Conv2d(_Conv):
    __doc__ = (
        _Conv.__doc__ or ""
    ) + "\n    Shapes: x ``(N, in_channels, H, W)``, y ``(N, out_channels, H', W')``.\n    "

    def forward(self, x: Any) -> Any:
        options = self._options(x)
        return F.conv2d(x, self.weight, self.bias, **options)


class MaxPool2d(Module):
    """The largest number of each window.

    Shapes: x ``(N, C, H, W)``, y ``(N, C, H', W')``.

    Args:
        kernel_size, padding: one number, or (vertical, horizontal).
        stride: likewise; default: kernel_size, so that windows lie side by side.
    """

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Any) -> Any:
        return F.max_pool2d(x, kernel_size=self.kernel_size, stride=self.stride, padding=self.padding)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride or self.kernel_size}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window.

    Shapes: x ``(N, C, H, W)``, y ``(N, C, H', W')``.

    Args:
        kernel_size, padding: one number, or (vertical, horizontal).
        stride: likewise; default: kernel_size.
        count_include_pad: whether the zeros of the padding count in the mean.
    """

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.count_include_pad = count_include_pad

    def forward(self, x: Any) -> Any:
        return F.avg_pool2d(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            count_include_pad=self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride or self.kernel_size}, padding={self.padding}"


class Flatten(Module):
    """The axes from `start_axis` to `end_axis` as one: images as vectors.

    Shapes: x ``(N, C, H, W)``, y ``(N, C H W)`` with the defaults.
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        super().__init__()
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x: Any) -> Tensor:
        shape = shape_of(x)
        first, last = (
            axis % len(shape) if -len(shape) <= axis < len(shape) else -1 for axis in (self.start_axis, self.end_axis)
        )
        if not 0 <= first <= last:
            raise ValueError(
                f"{self!r} needs axes {self.start_axis} to {self.end_axis}, got an input of shape {shape}."
            )
        return x.reshape((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))

    def extra_repr(self) -> str:
        return f"start_axis={self.start_axis}, end_axis={self.end_axis}"


__all__ = ["AvgPool2d", "Conv1d", "Conv2d", "Flatten", "MaxPool2d"]
