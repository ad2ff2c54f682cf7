r"""The CPU's hot functions as loops: one pass over memory where NumPy's whole-array operations take five to fifteen.

Each kernel reads like its formula in `minilm.backend.reference`, which says what it computes and stays its specification. It is
for float32 arrays without gaps, single-threaded, and works on rows `start` to `stop`, so that others can be another thread's;
those of single elements take flat arrays. (Numba counts negative indices from the end: it does not vectorize a loop over
``range(start, stop)``, whose first index might be one, but over ``range(n)``.) `minilm.backend.compiled_cpu` decides which arrays
come here; Numba compiles (`minilm.backend.jit`).
"""

from __future__ import annotations

import ctypes
import math
import sys
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from minilm.backend.jit import EXACT, LOOSE, MAXIMA, kernel, part
from minilm.backend.reference import GELU_CUBIC, GELU_SLOPE
from minilm.backend.special import FLAT, R_OF_CDF

F = np.float32
ZERO, ONE, HALF, INFINITE, LOWEST_FINITE = F(0), F(1), F(0.5), F(np.inf), np.finfo(F).min

# -- exp --------------------------------------------------------------------------------------------------------------

LOWEST, HIGHEST = F(-87.0), F(88.0)  # beyond, exp is taken as 0 and as infinity
LOG2E, LN2_HIGH, LN2_LOW = F(1.4426950408889634), F(0.693359375), F(-2.12194440e-4)
E0, E1, E2, E3, E4, E5 = (F(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                                         1.6666665459e-1, 5.0000001201e-1))  # fmt: skip
BIAS, MANTISSA = np.int32(127), np.int32(23)


@part(EXACT)
def exp(x):
    r""":math:`e^x = 2^n e^r` with :math:`n = \lfloor x \log_2 e \rceil` and a polynomial in r, as Cephes has it (Moshier 1989).

    To 1.4 units in the last place. The library's own would be a call for each number; this is vectorized with the loop around it.
    """
    c = x if x > LOWEST else LOWEST
    c = c if c < HIGHEST else HIGHEST
    n = np.rint(c * LOG2E)
    r = c - n * LN2_HIGH
    r = r - n * LN2_LOW
    p = ((((E0 * r + E1) * r + E2) * r + E3) * r + E4) * r + E5
    power = np.int32(np.int32(np.int32(n) + BIAS) << MANTISSA)  # 2^n: an exponent and no digits
    y = (p * (r * r) + r + ONE) * power.view(np.float32)
    y = y if x >= LOWEST else ZERO
    y = y if x <= HIGHEST else INFINITE
    return y if x == x else x


# -- activations ------------------------------------------------------------------------------------------------------

END, TINY, DENSITY = F(FLAT), F(1e-30), F(math.sqrt(0.5 / math.pi))
G0, G1, G2, G3, G4, G5, G6 = (F(2.0 * c) for c in R_OF_CDF)
T0, T1 = F(2.0 * GELU_SLOPE), F(2.0 * GELU_SLOPE * GELU_CUBIC)
T2 = F(6.0 * GELU_SLOPE * GELU_CUBIC)


@part(EXACT)
def within(x):
    """x, cut to where GELU bends; NaN stays."""
    u = x if x > -END else -END
    u = u if u < END else END
    return u if x == x else x


@part(EXACT)
def gate_normal(u):
    r""":math:`\Phi(u) = \tfrac12 (1 + \tanh t) = 1 / (1 + e^{-2t})`, t = u R(u²/2) / √2: see `minilm.backend.special`."""
    s = u * u
    return ONE / (ONE + exp(-u * ((((((G6 * s + G5) * s + G4) * s + G3) * s + G2) * s + G1) * s + G0)))


@part(EXACT)
def odds_tanh(u):
    r""":math:`e^{-2t}`, t as in GELU's approximation: the gate is p = 1 / (1 + it), and 1 - p is p times it."""
    return exp(-u * (T1 * (u * u) + T0))


@part(EXACT)
def known_gate(x, y):
    """The gate as y / x; its limits where that quotient says nothing."""
    q = y / x
    end = ONE if x > ZERO else ZERO
    q = q if abs(x) < END else end
    q = q if abs(x) > TINY else HALF
    return q if x == x else x


