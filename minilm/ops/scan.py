r"""Running products and running sums of exponentials along an axis.

A scan of n elements takes :math:`\log_2 n` steps over the whole tensor (Hillis and Steele 1986, *Data Parallel Algorithms*): after
the step of width w, each place holds the result for the 2w places up to it. The steps are ops, and so have derivatives of every
order; there is no division, so elements may be zero.
"""

from __future__ import annotations

from minilm.ops.arguments import shape_of
from minilm.ops.elementary import logaddexp
from minilm.ops.logic import line
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import along, concat


def scan(join, x, axis):
    """Each element joined with all before it along the axis, where `join` is associative."""
    y, width = x, 1
    n = shape_of(x)[axis] if shape_of(x) else 1
    while width < n:
        joined = join(y[along(axis, slice(width, None))], y[along(axis, slice(-width))])
        y = concat(y[along(axis, slice(width))], joined, axis=axis)
        width *= 2
    return y if y is not x else x[...]


@op
class cumprod(Op):
    """The product of the elements up to each place along an axis; its derivative is right where elements are zero too."""

    formula = r"y_i = \prod_{j \le i} x_j"
    derivative = r"\bar x_j = \sum_{i \ge j} \bar y_i \prod_{k \le i,\, k \ne j} x_k"
    samples = [
        Sample(real(2, 5), axis=1),
        Sample(real(3, 2), axis=0),
        Sample(real(0, 2), axis=0),
        Sample(real(), axis=0),
    ]

    def check(self, x, *, axis):
        return {"axis": line("cumprod", axis, len(shape_of(x)))}

    def composed(self, x, *, axis):
        return scan(lambda later, earlier: earlier * later, x, axis)


@op
class logcumsumexp(Op):
    """The logarithm of the sum of the exponentials up to each place along an axis, which cannot overflow; see `logsumexp`."""

    formula = r"y_i = \ln \sum_{j \le i} e^{x_j}"
    derivative = r"\bar x_j = \sum_{i \ge j} \bar y_i\, e^{x_j - y_i}"
    samples = [Sample(real(2, 5), axis=1), Sample(real(4, 2, low=-300.0, high=300.0), axis=0), Sample(real(), axis=-1)]

    def check(self, x, *, axis):
        return {"axis": line("logcumsumexp", axis, len(shape_of(x)))}

    def composed(self, x, *, axis):
        return scan(lambda later, earlier: logaddexp(earlier, later), x, axis)
