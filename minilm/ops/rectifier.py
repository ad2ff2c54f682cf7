r"""The family of `relu`: rectifiers that are bounded, smooth, shrinking, learned or gated.

At a kink the derivative is PyTorch's: that of the flat side for `hardtanh`, `hardsigmoid` and the shrinking ones, the left one
elsewhere.
"""

from __future__ import annotations

from minilm.ops.activation import sigmoid, softplus, tanh
from minilm.ops.arguments import normalize_axis, shape_of
from minilm.ops.arithmetic import abs, exp, minimum, sign, where
from minilm.ops.elementary import some
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import reshape, split

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def below_zero(xp, x):
    """x where it is negative, 0 elsewhere: what an exponential cannot overflow on."""
    return xp.minimum(x, 0)


@op
class elu(Op):
    r"""The identity, and below 0 an exponential that ends at :math:`-\alpha`."""

    formula = r"y = [x > 0]\,x + [x \le 0]\,\alpha (e^x - 1)"
    derivative = r"\bar x = \bar y\,([x > 0] + [x \le 0]\,\alpha e^x)"
    domain = r"kink at 0 for \alpha \neq 1, where \bar x = \alpha \bar y"
    source = "Clevert, Unterthiner and Hochreiter (2016), Fast and Accurate Deep Network Learning by Exponential Linear Units"
    integers = "floats"
    samples = [*some(kinks=(0.0,)), Sample(real(4, kinks=(0.0,)), alpha=0.5)]

    def forward(self, dev, x, *, alpha=1.0):
        return dev.xp.where(x > 0, x, alpha * dev.xp.expm1(below_zero(dev.xp, x)))

    def grad_x(self, g, _y, x, *, alpha):
        return g * where(x <= 0, alpha * exp(minimum(x, 0.0)), 1.0)


@op
class selu(Op):
    """`elu` with a scale and a limit for which mean 0 and variance 1 are kept from layer to layer."""

    formula = (
        r"y = \lambda\,([x > 0]\,x + [x \le 0]\,\alpha (e^x - 1)), \quad \lambda \approx 1.0507,\ \alpha \approx 1.6733"
    )
    derivative = r"\bar x = \lambda \bar y\,([x > 0] + [x \le 0]\,\alpha e^x)"
    domain = r"kink at 0, where \bar x = \lambda \alpha \bar y"
    source = "Klambauer et al. (2017), Self-Normalizing Neural Networks"
    integers = "floats"
    samples = some(kinks=(0.0,))

    def composed(self, x):
        return elu(x, alpha=SELU_ALPHA) * SELU_SCALE


@op
class celu(Op):
    """`elu` whose slope is 1 on both sides of 0, whatever alpha."""

    formula = r"y = [x > 0]\,x + [x \le 0]\,\alpha (e^{x / \alpha} - 1)"
    derivative = r"\bar x = \bar y\,([x > 0] + [x \le 0]\,e^{x / \alpha})"
    domain = "smooth; kink of the first derivative at 0"
    source = "Barron (2017), Continuously Differentiable Exponential Linear Units"
    integers = "floats"
    samples = [*some(kinks=(0.0,)), Sample(real(4, kinks=(0.0,)), alpha=0.5)]

    def check(self, x, *, alpha):
        if alpha == 0:
            raise ValueError("celu: alpha divides, and must not be 0.")
        return {"alpha": alpha}

    def forward(self, dev, x, *, alpha=1.0):
        return dev.xp.where(x > 0, x, alpha * dev.xp.expm1(below_zero(dev.xp, x) / alpha))

    def grad_x(self, g, _y, x, *, alpha):
        return g * where(x <= 0, exp(minimum(x, 0.0) / alpha), 1.0)