@kernel("f4[::1], f4[::1]")
def gelu(x, y):
    for i in range(x.size):
        y[i] = x[i] * gate_normal(within(x[i]))


@kernel("f4[::1], f4[::1]")
def gelu_tanh(x, y):
    for i in range(x.size):
        y[i] = x[i] / (ONE + odds_tanh(within(x[i])))


@kernel("f4[::1], f4[::1], f4[::1], f4[::1]")
def gelu_backward(g, x, y, dx):
    for i in range(x.size):
        u, p = within(x[i]), known_gate(x[i], y[i])
        dx[i] = g[i] * (p + u * (exp(-HALF * (u * u)) * DENSITY))


@kernel("f4[::1], f4[::1], f4[::1]")
def gelu_tanh_backward(g, x, dx):
    for i in range(x.size):
        u = within(x[i])
        odds = odds_tanh(u)
        p = ONE / (ONE + odds)
        rest = (
            odds * p if p > HALF else ONE - p
        )  # of which 1 - p keeps few digits where p is near 1, and the product none near 0
        dx[i] = g[i] * (p + u * ((T0 + T2 * (u * u)) * p * rest))


@kernel("f4[::1], f4[::1]")
def relu(x, y):
    for i in range(x.size):
        y[i] = x[i] if not x[i] <= ZERO else ZERO  # NaN stays


@kernel("f4[::1], f4[::1], f4[::1]")
def relu_backward(g, y, dx):
    for i in range(g.size):
        dx[i] = g[i] if y[i] != ZERO else g[i] * ZERO  # y is never below 0; where it is NaN the gradient goes through


