"""Convolution, pooling, padding, other sizes, and the way from images to vectors. Formulas and derivatives stand in `minilm.ops`.

All layers here take a batch, ``(N, C, H, W)`` or ``(N, C, L)``, and but for `Upsample` also one image or line without the batch's axis.
"""

from __future__ import annotations

import math
from typing import Any

from minilm.creation import zeros
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_axes, expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.ops.arguments import shape_of
from minilm.tensor import Tensor
from minilm.types import Shape

SIZES: dict[int, tuple[str, ...]] = {1: ("length",), 2: ("height", "width")}
Size = int | tuple[int, ...] | list[int]  # one number for all axes or sides, or one for each
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Filters(Module):
    """What convolutions and transposed convolutions share: their weights, and which inputs fit."""

    axes = 2

    def _make(
        self, in_channels: int, out_channels: int, kernel_size: Size, groups: int, bias: bool, transposed: bool
    ) -> None:
        name = type(self).__name__
        kernel = tuple(kernel_size) if isinstance(kernel_size, tuple | list) else (kernel_size,) * self.axes
        expect_sizes(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        expect_sizes(name, **{f"kernel_size[{i}]": n for i, n in enumerate(kernel)})
        if len(kernel) != self.axes:
            raise ValueError(f"{name}: kernel_size must be one number or {self.axes}, got {kernel_size}.")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}."
            )
        self.in_channels, self.out_channels, self.kernel_size, self.groups = in_channels, out_channels, kernel, groups
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = Parameter(zeros(first, second // groups, *kernel))
        self.bias = Parameter(zeros(out_channels)) if bias else None
        init.default_(self.weight, self.bias)

    def _expect_channels(self, x: Tensor) -> None:
        shape = shape_of(x)
        if len(shape) - self.axes not in (1, 2) or shape[-self.axes - 1] != self.in_channels:
            one: tuple[str | int, ...] = (self.in_channels, *SIZES[self.axes])
            expect_axes(self, x, ("batch", *one), one)

    def _each(self, value: Any) -> list[Any]:
        """An option for each axis."""
        return list(value) if isinstance(value, tuple | list) else [value] * self.axes

    def _for_op(self, value: Any) -> Any:
        """An option as the op takes it: a line's may be given as a tuple of one."""
        return value[0] if self.axes == 1 and isinstance(value, tuple | list) and len(value) == 1 else value

    def extra_repr(self) -> str:
        options = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0, "padding_mode": "zeros"}
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, default in options.items()
            if self.__dict__.get(name, default) != default
        ]
        shown += [] if self.bias is not None else ["bias=False"]
        return ", ".join([f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}", *shown])


class _Conv(_Filters):
    r"""Filters slid over the input, each giving one output channel.

    Weight ``(out_channels, in_channels / groups, *kernel)`` and bias ``(out_channels,)`` start uniform in
    :math:`\pm 1/\sqrt{n_{in}}`, where :math:`n_{in}` counts the numbers in a window (`init.default_`).

    Args:
        kernel_size, stride, dilation: size of a window, steps between windows, and steps between the places in one.
        padding: numbers around the input, or ``"valid"`` (none), or ``"same"`` (the output is as large as the input).
        groups: the channels are dealt into so many groups, and each filter sees one of them.
        bias: False leaves the bias out.
        padding_mode: what the padding holds: ``"zeros"``, or the input's own numbers, ``"reflect"`` (mirrored), ``"replicate"``
            (the edge repeated) or ``"circular"`` (taken from the other end).

    Raises:
        ValueError: groups does not divide both channel counts, the padding mode is unknown, padding "same" has a stride, or
            the input's channels or axes are wrong.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if padding_mode not in PADDING_MODES:
            expected = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{name}: padding_mode must be one of {expected}; got {padding_mode!r}.")
        self._make(in_channels, out_channels, kernel_size, groups, bias, transposed=False)
        self.stride, self.padding, self.dilation, self.padding_mode = stride, padding, dilation, padding_mode
        if padding == "same" and any(s != 1 for s in self._each(stride)):
            raise ValueError(f"{name}: padding 'same' keeps the size, which stride {stride} does not; give numbers.")
        self._widths = self._frame() if padding_mode != "zeros" else ()

    def _frame(self) -> Shape:
        """The padding as `F.pad` takes it: (before, after) of each axis, the last one first."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self._each(self.dilation), self.kernel_size, strict=True)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(p, p) for p in self._each(0 if self.padding == "valid" else self.padding)]
        return tuple(p for pair in pairs[::-1] for p in pair)

    def _apply(self, op: Any, x: Tensor) -> Tensor:
        self._expect_channels(x)
        padding = self._for_op(self.padding)
        if any(self._widths):
            x, padding = F.pad(x, self._widths, self.padding_mode), 0
        stride, dilation = self._for_op(self.stride), self._for_op(self.dilation)
        return op(x, self.weight, self.bias, stride=stride, padding=padding, dilation=dilation, groups=self.groups)


class Conv1d(_Conv):
    __doc__ = (
        _Conv.__doc__ or ""
    ) + "\n    Shapes: x ``(N, in_channels, L)``, y ``(N, out_channels, L')``, or both without N.\n    "

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        return self._apply(F.conv1d, x)


class Conv2d(_Conv):
    __doc__ = (
        _Conv.__doc__ or ""
    ) + "\n    Shapes: x ``(N, in_channels, H, W)``, y ``(N, out_channels, H', W')``, or both without N.\n    "

    def forward(self, x: Tensor) -> Tensor:
        return self._apply(F.conv2d, x)


class _ConvTranspose(_Filters):
    r"""Each number of the input paints the filters into the output: the transpose of a convolution, which takes its sizes back.

    Weight ``(in_channels, out_channels / groups, *kernel)`` and bias ``(out_channels,)``, which start as those of a convolution
    with this weight (`init.default_`).

    Args:
        kernel_size, stride, padding, dilation, groups: those of the convolution that is transposed.
        output_padding: how much larger the output is at its end: a stride takes several sizes to the same one.
        bias: False leaves the bias out.

    Raises:
        ValueError: groups does not divide both channel counts, the input's channels or axes are wrong, or no output has the size
            that was asked for.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ) -> None:
        super().__init__()
        self._make(in_channels, out_channels, kernel_size, groups, bias, transposed=True)
        self.stride, self.padding, self.output_padding, self.dilation = stride, padding, output_padding, dilation

    def _more(self, x: Tensor, output_size: Shape | None) -> Any:
        """The output padding that makes an output of this size."""
        if output_size is None:
            return self._for_op(self.output_padding)
        wanted, steps = tuple(output_size)[-self.axes :], self._each(self.stride)
        options = zip(
            shape_of(x)[-self.axes :],
            self.kernel_size,
            steps,
            *map(self._each, (self.padding, self.dilation)),
            strict=True,
        )
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in options)
        more = tuple(a - b for a, b in zip(wanted, least, strict=False))
        if len(more) != self.axes or any(not 0 <= m < s for m, s in zip(more, steps, strict=True)):
            most = tuple(n + s - 1 for n, s in zip(least, steps, strict=True))
            raise ValueError(f"{self!r}: output_size must be from {least} to {most}, got {output_size}.")
        return self._for_op(more)

    def _apply(self, op: Any, x: Tensor, output_size: Shape | None) -> Tensor:
        self._expect_channels(x)
        stride, padding, dilation = map(self._for_op, (self.stride, self.padding, self.dilation))
        more = self._more(x, output_size)
        return op(
            x, self.weight, self.bias, stride=stride, padding=padding, output_padding=more, groups=self.groups, dilation=dilation
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose):
    __doc__ = (
        _ConvTranspose.__doc__ or ""
    ) + "\n    Shapes: x ``(N, in_channels, L')``, y ``(N, out_channels, L)``, or both without N.\n    "

    axes = 1

    def forward(self, x: Tensor, output_size: Shape | None = None) -> Tensor:
        """The painted lines; of the length in `output_size`, where one is given in place of output_padding."""
        return self._apply(F.conv_transpose1d, x, output_size)


class ConvTranspose2d(_ConvTranspose):
    __doc__ = (
        _ConvTranspose.__doc__ or ""
    ) + "\n    Shapes: x ``(N, in_channels, H', W')``, y ``(N, out_channels, H, W)``, or both without N.\n    "

    def forward(self, x: Tensor, output_size: Shape | None = None) -> Tensor:
        """The painted images; of the height and width in `output_size`, where they are given in place of output_padding."""
        return self._apply(F.conv_transpose2d, x, output_size)


class _Pool(Module):
    """A pooling with its options; a subclass names the op."""

    op: Any

    def __init__(self, kernel_size: Size, stride: Size | None, padding: Size, **others: bool | Size) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self._others = others

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        lines = type(self).__name__.endswith("1d")
        sizes = {"kernel_size": self.kernel_size, "stride": self.stride, "padding": self.padding, **self._others}
        if lines:
            sizes = {name: n[0] if isinstance(n, tuple | list) and len(n) == 1 else n for name, n in sizes.items()}
        return type(self).op(x, **sizes)

    def extra_repr(self) -> str:
        defaults = {"dilation": 1, "ceil_mode": False, "return_indices": False, "count_include_pad": True}
        others = [f"{name}={value}" for name, value in self._others.items() if value != defaults[name]]
        stride = self.kernel_size if self.stride is None else self.stride
        return ", ".join([f"kernel_size={self.kernel_size}, stride={stride}, padding={self.padding}", *others])


class _MaxPool(_Pool):
    """The largest number of each window.

    Args:
        kernel_size, padding, dilation: size of a window, how far windows reach beyond the edge (where nothing counts), and
            steps between the places in a window.
        stride: steps between windows; default: kernel_size, so that windows lie side by side.
        return_indices: give a second result, where in its image (row by row) each largest number stands.
        ceil_mode: one more window where some numbers would be left over.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(
            kernel_size, stride, padding, dilation=dilation, ceil_mode=ceil_mode, return_indices=return_indices
        )


class _AvgPool(_Pool):
    """The mean of each window.

    Args:
        kernel_size, padding: size of a window, and zeros around the input.
        stride: steps between windows; default: kernel_size, so that windows lie side by side.
        ceil_mode: one more window where some numbers would be left over.
        count_include_pad: whether the zeros of the padding count in the mean.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad)


LINES = "\n    Shapes: x ``(N, C, L)``, y ``(N, C, L')``, or both without N.\n    "
IMAGES = "\n    Shapes: x ``(N, C, H, W)``, y ``(N, C, H', W')``, or both without N; each size one number, or (vertical, horizontal).\n    "


class MaxPool1d(_MaxPool):
    __doc__ = (_MaxPool.__doc__ or "") + LINES
    op = F.max_pool1d


class MaxPool2d(_MaxPool):
    __doc__ = (_MaxPool.__doc__ or "") + IMAGES
    op = F.max_pool2d


class AvgPool1d(_AvgPool):
    __doc__ = (_AvgPool.__doc__ or "") + LINES
    op = F.avg_pool1d


class AvgPool2d(_AvgPool):
    __doc__ = (_AvgPool.__doc__ or "") + IMAGES
    op = F.avg_pool2d


FRAME = """
    Args:
        padding: the frame's width: one number for all sides, or ``(left, right)`` for lines, ``(left, right, top, bottom)`` for
            images. A negative width cuts off.

    Raises:
        ValueError: the frame has another number of sides, the input other axes, or fewer numbers than the frame takes from it.
    """


class _Pad(Module):
    """The input in a frame."""

    axes, mode = 2, "constant"

    def __init__(self, padding: Size, value: float | None = None) -> None:
        super().__init__()
        sides = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * (2 * self.axes)
        if len(sides) != 2 * self.axes or any(isinstance(n, bool) or not isinstance(n, int) for n in sides):
            raise ValueError(f"{type(self).__name__}: padding must be one integer or {2 * self.axes}, got {padding!r}.")
        self.padding, self.value = sides, value

    def forward(self, x: Tensor) -> Tensor:
        one = ("channels", *SIZES[self.axes])
        expect_axes(self, x, ("batch", *one), one)
        return F.pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}" + ("" if self.value is None else f", value={self.value}")


class _OwnPad(_Pad):
    def __init__(self, padding: Size) -> None:
        super().__init__(padding)


class _ConstantPad(_Pad):
    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding, value)


class ReflectionPad1d(_OwnPad):
    __doc__ = "Lines continued by themselves, mirrored at the edge, which is not repeated.\n" + FRAME
    axes, mode = 1, "reflect"


class ReflectionPad2d(_OwnPad):
    __doc__ = "Images continued by themselves, mirrored at the edge, which is not repeated.\n" + FRAME
    mode = "reflect"


class ReplicationPad1d(_OwnPad):
    __doc__ = "Lines whose first and last number is repeated.\n" + FRAME
    axes, mode = 1, "replicate"


class ReplicationPad2d(_OwnPad):
    __doc__ = "Images whose edge is repeated.\n" + FRAME
    mode = "replicate"


class CircularPad1d(_OwnPad):
    __doc__ = "Lines that go on at their other end.\n" + FRAME
    axes, mode = 1, "circular"


class CircularPad2d(_OwnPad):
    __doc__ = "Images that go on at their other end.\n" + FRAME
    mode = "circular"


class ZeroPad1d(_OwnPad):
    __doc__ = "Lines between zeros.\n" + FRAME
    axes = 1


class ZeroPad2d(_OwnPad):
    __doc__ = "Images in a frame of zeros.\n" + FRAME


class ConstantPad1d(_ConstantPad):
    __doc__ = "Lines between numbers of one value, given second.\n" + FRAME
    axes = 1


class ConstantPad2d(_ConstantPad):
    __doc__ = "Images in a frame of one value, given second.\n" + FRAME


class Upsample(Module):
    """Lines ``(N, C, L)`` or images ``(N, C, H, W)`` in another size; see `minilm.nn.functional.interpolate`.

    Args:
        size: the new size: one number for all axes, or one for each.
        scale_factor: instead of it, by how much each axis grows.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` for lines or ``"bilinear"`` for images.
        align_corners: whether the centers of the corners stay in place, for the linear modes; default: False.
        recompute_scale_factor: use the ratio of the sizes in place of `scale_factor`.

    Raises:
        ValueError: neither or both of size and scale_factor, or an input that the mode is not for.
    """

    def __init__(
        self,
        size: Size | None = None,
        scale_factor: float | tuple[float, ...] | list[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError("Upsample: give either size or scale_factor.")
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        what = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}" + (
            "" if self.align_corners is None else f", align_corners={self.align_corners}"
        )


class Flatten(Module):
    """The axes from `start_axis` to `end_axis` as one: images as vectors.

    Shapes: x ``(N, C, H, W)``, y ``(N, C H W)`` with the defaults.

    Raises:
        ValueError: the input has no such axes.
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        super().__init__()
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x: Tensor) -> Tensor:
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


__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Flatten",
    "MaxPool1d",
    "MaxPool2d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Upsample",
    "ZeroPad1d",
    "ZeroPad2d",
]
