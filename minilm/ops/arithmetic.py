r"""Elementwise arithmetic with broadcasting, and the elementary functions that other ops need. Further functions stand in
`minilm.ops.elementary` and `minilm.ops.rounding`, what compares and counts in `minilm.ops.logic`.

Where two inputs tie in `maximum` and `minimum`, each receives half of the gradient; `abs` has derivative 0 at 0. Both are
subgradients, and both are what PyTorch does.
"""

from __future__ import annotations

import math
from typing import Any

from minilm.ops.dtypes import number_dtype
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, distinct, mask, real


def binary(low: float = -2.0, high: float = 2.0) -> list[Sample]:
    """Samples of a function of two inputs: equal shapes, broadcasting both ways, a scalar, nothing, non-trivial ranks."""
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((), (2, 2)), ((1,), ()), ((0, 3), (1, 3))]
    return [Sample(real(*a, low=low, high=high), real(*b, low=low, high=high)) for a, b in shapes] + [
        Sample(real(2, 3, low=low, high=high), 1.5)
    ]


def unary(low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = ()) -> list[Sample]:
    """Samples of a function of one input."""
    return [Sample(real(*shape, low=low, high=high, kinks=kinks)) for shape in [(2, 3), (), (1,), (0, 2), (2, 1, 3)]]


@op
class add(Op):
    formula = r"y = a + b"
    derivative = r"\bar a = \bar y, \quad \bar b = \bar y"
    broadcasts = True
    samples = binary()

    def forward(self, dev, a, b):
        return dev.xp.add(a, b)

    def grad_a(self, g, _y, _a, _b):
        return g

    def grad_b(self, g, _y, _a, _b):
        return g


@op
class sub(Op):
    formula = r"y = a - b"
    derivative = r"\bar a = \bar y, \quad \bar b = -\bar y"
    broadcasts = True
    integers = "no booleans"
    samples = binary()

    def forward(self, dev, a, b):
        return dev.xp.subtract(a, b)

    def grad_a(self, g, _y, _a, _b):
        return g

    def grad_b(self, g, _y, _a, _b):
        return -g


@op
class mul(Op):
    formula = r"y = a\, b"
    derivative = r"\bar a = \bar y\, b, \quad \bar b = \bar y\, a"
    broadcasts = True
    samples = binary()

    def forward(self, dev, a, b):
        return dev.xp.multiply(a, b)

    def grad_a(self, g, _y, _a, b):
        return g * b

    def grad_b(self, g, _y, a, _b):
        return g * a


@op
class div(Op):
    formula = r"y = \frac{a}{b}"
    derivative = r"\bar a = \frac{\bar y}{b}, \quad \bar b = -\frac{\bar y\, y}{b}"
    domain = r"b \neq 0"
    broadcasts = True
    integers = "floats"
    samples = [*binary(0.5, 2.0), Sample(real(3), real(3, low=-2.0, high=-0.5))]

    def forward(self, dev, a, b):
        return dev.xp.true_divide(a, b)

    def grad_a(self, g, _y, _a, b):
        return g / b

    def grad_b(self, g, y, _a, b):
        return -g * y / b


@op
class neg(Op):
    formula = r"y = -x"
    derivative = r"\bar x = -\bar y"
    integers = "no booleans"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.negative(x)

    def grad_x(self, g, _y, _x):
        return -g