@kernel("f4[:, :], f4[:, :], f4[:, ::1]")
def swiglu(gate, up, y):
    r""":math:`g\, \sigma(g) \odot u`, with :math:`\sigma(g) = 1 / (1 + e^{-g})` (Shazeer 2020, "GLU variants improve Transformer")."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = gate[i, j] / (ONE + exp(-gate[i, j])) * up[i, j]


# -- normalization ----------------------------------------------------------------------------------------------------


@kernel("f4[:, ::1], f4[::1], f4[::1], f4, f4[:, ::1], f4[::1], f4[::1], intp, intp", LOOSE)
def layer_norm(x, weight, bias, eps, y, mean, rstd, start, stop):
    n = x.shape[1]
    share = F(1.0 / n)
    for i in range(start, stop):
        s = ZERO
        for j in range(n):
            s += x[i, j]
        m = s * share
        s = ZERO
        for j in range(n):
            s += (x[i, j] - m) * (x[i, j] - m)
        r = ONE / np.sqrt(s * share + eps)
        mean[i], rstd[i] = m, r
        for j in range(n):
            y[i, j] = (x[i, j] - m) * r * weight[j] + bias[j]


@kernel("f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1], f4[:, ::1], f4[::1], f4[::1], intp, intp", LOOSE)
def layer_norm_backward(g, x, weight, mean, rstd, dx, dweight, dbias, start, stop):
    n = x.shape[1]
    share = F(1.0 / n)
    for i in range(start, stop):
        m, r, s, t = mean[i], rstd[i], ZERO, ZERO
        for j in range(n):
            d = g[i, j] * weight[j]
            s += d
            t += d * (x[i, j] - m)
        s *= share
        t *= share * r * r
        for j in range(n):
            dweight[j] += g[i, j] * ((x[i, j] - m) * r)
            dbias[j] += g[i, j]
        for j in range(n):
            dx[i, j] = (g[i, j] * weight[j] - s - (x[i, j] - m) * t) * r


@kernel("f4[:, ::1], f4[::1], f4, f4[:, ::1], f4[::1], intp, intp", LOOSE)
def rms_norm(x, weight, eps, y, rrms, start, stop):
    n = x.shape[1]
    share = F(1.0 / n)
    for i in range(start, stop):
        s = ZERO
        for j in range(n):
            s += x[i, j] * x[i, j]
        r = ONE / np.sqrt(s * share + eps)
        rrms[i] = r
        for j in range(n):
            y[i, j] = x[i, j] * r * weight[j]


@kernel("f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[:, ::1], f4[::1], intp, intp", LOOSE)
def rms_norm_backward(g, x, weight, rrms, dx, dweight, start, stop):
    n = x.shape[1]
    share = F(1.0 / n)
    for i in range(start, stop):
        r, t = rrms[i], ZERO
        for j in range(n):
            t += g[i, j] * weight[j] * x[i, j]
        t *= share * r * r
        for j in range(n):
            dweight[j] += g[i, j] * (x[i, j] * r)
        for j in range(n):
            dx[i, j] = (g[i, j] * weight[j] - x[i, j] * t) * r


# -- softmax and cross-entropy ----------------------------------------------------------------------------------------

BLOCK = (
    1 << 12
)  # numbers of rows whose exponentials are one loop: a short row each would end in steps of single numbers
SAFE = F(60)  # between it and its negative, exp neither overflows nor vanishes: nothing need be subtracted


@part(EXACT)
def count_far(x):
    """How many numbers lie outside of (-SAFE, SAFE), but for -infinity; NaN does."""
    far = 0
    for j in range(x.size):
        near = (x[j] < SAFE and x[j] > -SAFE) or x[j] == -INFINITE
        far += 0 if near else 1
    return far


@part(MAXIMA)
def largest(x):
    top = x[0]
    for j in range(1, x.size):
        top = max(top, x[j])
    return top


@part(LOOSE)
def total(x):
    s = ZERO
    for j in range(x.size):
        s += x[j]
    return s


@part(LOOSE)
def subtract(x, c):
    for j in range(x.size):
        x[j] -= c


@part(EXACT)
def divide(x, c):
    for j in range(x.size):
        x[j] /= c


@part(EXACT)
def exponentials(x):
    for j in range(x.size):
        x[j] = exp(x[j])


@part(EXACT)
def softmax_rows(x, n):
    """The softmax of each row of n numbers, in their place; zeros where all are -infinity. A sum with NaN is NaN."""
    if n > 0 and count_far(x) > 0:
        for i in range(0, x.size, n):
            top = largest(x[i : i + n])
            subtract(x[i : i + n], top if top != -INFINITE else ZERO)
    exponentials(x)
    for i in range(0, x.size, n):
        s = total(x[i : i + n])
        divide(x[i : i + n], s if s != ZERO else ONE)  # not times 1 / s: a single number becomes 1


@kernel("f4[::1], f4[::1], intp, intp, intp")
def softmax(x, y, n, start, stop):
    """Rows `start` to `stop` of n numbers."""
    many = max(1, BLOCK // max(1, n))
    for i in range(start, stop, many):
        end = min(i + many, stop)
        block = y[i * n : end * n]
        copy(x[i * n : end * n], block)
        softmax_rows(block, n)


@part(EXACT)
def copy(x, y):
    for j in range(x.size):
        y[j] = x[j]


@kernel("f4[:, ::1], f4[:, ::1], f4[:, ::1], intp, intp", LOOSE)
def softmax_backward(g, y, dx, start, stop):
    for i in range(start, stop):
        s = ZERO
        for j in range(g.shape[1]):
            s += g[i, j] * y[i, j]
        for j in range(g.shape[1]):
            dx[i, j] = y[i, j] * (g[i, j] - s)


@kernel("f4[::1], intp, i8[::1], i8, f4[::1], f4[::1], f4[::1], f4[::1], intp, intp")
def cross_entropy(x, n, target, ignore, loss, share, top, sums, start, stop):
    many = max(1, BLOCK // n)
    e = np.empty(many * n, np.float32)
    for first in range(start, stop, many):
        end = min(first + many, stop)
        for i in range(first, end):
            row = e[(i - first) * n : (i - first + 1) * n]
            copy(x[i * n : (i + 1) * n], row)
            m = largest(row)
            top[i] = m if m != -INFINITE else LOWEST_FINITE
            subtract(row, top[i])
        exponentials(e[: (end - first) * n])
        for i in range(first, end):
            sums[i] = total(e[(i - first) * n : (i - first + 1) * n])
            if sums[i] != sums[i] and top[i] != INFINITE:  # a row with NaN, of which `largest` says nothing
                top[i] = sums[i]
            counts = target[i] != ignore
            share[i] = ONE if counts else ZERO
            z = x[i * n + target[i]] - top[i] if counts else ZERO
            loss[i] = share[i] * (F(math.log(sums[i])) - z)


@kernel("f4[::1], f4[:, ::1], i8[::1], i8, f4[::1], f4[::1], f4[:, ::1], intp, intp")
def cross_entropy_backward(g, x, target, ignore, top, sums, dx, start, stop):
    for i in range(start, stop):
        hit = g[i] if target[i] != ignore else g[i] * ZERO
        factor = hit / sums[i]
        for j in range(x.shape[1]):
            dx[i, j] = exp(x[i, j] - top[i]) * factor
        if target[i] != ignore:
            dx[i, target[i]] -= hit


# -- attention --------------------------------------------------------------------------------------------------------


def _bind_sgemm() -> Any:
    """NumPy's own product of float32 matrices, made callable from compiled code, and the bits of its integers; None where it goes
    by no name of a CBLAS."""
    from llvmlite import binding

    library = ctypes.CDLL(sys.modules["numpy._core._multiarray_umath"].__file__)
    for name, integer in (("scipy_cblas_sgemm64_", types.int64), ("scipy_cblas_sgemm", types.int32),
                          ("cblas_sgemm64_", types.int64), ("cblas_sgemm", types.int32)):  # fmt: skip
        if hasattr(library, name):
            symbol = f"minilm_sgemm{integer.bitwidth}"
            binding.add_symbol(symbol, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
            c, i, f, p = types.int32, integer, types.float32, types.intp
            return types.ExternalFunction(
                symbol, types.void(c, c, c, i, i, i, f, p, i, p, i, f, p, i)
            ), integer.bitwidth
    return None, 0


sgemm, SGEMM_BITS = _bind_sgemm()
ROW_MAJOR, PLAIN, TURNED = np.int32(101), np.int32(111), np.int32(112)  # CblasRowMajor, CblasNoTrans, CblasTrans
GROUP = 32  # queries (or keys) that go through the products together, where later keys are left out
LONG_GROUP = 64  # queries elsewhere


def calls_sgemm(function: Any) -> Any:
    """Names the function, in the cache too, by what it is linked with: NumPy's BLAS may have other integers tomorrow."""
    function.__qualname__ += f"_{SGEMM_BITS}"
    return function


