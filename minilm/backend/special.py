r"""The error function, for any array module: NumPy has none.

.. math:: \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt

In float64 there are two polynomials, P near zero and Q further out:

.. math:: \operatorname{erf} x = x + x P(x^2) \;(|x| < 1), \qquad
    \operatorname{erf} x = 1 - e^{-x^2} Q\!\left(\tfrac{x - 3}{x + 3}\right) \;(1 \le x \le 6)

In float32, in which training computes, there is one, inside a hyperbolic tangent, which brings its own saturation:

.. math:: \operatorname{erf} x = \tanh(x\, R(x^2))

How the coefficients were made, with mpmath at 50 digits. P and Q: the interpolating polynomials of degree 12 and 14 at Chebyshev
nodes, on [0, 1] and [-1/2, 1/3]. R: least squares of degree 6 on [0, 4], reweighted (Lawson 1961) until the largest relative
error of erf is smallest, which is 9.5e-8.
"""

from __future__ import annotations

import math
from typing import Any

from minilm.types import Array

P = (0.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792, 0.0052239776248180145,
     -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05, 1.6461000484121368e-06,
     -1.6350312701054695e-07, 1.4659775274047436e-08, -1.1372848856791674e-09, 5.957176147748911e-11)  # fmt: skip
Q = (0.17900115118138996, -0.32623356004303716, 0.24560380171233195, -0.15011593650078744, 0.07166583719774874,
     -0.024392499318273194, 0.004269136347508256, 0.0007077464443901538, -0.0005970623517093284, 4.525472635483354e-05,
     6.406182073530546e-05, -1.284889451252353e-05, -8.008021319412685e-06, 2.023603179641757e-06,
     1.2801900862962662e-06)  # fmt: skip
R = (1.12837923, 0.102769054, -0.000191830914, -0.00061978458, 8.76372869e-05, -5.66846802e-06, 1.41851743e-07)

FLAT = 40.0  # beyond it the normal density is 0 in float64, too
R_OF_CDF = tuple(c * 0.5 ** (k + 0.5) for k, c in enumerate(R))  # with erf(x / sqrt 2) = tanh(x R_OF_CDF(x^2))

END = 6.0  # from here on erf rounds to 1 in float64
END_FLOAT32 = 4.2  # in float32 already below 4; here tanh has reached 1 too


def erf(xp: Any, x: Array) -> Array:
    """The error function of each element: to 2 units in the last place in float64, to 2.6e-7 (relative) in float32.

    The dtype is kept; integers are taken as float64, float16 is computed in float32.
    """
    x = as_float(xp, x)
    if x.dtype.itemsize < 8:
        return _erf_float32(xp, x.astype(xp.float32, copy=False)).astype(x.dtype, copy=False)
    return _erf_float64(xp, x)


def normal_cdf(xp: Any, x: Array, square: Array) -> Array:
    r"""The normal distribution function :math:`\Phi(x) = \tfrac12 (1 + \operatorname{erf}(x / \sqrt2))` of floats.

    They lie in [-40, 40]; `square` holds their squares, which a caller needs too.
    """
    if x.dtype == xp.float32:
        y = polynomial(R_OF_CDF, square)
        y *= x
        xp.tanh(y, out=y)
    else:
        y = erf(xp, x * math.sqrt(0.5))
    y *= 0.5
    y += 0.5
    return y


def as_float(xp: Any, x: Any) -> Array:
    """An array of floats: itself, or float64 where it held integers."""
    x = xp.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(xp.float64)


def _erf_float32(xp: Any, x: Array) -> Array:
    u = xp.clip(x, -END_FLOAT32, END_FLOAT32)
    y = polynomial(R, u * u)
    y *= u
    return xp.tanh(y)


def _erf_float64(xp: Any, x: Array) -> Array:
    u = xp.clip(x, -END, END)
    a, square = xp.abs(u), u * u
    near = u + u * polynomial(P, square)
    far = 1.0 - xp.exp(-square) * polynomial(Q, (a - 3.0) / (a + 3.0))
    return xp.where(a < 1.0, near, xp.copysign(far, u))


def polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    r""":math:`\sum_k c_k x^k` by Horner's rule, in one array that is reused from step to step."""
    y = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        y += c
        y *= x
    y += coefficients[0]
    return y
