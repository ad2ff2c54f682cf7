r"""Activations: functions of one number, applied to each element.

At a kink the derivative is that of the left side: 0 for `relu`, the slope for `leaky_relu`; `clip` passes the gradient on its
closed interval. These are PyTorch's conventions.
"""

from __future__ import annotations

import math

from minilm.backend import device_of
from minilm.ops.arithmetic import exp, unary, where
from minilm.ops.op import Op, Sample, op, real


@op
class tanh(Op):
    formula = r"y = \tanh x"
    derivative = r"\bar x = \bar y\,(1 - y^2)"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.tanh(x)

    def grad_x(self, g, y, _x):
        return g * (1.0 - y * y)


@op
class sigmoid(Op):
    r"""The logistic function, computed from :math:`e^{-|x|}`, which cannot overflow."""

    formula = r"y = \frac{1}{1 + e^{-x}}"
    derivative = r"\bar x = \bar y\, y\,(1 - y)"
    samples = [*unary(), Sample(real(4, low=-40.0, high=40.0))]

    def forward(self, dev, x):
        return dev.sigmoid(x)

    def grad_x(self, g, y, _x):
        return g * y * (1.0 - y)


@op
class relu(Op):
    formula = r"y = \max(0, x)"
    derivative = r"\bar x = \bar y\,[x > 0]"
    domain = r"kink at 0, where \bar x = 0"
    samples = unary(kinks=(0.0,))

    def forward(self, dev, x):
        return dev.xp.maximum(x, 0)

    def grad_x(self, g, y, _x):
        return g * (y > 0)


@op
class leaky_relu(Op):
    r"""Maas, Hannun and Ng 2013, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*."""

    formula = r"y = [x > 0]\,x + [x \le 0]\,\alpha x"
    derivative = r"\bar x = \bar y\,([x > 0] + \alpha [x \le 0])"
    domain = r"kink at 0, where \bar x = \alpha \bar y"
    samples = [*unary(kinks=(0.0,)), Sample(real(5, kinks=(0.0,)), negative_slope=0.3)]

    def forward(self, dev, x, *, negative_slope=0.01):
        return dev.xp.where(x > 0, x, x * negative_slope)

    def grad_x(self, g, _y, x, *, negative_slope):
        return where(x > 0, g, g * negative_slope)


@op
class silu(Op):
    r"""Also called swish: Hendrycks and Gimpel 2016; Elfwing et al. 2018."""

    formula = r"y = x\,\sigma(x)"
    derivative = r"\bar x = \bar y\,\sigma(x)\,(1 + x\,(1 - \sigma(x)))"
    samples = unary()

    def forward(self, dev, x):
        return x * dev.sigmoid(x)

    def grad_x(self, g, _y, x):
        s = sigmoid(x)
        return g * s * (1.0 + x * (1.0 - s))


@op
class softplus(Op):
    r"""A smooth `relu`, computed as :math:`\max(x, 0) + \ln(1 + e^{-|x|})`, which cannot overflow."""

    formula = r"y = \ln(1 + e^x)"
    derivative = r"\bar x = \bar y\,\sigma(x)"
    samples = [*unary(), Sample(real(4, low=-40.0, high=40.0))]

    def forward(self, dev, x):
        xp = dev.xp
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

    def grad_x(self, g, _y, x):
        return g * sigmoid(x)


@op
class clip(Op):
    """Elements below `low` raised to it, above `high` lowered to it. Either may be None."""

    formula = r"y = \min(\max(x, l), h)"
    derivative = r"\bar x = \bar y\,[l \le x \le h]"
    domain = r"kinks at l and h, where \bar x = \bar y"
    samples = [
        Sample(real(3, 4, kinks=(-1.0, 0.5)), low=-1.0, high=0.5),
        Sample(real(5, kinks=(0.0,)), low=0.0),
        Sample(real(5, kinks=(1.0,)), high=1.0),
    ]

    def check(self, x, *, low, high):
        if low is None and high is None:
            raise ValueError("clip needs a low or a high bound.")
        return {"low": low, "high": high}

    def forward(self, dev, x, *, low=None, high=None):
        return dev.xp.clip(x, low, high)

    def grad_x(self, g, _y, x, *, low, high):
        inside = x <= high if low is None else x >= low if high is None else (x >= low) & (x <= high)
        return g * inside


@op
class erf(Op):
    formula = r"y = \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt"
    derivative = r"\bar x = \frac{2}{\sqrt\pi}\, \bar y\, e^{-x^2}"
    samples = unary()

    def forward(self, dev, x):
        return dev.erf(x)

    def grad_x(self, g, _y, x):
        return g * exp(-x * x) * (2.0 / math.sqrt(math.pi))


@op
class gelu(Op):
    r"""Hendrycks and Gimpel 2016, *Gaussian Error Linear Units*: x, weighted by the probability that a normal number is below it.

    ``approximate="tanh"`` is the paper's approximation, which GPT-2 was trained with:
    :math:`\tfrac12 x\,(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))`. Its gradient is that of the approximation.
    """

    formula = r"y = x\,\Phi(x) = \tfrac12 x\,\bigl(1 + \operatorname{erf}(x / \sqrt 2)\bigr)"
    derivative = r"\bar x = \bar y\,\bigl(\Phi(x) + x\,\tfrac{1}{\sqrt{2\pi}} e^{-x^2/2}\bigr)"
    samples = [*unary(), *(Sample(*s.inputs, approximate="tanh") for s in unary())]

    def check(self, x, *, approximate):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}.")
        return {"approximate": approximate}

    def forward(self, dev, x, *, approximate="none"):
        if approximate == "none":
            return dev.gelu(x)
        return x * 0.5 * (dev.xp.tanh(_gelu_argument(x)) + 1.0)

    def backward(self, g, _y, x, *, needs, approximate):
        if approximate == "none":
            return (device_of(x).gelu_backward(g, x),)
        t = device_of(x).xp.tanh(_gelu_argument(x))
        slope = math.sqrt(2 / math.pi) * (1.0 + 3 * 0.044715 * (x * x))
        return (g * 0.5 * (1.0 + t + x * (1.0 - t * t) * slope),)

    def composed(self, x, *, approximate="none"):
        if approximate == "none":
            return x * 0.5 * (erf(x * math.sqrt(0.5)) + 1.0)
        return x * 0.5 * (tanh(_gelu_argument(x)) + 1.0)


def _gelu_argument(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
