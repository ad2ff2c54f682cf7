"""Linear algebra under PyTorch's names (``torch.linalg``). The formulas and derivatives stand in `minilm.ops.matrix`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from minilm.ops.arguments import normalize_axes, shape_of
from minilm.ops.arithmetic import abs as size_of
from minilm.ops.arithmetic import where
from minilm.ops.matrix import cholesky, det, inv, logdet, p_norm, solve
from minilm.ops.reduce import max as largest
from minilm.ops.reduce import min as smallest
from minilm.ops.shape import concat
from minilm.tensor import Tensor


class SignAndLog(NamedTuple):
    """What `slogdet` gives."""

    sign: Any
    logabsdet: Any


def slogdet(x: Any) -> SignAndLog:
    r"""Sign and :math:`\ln |\det X|` of square matrices ``(..., n, n)``, where the determinant itself may be too large or too small."""
    sign, _ = x.device.xp.linalg.slogdet(x.data)
    whole = Tensor(sign.astype(x.dtype)).detach()
    first = where(
        whole.reshape((*whole.shape, 1)) < 0, -1.0, 1.0
    )  # one row's sign turned makes the determinant positive
    rows = concat(x[..., :1, :] * first.unsqueeze(-1), x[..., 1:, :], axis=-2)
    return SignAndLog(whole, logdet(rows))


def vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, axis: Any = None) -> Any:
    r"""The length of vectors: along one axis, several, or of all numbers together.

    .. math:: \|x\|_p = \Bigl( \sum_i |x_i|^p \Bigr)^{1/p}

    Args:
        ord: p; infinity: the largest :math:`|x_i|`, minus infinity: the smallest, 0: how many are not 0.
        dim, axis: two names for the same: PyTorch's and NumPy's.

    Raises:
        ValueError: the order is no number, or there is nothing to choose the largest or smallest from.
    """
    if isinstance(ord, bool) or not isinstance(ord, int | float) or math.isnan(ord):
        raise ValueError(f"vector_norm: ord must be a number, got {ord!r}.")
    axis = axis if dim is None else dim
    if math.isinf(ord):
        return (largest if ord > 0 else smallest)(size_of(x), axis=axis, keepdims=keepdim)
    if ord == 0:
        return (x != 0).to(x.dtype).sum(axis=axis, keepdims=keepdim)
    if ord < 0:
        return (size_of(x) ** ord).sum(axis=axis, keepdims=keepdim) ** (1.0 / ord)
    return p_norm(x, p=ord, axis=axis, keepdims=keepdim)


def norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, axis: Any = None) -> Any:
    r"""The norm of vectors or of matrices, as ``torch.linalg.norm``.

    Without `ord`, the root of the sum of squares over `dim` (all axes, if None). With it: of vectors along one axis, see `vector_norm`;
    of the matrices in two axes ``"fro"`` (the same root), 1 and -1 (the largest and smallest column sum of sizes), infinity and minus
    infinity (those of the rows).

    Raises:
        ValueError: an order that is not there for that many axes. (2, -2 and "nuc" of matrices would need singular values.)
    """
    axis = axis if dim is None else dim
    axes = normalize_axes("norm", axis, len(shape_of(x)))
    if ord is None:
        return vector_norm(x, 2, axis, keepdim)
    if len(axes) == 1 and ord != "fro":
        return vector_norm(x, ord, axes, keepdim)
    if len(axes) != 2 or isinstance(axis, int) or ord not in ("fro", 1, -1, math.inf, -math.inf):
        raise ValueError(
            f"norm: ord={ord!r} over {len(axes)} axes is not there: give a number for one axis, or 'fro', 1, -1, inf or -inf for two."
        )
    if ord == "fro":
        return vector_norm(x, 2, axis, keepdim)
    rows, columns = (a % x.ndim for a in axis) if axis is not None else axes
    along, then = (rows, columns) if abs(ord) == 1 else (columns, rows)
    y = (largest if ord > 0 else smallest)(size_of(x).sum(axis=along, keepdims=True), axis=then, keepdims=True)
    return y if keepdim else y.squeeze((rows, columns))


__all__ = ["SignAndLog", "cholesky", "det", "inv", "norm", "slogdet", "solve", "vector_norm"]
