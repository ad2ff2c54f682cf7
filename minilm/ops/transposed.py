r"""Transposed convolution: each number of the input paints a filter into the output. It is the gradient of a convolution.

Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", chapter 4.
"""

from __future__ import annotations

import math

from minilm.backend import device_of
from minilm.ops.arguments import shape_of
from minilm.ops.conv import Batched, Windows, as_pair, conv2d, correlate, correlate_backward, filter_gradient
from minilm.ops.op import op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import flip, pad, reshape, squeeze, swapaxes, unsqueeze


@op
class conv_transpose2d(Batched):
    r"""The transpose of the linear map that `conv2d` is, plus a bias: it takes sizes H' back to H.

    Shapes: x ``(N, C, H', W')`` or ``(C, H', W')``, weight ``(C, O / groups, kh, kw)``, bias ``(O,)`` or None, output ``(N, O, H, W)`` with
    :math:`H = (H' - 1) s - 2 p + d (k_h - 1) + r + 1`.

    Args:
        stride, padding, dilation, groups: those of the convolution that is transposed, each one number or (vertical, horizontal).
        output_padding: r, rows and columns more at the end, below the stride or the dilation: a convolution with a stride
            takes several sizes to the same one.

    Raises:
        ValueError: shapes or numbers that do not fit each other; the sentence says which.
    """

    formula = (
        r"y_{nohw} = b_o + \sum_{c} \sum_{i,j,u,v} x_{ncij}\, w_{couv} "
        r"\text{ over } s i + d u - p = h,\; s j + d v - p = w"
    )
    derivative = (
        r"\bar x_{ncij} = \sum_{o,u,v} w_{couv}\, \bar y_{n,\, o,\, s i + d u - p,\, s j + d v - p};"
        r"\quad \bar w_{couv} = \sum_{n,i,j} x_{ncij}\, \bar y_{n,\, o,\, s i + d u - p,\, s j + d v - p};"
        r"\quad \bar b_o = \sum_{n,i,j} \bar y_{noij}"
    )
    wide = True
    samples = [
        Sample(real(2, 2, 2, 3), real(2, 1, 2, 2), real(1)),
        Sample(real(1, 2, 2, 2), real(2, 2, 3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0)),
        Sample(real(1, 4, 2, 2), real(4, 1, 2, 2), real(2), groups=2, stride=2),
        Sample(real(1, 1, 3, 2), real(1, 1, 2, 2), dilation=(2, 3), padding=(0, 2), output_padding=(1, 1)),
        Sample(real(0, 1, 2, 2), real(1, 1, 2, 2)),
    ]

    def check(self, x, weight, bias, *, stride, padding, output_padding, groups, dilation):
        have, filters = shape_of(x), shape_of(weight)
        check_shapes("conv_transpose2d", "(N, C, H, W)", "(C, O / groups, kh, kw)", x, weight, bias, groups)
        sizes = {
            "stride": (stride, 1),
            "padding": (padding, 0),
            "output_padding": (output_padding, 0),
            "dilation": (dilation, 1),
        }
        pairs = {what: as_pair("conv_transpose2d", what, value, least) for what, (value, least) in sizes.items()}
        for r, s, d in zip(pairs["output_padding"], pairs["stride"], pairs["dilation"], strict=True):
            if r >= max(s, d):
                raise ValueError(
                    f"conv_transpose2d: output_padding {pairs['output_padding']} must be below stride {pairs['stride']} or dilation "
                    f"{pairs['dilation']}."
                )
        made = output_size(have[2:], filters[2:], **pairs)
        if min(made) < 1:
            raise ValueError(f"conv_transpose2d: padding {pairs['padding']} leaves nothing of the output: {made}.")
        return {**pairs, "groups": groups}

    def composed(self, x, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        """A convolution of x with zeros between its numbers, with the filters turned by 180 degrees."""
        (_, channels, *sizes), (_, filters, *kernel) = x.shape, weight.shape
        for axis, (n, s, k, d, p, r) in enumerate(
            zip(sizes, stride, kernel, dilation, padding, output_padding, strict=True), 2
        ):
            if s > 1:
                apart = pad(unsqueeze(x, axis + 1), ((0, 0),) * (axis + 1) + ((0, s - 1),) + ((0, 0),) * (3 - axis))
                x = reshape(apart, (*x.shape[:axis], n * s, *x.shape[axis + 1 :]))
                x = x[(slice(None),) * axis + (slice(0, (n - 1) * s + 1),)]
            before, after = d * (k - 1) - p, d * (k - 1) - p + r
            x = pad(x, ((0, 0),) * axis + ((max(before, 0), max(after, 0)),) + ((0, 0),) * (3 - axis))
            x = x[(slice(None),) * axis + (slice(max(-before, 0), x.shape[axis] - max(-after, 0)),)]
        turned = reshape(flip(weight, (2, 3)), (groups, channels // groups, filters, *kernel))
        turned = reshape(swapaxes(turned, 1, 2), (groups * filters, channels // groups, *kernel))
        return conv2d(x, turned, bias, dilation=dilation, groups=groups)

    def forward(self, dev, x, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        windows = transposed_windows(x, weight, stride, padding, output_padding, dilation)
        shape = (len(x), weight.shape[1] * groups, *windows.image)
        y = correlate_backward(dev, x, shape, weight, windows, groups)
        beyond = [max(r - p, 0) for r, p in zip(output_padding, padding, strict=True)]
        if any(beyond):  # rows and columns that no filter reaches
            y = pad(y, ((0, 0), (0, 0), *((0, n) for n in beyond)))
        return y if bias is None else y + bias.reshape(-1, 1, 1)

    def backward(self, g, _y, x, weight, bias, *, needs, stride, padding, output_padding, groups, dilation):
        dev, windows = device_of(g), transposed_windows(x, weight, stride, padding, output_padding, dilation)
        filters, (height, width) = weight.reshape(groups, len(weight) // groups, -1), windows.image
        reached = dev.xp.ascontiguousarray(g[:, :, :height, :width])
        dx = correlate(dev, reached, filters, None, windows) if needs[0] else None
        dw = filter_gradient(dev, x, reached, windows, groups).reshape(weight.shape) if needs[1] else None
        return dx, dw, dev.sum(g, (0, 2, 3)) if needs[2] else None


@op
class conv_transpose1d(Batched):
    r"""`conv_transpose2d` along one axis: x ``(N, C, L')`` or ``(C, L')``, weight ``(C, O / groups, k)``, bias ``(O,)`` or None."""

    batch_axes = 3
    formula = r"y_{nol} = b_o + \sum_{c} \sum_{i,u} x_{nci}\, w_{cou} \text{ over } s i + d u - p = l"
    derivative = (
        r"\bar x_{nci} = \sum_{o,u} w_{cou}\, \bar y_{n,\, o,\, s i + d u - p};"
        r"\quad \bar w_{cou} = \sum_{n,i} x_{nci}\, \bar y_{n,\, o,\, s i + d u - p}; \quad \bar b_o = \sum_{n,i} \bar y_{noi}"
    )
    wide = True
    samples = [
        Sample(real(2, 2, 3), real(2, 1, 2), real(1)),
        Sample(real(1, 2, 3), real(2, 2, 3), stride=2, padding=1, output_padding=1),
        Sample(real(1, 2, 2), real(2, 1, 2), groups=2, dilation=2),
    ]

    def check(self, x, weight, bias, *, stride, padding, output_padding, groups, dilation):
        check_shapes("conv_transpose1d", "(N, C, L)", "(C, O / groups, k)", x, weight, bias, groups)
        for what, value, least in (("stride", stride, 1), ("padding", padding, 0), ("output_padding", output_padding, 0),
                                   ("dilation", dilation, 1)):  # fmt: skip
            as_pair("conv_transpose1d", what, (1, value), least)
        return {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "dilation": dilation,
        }

    def composed(self, x, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        y = conv_transpose2d(
            unsqueeze(x, 2), unsqueeze(weight, 2), bias, stride=(1, stride), padding=(0, padding),
            output_padding=(0, output_padding), groups=groups, dilation=(1, dilation),
        )  # fmt: skip
        return squeeze(y, 2)


def output_size(sizes, kernel, stride, padding, output_padding, dilation):
    """Height and width of the output."""
    return tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + r + 1
        for n, k, s, p, r, d in zip(sizes, kernel, stride, padding, output_padding, dilation, strict=True)
    )


def transposed_windows(x, weight, stride, padding, output_padding, dilation):
    """The windows of the convolution that is transposed: they lie on the output, one for each number of x.

    What `output_padding` adds is first what the padding cut off at the end; only beyond that no window reaches.
    """
    size = output_size(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
    image = tuple(n - max(r - p, 0) for n, r, p in zip(size, output_padding, padding, strict=True))
    around = tuple((p, max(p - r, 0)) for p, r in zip(padding, output_padding, strict=True))
    return Windows(image, weight.shape[2:], stride, around, dilation)


def check_shapes(op_name, x_axes, weight_axes, x, weight, bias, groups):
    """Raises ValueError where the shapes of a transposed convolution do not fit each other."""
    have, filters = shape_of(x), shape_of(weight)
    for what, shape, axes in (("x", have, x_axes), ("weight", filters, weight_axes)):
        if len(shape) != len(axes.split(", ")):
            raise ValueError(f"{op_name}: {what} has shape {shape}, expected {axes}.")
    if min(filters) < 1 or math.prod(have[2:]) < 1:
        raise ValueError(f"{op_name}: x {have} and weight {filters} need a number along each axis but the batch's.")
    if not isinstance(groups, int) or groups < 1 or have[1] % groups or filters[0] != have[1]:
        raise ValueError(
            f"{op_name}: x {have} has {have[1]} channels in {groups} groups, so weight {filters} must be {weight_axes} with "
            f"{have[1]} in its first place, which the groups divide."
        )
    if bias is not None and shape_of(bias) != (filters[1] * groups,):
        raise ValueError(
            f"{op_name}: bias has shape {shape_of(bias)}, expected one number a filter, {(filters[1] * groups,)}."
        )
