r"""Matrix products on one GPU by cuBLAS, from arrays as they lie in memory.

CuPy's own ``a @ b`` copies every operand of a batch that is not C-contiguous, multiplies a batch by one matrix as a list of
small products, and knows TF32 for two axes only. cuBLAS itself asks for less: each matrix needs one of its two strides to be
1, and the matrices of a batch to be equally far apart. `plan` finds such a description of three arrays, which for
:math:`q k^\top` of heads that are views of one projection needs no copy at all. It is a pure function of shapes and
strides, so that it can be tested where there is no GPU: against a model of cuBLAS on the host's memory.

A row-major :math:`C = A B` is a column-major :math:`C^\top = B^\top A^\top`: that is how all calls below are to be read.
The calls go through ``cupy_backends``, which CuPy does not document. Where it lacks them, `Products` is CuPy's ``a @ b``.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minilm.types import Array

CUDA_R_32F, CUDA_R_64F, CUDA_R_16F, CUDA_R_16BF = 0, 1, 2, 14  # cudaDataType_t, library_types.h
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77  # cublasComputeType_t, cublas_api.h
GEMM_DEFAULT = -1  # cublasGemmAlgo_t

TYPES = {"float32": (CUDA_R_32F, COMPUTE_32F), "float64": (CUDA_R_64F, COMPUTE_64F),
         "float16": (CUDA_R_16F, COMPUTE_32F), "bfloat16": (CUDA_R_16BF, COMPUTE_32F)}  # fmt: skip
"""For each dtype what its numbers are to cuBLAS, and what they are added up in: half precision in float32."""

LAUNCH_BYTES = 12_000_000
"""How much memory traffic takes as long as one launch more: 3 microseconds at an H200's 4 TB/s (estimated, not measured)."""

_INT_MAX = 2**31 - 1
_tf32 = False


def allow_tf32(allowed: bool = True) -> None:
    r"""Whether products of float32 arrays on a GPU may round their inputs to TF32. At first they may not.

    TF32 keeps float32's 8 bits of exponent and 10 of its 23 bits of mantissa; sums stay in float32. A GPU of compute
    capability 8.0 or more (A100, RTX 30 and later) then uses its tensor cores, which are several times as fast; an older one
    computes as before. The relative error of a product is about :math:`2^{-11} \approx 5 \cdot 10^{-4}` of its terms, so
    expect :math:`10^{-3}` where float32 has :math:`10^{-6}`. float64 is untouched, and so is the CPU. `minilm.gradcheck`
    computes without it.

    PyTorch's name for it: ``torch.backends.cuda.matmul.allow_tf32``.

    Raises:
        TypeError: `allowed` is no bool.
    """
    global _tf32
    if not isinstance(allowed, bool):
        raise TypeError(f"allow_tf32 takes True or False, got {allowed!r}.")
    _tf32 = allowed


def tf32_allowed() -> bool:
    """What `allow_tf32` was last told."""
    return _tf32


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Within it, float32 products are float32 products, whatever `allow_tf32` was told. Also a decorator."""
    before = _tf32
    allow_tf32(False)
    try:
        yield
    finally:
        allow_tf32(before)


def compute_type(dtype: str) -> int:
    """What cuBLAS is to multiply and add numbers of this dtype in."""
    return COMPUTE_32F_FAST_TF32 if dtype == "float32" and _tf32 else TYPES[dtype][1]


class View(NamedTuple):
    """Where the elements of an array lie: strides count elements, not bytes."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def broadcast(self, batch: tuple[int, ...]) -> View:
        """The matrices repeated to the batch axes `batch`, by strides of 0."""
        lead = len(batch) + 2 - len(self.shape)
        strides = (*(0,) * lead, *(0 if n == 1 else s for n, s in zip(self.shape[:-2], self.strides, strict=False)))
        return View((*batch, *self.shape[-2:]), (*strides, *self.strides[-2:]))

    def transposed(self) -> View:
        """Each matrix transposed."""
        return View(
            (*self.shape[:-2], self.shape[-1], self.shape[-2]), (*self.strides[:-2], self.strides[-1], self.strides[-2])
        )


