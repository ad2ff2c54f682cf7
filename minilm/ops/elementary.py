r"""Trigonometric and hyperbolic functions and their inverses, logarithms and powers, of each element.

Integers are computed with as floats. Where a function is not defined the result is NaN, and at a pole infinite, as in NumPy.
"""

from __future__ import annotations

import math

from minilm.ops.activation import sigmoid
from minilm.ops.arithmetic import abs, binary, where
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real

LN2, LN10 = math.log(2.0), math.log(10.0)


def some(low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = ()) -> list[Sample]:
    """Three samples of a function of one input: a matrix, a number, nothing."""
    return [Sample(real(*shape, low=low, high=high, kinks=kinks)) for shape in [(2, 3), (), (0, 2)]]


@op
class tan(Op):
    formula = r"y = \tan x"
    derivative = r"\bar x = \bar y\,(1 + y^2)"
    domain = r"x \neq \tfrac\pi2 + k \pi"
    integers = "floats"
    samples = some(-1.2, 1.2)

    def forward(self, dev, x):
        return dev.xp.tan(x)

    def grad_x(self, g, y, _x):
        return g * (1.0 + y * y)


@op
class asin(Op):
    formula = r"y = \arcsin x"
    derivative = r"\bar x = \frac{\bar y}{\sqrt{1 - x^2}}"
    domain = r"-1 < x < 1"
    integers = "floats"
    samples = some(-0.9, 0.9)

    def forward(self, dev, x):
        return dev.xp.arcsin(x)

    def grad_x(self, g, _y, x):
        return g * rsqrt(1.0 - x * x)


@op
class acos(Op):
    formula = r"y = \arccos x"
    derivative = r"\bar x = -\frac{\bar y}{\sqrt{1 - x^2}}"
    domain = r"-1 < x < 1"
    integers = "floats"
    samples = some(-0.9, 0.9)

    def forward(self, dev, x):
        return dev.xp.arccos(x)

    def grad_x(self, g, _y, x):
        return -g * rsqrt(1.0 - x * x)


@op
class atan(Op):
    formula = r"y = \arctan x"
    derivative = r"\bar x = \frac{\bar y}{1 + x^2}"
    integers = "floats"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.arctan(x)

    def grad_x(self, g, _y, x):
        return g / (x * x + 1.0)


@op
class atan2(Op):
    r"""The angle of the point (b, a), from :math:`-\pi` to :math:`\pi`. At the origin the gradient is 0, as in PyTorch."""

    formula = r"y = \operatorname{atan2}(a, b), \quad \tan y = \frac ab"
    derivative = r"\bar a = \frac{\bar y\, b}{a^2 + b^2}, \quad \bar b = -\frac{\bar y\, a}{a^2 + b^2}"
    domain = r"not a = 0, b \le 0"
    broadcasts = True
    integers = "floats"
    samples = [*binary(0.3, 2.0)[:4], Sample(real(3, low=0.3), real(3, low=-2.0, high=-0.3)), Sample(real(3), 1.5)]

    def forward(self, dev, a, b):
        return dev.xp.arctan2(a, b)

    def grad_a(self, g, _y, a, b):
        return g * b / away_from_zero(a * a + b * b)

    def grad_b(self, g, _y, a, b):
        return -g * a / away_from_zero(a * a + b * b)


def away_from_zero(x):
    """x, and 1 where it is 0: a divisor for what is 0 there."""
    return where(x == 0, 1.0, x)


@op
class sinh(Op):
    formula = r"y = \sinh x = \tfrac12 (e^x - e^{-x})"
    derivative = r"\bar x = \bar y \cosh x"
    integers = "floats"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.sinh(x)

    def grad_x(self, g, _y, x):
        return g * cosh(x)


@op
class cosh(Op):
    formula = r"y = \cosh x = \tfrac12 (e^x + e^{-x})"
    derivative = r"\bar x = \bar y \sinh x"
    integers = "floats"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.cosh(x)

    def grad_x(self, g, _y, x):
        return g * sinh(x)


@op
class asinh(Op):
    formula = r"y = \operatorname{arsinh} x = \ln (x + \sqrt{x^2 + 1})"
    derivative = r"\bar x = \frac{\bar y}{\sqrt{x^2 + 1}}"
    integers = "floats"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.arcsinh(x)

    def grad_x(self, g, _y, x):
        return g * rsqrt(x * x + 1.0)


@op
class acosh(Op):
    formula = r"y = \operatorname{arcosh} x = \ln (x + \sqrt{x^2 - 1})"
    derivative = r"\bar x = \frac{\bar y}{\sqrt{x^2 - 1}}"
    domain = r"x > 1"
    integers = "floats"
    samples = some(1.2, 3.0)

    def forward(self, dev, x):
        return dev.xp.arccosh(x)

    def grad_x(self, g, _y, x):
        return g * rsqrt(x * x - 1.0)


@op
class atanh(Op):
    formula = r"y = \operatorname{artanh} x = \tfrac12 \ln \frac{1 + x}{1 - x}"
    derivative = r"\bar x = \frac{\bar y}{1 - x^2}"
    domain = r"-1 < x < 1"
    integers = "floats"
    samples = some(-0.9, 0.9)

    def forward(self, dev, x):
        return dev.xp.arctanh(x)

    def grad_x(self, g, _y, x):
        return g / (1.0 - x * x)


