r"""Square matrices: inverse, solution of equations, determinant, Cholesky factor; and the norm of vectors.

Leading axes are a batch. Each result is computed by the array module (LAPACK on the CPU, cuSOLVER on a GPU), and each gradient from the
result: the derivations are in Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
"""

from __future__ import annotations

import numpy as np

from minilm.ops.arguments import normalize_axes, shape_of
from minilm.ops.arithmetic import abs as absolute
from minilm.ops.arithmetic import where
from minilm.ops.linalg import matmul, swap_last
from minilm.ops.op import Op, op
from minilm.ops.reduce import reduced, spread, sum_to
from minilm.ops.sample import Sample, invertible, positive, real
from minilm.ops.shape import reshape, tril, unsqueeze


def check_square(op_name, x):
    """Raises ValueError where x is no batch of square matrices."""
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{op_name}: expected square matrices (..., n, n), got shape {shape}.")


def computed(op_name, function, *arrays):
    """``function(*arrays)`` in a type that LAPACK knows, with its complaints in terms of the op.

    Raises:
        ValueError: a matrix has no result.
    """
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        why = "is not positive definite" if op_name == "cholesky" else "is singular: its rows depend on each other"
        raise ValueError(f"{op_name}: a matrix of {shape_of(arrays[0])} {why} ({error}).") from None


@op
class inv(Op):
    r"""The inverse of square matrices ``(..., n, n)``. To solve equations, `solve` is faster and more exact.

    Raises:
        ValueError: the matrices are not square, or one is singular (on a GPU the result is then not finite).
    """

    formula = r"Y = X^{-1}, \quad X Y = I"
    derivative = r"\bar X = -Y^\top \bar Y\, Y^\top"
    domain = "invertible matrices"
    integers = "floats"
    wide = True
    samples = [Sample(invertible(3, 3)), Sample(invertible(2, 2, 2)), Sample(real(0, 0))]

    def check(self, x):
        check_square("inv", x)
        return {}

    def forward(self, dev, x):
        return computed("inv", dev.xp.linalg.inv, x)

    def grad_x(self, g, y, _x):
        t = swap_last(y)
        return -matmul(t, matmul(g, t))


@op
class solve(Op):
    r"""The X with A X = B, for square A ``(..., n, n)`` and B ``(..., n, k)``; leading axes broadcast.

    A vector b ``(n,)``, or a batch of them ``(..., n)`` with exactly the leading axes of A, gives vectors.

    Raises:
        ValueError: A is not square, B does not fit it, or a matrix is singular (on a GPU the result is then not finite).
    """

    formula = r"A X = B"
    derivative = r"\bar B = A^{-\top} \bar X, \quad \bar A = -\bar B\, X^\top"
    domain = "invertible matrices A"
    integers = "floats"
    wide = True
    samples = [
        Sample(invertible(3, 3), real(3, 2)),
        Sample(invertible(2, 3, 3), real(3, 1)),
        Sample(invertible(2, 2), real(2)),
        Sample(invertible(2, 2, 2), real(2, 2)),
        Sample(invertible(2, 2), real(3, 2, 1)),
    ]

    def check(self, a, b):
        check_square("solve", a)
        matrices, right = shape_of(a), shape_of(b)
        rows = right[-1:] if are_vectors(matrices, right) else right[-2:-1]
        if rows != matrices[-1:]:
            raise ValueError(f"solve: A {matrices} has {matrices[-1]} rows, so B must be ({matrices[-1]},) or "
                             f"(..., {matrices[-1]}, k), got {right}.")  # fmt: skip
        return {}

    def forward(self, dev, a, b):
        if not are_vectors(a.shape, b.shape):
            return computed("solve", dev.xp.linalg.solve, a, b)
        return computed("solve", dev.xp.linalg.solve, a, b[..., None])[..., 0]

    def backward(self, g, x, a, b, *, needs):
        db = solve(swap_last(a), g)
        if are_vectors(shape_of(a), shape_of(b)):
            da = -matmul(unsqueeze(db, -1), unsqueeze(x, -2))
        else:
            da = -matmul(db, swap_last(x))
        return sum_to(da, shape_of(a)), sum_to(db, shape_of(b))


def are_vectors(matrices, right):
    """Whether the right side of equations is a vector, or a vector for each matrix (PyTorch's rule)."""
    return len(right) == 1 or (len(right) == len(matrices) - 1 and right == matrices[:-1])


@op
class det(Op):
    """The determinant of square matrices: ``(..., n, n) -> (...)``.

    The gradient divides by the determinant, so it needs an invertible matrix. Where the determinant itself would be too large or
    too small for the type, `logdet` is not.
    """

    formula = r"y = \det X = \sum_{\pi} \operatorname{sgn}(\pi) \prod_i x_{i\, \pi(i)}"
    derivative = r"\bar X = \bar y\, y\, X^{-\top}"
    domain = "all square matrices; the gradient for invertible ones"
    integers = "floats"
    wide = True
    samples = [Sample(invertible(3, 3)), Sample(invertible(2, 2, 2)), Sample(real(1, 1, low=0.5))]

    def check(self, x):
        check_square("det", x)
        return {}

    def forward(self, dev, x):
        return dev.xp.linalg.det(x)

    def grad_x(self, g, y, x):
        return reshape(g * y, (*shape_of(y), 1, 1)) * swap_last(inv(x))