def contiguous(shape: tuple[int, ...]) -> View:
    """A C-contiguous array."""
    return View(shape, tuple(math.prod(shape[i + 1 :]) for i in range(len(shape))))


class Gemm(NamedTuple):
    """The arguments of cublasGemmStridedBatchedEx, but for pointers and types: counts and strides of elements.

    Attributes:
        a_first: whether `a` is the first of its two matrices; where the result is row-major, `b` is.
        transa, transb: whether it reads its first, its second matrix transposed.
        m, n, k: its sizes: the result has m rows and n columns, in column-major order.
        offsets: for each launch, where it begins in the first matrix, the second, and the result.
    """

    a_first: bool
    transa: bool
    transb: bool
    m: int
    n: int
    k: int
    lda: int
    stridea: int
    ldb: int
    strideb: int
    ldc: int
    stridec: int
    batch: int
    offsets: tuple[tuple[int, int, int], ...]


class Plan(NamedTuple):
    """How to multiply two arrays: which to copy first, and the calls. No `gemm`: there is nothing to add up, or no way."""

    shape: tuple[int, ...]
    copy_a: bool = False
    copy_b: bool = False
    gemm: Gemm | None = None


def layout(rows: int, columns: int, row_stride: int, column_stride: int) -> tuple[bool, int] | None:
    """Whether a matrix is column-major (else row-major), and its leading dimension; None where it is neither.

    The stride along an axis of size 1 says nothing and may be anything.
    """
    if (column_stride == 1 or columns == 1) and (row_stride >= columns or rows == 1):
        return False, max(row_stride if rows > 1 else 1, columns)
    if (row_stride == 1 or rows == 1) and (column_stride >= rows or columns == 1):
        return True, max(column_stride if columns > 1 else 1, rows)
    return None


def batch_axes(a: View, b: View, c: View) -> list[tuple[int, int, int, int]]:
    """The batch axes, as few as they can be: count and strides in a, b and c, those of c falling."""
    axes = [axis for axis in zip(c.shape[:-2], a.strides, b.strides, c.strides, strict=False) if axis[0] > 1]
    merged: list[tuple[int, int, int, int]] = []
    for axis in sorted(axes, key=lambda axis: -axis[3]):
        if merged and all(outer == axis[0] * inner for outer, inner in zip(merged[-1][1:], axis[1:], strict=True)):
            axis = (merged.pop()[0] * axis[0], *axis[1:])
        merged.append(axis)
    return merged


def describe(a: View, b: View, c: View) -> Gemm | None:
    """a @ b = c in cuBLAS's terms, for views with the same batch axes; None where a matrix is neither row- nor column-major.

    Batch axes along which b repeats are rows of a: one flat product. Of those that remain, the longest is cuBLAS's batch, and
    each combination of the others is a launch of its own.
    """
    if c.strides[-1] != 1 and c.shape[-1] > 1:
        if c.strides[-2] != 1 and c.shape[-2] > 1:
            return None
        swapped = describe(b.transposed(), a.transposed(), c.transposed())
        return None if swapped is None else swapped._replace(a_first=True)
    (m, k), n = a.shape[-2:], b.shape[-1]
    (a_row, a_column), (c_row, c_column) = a.strides[-2:], c.strides[-2:]
    axes = batch_axes(a, b, c)
    while axes and axes[-1][2] == 0 and (m == 1 or axes[-1][1::2] == (m * a_row, m * c_row)):
        count, sa, _, sc = axes.pop()
        a_row, c_row = (sa, sc) if m == 1 else (a_row, c_row)
        m *= count
    layouts = layout(m, k, a_row, a_column), layout(k, n, *b.strides[-2:]), layout(m, n, c_row, c_column)
    if None in layouts or layouts[2][0]:  # type: ignore[index]
        return None
    (a_columns, lda), (b_columns, ldb), (_, ldc) = layouts  # type: ignore[misc]
    axes.sort()
    batch, sa, sb, sc = axes.pop() if axes else (1, 0, 0, 0)
    offsets = tuple(
        tuple(sum(i * axis[x] for i, axis in zip(place, axes, strict=True)) for x in (2, 1, 3))
        for place in itertools.product(*(range(axis[0]) for axis in axes))
    )
    if max(m, n, k, lda, ldb, ldc, batch) > _INT_MAX:
        return None
    return Gemm(False, b_columns, a_columns, n, m, k, ldb, sb, lda, sa, ldc, sc, batch, offsets)  # type: ignore[arg-type]