@op
class log1p(Op):
    """The logarithm of 1 + x, exact for x near 0, where 1 + x would round."""

    formula = r"y = \ln(1 + x)"
    derivative = r"\bar x = \frac{\bar y}{1 + x}"
    domain = r"x > -1"
    integers = "floats"
    samples = [*some(-0.7, 2.0), Sample(real(3, low=-1e-9, high=1e-9))]

    def forward(self, dev, x):
        return dev.xp.log1p(x)

    def grad_x(self, g, _y, x):
        return g / (x + 1.0)


@op
class expm1(Op):
    """The exponential less 1, exact for x near 0, where the difference would cancel."""

    formula = r"y = e^x - 1"
    derivative = r"\bar x = \bar y\,(y + 1)"
    integers = "floats"
    samples = [*some(), Sample(real(3, low=-1e-9, high=1e-9))]

    def forward(self, dev, x):
        return dev.xp.expm1(x)

    def grad_x(self, g, y, _x):
        return g * (y + 1.0)


@op
class log2(Op):
    formula = r"y = \log_2 x = \frac{\ln x}{\ln 2}"
    derivative = r"\bar x = \frac{\bar y}{x \ln 2}"
    domain = r"x > 0"
    integers = "floats"
    samples = some(0.3, 3.0)

    def forward(self, dev, x):
        return dev.xp.log2(x)

    def grad_x(self, g, _y, x):
        return g / (x * LN2)


@op
class log10(Op):
    formula = r"y = \log_{10} x = \frac{\ln x}{\ln 10}"
    derivative = r"\bar x = \frac{\bar y}{x \ln 10}"
    domain = r"x > 0"
    integers = "floats"
    samples = some(0.3, 3.0)

    def forward(self, dev, x):
        return dev.xp.log10(x)

    def grad_x(self, g, _y, x):
        return g / (x * LN10)


@op
class exp2(Op):
    formula = r"y = 2^x"
    derivative = r"\bar x = \bar y\, y \ln 2"
    integers = "floats"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.exp2(x)

    def grad_x(self, g, y, _x):
        return g * y * LN2


@op
class square(Op):
    formula = r"y = x^2"
    derivative = r"\bar x = 2 \bar y\, x"
    samples = some()

    def forward(self, dev, x):
        return dev.xp.multiply(x, x)

    def grad_x(self, g, _y, x):
        return g * 2.0 * x


@op
class reciprocal(Op):
    formula = r"y = \frac1x"
    derivative = r"\bar x = -\bar y\, y^2"
    domain = r"x \neq 0"
    samples = [*some(0.4, 3.0), Sample(real(3, low=-2.0, high=-0.5))]

    def forward(self, dev, x):
        return dev.xp.true_divide(1.0, x)

    def grad_x(self, g, y, _x):
        return -g * y * y


@op
class rsqrt(Op):
    formula = r"y = \frac{1}{\sqrt x}"
    derivative = r"\bar x = -\tfrac12 \bar y\, y^3"
    domain = r"x > 0"
    integers = "floats"
    samples = some(0.3, 3.0)

    def forward(self, dev, x):
        return dev.xp.true_divide(1.0, dev.xp.sqrt(x))

    def grad_x(self, g, y, _x):
        return g * -0.5 * (y * y * y)


@op
class hypot(Op):
    """The length of the vector (a, b), without overflow in the squares. At the origin the gradient is 0."""

    formula = r"y = \sqrt{a^2 + b^2}"
    derivative = r"\bar a = \frac{\bar y\, a}{y}, \quad \bar b = \frac{\bar y\, b}{y}"
    domain = r"kink at a = b = 0, where both gradients are 0"
    broadcasts = True
    integers = "floats"
    samples = binary(0.3, 2.0)[:4]

    def forward(self, dev, a, b):
        return dev.xp.hypot(a, b)

    def grad_a(self, g, y, a, _b):
        return g * (a / away_from_zero(y))

    def grad_b(self, g, y, _a, b):
        return g * (b / away_from_zero(y))


@op
class logaddexp(Op):
    r"""The logarithm of a sum of two exponentials, which cannot overflow.

    Where both are :math:`-\infty`, as in `logsumexp`, the gradient is 0; where both are :math:`+\infty` it is NaN.
    """

    formula = r"y = \ln (e^a + e^b)"
    derivative = r"\bar a = \bar y\,\sigma(a - b), \quad \bar b = \bar y\,\sigma(b - a)"
    broadcasts = True
    integers = "floats"
    samples = [*binary()[:4], Sample(real(3, low=-300.0, high=300.0), real(3))]

    def forward(self, dev, a, b):
        return dev.xp.logaddexp(a, b)

    def grad_a(self, g, y, a, b):
        return where(y == -math.inf, 0.0, g * sigmoid(difference(a, b)))

    def grad_b(self, g, y, a, b):
        return where(y == -math.inf, 0.0, g * sigmoid(difference(b, a)))


def difference(a, b):
    """a - b; of equal infinities NaN, without NumPy's warning."""
    return where((a == b) & (abs(a) == math.inf), math.nan, a) - b


@op
class lerp(Op):
    """The point between a and b at the weight w: a for 0, b for 1."""

    formula = r"y = a + w\,(b - a)"
    derivative = r"\bar a = \bar y\,(1 - w), \quad \bar b = \bar y\, w, \quad \bar w = \bar y\,(b - a)"
    broadcasts = True
    integers = "floats"
    samples = [
        Sample(real(2, 3), real(2, 3), real(2, 3)),
        Sample(real(2, 1), real(3), 0.25),
        Sample(real(3), real(3), real()),
    ]

    def composed(self, a, b, weight):
        return a + weight * (b - a)
