r"""Convolution and pooling: what happens in every window of an image.

Sizes are (batch, channels, height, width). A window has a *tap* for each of its places: the strided view of the input that
holds, for every window, the number at that place. With the taps copied side by side (im2col), a convolution is a matrix
product, as in Chellapilla et al. 2006, "High performance convolutional neural networks for document processing"; its gradient
is another convolution, or adds the taps' gradients back to where the taps were taken from (col2im). All of this is done for a
few images at a time (`correlate` says why).

The rules here are for arrays. The second derivative runs an op's `composed` on all of its inputs, so the rules name them all
without an underscore: they must be kept.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import NamedTuple

import numpy as np

from minilm.backend import device_of, to_device
from minilm.ops.arguments import shape_of
from minilm.ops.index import gather
from minilm.ops.linalg import matmul, swap_last
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, distinct, real
from minilm.ops.shape import array_of, home_of, pad, reshape, squeeze, unsqueeze


class Batched(Op):
    """An op on a batch: where its first input has one axis too few, it is a batch of one."""

    batch_axes = 4

    def __call__(self, x, *args, **kwargs):
        if len(shape_of(x)) != self.batch_axes - 1:
            return super().__call__(x, *args, **kwargs)
        return squeeze(super().__call__(unsqueeze(x, 0), *args, **kwargs), 0)


@op
class conv2d(Batched):
    r"""The cross-correlation of images with a bank of filters, plus a bias (what deep learning calls convolution).

    Shapes: x ``(N, C, H, W)`` or ``(C, H, W)``, weight ``(O, C / groups, kh, kw)``, bias ``(O,)`` or None, output ``(N, O, H', W')`` with
    :math:`H' = \lfloor (H + p - d (k_h - 1) - 1) / s \rfloor + 1`, where p counts the padding on both sides.

    Args:
        stride, dilation: steps between windows, and between the places in a window: one number, or (vertical, horizontal).
        padding: zeros around the image: one number, (vertical, horizontal), ``"valid"`` (none), or ``"same"`` (H' = H and
            W' = W, for stride 1; an odd total puts the larger half below and right, as PyTorch does).
        groups: the channels are dealt into so many groups, and each filter sees one of them.

    Raises:
        ValueError: shapes or numbers that do not fit each other; the sentence says which.
    """

    formula = r"y_{noij} = b_o + \sum_{c,u,v} w_{ocuv}\, x_{n,\, c,\, s i + d u - p,\, s j + d v - p}"
    derivative = (
        r"\bar x_{nchw} = \sum_{o,u,v} w_{ocuv}\, \bar y_{noij} \text{ over } (i, j) \text{ with } s i + d u - p = h,\; s j + d v - p = w;"
        r"\quad \bar w_{ocuv} = \sum_{n,i,j} \bar y_{noij}\, x_{n, c, s i + d u - p, s j + d v - p};"
        r"\quad \bar b_o = \sum_{n,i,j} \bar y_{noij}"
    )
    wide = True
    samples = [
        Sample(real(2, 1, 3, 4), real(2, 1, 2, 3), real(2)),
        Sample(real(1, 2, 3, 2), real(1, 2, 3, 2), stride=(2, 1), padding=(1, 2)),
        Sample(real(1, 4, 2, 2), real(2, 2, 2, 2), real(2), groups=2, padding="same"),
        Sample(real(1, 1, 5, 4), real(1, 1, 2, 2), dilation=(3, 2), padding="valid"),
        Sample(real(2, 2, 2, 2), real(3, 2, 1, 1)),
        Sample(real(0, 1, 2, 2), real(1, 1, 2, 2)),
    ]

    def check(self, x, weight, bias, *, stride, padding, dilation, groups):
        check_filters("conv2d", "(N, C, H, W)", "(O, C / groups, kh, kw)", x, weight, bias, groups)
        kernel = shape_of(weight)[2:]
        stride, dilation = as_pair("conv2d", "stride", stride, 1), as_pair("conv2d", "dilation", dilation, 1)
        padding = as_padding(padding, kernel, stride, dilation)
        Windows(shape_of(x)[2:], kernel, stride, padding, dilation).check("conv2d")
        return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def composed(self, x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
        windows = Windows(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        (batch, channels), filters, width = x.shape[:2], weight.shape[0], windows.kernel[1]
        x, parts = windows.frame(x), []
        for k, tap in enumerate(windows.taps()):
            w = reshape(weight[:, :, k // width, k % width], (groups, filters // groups, channels // groups))
            parts.append(matmul(w, reshape(x[tap], (batch, groups, channels // groups, windows.total))))
        y = reshape(functools.reduce(operator.add, parts), (batch, filters, *windows.sizes))
        return y if bias is None else y + reshape(bias, (filters, 1, 1))

    def forward(self, dev, x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
        windows = Windows(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        return correlate(dev, x, weight.reshape(groups, len(weight) // groups, -1), bias, windows)

    def backward(self, g, _y, x, weight, bias, *, needs, stride, padding, dilation, groups):
        dev, windows = device_of(g), Windows(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        dx = correlate_backward(dev, g, x.shape, weight, windows, groups) if needs[0] else None
        dw = filter_gradient(dev, g, x, windows, groups).reshape(weight.shape) if needs[1] else None
        return dx, dw, dev.sum(g, (0, 2, 3)) if needs[2] else None


@op
class conv1d(Batched):
    r"""`conv2d` along one axis: x ``(N, C, L)``, weight ``(O, C / groups, k)``, bias ``(O,)`` or None, output ``(N, O, L')``."""

    batch_axes = 3
    formula = r"y_{noi} = b_o + \sum_{c,u} w_{ocu}\, x_{n,\, c,\, s i + d u - p}"
    derivative = (
        r"\bar x_{ncl} = \sum_{o,u} w_{ocu}\, \bar y_{noi} \text{ over } i \text{ with } s i + d u - p = l;"
        r"\quad \bar w_{ocu} = \sum_{n,i} \bar y_{noi}\, x_{n, c, s i + d u - p}; \quad \bar b_o = \sum_{n,i} \bar y_{noi}"
    )
    samples = [
        Sample(real(2, 2, 4), real(3, 2, 2), real(3)),
        Sample(real(1, 2, 5), real(2, 1, 3), stride=2, padding=2, groups=2),
        Sample(real(2, 1, 5), real(1, 1, 2), dilation=3, padding="same"),
    ]

    def check(self, x, weight, bias, *, stride, padding, dilation, groups):
        check_filters("conv1d", "(N, C, L)", "(O, C / groups, k)", x, weight, bias, groups)
        for what, value in (("stride", stride), ("dilation", dilation)):
            as_pair("conv1d", what, (1, value), 1)
        padding = padding if isinstance(padding, str) else as_pair("conv1d", "padding", (0, padding), 0)
        return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def composed(self, x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
        image, filters = unsqueeze(x, 2), unsqueeze(weight, 2)
        y = conv2d(image, filters, bias, stride=(1, stride), padding=padding, dilation=(1, dilation), groups=groups)
        return squeeze(y, 2)


@op
class max_pool2d(Batched):
    r"""The largest number in each window, x ``(N, C, H, W)`` to ``(N, C, H', W')``.

    Args:
        kernel_size, padding: one number, or (vertical, horizontal). The padding, at most half the window, counts as
            :math:`-\infty`.
        stride: likewise; default: `kernel_size`, so that windows lie side by side.
        dilation: likewise; steps between the places of a window.
        ceil_mode: one more window where some numbers would be left over, if it begins before the end of the image; what it lacks
            counts as padding.
        return_indices: give a second result, where in their images the largest numbers stand (row by row).
    """

    formula = r"y_{ncij} = \max_{u,v} x_{n,\, c,\, s i + d u - p,\, s j + d v - p}"
    derivative = r"\bar x_{nchw} = \sum_{(i,j) :\, (h, w) \text{ is the largest of window } (i,j)} \bar y_{ncij}"
    domain = r"tie between places of a window, where the first in row-major order receives all"
    has_aux = True
    integers = "refused"
    wide = True
    samples = [
        Sample(distinct(2, 2, 4, 4), kernel_size=2),
        Sample(distinct(1, 2, 5, 4), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0)),
        Sample(distinct(1, 1, 3, 3), kernel_size=3, stride=2, padding=1),
        Sample(distinct(0, 2, 2, 2), kernel_size=2),
        Sample(distinct(1, 2, 5, 4), kernel_size=2, stride=1, dilation=(2, 1)),
        Sample(distinct(1, 1, 5, 6), kernel_size=2, stride=(2, 4), ceil_mode=True),
    ]

    def check(self, x, *, kernel_size, stride, padding, dilation, ceil_mode):
        if x.dtype.kind != "f":
            raise TypeError(f"max_pool2d: x is {x.dtype}, expected floats: its padding is minus infinity.")
        return check_pool("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)

    def __call__(self, x, *args, return_indices=False, **kwargs):
        y = super().__call__(x, *args, **kwargs)
        return (y, max_pool2d_indices(x, *args, **kwargs)) if return_indices else y

    def composed(self, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        windows = Windows(x.shape[2:], kernel_size, stride, padding, dilation)
        options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
        _, place = self.forward(home_of(x), array_of(x), **options)
        x, index = windows.frame(x, -np.inf), windows.place_in_frame(home_of(x).xp, place)
        pixels = reshape(x, (*x.shape[:2], x.shape[2] * x.shape[3]))
        return reshape(gather(pixels, index.reshape(*place.shape[:2], windows.total), -1), place.shape)

    def forward(self, dev, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        windows, xp = Windows(x.shape[2:], kernel_size, stride, padding, dilation), dev.xp
        if (found := dev.max_pool(x, windows)) is not None:
            return found
        first, *others = windows.taps()
        y = xp.empty((*x.shape[:2], *windows.sizes), x.dtype)
        place = xp.empty(y.shape, np.uint8 if len(others) < 256 else np.int32)

        def block(x, y, place):
            x = windows.frame(x, -np.inf)
            y[...], place[...] = x[first], 0
            for k, tap in enumerate(others, 1):
                part = xp.ascontiguousarray(x[tap])  # read twice below: with strides that would be twice as slow
                xp.maximum(place, (part > y).astype(place.dtype) * k, out=place)  # k grows: a later larger one wins
                xp.maximum(y, part, out=y)

        dev.run(block, [(x[cut], y[cut], place[cut]) for cut in image_cuts(dev, x, windows)])
        return y, place

    def grad_x(self, g, _y, x, *, kernel_size, stride, padding, dilation, ceil_mode, aux):
        windows, places = Windows(x.shape[2:], kernel_size, stride, padding, dilation), range(math.prod(kernel_size))
        dev = device_of(g)
        if (found := dev.max_pool_backward(g, aux, x, windows)) is not None:
            return found
        dx = dev.xp.empty(x.shape, g.dtype)

        def block(g, aux, dx):
            add_taps((g * (aux == k) for k in places), dx, windows)

        dev.run(block, [(g[cut], aux[cut], dx[cut]) for cut in image_cuts(dev, x, windows)])
        return dx


@op
class max_pool2d_indices(Batched):
    """Where the largest numbers of `max_pool2d` stand in their images, numbered row by row: int64, of the output's shape."""

    formula = r"y_{ncij} = (s i + d u - p)\, W + s j + d v - p, \quad (u, v) = \arg\max_{u,v} x_{n,\, c,\, s i + d u - p,\, s j + d v - p}"
    derivative = r"\bar x = 0"
    domain = "no gradient: the results are integers"
    answers = True
    integers = "refused"
    samples = [
        Sample(distinct(1, 2, 4, 4), kernel_size=2),
        Sample(distinct(1, 1, 5, 4), kernel_size=3, stride=2, padding=1, dilation=2),
    ]

    def check(self, x, *, kernel_size, stride, padding, dilation, ceil_mode):
        return check_pool(self.name, x, kernel_size, stride, padding, dilation, ceil_mode)

    def forward(self, dev, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        windows = Windows(x.shape[2:], kernel_size, stride, padding, dilation)
        _, place = max_pool2d.forward(
            dev, x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation
        )
        framed, width = windows.place_in_frame(dev.xp, place), x.shape[3] + sum(padding[1])
        return (framed // width - padding[0][0]) * x.shape[3] + framed % width - padding[1][0]


@op
class avg_pool2d(Batched):
    r"""The mean of each window, x ``(N, C, H, W)`` to ``(N, C, H', W')``; windows as in `max_pool2d`, the padding zeros.

    Args:
        count_include_pad: divide by the size of the window, padding included; False: by how many of its numbers lie in the image.
        ceil_mode: as in `max_pool2d`; what lies beyond the padding is never counted.
    """

    formula = r"y_{ncij} = \frac{1}{m_{ij}} \sum_{u,v} x_{n,\, c,\, s i + u - p,\, s j + v - p}"
    derivative = r"\bar x_{nchw} = \sum_{(i,j) :\, (h, w) \text{ in window } (i,j)} \frac{\bar y_{ncij}}{m_{ij}}"
    integers = "floats"
    wide = True
    samples = [
        Sample(real(2, 2, 4, 4), kernel_size=2),
        Sample(real(1, 2, 5, 4), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0)),
        Sample(real(1, 1, 3, 3), kernel_size=3, stride=2, padding=1, count_include_pad=False),
        Sample(real(0, 2, 2, 2), kernel_size=2),
        Sample(real(1, 1, 4, 5), kernel_size=3, stride=2, padding=1, ceil_mode=True),
    ]

    def check(self, x, *, kernel_size, stride, padding, ceil_mode, count_include_pad):
        found = check_pool("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
        del found["dilation"]
        return {**found, "count_include_pad": count_include_pad}

    def composed(self, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        windows = Windows(x.shape[2:], kernel_size, stride, padding)
        framed = windows.frame(x)
        total = sum(framed[tap] for tap in windows.taps())
        return total * mean_weight(home_of(x), x.dtype, windows, count_include_pad)

    def forward(self, dev, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        windows = Windows(x.shape[2:], kernel_size, stride, padding)
        framed = windows.frame(x)
        first, *others = (framed[tap] for tap in windows.taps())
        y = first.astype(np.float64 if len(others) > dev.long_sum else x.dtype)  # they are added one by one
        for part in others:
            y += part
        y *= mean_weight(dev, y.dtype, windows, count_include_pad)
        return y.astype(x.dtype, copy=False)

    def grad_x(self, g, _y, x, *, kernel_size, stride, padding, ceil_mode, count_include_pad):
        windows = Windows(x.shape[2:], kernel_size, stride, padding)
        part = g * mean_weight(device_of(g), g.dtype, windows, count_include_pad)
        dx = device_of(g).xp.empty(x.shape, g.dtype)
        add_taps([part] * len(windows.taps()), dx, windows)
        return dx


class _AlongOneAxis(Batched):
    """A pooling of lines (N, C, L): that of images of height 1."""

    batch_axes = 3
    integers = "refused"
    wide = True

    def check(self, x, *, kernel_size, stride, padding, **others):
        if len(shape_of(x)) != 3:
            raise ValueError(f"{self.name}: x has shape {shape_of(x)}, expected (N, C, L) or (C, L).")
        sizes = {
            "kernel_size": (kernel_size, 1),
            "stride": (kernel_size if stride is None else stride, 1),
            "padding": (padding, 0),
        }
        sizes |= {"dilation": (others["dilation"], 1)} if "dilation" in others else {}
        for what, (value, least) in sizes.items():
            if as_pair(self.name, what, (1, value), least)[1] != value:
                raise ValueError(f"{self.name}: {what} must be one integer, got {value!r}.")
        return {**{what: value for what, (value, _) in sizes.items()}, **others}

    def on_images(self, pool, x, sizes, **others):
        """Each size of a line as that of an image: with 1 vertically, and no padding there."""
        pairs = {what: (0 if what == "padding" else 1, value) for what, value in sizes.items()}
        return squeeze(pool(unsqueeze(x, -2), **pairs, **others), -2)


@op
class max_pool1d(_AlongOneAxis):
    r"""`max_pool2d` along one axis: x ``(N, C, L)`` or ``(C, L)``."""

    formula = r"y_{nci} = \max_u x_{n,\, c,\, s i + d u - p}"
    derivative = r"\bar x_{ncl} = \sum_{i :\, l \text{ is the largest of window } i} \bar y_{nci}"
    domain = max_pool2d.domain
    samples = [
        Sample(distinct(2, 2, 6), kernel_size=2),
        Sample(distinct(1, 2, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        Sample(distinct(1, 1, 6), kernel_size=2, stride=1, dilation=3),
    ]

    def __call__(self, x, *args, return_indices=False, **kwargs):
        y = super().__call__(x, *args, **kwargs)
        if not return_indices:
            return y
        (line,), params = self.bind((x, *args), kwargs)
        params = self.check(line if len(shape_of(line)) == 3 else line[None], **params)
        ceil_mode = params.pop("ceil_mode")
        return y, self.on_images(max_pool2d_indices, line, params, ceil_mode=ceil_mode)

    def composed(self, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        sizes = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
        return self.on_images(max_pool2d, x, sizes, ceil_mode=ceil_mode)


@op
class avg_pool1d(_AlongOneAxis):
    r"""`avg_pool2d` along one axis: x ``(N, C, L)`` or ``(C, L)``."""

    formula = r"y_{nci} = \frac{1}{m_i} \sum_u x_{n,\, c,\, s i + u - p}"
    derivative = r"\bar x_{ncl} = \sum_{i :\, l \text{ in window } i} \frac{\bar y_{nci}}{m_i}"
    samples = [
        Sample(real(2, 2, 6), kernel_size=2),
        Sample(real(1, 2, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        Sample(real(1, 1, 5), kernel_size=2, padding=1, count_include_pad=False),
    ]

    def composed(self, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        sizes = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
        return self.on_images(avg_pool2d, x, sizes, ceil_mode=ceil_mode, count_include_pad=count_include_pad)


class Windows(NamedTuple):
    """Where the windows lie on images: sizes and steps as (vertical, horizontal), padding as (before, after) of each."""

    image: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int] = (1, 1)

    @property
    def sizes(self):
        """How many windows there are, vertically and horizontally."""
        return tuple(
            (n + before + after - d * (k - 1) - 1) // s + 1 for n, k, s, (before, after), d in zip(*self, strict=True)
        )

    @property
    def total(self):
        return self.sizes[0] * self.sizes[1]

    def taps(self):
        """For each place in the window, in row-major order, the index of the numbers there in the framed images."""
        rows, columns = (
            [slice(i * d, i * d + (n - 1) * s + 1, s) for i in range(k)]
            for k, s, d, n in zip(self.kernel, self.stride, self.dilation, self.sizes, strict=True)
        )
        return [(Ellipsis, row, column) for row in rows for column in columns]

    def place_in_frame(self, xp, place):
        """Where in the framed images, numbered row by row, the numbers at these places (in row-major order) of each window lie."""
        (rows, columns), (sh, sw), (dh, dw) = self.sizes, self.stride, self.dilation
        u, v = place.astype(np.int64) // self.kernel[1], place.astype(np.int64) % self.kernel[1]
        width = self.image[1] + sum(self.padding[1])
        return (xp.arange(rows)[:, None] * sh + u * dh) * width + xp.arange(columns) * sw + v * dw

    def frame(self, x, value=0.0):
        """Images with their padding; the images themselves where there is none."""
        return pad(x, ((0, 0), (0, 0), *self.padding), value) if any(map(any, self.padding)) else x

    def width(self, filters, columns):
        """How many windows im2col gives a row, of filters that see `columns` numbers each.

        With stride 1 a tap's numbers lie one behind the other in memory, but for the ends of rows. So windows are begun there
        too, and run on into the next row: each tap is one long copy instead of one for each row, and what the false windows give
        is cut off. That costs a copy of the product: it pays where the product is smaller than the columns.
        """
        framed = self.image[1] + sum(self.padding[1])
        return framed if self.stride == (1, 1) and filters < columns else self.sizes[1]

    def rounded_up(self):
        """The padding with as much more behind the image as one more window needs, where numbers are left over."""
        frames = []
        for n, k, s, (before, after), d, count in zip(*self, self.sizes, strict=True):
            left = n + before + after - ((count - 1) * s + d * (k - 1) + 1)
            more = left > 0 and count * s < n + before
            frames.append((before, after + s - left if more else after))
        return tuple(frames)

    def check(self, op_name):
        """Raises ValueError where not even one window fits."""
        if min(self.sizes) < 1:
            reach = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
            padded = tuple(n + sum(p) for n, p in zip(self.image, self.padding, strict=True))
            raise ValueError(f"{op_name}: a window of {reach} does not fit into images of {padded} (with padding).")


def correlate(dev, x, filters, bias, windows):
    """What `conv2d` computes, from filters as matrices (groups, filters of the group, channels of the group * kh * kw).

    Some images at a time: their columns are made, used and forgotten while a core's cache holds them, and other images are
    another core's. All of the columns would take kh kw times the memory of the images.
    """
    if (found := dev.correlate(x, filters, bias, windows)) is not None:
        return found
    xp, (groups, count, columns) = dev.xp, filters.shape
    width = windows.width(count, columns)
    out = xp.empty((len(x), groups * count, *windows.sizes), xp.result_type(x, filters))

    def block(cut):
        y, matrices = out[cut], im2col(dev, x[cut], windows, width, groups)
        if width == y.shape[3]:
            dev.multiply(filters, matrices, out=by_group(y, groups))
            product = y
        else:
            product = dev.multiply(filters, matrices).reshape(*y.shape[:3], width)[..., : y.shape[3]]
        if bias is not None:
            xp.add(product, bias.reshape(-1, 1, 1), out=y)
        elif product is not y:
            y[...] = product

    dev.run(block, [(cut,) for cut in image_cuts(dev, x, windows, width)])
    return out


def correlate_backward(dev, g, shape, weight, windows, groups):
    """The gradient of the images, of `shape`.

    With stride 1 it is a correlation itself: of the output's gradient, framed by what a filter reaches beyond its padding, with
    the filters turned by 180 degrees. Other strides take the way back through the columns, block by block.
    """
    reach = [d * (k - 1) for k, d in zip(windows.kernel, windows.dilation, strict=True)]
    frame = tuple((r - before, r - after) for r, (before, after) in zip(reach, windows.padding, strict=True))
    if windows.stride == (1, 1) and min(map(min, frame)) >= 0:
        turned = weight[..., ::-1, ::-1].reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
        filters = turned.reshape(groups, weight.shape[1], -1)
        return correlate(dev, g, filters, None, windows._replace(image=windows.sizes, padding=frame))
    xp, filters = dev.xp, swap_last(weight.reshape(groups, len(weight) // groups, -1))
    dx = xp.empty(shape, g.dtype)

    def block(g, dx):
        dx[...] = col2im(dev, dev.multiply(filters, by_group(g, groups)), dx.shape, windows)

    dev.run(block, [(g[cut], dx[cut]) for cut in image_cuts(dev, dx, windows)])
    return dx


def filter_gradient(dev, g, x, windows, groups):
    """The gradient of the filters, as matrices (groups, filters of the group, channels of the group * kh * kw).

    The columns of `correlate` are made again, block by block. The blocks' shares are summed in an order that does not depend on
    which thread ends first, so that no digit does.
    """
    if (found := dev.filter_gradient(g, x, windows, groups)) is not None:
        return found
    xp, count, columns = dev.xp, g.shape[1] // groups, x.shape[1] // groups * math.prod(windows.kernel)
    width = windows.width(count, columns)
    cuts = image_cuts(dev, x, windows, width)
    shares = xp.zeros((min(len(cuts), 8), groups, columns, count), g.dtype)

    def block(share, cuts):
        for cut in cuts:
            rows = swap_last(gradient_rows(xp, g[cut], width, groups))
            share += dev.multiply(im2col(dev, x[cut], windows, width, groups), rows).sum(axis=0)

    dev.run(block, [(share, cuts[i :: len(shares)]) for i, share in enumerate(shares)])
    return swap_last(shares.sum(axis=0))


def image_cuts(dev, x, windows, width=None):
    """Slices of the batch whose taps, together, stay in a core's cache until they are used."""
    rows, columns = windows.sizes
    elements = math.prod((*x.shape[:2], *windows.kernel, rows, width or columns))
    return dev.cuts(len(x), -(-elements // 4))


def im2col(dev, x, windows, width, groups):
    """What the filters see, as matrices (N, groups, channels of the group * taps, rows * `width`): see `Windows.width`."""
    taps = tap_views(dev, framed(dev.xp, x, windows, width), windows, width)
    columns = x.shape[1] // groups * math.prod(windows.kernel)
    return dev.xp.ascontiguousarray(taps).reshape(len(x), groups, columns, windows.sizes[0] * width)


def col2im(dev, columns, shape, windows):
    """Images of `shape` to which the columns of `im2col` are added back: its gradient. What fell on padding is lost."""
    frame = framed(dev.xp, dev.xp.zeros(shape, columns.dtype), windows, windows.sizes[1])
    taps = tap_views(dev, frame, windows, windows.sizes[1])
    columns = columns.reshape(taps.shape)
    for u, v in np.ndindex(*windows.kernel):
        taps[:, :, u, v] += columns[:, :, u, v]
    return frame[inside(shape, windows)]


def gradient_rows(xp, g, width, groups):
    """Gradients (N, O, H', W') as matrices (N, groups, O / groups, H' * `width`), with zeros for the false windows of `im2col`."""
    if width == g.shape[3]:
        return by_group(g, groups)
    rows = xp.empty((*g.shape[:3], width), g.dtype)
    rows[..., : g.shape[3]], rows[..., g.shape[3] :] = g, 0.0
    return by_group(rows, groups)


def framed(xp, x, windows, width):
    """Images in their padding; with one more row below where the last windows of a false column would run out of the memory."""
    (top, bottom), (left, right) = windows.padding
    bottom += width > windows.sizes[1]
    if not any((top, bottom, left, right)):
        return x
    frame = xp.zeros((*x.shape[:2], top + x.shape[2] + bottom, left + x.shape[3] + right), x.dtype)
    frame[inside(x.shape, windows)] = x
    return frame


def inside(shape, windows):
    """The index of the images in their frames."""
    (top, _), (left, _) = windows.padding
    return ..., slice(top, top + shape[2]), slice(left, left + shape[3])


def tap_views(dev, frame, windows, width):
    """The numbers at each place of each window, without a copy: (N, channels, kh, kw, rows, `width`)."""
    (image, channel, row, column), (sh, sw), (dh, dw) = frame.strides, windows.stride, windows.dilation
    shape = (*frame.shape[:2], *windows.kernel, windows.sizes[0], width)
    strides = (image, channel, row * dh, column * dw, row * sh, column * sw)
    return dev.xp.lib.stride_tricks.as_strided(frame, shape, strides)


def add_taps(parts, out, windows):
    """Writes images to `out`: zeros, to which each tap's numbers are added where the tap took them from. What fell on padding is lost."""
    (top, bottom), (left, right) = windows.padding
    padded = top + bottom + left + right > 0
    shape = (*out.shape[:2], top + out.shape[2] + bottom, left + out.shape[3] + right)
    frame = device_of(out).xp.empty(shape, out.dtype) if padded else out
    sides = tuple(n * k for n, k in zip(windows.sizes, windows.kernel, strict=True))
    tiled = windows.stride == windows.kernel and windows.dilation == (1, 1) and sides == frame.shape[2:]
    if not tiled:  # a number may lie in no window, or in several
        frame.fill(0)
    for tap, part in zip(windows.taps(), parts, strict=True):
        if tiled:
            frame[tap] = part
        else:
            frame[tap] += part
    if padded:
        out[...] = frame[inside(out.shape, windows)]


def by_group(x, groups):
    """Images (N, C, H, W) as matrices (N, groups, C / groups, H * W)."""
    return x.reshape(len(x), groups, x.shape[1] // groups, x.shape[2] * x.shape[3])


def mean_weight(dev, dtype, windows, count_include_pad):
    """1 / (how many numbers count in a window): one number, or one for each window.

    The padding before an image is what was asked for; after it there may be more, for the last window (`ceil_mode`).
    """
    if all(after == (before if count_include_pad else 0) for before, after in windows.padding):
        return 1.0 / math.prod(windows.kernel)
    sides = []
    for n, k, (before, _), start in zip(windows.image, windows.kernel, windows.padding, starts(windows), strict=True):
        end = start + k
        sides.append(
            np.minimum(end, n + before) - start if count_include_pad else np.minimum(end, n) - np.maximum(start, 0)
        )
    return to_device((1.0 / np.outer(*sides)).astype(dtype), dev)


def starts(windows):
    """The first row, and the first column, of each window, counted from those of the image without padding."""
    return [np.arange(n) * s - p[0] for n, s, p in zip(windows.sizes, windows.stride, windows.padding, strict=True)]


def as_pair(op_name, what, value, least):
    """One whole number, or two, as (vertical, horizontal).

    Raises:
        ValueError: it is something else, or a number is below `least`.
    """
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or any(not isinstance(n, int | np.integer) or n < least for n in pair):
        raise ValueError(f"{op_name}: {what} must be one integer or two, at least {least}, got {value!r}.")
    return int(pair[0]), int(pair[1])


def as_padding(padding, kernel, stride, dilation):
    """The padding of `conv2d` as (before, after) of each axis.

    Raises:
        ValueError: it is no such thing, or "same" with a stride, which has more than one meaning.
    """
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f"conv2d: padding 'same' keeps the size, which stride {stride} does not; give numbers.")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"conv2d: padding {padding!r} is unknown: expected numbers, 'same' or 'valid'.")
    rows, columns = (0, 0) if padding == "valid" else as_pair("conv2d", "padding", padding, 0)
    return (rows, rows), (columns, columns)


def check_filters(op_name, x_axes, weight_axes, x, weight, bias, groups):
    """Raises ValueError where the shapes of a convolution do not fit each other."""
    have, filters = shape_of(x), shape_of(weight)
    for what, shape, axes in (("x", have, x_axes), ("weight", filters, weight_axes)):
        if len(shape) != len(axes.split(", ")):
            raise ValueError(f"{op_name}: {what} has shape {shape}, expected {axes}.")
    if min(filters) < 1:
        raise ValueError(f"{op_name}: weight {filters} has an axis of size 0.")
    if not isinstance(groups, int) or groups < 1 or have[1] % groups or filters[0] % groups:
        raise ValueError(f"{op_name}: {groups} groups do not divide {have[1]} channels and {filters[0]} filters.")
    if filters[1] * groups != have[1]:
        raise ValueError(
            f"{op_name}: x {have} has {have[1]} channels in {groups} groups, so weight {filters} must be {weight_axes} with "
            f"{have[1] // groups} in its second place."
        )
    if bias is not None and shape_of(bias) != filters[:1]:
        raise ValueError(f"{op_name}: bias has shape {shape_of(bias)}, expected one number a filter, {filters[:1]}.")


def check_pool(op_name, x, kernel_size, stride, padding, dilation, ceil_mode):
    """The parameters of a pooling as pairs. Raises ValueError where they do not fit the input, or each other."""
    if len(shape_of(x)) != 4:
        raise ValueError(f"{op_name}: x has shape {shape_of(x)}, expected (N, C, H, W) or (C, H, W).")
    kernel = as_pair(op_name, "kernel_size", kernel_size, 1)
    step = kernel if stride is None else as_pair(op_name, "stride", stride, 1)
    around, apart = as_pair(op_name, "padding", padding, 0), as_pair(op_name, "dilation", dilation, 1)
    if any(2 * p > k for p, k in zip(around, kernel, strict=True)):
        raise ValueError(f"{op_name}: padding {around} is more than half of the window {kernel}.")
    frame = tuple((p, p) for p in around)
    windows = Windows(shape_of(x)[2:], kernel, step, frame, apart)
    windows.check(op_name)
    if ceil_mode:
        frame = windows.rounded_up()
    return {"kernel_size": kernel, "stride": step, "padding": frame, "dilation": apart, "ceil_mode": bool(ceil_mode)}