def plan(a: View, b: View, out: View | None, itemsize: int) -> Plan:
    """How to compute a @ b, into memory like `out` (None: a new C-contiguous array), with at least two axes each.

    Operands that cuBLAS cannot read are copied. So are those that it could only read in several launches, where these would
    take longer than a copy: a launch counts as much as `LAUNCH_BYTES` of traffic, a copy as one launch, a read and a write.

    Raises:
        ValueError: the shapes do not fit.
    """
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    if a.shape[-1] != b.shape[-2] or (out is not None and out.shape != shape):
        into = "" if out is None else f" into {out.shape}"
        raise ValueError(f"matmul: shapes {a.shape} @ {b.shape}{into} do not fit.")
    if not math.prod(shape) or not a.shape[-1]:
        return Plan(shape)
    best, least = Plan(shape), math.inf
    for copy_a, copy_b in itertools.product((False, True), repeat=2):
        x, y = contiguous(a.shape) if copy_a else a, contiguous(b.shape) if copy_b else b
        gemm = describe(x.broadcast(batch), y.broadcast(batch), out or contiguous(shape))
        if gemm is None:
            continue
        copied = copy_a * math.prod(a.shape) + copy_b * math.prod(b.shape)
        cost = (len(gemm.offsets) + copy_a + copy_b) * LAUNCH_BYTES + 2 * itemsize * copied
        if cost < least:
            best, least = Plan(shape, copy_a, copy_b, gemm), cost
    return best


class Products:
    """``a @ b`` by the calls that `plan` found.

    Args:
        xp: the array module.
        pointer: the address of an array's first element.
        call: one call of cuBLAS: ``call(gemm, alpha, first, second, result, dtype)`` with three addresses.
    """

    def __init__(self, xp: Any, pointer: Callable[[Array], int], call: Callable[..., None]) -> None:
        self.xp, self.pointer, self.call = xp, pointer, call

    def __call__(self, a: Array, b: Array, out: Array | None = None, alpha: float = 1.0) -> Array:
        """alpha a @ b, with NumPy's rules for shapes; in the memory of `out` where it is given, whatever its strides.

        Raises:
            ValueError: the shapes do not fit.
        """
        if a.ndim < 2 or b.ndim < 2:
            x, y = a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
            product = self(x, y, None, alpha)
            shape = (*product.shape[:-2], *product.shape[-2:][a.ndim == 1 : 1 if b.ndim == 1 else 2])
            return self._into(out, product.reshape(shape))
        name, target = _name(a.dtype), () if out is None else (out.shape, out.strides)
        found = None
        if name in TYPES and a.dtype == b.dtype and (out is None or out.dtype == a.dtype):
            found = planned(a.itemsize, a.shape, a.strides, b.shape, b.strides, *target)
        if found is None:
            return self._into(out, self._plain(a, b, alpha))
        if found.gemm is None:  # nothing to add up
            return self._into(out, self.xp.zeros(found.shape, a.dtype))
        a, b = self.xp.ascontiguousarray(a) if found.copy_a else a, self.xp.ascontiguousarray(b) if found.copy_b else b
        result = self.xp.empty(found.shape, a.dtype) if out is None else out
        first, second = (a, b) if found.gemm.a_first else (b, a)
        x, y, z, size = self.pointer(first), self.pointer(second), self.pointer(result), a.itemsize
        for i, j, k in found.gemm.offsets:
            self.call(found.gemm, alpha, x + i * size, y + j * size, z + k * size, name)
        return result

    def _plain(self, a: Array, b: Array, alpha: float) -> Array:
        product = self.xp.matmul(a, b)
        return product if alpha == 1.0 else product * alpha

    def _into(self, out: Array | None, product: Array) -> Array:
        if out is None:
            return product
        out[...] = product
        return out


