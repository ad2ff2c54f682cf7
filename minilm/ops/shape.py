"""Ops that move numbers without changing them: their gradients move them back."""

from __future__ import annotations

from minilm.backend import device_of, get_device, to_device
from minilm.ops.op import Op, Sample, normalize_axis, op, real, shape_of


@op
class reshape(Op):
    r"""The same numbers in the same (row-major) order under another shape. One size may be -1: it is worked out."""

    formula = r"y_{[k]} = x_{[k]} \text{ in row-major order}"
    derivative = r"\bar x = \operatorname{reshape}(\bar y)"
    view = True
    samples = [Sample(real(2, 3), shape=(3, 2)), Sample(real(2, 3), shape=(-1,)), Sample(real(), shape=(1, 1)),
               Sample(real(1), shape=()), Sample(real(0, 3), shape=(3, 0))]  # fmt: skip

    def check(self, x, *, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size, rest = x.size, 1
        for n in shape:
            rest *= n if n != -1 else 1
        unknown = shape.count(-1)
        if unknown > 1:
            raise ValueError(f"reshape: only one size may be -1, got {shape}.")
        if (unknown and (rest == 0 or size % rest)) or (not unknown and rest != size) or any(n < -1 for n in shape):
            raise ValueError(f"reshape: {shape_of(x)} holds {size} numbers, which do not fill {shape}.")
        return {"shape": tuple(size // rest if n == -1 else int(n) for n in shape)}

    def forward(self, dev, x, *, shape):
        return dev.xp.reshape(x, shape)

    def grad_x(self, g, _y, _x, *, shape):
        return reshape(g, _x.shape)


@op
class transpose(Op):
    r"""The axes in another order: axis i of the output is axis ``axes[i]`` of the input. Default: reversed."""

    formula = r"y_{i_{p_0} i_{p_1} \dots} = x_{i_0 i_1 \dots}"
    derivative = r"\bar x = \operatorname{transpose}(\bar y, p^{-1})"
    view = True
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axes=(2, 0, 1)),
        Sample(real(), axes=None),
        Sample(real(2, 0, 1), axes=(1, 2, 0)),
    ]

    def check(self, x, *, axes):
        order = (
            tuple(range(x.ndim))[::-1] if axes is None else tuple(normalize_axis("transpose", a, x.ndim) for a in axes)
        )
        if sorted(order) != list(range(x.ndim)):
            raise ValueError(f"transpose: axes {axes} are no order of the {x.ndim} axes of {shape_of(x)}.")
        return {"axes": order}

    def forward(self, dev, x, *, axes=None):
        return dev.xp.transpose(x, axes)

    def grad_x(self, g, _y, _x, *, axes):
        return transpose(g, tuple(axes.index(i) for i in range(len(axes))))


@op
class expand(Op):
    r"""The input repeated along axes of size 1, and along new leading axes, without copying (NumPy's broadcasting)."""

    formula = r"y_{\dots i j \dots} = x_{\dots 0 j \dots}"
    derivative = r"\bar x = \textstyle\sum_{\text{repeated axes}} \bar y"
    broadcasts = True
    view = True
    samples = [
        Sample(real(3, 1), shape=(3, 4)),
        Sample(real(3), shape=(2, 3)),
        Sample(real(), shape=(2, 2)),
        Sample(real(2), shape=(2,)),
    ]

    def check(self, x, *, shape):
        have, shape = shape_of(x), tuple(shape)
        padded = (1,) * (len(shape) - len(have)) + have
        if len(padded) != len(shape) or any(m not in (1, n) for m, n in zip(padded, shape, strict=True)):
            raise ValueError(f"expand: {have} does not broadcast to {shape}: only axes of size 1 can be repeated.")
        return {"shape": shape}

    def forward(self, dev, x, *, shape):
        return dev.xp.broadcast_to(x, shape)

    def grad_x(self, g, _y, _x, *, shape):
        return g


@op
class move(Op):
    """The same numbers on another device. The gradient is moved back."""

    formula = r"y = x"
    derivative = r"\bar x = \bar y"
    samples = [Sample(real(2, 3), device="cpu")]

    def check(self, x, *, device, source):
        here = x.device if hasattr(x, "requires_grad") else device_of(x)
        return {"device": get_device(device), "source": here}

    def forward(self, dev, x, *, device, source=None):
        return to_device(x, device)

    def grad_x(self, g, _y, _x, *, device, source):
        return move(g, device=source)
