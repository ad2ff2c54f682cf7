"""Activations as modules, for Sequential. Formulas and derivatives stand in `minilm.ops.activation`."""

from __future__ import annotations

from minilm.creation import ones
from minilm.nn import functional as F
from minilm.nn.checks import expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.tensor import Tensor


class Identity(Module):
    """x itself: a place where another layer may stand."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return F.tanh(x)


class Sigmoid(Module):
    r"""The logistic function :math:`1 / (1 + e^{-x})`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.sigmoid(x)


class ReLU(Module):
    r""":math:`\max(x, 0)`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class LeakyReLU(Module):
    """x where it is positive, x times `negative_slope` elsewhere."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class GELU(Module):
    r""":math:`x\, \Phi(x)`, with the normal distribution function.

    Args:
        approximate: ``"none"`` (with erf), or ``"tanh"`` for GPT-2's approximation.

    Raises:
        ValueError: `approximate` is neither.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate must be 'none' or 'tanh', got {approximate!r}.")
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    r""":math:`x\, \sigma(x)`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class Softplus(Module):
    r""":math:`\ln(1 + e^x)`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x)


class Softmax(Module):
    """Probabilities in proportion to the exponentials, along one axis, which may also be given as ``dim``."""

    def __init__(self, axis: int = -1, dim: int | None = None) -> None:
        super().__init__()
        self.axis = axis if dim is None else dim

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class Softmin(Softmax):
    """`Softmax` of -x: the smallest number gets the largest probability."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softmin(x, axis=self.axis)


class LogSoftmax(Module):
    """The logarithm of softmax, along one axis, which may also be given as ``dim``."""

    def __init__(self, axis: int = -1, dim: int | None = None) -> None:
        super().__init__()
        self.axis = axis if dim is None else dim

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class ELU(Module):
    r"""x where it is positive, :math:`\alpha (e^x - 1)` elsewhere."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Module):
    r"""`ELU` with a scale and a limit for which mean 0 and variance 1 are kept from layer to layer."""

    def forward(self, x: Tensor) -> Tensor:
        return F.selu(x)


class CELU(Module):
    r"""x where it is positive, :math:`\alpha (e^{x / \alpha} - 1)` elsewhere."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.celu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Hardtanh(Module):
    r"""x, kept between `min_val` and `max_val`."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, min_val=self.min_val, max_val=self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Module):
    r""":math:`\min(\max(0, x), 6)`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x)


class Hardsigmoid(Module):
    r""":math:`\min(\max(x + 3, 0), 6) / 6`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.hardsigmoid(x)


class Hardswish(Module):
    r""":math:`x \min(\max(x + 3, 0), 6) / 6`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.hardswish(x)


class Mish(Module):
    r""":math:`x \tanh(\ln(1 + e^x))`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.mish(x)


class LogSigmoid(Module):
    r""":math:`-\ln(1 + e^{-x})`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.logsigmoid(x)


class Softsign(Module):
    r""":math:`x / (1 + |x|)`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softsign(x)


class Tanhshrink(Module):
    r""":math:`x - \tanh x`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.tanhshrink(x)


class Hardshrink(Module):
    r"""0 for numbers no farther from 0 than `lambd`, the others unchanged."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        return F.hardshrink(x, lambd=self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class Softshrink(Module):
    r"""Numbers moved towards 0 by `lambd`, and 0 where they would pass it."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        return F.softshrink(x, lambd=self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class PReLU(Module):
    """x where it is positive, x times a learned slope elsewhere.

    Args:
        num_parameters: 1, or the number of channels (the size of axis 1), each with a slope of its own.
        init: the slopes at first.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        expect_sizes("PReLU", num_parameters=num_parameters)
        self.channels = num_parameters
        self.weight = Parameter(ones(num_parameters) * init)

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.channels}"


class GLU(Module):
    """The first half along an axis, gated by the sigmoid of the second. The axis may also be given as ``dim``."""

    def __init__(self, axis: int = -1, dim: int | None = None) -> None:
        super().__init__()
        self.axis = axis if dim is None else dim

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(x, axis=self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


__all__ = ["CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity",
           "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax",
           "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink"]  # fmt: skip