@functools.lru_cache(maxsize=4096)
def planned(itemsize: int, *layouts: tuple[int, ...]) -> Plan | None:
    """`plan`, from the shapes and strides (in bytes, one after the other) of a, b and the result's memory; remembered.

    None where the arrays are not for cuBLAS. Working out a plan takes Python longer than the product may take the GPU.
    """
    if any(stride % itemsize for strides in layouts[1::2] for stride in strides):
        return None
    views = [
        View(tuple(shape), tuple(stride // itemsize for stride in strides))
        for shape, strides in zip(layouts[::2], layouts[1::2], strict=True)
    ]
    found = plan(views[0], views[1], views[2] if len(views) > 2 else None, itemsize)
    nothing = not math.prod(found.shape) or not views[0].shape[-1]
    return found if found.gemm or nothing else None


@functools.lru_cache(maxsize=64)
def _name(dtype: Any) -> str:
    """A dtype's name, which NumPy works out anew each time."""
    return str(dtype.name)


@functools.lru_cache(maxsize=256)
def _scalar(value: float, dtype: str) -> tuple[np.ndarray[Any, Any], int]:
    """A number in the host's memory for cuBLAS to read, and its address: in the type that sums are computed in."""
    array = np.array(value, np.float64 if dtype == "float64" else np.float32)
    return array, array.ctypes.data


def cupy_products(cupy: Any) -> Products | None:
    """`Products` on CuPy's arrays; None where this CuPy lacks the calls.

    One product is a cublasGemmEx, a batch a cublasGemmStridedBatchedEx, on CuPy's current stream, which both take themselves.
    """
    try:
        from cupy_backends.cuda.libs import cublas

        one, many = cublas.gemmEx, cublas.gemmStridedBatchedEx
        handle = cupy.cuda.device.get_cublas_handle
    except (ImportError, AttributeError):
        return None

    @functools.cache
    def knows_tf32() -> bool:
        return int(cupy.cuda.Device().compute_capability) >= 80

    def call(g: Gemm, alpha: float, first: int, second: int, result: int, dtype: str) -> None:
        kind, compute = TYPES[dtype][0], compute_type(dtype)
        if compute == COMPUTE_32F_FAST_TF32 and not knows_tf32():
            compute = COMPUTE_32F
        up, zero = _scalar(alpha, dtype)[1], _scalar(0.0, dtype)[1]
        if g.batch == 1:
            one(handle(), g.transa, g.transb, g.m, g.n, g.k, up, first, kind, g.lda, second, kind, g.ldb,
                zero, result, kind, g.ldc, compute, GEMM_DEFAULT)  # fmt: skip
        else:
            many(handle(), g.transa, g.transb, g.m, g.n, g.k, up, first, kind, g.lda, g.stridea, second, kind, g.ldb,
                 g.strideb, zero, result, kind, g.ldc, g.stridec, g.batch, compute, GEMM_DEFAULT)  # fmt: skip

    return Products(cupy, lambda x: x.data.ptr, call)


__all__ = ["Products", "allow_tf32", "cupy_products", "plan", "planned", "tf32_allowed", "without_tf32"]