@op
class pow(Op):
    r"""a to the power b, where :math:`x^0 = 1` for every x, infinity and NaN included.

    The special values are those of IEEE 754's pow, but for the numbers 1/2 and -1/2, which stand for the square root and its
    reciprocal: NaN for every a < 0. The gradients are PyTorch's: where b = 0 that of a is 0; where a = 0 and
    :math:`b \ge 0` that of b is 0 (the limit for b > 0); where a < 0 that of b is NaN, and where a = 0 > b it is infinite.

    Raises:
        ValueError: integers to a negative power, which is no integer.
    """

    formula = r"y = a^b"
    derivative = r"\bar a = \bar y\, b\, a^{b-1}, \quad \bar b = \bar y\, y \ln a"
    domain = r"a > 0, or b a constant integer; \bar a = 0 where b = 0, \bar b = 0 where a = 0 \le b, NaN where a < 0"
    broadcasts = True
    samples = [*binary(0.5, 2.0), Sample(real(2, 3), 2.0), Sample(real(2, 3), 3), Sample(real(4), 1), Sample(real(4), 0),
               Sample(2.0, real(3)), Sample(real(3, low=0.5), 0.5), Sample(real(3, low=0.5), -1.5)]  # fmt: skip

    def forward(self, dev, a, b):
        if type(b) is int and b < 0 and dev.owns(a) and a.dtype.kind in "iu":
            raise ValueError("negative integer powers")  # NumPy says the same of an array b; a GPU would say nothing
        if type(b) is float and (b == 0.5 or b == -0.5):
            root = dev.xp.sqrt(a)  # some NumPys do this by themselves, and -inf ** 0.5 is another number then
            return root if b > 0 else 1.0 / root
        return dev.xp.power(a, b)

    def explain(self, error, inputs, params):
        if "negative integer powers" not in str(error):
            return super().explain(error, inputs, params)
        new = ValueError(
            "pow: an integer to a negative power is a fraction, which an integer tensor cannot hold; cast one of them first: "
            "x.to('float32') ** n."
        )
        new.__suppress_context__ = True
        return new

    def grad_a(self, g, _y, a, b):
        if isinstance(b, int | float):
            return g * (b * pow(a, b - 1)) if b != 0 else g * 0.0
        return g * (b * pow(where(b == 0, 1.0, a), b - 1))  # 0 times the infinity 0 ** -1, or times NaN, would be NaN

    def grad_b(self, g, y, a, b):
        if not isinstance(a, int | float):
            return g * (y * log(where((a == 0) & (b >= 0), 1.0, a)))
        if a == 0:
            return where(b >= 0, 0.0, g * -y)
        return g * (y * (math.log(a) if a > 0 else math.nan))


@op
class abs(Op):
    formula = r"y = |x|"
    derivative = r"\bar x = \bar y\, \operatorname{sign}(x)"
    domain = r"kink at 0, where \bar x = 0; \bar x = NaN where x is"
    samples = unary(kinks=(0.0,))

    def forward(self, dev, x):
        return dev.xp.abs(x)

    def grad_x(self, g, _y, x):
        return g * sign(x)


@op
class sign(Op):
    formula = r"y = \operatorname{sign}(x) \in \{-1, 0, 1\}"
    derivative = r"\bar x = 0"
    domain = r"jump at 0; y = NaN where x is"
    samples = unary(kinks=(0.0,))

    def forward(self, dev, x):
        return x.copy() if hasattr(x, "dtype") and x.dtype.kind == "b" else dev.xp.sign(x)

    def grad_x(self, g, _y, _x):
        return g * 0.0


@op
class sqrt(Op):
    formula = r"y = \sqrt{x}"
    derivative = r"\bar x = \frac{\bar y}{2 y}"
    domain = r"x > 0"
    integers = "floats"
    samples = unary(0.3, 3.0)

    def forward(self, dev, x):
        return dev.xp.sqrt(x)

    def grad_x(self, g, y, _x):
        return g / (y * 2.0)


@op
class exp(Op):
    formula = r"y = e^x"
    derivative = r"\bar x = \bar y\, y"
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.exp(x)

    def grad_x(self, g, y, _x):
        return g * y


@op
class log(Op):
    formula = r"y = \ln x"
    derivative = r"\bar x = \frac{\bar y}{x}"
    domain = r"x > 0"
    integers = "floats"
    samples = unary(0.3, 3.0)

    def forward(self, dev, x):
        return dev.xp.log(x)

    def grad_x(self, g, _y, x):
        return g / x


@op
class sin(Op):
    formula = r"y = \sin x"
    derivative = r"\bar x = \bar y \cos x"
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.sin(x)

    def grad_x(self, g, _y, x):
        return g * cos(x)


