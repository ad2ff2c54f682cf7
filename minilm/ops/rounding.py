r"""Rounding, division with a whole quotient, and its remainder.

A rounded number is constant between its jumps: its derivative is 0 wherever it has one, and 0 is what is passed on at a jump.
The remainder :math:`a - b q` therefore has derivative 1 by a and :math:`-q` by b, with the quotient q held. This is PyTorch's.
Integers stay integers.
"""

from __future__ import annotations

from minilm.ops.arithmetic import sign
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real

BETWEEN = [Sample(real(2, 3, low=0.1, high=0.9)), Sample(real(3, low=-2.9, high=-2.6)), Sample(real(low=1.1, high=1.4))]
"""Numbers away from whole numbers and from halves between two, where rounding jumps."""

QUOTIENTS = [
    Sample(real(2, 3, low=3.1, high=3.9), real(2, 3, low=1.4, high=1.5)),
    Sample(real(2, 1, low=-3.9, high=-3.1), real(3, low=1.4, high=1.5)),
    Sample(real(3, low=3.1, high=3.9), real(low=-1.5, high=-1.4)),
    Sample(real(3, low=3.1, high=3.9), 1.5),
]
"""a and b whose quotient is between 2 and 3, or between -3 and -2."""


def whole(x):
    """Whether x is an array of integers or truth values."""
    return getattr(getattr(x, "dtype", None), "kind", "f") != "f"


@op
class floor(Op):
    formula = r"y = \lfloor x \rfloor"
    derivative = r"\bar x = 0"
    domain = r"jumps at whole numbers"
    samples = BETWEEN

    def forward(self, dev, x):
        return x.copy() if whole(x) else dev.xp.floor(x)

    def grad_x(self, g, _y, _x):
        return g * 0.0


@op
class ceil(Op):
    formula = r"y = \lceil x \rceil"
    derivative = r"\bar x = 0"
    domain = r"jumps at whole numbers"
    samples = BETWEEN

    def forward(self, dev, x):
        return x.copy() if whole(x) else dev.xp.ceil(x)

    def grad_x(self, g, _y, _x):
        return g * 0.0


@op
class trunc(Op):
    """The whole number next to x on the side of 0."""

    formula = r"y = \operatorname{sign}(x)\, \lfloor |x| \rfloor"
    derivative = r"\bar x = 0"
    domain = r"jumps at whole numbers other than 0"
    samples = BETWEEN

    def forward(self, dev, x):
        return x.copy() if whole(x) else dev.xp.trunc(x)

    def grad_x(self, g, _y, _x):
        return g * 0.0


@op
class round(Op):
    """The nearest number with so many decimals; the even one where two are as near: 0.5 gives 0, 1.5 gives 2."""

    formula = r"y = 10^{-d} \operatorname{round}(10^d x)"
    derivative = r"\bar x = 0"
    domain = r"jumps halfway between two results"
    samples = [*BETWEEN, Sample(real(3, low=0.21, high=0.24), decimals=1)]

    def forward(self, dev, x, *, decimals=0):
        if whole(x) and decimals >= 0:
            return x.copy()
        return dev.xp.round(x, decimals) if decimals else dev.xp.rint(x)

    def grad_x(self, g, _y, _x, *, decimals):
        return g * 0.0


@op
class frac(Op):
    """What `trunc` leaves of x, with its sign."""

    formula = r"y = x - \operatorname{trunc}(x)"
    derivative = r"\bar x = \bar y"
    domain = r"jumps at whole numbers other than 0"
    integers = "floats"
    samples = BETWEEN

    def composed(self, x):
        return x - trunc(x)


@op
class floor_divide(Op):
    """The whole quotient below a / b: Python's and NumPy's ``//``."""

    formula = r"y = \left\lfloor \frac{a}{b} \right\rfloor"
    derivative = r"\bar a = 0, \quad \bar b = 0"
    domain = r"b \neq 0; jumps where b divides a"
    broadcasts = True
    samples = QUOTIENTS

    def forward(self, dev, a, b):
        return dev.xp.floor_divide(a, b)

    def grad_a(self, g, _y, _a, _b):
        return g * 0.0

    def grad_b(self, g, _y, _a, _b):
        return g * 0.0


@op
class trunc_divide(Op):
    """The whole quotient next to a / b on the side of 0: C's division, and ``div(a, b, rounding_mode="trunc")``."""

    formula = r"y = \operatorname{trunc} \left( \frac{a}{b} \right)"
    derivative = r"\bar a = 0, \quad \bar b = 0"
    domain = r"b \neq 0; jumps where b divides a"
    broadcasts = True
    samples = QUOTIENTS

    def forward(self, dev, a, b):
        if all(whole(x) or isinstance(x, int) for x in (a, b)):
            below = dev.xp.floor_divide(a, b)
            return below + ((below < 0) & (below * b != a))
        return dev.xp.trunc(dev.xp.true_divide(a, b))

    def grad_a(self, g, _y, _a, _b):
        return g * 0.0

    def grad_b(self, g, _y, _a, _b):
        return g * 0.0


@op
class remainder(Op):
    """What is left of a after dividing by b, with the sign of b: Python's and NumPy's ``%``."""

    formula = r"y = a - b \left\lfloor \frac{a}{b} \right\rfloor"
    derivative = r"\bar a = \bar y, \quad \bar b = -\bar y \left\lfloor \frac{a}{b} \right\rfloor"
    domain = r"b \neq 0; jumps where b divides a"
    broadcasts = True
    samples = QUOTIENTS

    def forward(self, dev, a, b):
        return dev.xp.remainder(a, b)

    def grad_a(self, g, _y, _a, _b):
        return g

    def grad_b(self, g, _y, a, b):
        return -g * floor_divide(a, b)


@op
class fmod(Op):
    """What is left of a after dividing by b, with the sign of a: C's ``fmod``."""

    formula = r"y = a - b \operatorname{trunc} \left( \frac{a}{b} \right)"
    derivative = r"\bar a = \bar y, \quad \bar b = -\bar y \operatorname{trunc} \left( \frac{a}{b} \right)"
    domain = r"b \neq 0; jumps where b divides a other than a = 0"
    broadcasts = True
    samples = QUOTIENTS

    def forward(self, dev, a, b):
        return dev.xp.fmod(a, b)

    def grad_a(self, g, _y, _a, _b):
        return g

    def grad_b(self, g, _y, a, b):
        return -g * trunc_divide(a, b)


@op
class copysign(Op):
    """The size of a with the sign of b (the sign of a zero counts: -0.0 is negative). At a = 0 its gradient is 0."""

    formula = r"y = |a| \operatorname{sign}(b)"
    derivative = r"\bar a = \bar y\, \operatorname{sign}(a)\, \operatorname{sign}(b), \quad \bar b = 0"
    domain = r"kink at a = 0, where \bar a = 0; jump at b = 0"
    broadcasts = True
    integers = "floats"
    samples = [
        Sample(real(2, 3, kinks=(0.0,)), real(2, 3, kinks=(0.0,))),
        Sample(real(2, 1, kinks=(0.0,)), real(3, kinks=(0.0,))),
        Sample(real(3, kinks=(0.0,)), -1.0),
    ]

    def forward(self, dev, a, b):
        return dev.xp.copysign(a, b)

    def grad_a(self, g, y, a, _b):
        return g * sign(y) * sign(a)

    def grad_b(self, g, _y, _a, _b):
        return g * 0.0