@part(EXACT)
def product(m, n, k, alpha, a, turn_a, lda, b, turn_b, ldb, beta, c, ldc):
    """C = alpha op(A) op(B) + beta C, m x k times k x n. Matrices are addresses; from row to row are `lda`, `ldb`, `ldc` bytes."""
    sgemm(ROW_MAJOR, TURNED if turn_a else PLAIN, TURNED if turn_b else PLAIN, m, n, k, alpha, a, lda // 4, b, ldb // 4, beta, c,
          ldc // 4)  # fmt: skip


@intrinsic
def pointer(_context: Any, address: Any) -> Any:
    """An address as a pointer to float32: C's cast, which Numba does not have."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.intp), code


@part(LOOSE)
def zero_if_finite(x, n):
    """0; NaN where one of the n numbers at a pointer is not finite."""
    s = ZERO
    for j in range(n):
        s += x[j] * ZERO
    return s


@part(EXACT)
def all_finite(address, rows, n, step):
    """Whether the rows (n,) of a matrix, `step` bytes apart, hold neither NaN nor infinity."""
    s = ZERO
    for i in range(rows):
        s += zero_if_finite(pointer(address + i * step), n)
    return s == ZERO


@part(LOOSE)
def add(x, y):
    for j in range(x.size):
        x[j] += y[j]


@part(EXACT)
def fill(x, value):
    for j in range(x.size):
        x[j] = value


@part(EXACT)
def multiply(x, y, out):
    for j in range(x.size):
        out[j] = x[j] * y[j]


@part(LOOSE)
def dot(x, y, n):
    """Of n numbers at two pointers."""
    s = ZERO
    for j in range(n):
        s += x[j] * y[j]
    return s


@part(EXACT)
def add_times(wide, x, factor):
    """Adds a multiple of the numbers at a pointer to float64."""
    for j in range(wide.size):
        wide[j] += factor * x[j]


@part(EXACT)
def narrow(wide, y):
    """Writes float64 as float32 to a pointer."""
    for j in range(wide.size):
        y[j] = F(wide[j])


@kernel("i8[:, ::1], i8[::1], intp, intp, f4[:, :, ::1], f4[:, ::1], i8[::1], f4[:, :, ::1], f4, intp, intp")
def attention_of_one(at, step, size, width, p, bias, bias_at, keep, scale, start, stop):
    """`attention` of one query, as in generation: each key and each value is read once, which a product of matrices cannot do faster."""
    keys, wide = p.shape[2], np.empty(width, np.float64)
    for h in range(start, stop):
        at_q, at_k, at_v, at_y = at[h]
        s = p[h, 0]
        for j in range(keys):
            s[j] = scale * dot(pointer(at_q), pointer(at_k + j * step[1]), size)
        if bias.size:
            add(s, bias[bias_at[h]])
        softmax_rows(s, keys)
        wide[:] = 0.0
        for j in range(keys):
            add_times(wide, pointer(at_v + j * step[2]), s[j] * keep[h, 0, j] if keep.size else s[j])
        narrow(wide, pointer(at_y))


@kernel("i8[:, ::1], i8[::1], intp, intp, f4[:, :, ::1], f4[:, ::1], i8[::1], intp, f4[:, :, ::1], f4, b1, intp, intp")
@calls_sgemm
def attention(at, step, size, width, p, bias, bias_at, bias_step, keep, scale, causal, start, stop):
    """Heads `start` to `stop`: `at` (heads, 4) holds the addresses of their q, k, v and y, whose rows lie `step` (4,) bytes apart.

    p (heads, queries, keys) becomes the probabilities. Head h adds row ``bias_at[h] + i * bias_step`` of `bias` to the scores of query
    i; `keep` is the dropout mask. Both may be empty.

    Keys that come after all of a group's queries are left out, unless something is infinite: 0 times that is NaN.
    """
    queries, keys = p.shape[1], p.shape[2]
    late, line = keys - queries, keys * 4
    dropped = np.empty(LONG_GROUP * keys if keep.size else 0, np.float32)
    for h in range(start, stop):
        at_q, at_k, at_v, at_y = at[h]
        skip = causal and (all_finite(at_q, queries, size, step[0]) and all_finite(at_k, keys, size, step[1])
                           and all_finite(at_v, keys, width, step[2]))  # fmt: skip
        group = GROUP if skip else LONG_GROUP
        for first in range(0, queries, group):
            rows = min(group, queries - first)
            seen = min(keys, max(0, late + first + rows)) if skip else keys
            s = p[h, first : first + rows]
            at_s = s.ctypes.data
            if seen > 0:
                product(
                    rows,
                    seen,
                    size,
                    scale,
                    at_q + first * step[0],
                    False,
                    step[0],
                    at_k,
                    True,
                    step[1],
                    ZERO,
                    at_s,
                    line,
                )
            for i in range(rows):
                if bias.size:
                    add(s[i, :seen], bias[bias_at[h] + (first + i) * bias_step, :seen])
                if causal:
                    own = max(0, late + first + i + 1)
                    if own < seen:
                        subtract(s[i, own:seen], INFINITE)
                    if seen < keys:
                        fill(s[i, seen:], -INFINITE)
            flat = s.reshape(rows * keys)
            softmax_rows(flat, keys)
            if keep.size:
                multiply(flat, keep[h, first : first + rows].reshape(rows * keys), dropped)
                at_s = dropped.ctypes.data
            product(
                rows, width, seen, ONE, at_s, False, line, at_v, False, step[2], ZERO, at_y + first * step[3], step[3]
            )


@part(LOOSE)
def score_gradient(d, p, c):
    for j in range(d.size):
        d[j] = (d[j] - c) * p[j]


@kernel("i8[:, ::1], i8[::1], intp, intp, f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4, b1, intp, intp")
@calls_sgemm
def attention_backward(at, step, size, width, p, keep, ds, scale, causal, start, stop):
    """Heads `start` to `stop`: `at` (heads, 8) holds the addresses of g, q, k, v, y, dq, dk and dv, `step` (8,) their rows' bytes.

    The gradient of the scores goes to `ds`, unless it is empty. The sum over the keys in softmax's rule is g · y, which is
    shorter (Dao et al. 2022, "FlashAttention", appendix B.4).
    """
    queries, keys = p.shape[1], p.shape[2]
    late, line = keys - queries, keys * 4
    scratch = np.zeros((queries, keys), np.float32)
    dropped = np.empty((queries if keep.size else 0, keys), np.float32)
    for h in range(start, stop):
        at_g, at_q, at_k, at_v, at_y, at_dq, at_dk, at_dv = at[h]
        d = ds[h] if ds.size else scratch
        s = p[h]
        skip = causal and (all_finite(at_g, queries, width, step[0]) and all_finite(at_q, queries, size, step[1])
                           and all_finite(at_k, keys, size, step[2]) and all_finite(at_v, keys, width, step[3]))  # fmt: skip
        group = GROUP if skip else LONG_GROUP
        for first in range(0, queries, group):
            rows = min(group, queries - first)
            seen = min(keys, max(0, late + first + rows)) if skip else keys
            at_d = d.ctypes.data + first * line
            if seen > 0:
                product(
                    rows,
                    seen,
                    width,
                    ONE,
                    at_g + first * step[0],
                    False,
                    step[0],
                    at_v,
                    True,
                    step[3],
                    ZERO,
                    at_d,
                    line,
                )
            for i in range(first, first + rows):
                if keep.size:
                    multiply(d[i, :seen], keep[h, i, :seen], d[i, :seen])
                    multiply(s[i], keep[h, i], dropped[i])
                score_gradient(
                    d[i, :seen], s[i, :seen], dot(pointer(at_g + i * step[0]), pointer(at_y + i * step[4]), width)
                )
                if seen < keys:
                    fill(d[i, seen:], ZERO)
            product(
                rows, size, seen, scale, at_d, False, line, at_k, False, step[2], ZERO, at_dq + first * step[5], step[5]
            )
        at_p, at_d = (dropped.ctypes.data if keep.size else s.ctypes.data), d.ctypes.data
        group = GROUP if skip else keys
        for first in range(0, keys, group):
            columns = min(group, keys - first)
            before = min(queries, max(0, first - late)) if skip else 0  # so many queries see none of these keys
            rows, corner = queries - before, (before * keys + first) * 4
            product(columns, size, rows, scale, at_d + corner, True, line, at_q + before * step[1], False, step[1],
                    ZERO, at_dk + first * step[6], step[6])  # fmt: skip
            product(columns, width, rows, ONE, at_p + corner, True, line, at_g + before * step[0], False, step[0],
                    ZERO, at_dv + first * step[7], step[7])  # fmt: skip


@part(LOOSE)
def dots(x, rows, out):
    """The products of a vector with rows, four at a time: the sum of one is made while those of the others wait."""
    n, whole = rows.shape[0], rows.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        a = b = c = d = ZERO
        for j in range(x.size):
            a += x[j] * rows[i, j]
            b += x[j] * rows[i + 1, j]
            c += x[j] * rows[i + 2, j]
            d += x[j] * rows[i + 3, j]
        out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
    for i in range(whole, n):
        a = ZERO
        for j in range(x.size):
            a += x[j] * rows[i, j]
        out[i] = a


@part(LOOSE)
def weighted(p, rows, out):
    """The sum of rows, each times its weight."""
    n, whole = rows.shape[0], rows.shape[0] // 4 * 4
    fill(out, ZERO)
    for i in range(0, whole, 4):
        a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
        for j in range(out.size):
            out[j] += (a * rows[i, j] + b * rows[i + 1, j]) + (c * rows[i + 2, j] + d * rows[i + 3, j])
    for i in range(whole, n):
        for j in range(out.size):
            out[j] += p[i] * rows[i, j]


@kernel("f4[:, :, :, :], f4[:, :, :, ::1], f4[:, :, :, ::1], intp, f4, f4[:, :, :, ::1]")
def attention_in_cache(q, keys, values, length, scale, y):
    """One query q (B, H, G, D) for each of G heads to the first `length` of the keys and values (B, H, room, D): y (B, H, G, D)."""
    own, p = np.empty(q.shape[3], np.float32), np.empty(length, np.float32)
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for g in range(q.shape[2]):
                for d in range(own.size):
                    own[d] = q[b, h, g, d] * scale
                dots(own, keys[b, h, :length], p)
                softmax_rows(p, length)
                weighted(p, values[b, h, :length], y[b, h, g])


# -- dropout, embedding, optimizer ------------------------------------------------------------------------------------

M1, M2, S13, S16 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35), np.uint32(13), np.uint32(16)


@part(EXACT)
def mixed(z, half):
    """The 32-bit finalizer of MurmurHash3 (Appleby 2011), after one half of the key was put in."""
    z = np.uint32(z ^ half)
    z = np.uint32(z ^ np.uint32(z >> S16))
    z = np.uint32(z * M1)
    z = np.uint32(z ^ np.uint32(z >> S13))
    z = np.uint32(z * M2)
    return np.uint32(z ^ np.uint32(z >> S16))


@kernel("f4[::1], u4, u4, u4, u4, f4")
def dropout_mask(mask, first, low, high, limit, kept):
    for i in range(mask.size):
        z = mixed(mixed(np.uint32(np.uint32(i) + first), low), high)
        mask[i] = kept if z >= limit else ZERO


@kernel("f4[:, ::1], i8[::1], f4[:, ::1]")
def embedding_grad(g, ids, out):
    for i in range(ids.size):
        row = ids[i]
        for j in range(g.shape[1]):
            out[row, j] += g[i, j]


@kernel("f4[::1], f4[::1], f4[::1], f4[::1], f4, f4, f4, f4, f4, f4, f4")
def adamw(p, g, m, v, beta1, rest1, beta2, rest2, rate, shift, decay):
    """With c = 1 - beta ** step: `rate` is lr √c2 / c1, `shift` eps √c2, `decay` 1 - lr · weight_decay."""
    for i in range(p.size):
        a = m[i] * beta1 + g[i] * rest1
        b = v[i] * beta2 + (g[i] * g[i]) * rest2
        m[i] = a
        v[i] = b
        p[i] = p[i] * decay - rate * (a / (np.sqrt(b) + shift))


# -- pooling ----------------------------------------------------------------------------------------------------------


@kernel("f4[:, :, ::1], f4[:, :, ::1], u1[:, :, ::1], intp, intp")
def max_pool_2(x, y, place, start, stop):
    """Windows of 2 x 2 side by side: x (images, 2 H, 2 W), y and place (images, H, W). Comparisons are such that NaN is no largest."""
    for n in range(start, stop):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                a, b = x[n, 2 * i, 2 * j], x[n, 2 * i, 2 * j + 1]
                c, d = x[n, 2 * i + 1, 2 * j], x[n, 2 * i + 1, 2 * j + 1]
                best, where = a, 0
                where = 1 if b > best else where
                best = b if b > best else best
                best = b if b != b else best
                where = 2 if c > best else where
                best = c if c > best else best
                best = c if c != c else best
                where = 3 if d > best else where
                best = d if d > best else best
                best = d if d != d else best
                y[n, i, j] = best
                place[n, i, j] = where


@kernel("f4[:, :, ::1], u1[:, :, ::1], f4[:, :, ::1], intp, intp")
def max_pool_2_backward(g, place, dx, start, stop):
    for n in range(start, stop):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                value, where = g[n, i, j], place[n, i, j]
                dx[n, 2 * i, 2 * j] = value * F(where == 0)
                dx[n, 2 * i, 2 * j + 1] = value * F(where == 1)
                dx[n, 2 * i + 1, 2 * j] = value * F(where == 2)
                dx[n, 2 * i + 1, 2 * j + 1] = value * F(where == 3)


# -- convolution with stride 1 ----------------------------------------------------------------------------------------
# An image lies in a frame of zeros, whose rows are one behind the other. So what a place of the window sees, in all windows, is one
# long run of numbers. Windows run on over the ends of rows: what those give is cut off.

COLUMNS = 1 << 16  # numbers of columns that are made, multiplied and forgotten in a core's cache


@part(EXACT)
def put(x, top, left, width, frame):
    """Images (C, H, W) into frames (C, room), rows of `width`."""
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            at = (top + i) * width + left
            copy(x[c, i], frame[c, at : at + x.shape[2]])


@part(EXACT)
def spread(frame, first, kernel, dilation, width, columns):
    """From the row `first` on, what each place of the window sees: (C kh kw, size). That is im2col."""
    size, k = columns.shape[1], 0
    for c in range(frame.shape[0]):
        for u in range(kernel[0]):
            for v in range(kernel[1]):
                at = (first + u * dilation[0]) * width + v * dilation[1]
                copy(frame[c, at : at + size], columns[k])
                k += 1


@kernel("f4[:, :, :, ::1], f4[:, :, ::1], f4[::1], i8[::1], i8[::1], i8[::1], intp, f4[:, :, :, ::1], intp, intp")
@calls_sgemm
def correlate(x, filters, bias, kernel, dilation, corner, width, y, start, stop):
    """x (N, C, H, W), filters (groups, O / groups, C / groups kh kw), y (N, O, H', W'); the images' corner is at `corner` in the frame."""
    (groups, count, places), (rows, line) = filters.shape, y.shape[2:]
    room = (rows + (kernel[0] - 1) * dilation[0]) * width + (kernel[1] - 1) * dilation[1]
    frame = np.zeros((x.shape[1], room), np.float32)
    band = max(1, min(rows, COLUMNS // (groups * places * width)))  # rows of windows at a time
    columns, z = np.empty((groups * places, band * width), np.float32), np.empty((count, band * width), np.float32)
    step = band * width * 4
    for n in range(start, stop):
        put(x[n], corner[0], corner[1], width, frame)
        for first in range(0, rows, band):
            here = min(band, rows - first)
            spread(frame, first, kernel, dilation, width, columns[:, : here * width])
            for g in range(groups):
                product(count, here * width, places, ONE, filters[g].ctypes.data, False, places * 4,
                        columns.ctypes.data + g * places * step, False, step, ZERO, z.ctypes.data, step)  # fmt: skip
                for o in range(count):
                    for i in range(here):
                        shifted_copy(
                            z[o, i * width : i * width + line], bias[g * count + o], y[n, g * count + o, first + i]
                        )


@part(EXACT)
def shifted_copy(x, c, y):
    for j in range(x.size):
        y[j] = x[j] + c


@kernel("f4[:, :, :, ::1], f4[:, :, :, ::1], i8[::1], i8[::1], i8[::1], intp, f4[:, :, ::1], intp, intp")
@calls_sgemm
def filter_gradient(x, g, kernel, dilation, corner, width, dfilters, start, stop):
    """Adds the images' shares to `dfilters` (groups, C / groups kh kw, O / groups), whose product is the faster one."""
    (groups, places, count), rows = dfilters.shape, g.shape[2]
    room = (rows + (kernel[0] - 1) * dilation[0]) * width + (kernel[1] - 1) * dilation[1]
    frame = np.zeros((x.shape[1], room), np.float32)
    band = max(1, min(rows, COLUMNS // (groups * places * width)))
    columns = np.empty((groups * places, band * width), np.float32)
    lines = np.zeros((groups * count, band * width), np.float32)  # with zeros for the windows that run over the end
    step = band * width * 4
    for n in range(start, stop):
        put(x[n], corner[0], corner[1], width, frame)
        for first in range(0, rows, band):
            here = min(band, rows - first)
            spread(frame, first, kernel, dilation, width, columns[:, : here * width])
            put(g[n, :, first : first + here], 0, 0, width, lines)
            for k in range(groups):
                product(places, count, here * width, ONE, columns.ctypes.data + k * places * step, False, step,
                        lines.ctypes.data + k * count * step, True, step, ONE, dfilters[k].ctypes.data, count * 4)  # fmt: skip