@op
class cos(Op):
    formula = r"y = \cos x"
    derivative = r"\bar x = -\bar y \sin x"
    integers = "floats"
    samples = unary()

    def forward(self, dev, x):
        return dev.xp.cos(x)

    def grad_x(self, g, _y, x):
        return -g * sin(x)


def _comparable() -> list[Sample]:
    """Two inputs that never tie."""
    return [
        Sample(distinct(2, 3), real(2, 3, low=-0.15, high=0.15)),
        Sample(distinct(2, 1, 4), real(3, 1, low=-0.02, high=0.02)),
        Sample(distinct(4), 0.1),
    ]


@op
class maximum(Op):
    formula = r"y = \max(a, b)"
    derivative = r"\bar a = \bar y\, [a > b] + \tfrac12 \bar y\, [a = b], \quad \bar b = \bar y - \bar a"
    domain = r"tie at a = b, where each receives half; y = NaN where a or b is, and each receives \bar y"
    broadcasts = True
    samples = _comparable()

    def forward(self, dev, a, b):
        return dev.xp.maximum(a, b)

    def grad_a(self, g, _y, a, b):
        return g * share(a < b, a == b, g)

    def grad_b(self, g, _y, a, b):
        return g * share(b < a, a == b, g)


@op
class minimum(Op):
    formula = r"y = \min(a, b)"
    derivative = r"\bar a = \bar y\, [a < b] + \tfrac12 \bar y\, [a = b], \quad \bar b = \bar y - \bar a"
    domain = r"tie at a = b, where each receives half; y = NaN where a or b is, and each receives \bar y"
    broadcasts = True
    samples = _comparable()

    def forward(self, dev, a, b):
        return dev.xp.minimum(a, b)

    def grad_a(self, g, _y, a, b):
        return g * share(a > b, a == b, g)

    def grad_b(self, g, _y, a, b):
        return g * share(b > a, a == b, g)


def share(loses: Any, ties: Any, like: Any) -> Any:
    """0 where an input loses, 1/2 where it ties, 1 elsewhere, in the float type of `like`.

    Elsewhere it wins, or it or the other input is NaN: then NaN is what the op passes on, and no gradient may vanish in silence.
    """
    return (1.0 - loses * 1.0 - ties * 0.5).astype(like.dtype)


@op
class where(Op):
    r"""Elements of `a` where the condition holds, of `b` elsewhere. No gradient reaches the condition."""

    formula = r"y = [c]\, a + [\lnot c]\, b"
    derivative = r"\bar a = \bar y\, [c], \quad \bar b = \bar y\, [\lnot c]"
    broadcasts = True
    samples = [
        Sample(mask(2, 3), real(2, 3), real(2, 3)),
        Sample(mask(3), real(2, 1), real()),
        Sample(mask(2, 3), real(2, 3), 0.0),
        Sample(mask(4), -1.0, real(4)),
    ]

    def __call__(self, *args, **kwargs):
        """``where(c)`` alone is, as in PyTorch and NumPy, ``c.nonzero(as_tuple=True)``: where the condition holds."""
        if len(args) == 1 and not kwargs and hasattr(args[0], "nonzero"):
            return args[0].nonzero(as_tuple=True) if hasattr(type(args[0]), "__minilm_op__") else args[0].nonzero()
        return super().__call__(*args, **kwargs)

    def forward(self, dev, condition, a, b):
        return dev.xp.where(condition, a, b)

    def grad_a(self, g, _y, condition, _a, _b):
        return where(condition, g, 0.0)

    def grad_b(self, g, _y, condition, _a, _b):
        return where(condition, 0.0, g)


@op
class cast(Op):
    """The same numbers in another dtype. Its gradient is cast back."""

    formula = r"y = x"
    derivative = r"\bar x = \bar y"
    samples = [Sample(real(2, 3), dtype="float64")]

    def check(self, x, *, dtype):
        return {"dtype": number_dtype(dtype)}

    def forward(self, dev, x, *, dtype):
        return x.astype(dtype)

    def grad_x(self, g, _y, _x, *, dtype):
        return cast(g, _x.dtype)
