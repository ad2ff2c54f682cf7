r"""Images and lines of another size: the nearest number, or a mean of the two (four) around each place."""

from __future__ import annotations

import numpy as np

from minilm.ops.arguments import shape_of
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import along, home_of

MODES = {"nearest": (3, 4), "nearest-exact": (3, 4), "linear": (3,), "bilinear": (4,)}
"""The modes, with the number of axes of the inputs that they are for."""


@op
class resize(Op):
    r"""Lines ``(N, C, L)`` or images ``(N, C, H, W)`` in another size; `nn.functional.interpolate` has PyTorch's arguments.

    A place i of the output corresponds to a place :math:`s_i` between those of the input. With ``align_corners`` the centers of the
    corners lie on each other, :math:`s_i = i \frac{n - 1}{m - 1}`; without, the outer edges do:
    :math:`s_i = \frac{i + 1/2}{c} - \frac12`, with the scale :math:`c = m / n`.

    Args:
        size: one number for each axis after the first two.
        mode: ``"nearest"`` (PyTorch's: the place at :math:`\lfloor i / c \rfloor`), ``"nearest-exact"``
            (:math:`\lfloor (i + 1/2) / c \rfloor`), ``"linear"`` for lines, ``"bilinear"`` for images.
        scales: c for each axis, where it is not to be m / n.

    Raises:
        ValueError: the mode is unknown or not for such an input, or a size is not positive.
    """

    formula = (
        r"y_i = (1 - \lambda_i)\, x_{\lfloor s_i \rfloor} + \lambda_i\, x_{\lfloor s_i \rfloor + 1}, \quad "
        r"\lambda_i = s_i - \lfloor s_i \rfloor"
    )
    derivative = (
        r"\bar x_j = \sum_{i :\, \lfloor s_i \rfloor = j} (1 - \lambda_i)\, \bar y_i "
        r"+ \sum_{i :\, \lfloor s_i \rfloor = j - 1} \lambda_i\, \bar y_i"
    )
    integers = "refused"
    wide = True
    samples = [
        Sample(real(1, 2, 3), size=(5,), mode="linear"),
        Sample(real(1, 1, 4), size=(2,), mode="nearest"),
        Sample(real(1, 1, 2, 3), size=(3, 5), mode="bilinear"),
        Sample(real(1, 1, 3, 2), size=(5, 3), mode="bilinear", align_corners=True),
        Sample(real(2, 1, 2, 2), size=(3, 5), mode="nearest-exact"),
    ]

    def check(self, x, *, size, mode, align_corners, scales):
        shape = shape_of(x)
        if mode not in MODES:
            raise ValueError(f"interpolate: mode {mode!r} is unknown: expected one of {', '.join(map(repr, MODES))}.")
        if len(shape) not in MODES[mode] or 0 in shape[2:]:
            axes = " or ".join({3: "(N, C, L)", 4: "(N, C, H, W)"}[n] for n in MODES[mode])
            raise ValueError(f"interpolate: mode {mode!r} is for {axes} with at least one number, got shape {shape}.")
        if align_corners and mode.startswith("nearest"):
            raise ValueError(f"interpolate: align_corners is for the linear modes, not for {mode!r}.")
        sizes = tuple(size)
        if len(sizes) != len(shape) - 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
            raise ValueError(f"interpolate: size must be {len(shape) - 2} positive integers, got {size!r}.")
        if scales is not None and (
            len(scales) != len(sizes) or any(not isinstance(c, int | float) or c <= 0 for c in scales)
        ):
            raise ValueError(f"interpolate: scales must be {len(sizes)} positive numbers, got {scales!r}.")
        return {"size": sizes, "mode": mode, "align_corners": bool(align_corners), "scales": scales}

    def composed(self, x, *, size, mode, align_corners=False, scales=None):
        xp = home_of(x).xp
        for axis, m in enumerate(size, 2):
            n = x.shape[axis]
            scale = m / n if scales is None else scales[axis - 2]
            if mode.startswith("nearest"):
                x = x[along(axis, nearest(xp, n, m, scale, mode))]
                continue
            lower, share = between(xp, n, m, scale, align_corners)
            first, second = x[along(axis, lower)], x[along(axis, xp.minimum(lower + 1, n - 1))]
            weight = share.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))
            x = first * (1.0 - weight) + second * weight
        return x


def nearest(xp, n, m, scale, mode):
    """Where in n places each of m is taken from. In float32, as PyTorch does: in float64 some places would be others."""
    i = xp.arange(m, dtype=np.float32) + (0.5 if mode == "nearest-exact" else 0.0)
    return xp.minimum(xp.floor(i * np.float32(1.0 / scale).item()).astype(np.int64), n - 1)


def between(xp, n, m, scale, align_corners):
    """The place of the input below each of m places, and how far it is above that, in shares of a step."""
    i = xp.arange(m, dtype=np.float64)
    s = i * ((n - 1) / (m - 1) if m > 1 else 0.0) if align_corners else xp.maximum((i + 0.5) / scale - 0.5, 0.0)
    lower = xp.minimum(xp.floor(s).astype(np.int64), n - 1)
    return lower, s - lower
