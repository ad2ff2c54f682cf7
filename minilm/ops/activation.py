r"""Activations: functions of one number, applied to each element: the best known ones. Their relatives, from `elu` to `glu`, stand in
`minilm.ops.rectifier`; softmax, which looks at a whole row, in `minilm.ops.normalize`.

At a kink the derivative is that of the left side: 0 for `relu`, the slope for `leaky_relu`; `clip` passes the gradient on its
closed interval. These are PyTorch's conventions.
"""

from __future__ import annotations

import math

from minilm.backend import DEVICE_OF_TYPE, device_of
from minilm.ops.arithmetic import exp, unary, where
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real


@op
class tanh(Op):
    formula = r"y = \tanh x"
    derivative = r"\bar x = \bar y\,(1 - y^2)"
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.tanh(x)

    def grad_x(self, g, y, _x):
        return g * (1.0 - y * y)


@op
class sigmoid(Op):
    """The logistic function, from exponentials that cannot overflow."""

    formula = r"y = \frac{1}{1 + e^{-x}}"
    derivative = r"\bar x = \bar y\, y\,(1 - y)"
    integers = "floats"
    samples = [*unary(), Sample(real(4, low=-40.0, high=40.0))]

    def forward(self, dev, x):
        return dev.sigmoid(x)

    def grad_x(self, g, y, _x):
        return g * y * (1.0 - y)


@op
class relu(Op):
    formula = r"y = \max(0, x)"
    derivative = r"\bar x = \bar y\,[x > 0]"
    domain = r"kink at 0, where \bar x = 0; \bar x = \bar y where x is NaN"
    samples = unary(kinks=(0.0,))

    def forward(self, dev, x):
        return dev.relu(x)

    def grad_x(self, g, y, _x):
        dev = DEVICE_OF_TYPE.get(type(g))  # none where g is a Tensor, because it is differentiated again
        return g * (y != 0) if dev is None else dev.relu_backward(g, y)  # NaN differs from 0, and lets g through


@op
class leaky_relu(Op):
    """A `relu` that lets a small part of the negative side through."""

    formula = r"y = [x > 0]\,x + [x \le 0]\,\alpha x"
    derivative = r"\bar x = \bar y\,([x > 0] + \alpha [x \le 0])"
    domain = r"kink at 0, where \bar x = \alpha \bar y"
    source = "Maas, Hannun and Ng (2013), Rectifier Nonlinearities Improve Neural Network Acoustic Models, section 2"
    integers = "floats"
    samples = [*unary(kinks=(0.0,)), Sample(real(5, kinks=(0.0,)), negative_slope=0.3)]

    def forward(self, dev, x, *, negative_slope=0.01):
        return dev.xp.where(x > 0, x, x * negative_slope)

    def grad_x(self, g, _y, x, *, negative_slope):
        return where(x > 0, g, g * negative_slope)


@op
class silu(Op):
    r"""Also called swish. At :math:`-\infty` it is :math:`-\infty \cdot 0`, NaN, as in PyTorch."""

    formula = r"y = x\,\sigma(x)"
    derivative = r"\bar x = \bar y\,\sigma(x)\,(1 + x\,(1 - \sigma(x)))"
    source = "Hendrycks and Gimpel (2016), Gaussian Error Linear Units, section 2; Elfwing, Uchibe and Doya (2018)"
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return x * dev.sigmoid(x)

    def grad_x(self, g, _y, x):
        s = sigmoid(x)
        return g * s * (1.0 + x * (1.0 - s))


@op
class softplus(Op):
    r"""A smooth `relu`, computed as :math:`\max(x, 0) + \tfrac1\beta \ln(1 + e^{-\beta |x|})`, which cannot overflow.

    Raises:
        ValueError: `beta` is not above 0.
    """

    formula = r"y = \tfrac1\beta \ln(1 + e^{\beta x})"
    derivative = r"\bar x = \bar y\,\sigma(\beta x)"
    integers = "floats"
    samples = [*unary(), Sample(real(4, low=-40.0, high=40.0)), Sample(real(2, 3), beta=2.5)]

    def check(self, x, *, beta):
        if not beta > 0:
            raise ValueError(f"softplus: beta must be above 0, got {beta}.")
        return {"beta": beta}

    def forward(self, dev, x, *, beta=1.0):
        xp = dev.xp
        return xp.maximum(x, 0) + xp.log1p(xp.exp(xp.abs(x) * -beta)) / beta

    def grad_x(self, g, _y, x, *, beta):
        return g * sigmoid(x * beta)


@op
class clip(Op):
    """Elements below `low` raised to it, above `high` lowered to it. Either may be None: no bound on that side.

    Raises:
        ValueError: both are None, or `low` is above `high`.
    """

    formula = r"y = \min(\max(x, l), h)"
    derivative = r"\bar x = \bar y\,[l \le x \le h]"
    domain = r"kinks at l and h, where \bar x = \bar y; y = NaN where x is, and \bar x = 0"
    samples = [
        Sample(real(3, 4, kinks=(-1.0, 0.5)), low=-1.0, high=0.5),
        Sample(real(5, kinks=(0.0,)), low=0.0),
        Sample(real(5, kinks=(1.0,)), high=1.0),
    ]

    def check(self, x, *, low, high):
        if low is None and high is None:
            raise ValueError("clip: give low, high or both; neither is there.")
        if low is not None and high is not None and not low <= high:
            raise ValueError(f"clip: low must not be above high, got low={low} and high={high}.")
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
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return dev.erf(x)

    def grad_x(self, g, _y, x):
        return g * exp(-x * x) * (2.0 / math.sqrt(math.pi))


@op
class gelu(Op):
    r"""x, weighted by the probability that a standard normal number is below it.

    ``approximate="tanh"`` is the paper's approximation, which GPT-2 was trained with:
    :math:`\tfrac12 x\,(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))`. Its gradient is that of the approximation.
    At :math:`-\infty` both are :math:`-\infty \cdot 0`, NaN, as in PyTorch; the gradients at :math:`\pm\infty` are the limits 1 and
    0, where PyTorch has NaN.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """

    formula = r"y = x\,\Phi(x) = \tfrac12 x\,\bigl(1 + \operatorname{erf}(x / \sqrt 2)\bigr)"
    derivative = r"\bar x = \bar y\,\bigl(\Phi(x) + x\,\tfrac{1}{\sqrt{2\pi}} e^{-x^2/2}\bigr)"
    source = "Hendrycks and Gimpel (2016), Gaussian Error Linear Units, section 2"
    integers = "floats"
    wide = True
    samples = [*unary(), *(Sample(*s.inputs, approximate="tanh") for s in unary())]

    def check(self, x, *, approximate):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}.")
        return {"approximate": approximate}

    def forward(self, dev, x, *, approximate="none"):
        return dev.gelu(x, approximate)

    def backward(self, g, y, x, *, needs, approximate):
        return (device_of(g).gelu_backward(g, x, y, approximate),)

    def composed(self, x, *, approximate="none"):
        if approximate == "none":
            return x * 0.5 * (erf(x * math.sqrt(0.5)) + 1.0)
        return x * 0.5 * (tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))) + 1.0)