@op
class hardtanh(Op):
    """A `clip` from -1 to 1 (or other bounds) whose derivative at the bounds is 0."""

    formula = r"y = \min(\max(x, l), h)"
    derivative = r"\bar x = \bar y\,[l < x < h]"
    domain = r"kinks at l and h, where \bar x = 0"
    samples = [*some(kinks=(-1.0, 1.0)), Sample(real(4, kinks=(-0.5, 0.25)), min_val=-0.5, max_val=0.25)]

    def check(self, x, *, min_val, max_val):
        if not min_val <= max_val:
            raise ValueError(f"hardtanh: min_val must not be above max_val, got {min_val} and {max_val}.")
        return {"min_val": min_val, "max_val": max_val}

    def forward(self, dev, x, *, min_val=-1.0, max_val=1.0):
        return dev.xp.clip(x, min_val, max_val)

    def grad_x(self, g, _y, x, *, min_val, max_val):
        return where((x <= min_val) | (x >= max_val), 0.0, g)


@op
class relu6(Op):
    """`relu` with an upper bound of 6, for numbers of few bits."""

    formula = r"y = \min(\max(x, 0), 6)"
    derivative = r"\bar x = \bar y\,[0 < x < 6]"
    domain = r"kinks at 0 and 6, where \bar x = 0"
    samples = some(-3.0, 9.0, kinks=(0.0, 6.0))

    def composed(self, x):
        return hardtanh(x, min_val=0.0, max_val=6.0)


@op
class hardsigmoid(Op):
    """Three straight lines in place of `sigmoid`."""

    formula = r"y = \tfrac16 \min(\max(x + 3, 0), 6)"
    derivative = r"\bar x = \tfrac16 \bar y\,[-3 < x < 3]"
    domain = r"kinks at -3 and 3, where \bar x = 0"
    source = "Howard et al. (2019), Searching for MobileNetV3, section 5.2"
    integers = "floats"
    samples = some(-5.0, 5.0, kinks=(-3.0, 3.0))

    def composed(self, x):
        return hardtanh(x + 3.0, min_val=0.0, max_val=6.0) / 6.0


@op
class hardswish(Op):
    """x times its `hardsigmoid`."""

    formula = r"y = \tfrac16 x \min(\max(x + 3, 0), 6)"
    derivative = r"\bar x = \bar y\,([-3 < x < 3]\,(\tfrac13 x + \tfrac12) + [x \ge 3])"
    domain = r"kinks at -3, where \bar x = 0, and at 3, where \bar x = \bar y"
    source = "Howard et al. (2019), Searching for MobileNetV3, section 5.2"
    integers = "floats"
    samples = some(-5.0, 5.0, kinks=(-3.0, 3.0))

    def forward(self, dev, x):
        return x * dev.xp.clip(x + 3.0, 0.0, 6.0) / 6.0

    def grad_x(self, g, _y, x):
        return g * where(x >= 3.0, 1.0, where(x > -3.0, x / 3.0 + 0.5, 0.0))


@op
class mish(Op):
    """A smooth `relu` with a dip below 0, as `silu` has one."""

    formula = r"y = x \tanh(\ln(1 + e^x))"
    derivative = r"\bar x = \bar y\,(t + x\,\sigma(x)\,(1 - t^2)), \quad t = \tanh(\ln(1 + e^x))"
    source = "Misra (2020), Mish: A Self Regularized Non-Monotonic Activation Function"
    integers = "floats"
    samples = [*some(), Sample(real(4, low=-40.0, high=40.0))]

    def composed(self, x):
        return x * tanh(softplus(x))


@op
class logsigmoid(Op):
    """The logarithm of `sigmoid`, which neither overflows nor rounds to the logarithm of 0."""

    formula = r"y = \ln \sigma(x) = -\ln(1 + e^{-x})"
    derivative = r"\bar x = \bar y\,\sigma(-x)"
    integers = "floats"
    samples = [*some(), Sample(real(4, low=-40.0, high=40.0))]

    def forward(self, dev, x):
        return dev.xp.minimum(x, 0) - dev.xp.log1p(dev.xp.exp(-dev.xp.abs(x)))

    def grad_x(self, g, _y, x):
        return g * sigmoid(-x)


@op
class softsign(Op):
    formula = r"y = \frac{x}{1 + |x|}"
    derivative = r"\bar x = \frac{\bar y}{(1 + |x|)^2}"
    domain = "smooth; kink of the first derivative at 0"
    integers = "floats"
    samples = some(kinks=(0.0,))

    def composed(self, x):
        return x / (abs(x) + 1.0)