@op
class logdet(Op):
    """The logarithm of the determinant of square matrices; NaN where that is negative, minus infinity where it is 0."""

    formula = r"y = \ln \det X"
    derivative = r"\bar X = \bar y\, X^{-\top}"
    domain = "matrices with a positive determinant"
    integers = "floats"
    wide = True
    samples = [Sample(positive(3, 3)), Sample(positive(2, 2, 2))]

    def check(self, x):
        check_square("logdet", x)
        return {}

    def forward(self, dev, x):
        sign, size = dev.xp.linalg.slogdet(x)
        return dev.xp.where(sign < 0, np.nan, size).astype(size.dtype)

    def grad_x(self, g, _y, x):
        return reshape(g, (*x.shape[:-2], 1, 1)) * swap_last(inv(x))


@op
class cholesky(Op):
    r"""The lower triangular L with :math:`L L^\top = X`, for symmetric positive definite X ``(..., n, n)``.

    X is taken as symmetric: half of X plus half of its transpose. So the gradient is symmetric, too.

    Raises:
        ValueError: the matrices are not square, or one is not positive definite (on a GPU the result is then not finite).
    """

    formula = r"L L^\top = X"
    derivative = (
        r"\bar X = \tfrac12 (S + S^\top), \quad S = L^{-\top}\, \Phi(L^\top \bar L)\, L^{-1}, \quad "
        r"\Phi \text{ keeps the lower triangle, and half of the diagonal}"
    )
    domain = "positive definite matrices"
    source = "Murray 2016, Differentiation of the Cholesky decomposition"
    integers = "floats"
    wide = True
    samples = [Sample(positive(3, 3)), Sample(positive(2, 2, 2)), Sample(real(1, 1, low=0.5))]

    def check(self, x):
        check_square("cholesky", x)
        return {}

    def forward(self, dev, x):
        return computed("cholesky", dev.xp.linalg.cholesky, 0.5 * (x + dev.xp.swapaxes(x, -1, -2)))

    def grad_x(self, g, y, _x):
        inner = matmul(swap_last(y), tril(g))
        half = 0.5 * (tril(inner) + tril(inner, -1))
        back = inv(y)
        s = matmul(matmul(swap_last(back), half), back)
        return 0.5 * (s + swap_last(s))


@op
class p_norm(Op):
    r"""The length of vectors along one axis, several, or all, for a finite power p > 0 (`minilm.linalg.norm` has the others).

    The vector of zeros has no derivative: its gradient is 0, as in PyTorch. Numbers are divided by the largest first, so that
    no power overflows.

    Raises:
        ValueError: `p` is not positive and finite.
    """

    formula = r"y = \Bigl( \sum_i |x_i|^p \Bigr)^{1/p}"
    derivative = r"\bar x_i = \bar y\, \operatorname{sgn}(x_i) \left( \frac{|x_i|}{y} \right)^{p - 1}"
    domain = r"kink at x = 0, where \bar x = 0; for p < 2 at x_i = 0, too"
    integers = "floats"
    wide = True
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 2), axis=(0, 2), keepdims=True),
        Sample(real(3, 2, kinks=(0.0,)), p=1, axis=0),
        Sample(real(3, 2, kinks=(0.0,)), p=3, axis=-1),
        Sample(real(kinks=(0.0,))),
        Sample(real(0, 2), axis=0),
    ]

    def check(self, x, *, p, axis, keepdims):
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 < p < np.inf:
            raise ValueError(f"p_norm: p must be a positive number, got {p!r}.")
        return {"p": float(p), "axis": normalize_axes("p_norm", axis, len(shape_of(x))), "keepdims": keepdims}

    def forward(self, dev, x, *, p=2.0, axis=None, keepdims=False):
        xp, size = dev.xp, dev.xp.abs(x)
        if x.size == 0:
            return dev.sum(size, axis, keepdims)
        top = xp.max(size, axis=axis, keepdims=True)
        scale = xp.where((top > 0) & xp.isfinite(top), top, 1).astype(x.dtype)
        y = scale * dev.sum((size / scale) ** p, axis, True) ** (1.0 / p)
        return y.reshape(reduced(x.shape, axis, keepdims))

    def grad_x(self, g, y, x, *, p, axis, keepdims):
        y, g = spread(y, x.shape, axis), spread(g, x.shape, axis)
        if p == 2.0:
            return g * x / where(y == 0, 1.0, y)
        share = absolute(x) / where(y == 0, 1.0, y)
        power = where(share == 0, 0.0, where(share == 0, 1.0, share) ** (p - 1.0))
        return g * where(x < 0, -1.0, 1.0) * power
