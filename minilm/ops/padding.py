r"""Padding with the input's own numbers: mirrored, repeated at the edge, or taken from the other end.

Each is a choice of elements (`minilm.ops.index`): so a number that appears several times has the sum of these places' gradients.
"""

from __future__ import annotations

from minilm.ops.arguments import shape_of
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import along, home_of

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "edge": "replicate", "wrap": "circular"}
"""PyTorch's names, and NumPy's."""


@op
class pad_with_own(Op):
    r"""The input continued beyond its edges by its own numbers.

    Args:
        widths: a pair (before, after) for each axis. A negative width cuts off.
        mode: ``"reflect"`` mirrors without repeating the edge (at most n - 1 numbers), ``"replicate"`` (NumPy's "edge") repeats the
            edge, ``"circular"`` (NumPy's "wrap") goes on at the other end (at most n numbers).

    Raises:
        ValueError: widths of another form, an unknown mode, or more numbers than the axis has.
    """

    formula = r"y_i = x_{s(i - b)}, \quad s \text{ leads back into the input} \; (b \text{ the width before})"
    derivative = r"\bar x_j = \sum_{i :\, s(i - b) = j} \bar y_i"
    samples = [
        Sample(real(2, 4), widths=((0, 0), (3, 2)), mode="reflect"),
        Sample(real(2, 3), widths=((1, 0), (0, 4)), mode="replicate"),
        Sample(real(2, 3), widths=((0, 2), (1, 3)), mode="circular"),
        Sample(real(4), widths=((-1, 2),), mode="reflect"),
    ]

    def check(self, x, *, widths, mode):
        shape = shape_of(x)
        if mode not in MODES:
            raise ValueError(
                f"pad: mode {mode!r} is unknown: expected 'constant', 'reflect', 'replicate' or 'circular'."
            )
        mode = mode if mode in ("reflect", "replicate", "circular") else MODES[mode]
        pairs = tuple(tuple(int(w) for w in pair) for pair in widths)
        if len(pairs) != len(shape) or any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"pad: widths {widths} do not fit {shape}: expected a pair (before, after) for each axis.")
        for n, pair in zip(shape, pairs, strict=True):
            most = {"reflect": n - 1, "replicate": max(pair) if n else 0, "circular": n}[mode]
            if max(pair) > max(most, 0) or n + sum(pair) < 0:
                raise ValueError(f"pad: an axis of size {n} cannot be padded by {pair} with mode {mode!r}: at most {max(most, 0)} "
                                 "numbers on a side, and no more may be cut off than there are.")  # fmt: skip
        return {"widths": pairs, "mode": mode}

    def composed(self, x, *, widths, mode):
        xp = home_of(x).xp
        for axis, (n, (before, after)) in enumerate(zip(shape_of(x), widths, strict=True)):
            if before or after:
                places = xp.arange(-before, n + after)
                x = x[along(axis, source(xp, places, max(-before, 0), n - max(-after, 0), n, mode))]
        return x


def source(xp, i, start, stop, n, mode):
    """Where in an axis of size n, of which `start` to `stop` are left, the number at place i (before it: negative) is taken from."""
    if mode == "replicate":
        return xp.clip(i, 0, n - 1)
    if mode == "circular":
        return start + (i - start) % max(stop - start, 1)
    return (n - 1) - xp.abs((n - 1) - xp.abs(i))