@op
class tanhshrink(Op):
    formula = r"y = x - \tanh x"
    derivative = r"\bar x = \bar y \tanh^2 x"
    integers = "floats"
    samples = some()

    def composed(self, x):
        return x - tanh(x)


@op
class hardshrink(Op):
    """0 for numbers no farther from 0 than lambd, the others unchanged."""

    formula = r"y = x\,[\,|x| > \lambda\,]"
    derivative = r"\bar x = \bar y\,[\,|x| > \lambda\,]"
    domain = r"jumps at \pm\lambda, where \bar x = 0"
    samples = [*some(kinks=(-0.5, 0.5)), Sample(real(4, kinks=(-1.0, 1.0)), lambd=1.0)]

    def composed(self, x, *, lambd=0.5):
        return where(abs(x) <= lambd, 0.0, x)


@op
class softshrink(Op):
    """Numbers moved towards 0 by lambd, and 0 where they would pass it: the step of a penalty on absolute values."""

    formula = r"y = \operatorname{sign}(x) \max(|x| - \lambda, 0)"
    derivative = r"\bar x = \bar y\,[\,|x| > \lambda\,]"
    domain = r"kinks at \pm\lambda, where \bar x = 0"
    integers = "floats"
    samples = [*some(kinks=(-0.5, 0.5)), Sample(real(4, kinks=(-1.0, 1.0)), lambd=1.0)]

    def check(self, x, *, lambd):
        if not lambd >= 0:
            raise ValueError(f"softshrink: lambd must not be negative, got {lambd}.")
        return {"lambd": lambd}

    def composed(self, x, *, lambd=0.5):
        return where(abs(x) <= lambd, 0.0, x - sign(x) * lambd)


@op
class prelu(Op):
    """`leaky_relu` with a slope that is learned: one number, or one for each channel (axis 1 of x)."""

    formula = r"y = [x > 0]\,x + [x \le 0]\,a x"
    derivative = r"\bar x = \bar y\,([x > 0] + a\,[x \le 0]), \quad \bar a = \sum \bar y\, x\,[x \le 0]"
    domain = r"kink at x = 0, where \bar x = a \bar y"
    source = "He et al. (2015), Delving Deep into Rectifiers"
    samples = [
        Sample(real(2, 3, kinks=(0.0,)), real(1)),
        Sample(real(2, 3, 2, kinks=(0.0,)), real(3)),
        Sample(real(4, kinks=(0.0,)), real(1)),
    ]

    def check(self, x, weight):
        have, shape = shape_of(weight), shape_of(x)
        channels = shape[1] if len(shape) > 1 else 1
        if have not in ((), (1,), (channels,)):
            raise ValueError(
                f"prelu: weight {have} does not fit x {shape}: expected 1 number, or {channels} for the channels."
            )
        return {}

    def composed(self, x, weight):
        if len(shape_of(x)) > 1 and shape_of(weight) not in ((), (1,)):
            weight = reshape(weight, (-1, *(1,) * (len(shape_of(x)) - 2)))
        return where(x > 0, x, x * weight)


@op
class glu(Op):
    """The first half along an axis, gated by the second."""

    formula = r"y = a\,\sigma(b), \quad [a \;\, b] = x"
    derivative = r"\bar a = \bar y\,\sigma(b), \quad \bar b = \bar y\, a\,\sigma(b)\,(1 - \sigma(b))"
    source = "Dauphin et al. (2017), Language Modeling with Gated Convolutional Networks"
    integers = "floats"
    samples = [Sample(real(2, 4)), Sample(real(4, 3), axis=0)]

    def check(self, x, *, axis):
        axis, shape = normalize_axis("glu", axis, len(shape_of(x))), shape_of(x)
        if not shape:
            raise ValueError("glu: a tensor without axes cannot be cut into halves.")
        if shape[axis] % 2:
            raise ValueError(f"glu: axis {axis} of {shape} is cut into halves, and its size {shape[axis]} is odd.")
        return {"axis": axis}

    def composed(self, x, *, axis=-1):
        a, b = split(x, 2, axis)
        return a * sigmoid(b)
