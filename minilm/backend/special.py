r"""The error function and the normal distribution, for any array module: NumPy has neither.

In float64, two Chebyshev series, summed by Clenshaw's recurrence (Clenshaw 1955):

.. math:: \operatorname{erf} x = x \sum_k a_k T_k(2 x^2 - 1) \;(|x| < 1), \qquad
    \operatorname{erfc} x = t\, e^{-x^2 + \sum_k c_k T_k(u(t))}, \; t = \tfrac{2}{2 + x} \;(1 \le x \le 6)

In float32, one polynomial: :math:`\Phi(-a) = \tfrac12 e^{-Q(a)}`. It costs a single exponential, keeps the relative precision
of the small tail, and is what training needs.

The coefficients were computed for this file. The series: values at the 40 or 50 Chebyshev nodes with 50 digits (mpmath), and a
discrete cosine transform. Q: least squares on [0, 6], reweighted (Lawson 1961) until the largest error of
:math:`\Phi` is as small as degree 8 allows, 2.4e-8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Array = Any

NEAR = (1.9509538787653082, -0.14226120510371365, 0.010035582187599796, -0.0005768764699767485, 2.741993125219606e-05,
        -1.1043175507344507e-06, 3.8488755420345036e-08, -1.1808582533875466e-09, 3.2334215826050907e-11,
        -7.991015947004549e-13, 1.7990725113961456e-14, -3.718635487818693e-16, 7.103599003714253e-18)  # fmt: skip
FAR = (-1.4451012748122183, 0.27430720878459447, 0.0048938741789527045, -0.000749455711335077, -4.7304345082638056e-05,
       5.513677106379243e-06, 4.649846842346955e-07, -6.245716691208546e-08, -4.407154307716952e-09, 8.579689133962873e-10,
       3.0328911802669214e-11, -1.2114187360543218e-11, 9.840387704217814e-14, 1.5484347445502127e-13,
       -9.159846762507716e-15, -1.5223606548518827e-15, 2.0972022267934158e-16)  # fmt: skip
TAIL = (0.7978865561823059, 0.31828557702551863, 0.036433441545608215, -0.0049679796061959805, 0.0001533060859429732,
        0.00010381857055362376, -2.1805140059280216e-05, 1.494443781166459e-06)  # fmt: skip
TAIL_END = 13.0  # exp(-Q(13)) is 0 in float32, and Q would overflow far beyond


def erf(xp: Any, x: Array) -> Array:
    r""":math:`\operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`, to about 3e-16 in float64 and 1e-7 in float32."""
    if x.dtype.itemsize < 8:
        a = xp.minimum(xp.abs(x), x.dtype.type(TAIL_END / math.sqrt(2))) * math.sqrt(2)
        return xp.copysign(-xp.expm1(-tail_exponent(xp, a)), x).astype(x.dtype)
    a = xp.abs(x)
    near = xp.minimum(a, 1.0)
    t = 2.0 / (2.0 + xp.minimum(xp.maximum(a, 1.0), 6.0))
    low = near * _chebyshev(xp, NEAR, 2.0 * near * near - 1.0)
    far = 1.0 - t * xp.exp(_chebyshev(xp, FAR, (24.0 * t - 11.0) / 5.0) - (2.0 / t - 2.0) ** 2)
    return xp.copysign(xp.where(a < 1.0, low, far), x)


def _chebyshev(xp: Any, coefficients: Sequence[float], u: Array) -> Array:
    r""":math:`\tfrac12 c_0 + \sum_{k \ge 1} c_k T_k(u)`."""
    b, previous = xp.zeros_like(u), xp.zeros_like(u)
    for c in coefficients[:0:-1]:
        b, previous = 2.0 * u * b - previous + c, b
    return u * b - previous + 0.5 * coefficients[0]


def tail_exponent(xp: Any, a: Array) -> Array:
    """Q(a) for a float32 array of 0 <= a <= TAIL_END, by Horner's rule in place."""
    q = a * TAIL[-1]
    for c in TAIL[-2::-1]:
        q += c
        q *= a
    return q


def normal_cdf(xp: Any, x: Array) -> Array:
    r""":math:`\Phi(x) = \tfrac12 (1 + \operatorname{erf}(x / \sqrt2))`, the probability that a standard normal number is below x."""
    if x.dtype.itemsize >= 8:
        return 0.5 * (1.0 + erf(xp, x * math.sqrt(0.5)))
    a = xp.abs(x)
    xp.minimum(a, a.dtype.type(TAIL_END), out=a)
    p = tail_exponent(xp, a)
    xp.negative(p, out=p)
    xp.exp(p, out=p)
    p *= 0.5
    return xp.where(x < 0, p, 1.0 - p)
