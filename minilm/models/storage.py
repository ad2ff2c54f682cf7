r"""How a model that only writes keeps its weights: fewer bytes for each, widened to float32 in pieces that stay in the cache.

One more token reads every weight once, so what a weight weighs decides how fast a text is written: the memory is the narrow place, and
not the arithmetic. All sums are float32. The kinds:

- `Float32`: the array as it is, the specification of the others;
- `Float16`: half the bytes, each weight off by a factor of 2^-11 at most. NumPy converts it number by number, in 2 ns; here its bits are
  shifted into place, in a quarter of that;
- `BFloat16`: the upper half of each float32: as large a range with 8 significant bits, each weight off by a factor of 2^-8 at most;
- `Int8`: one byte, :math:`w_{ij} = s_i q_{ij}` with a scale for each row (Jacob et al. 2018, *Quantization and training of neural
  networks for efficient integer-arithmetic-only inference*, section 2.1, with zero point 0). The scale is applied to the row's sum;
- `Blocks`: 4 or 8 bits as a GGUF file has them, :math:`w = d q + m` with a scale and a minimum for each 32 weights of a row. Nothing is
  lost that the file holds. With :math:`\sum_j w_j x_j = \sum_b \bigl(d_b \sum_{j \in b} q_j x_j + m_b \sum_{j \in b} x_j\bigr)` the
  scales are applied to sums of 32.

`python -m tests.benchmarks.writing` measures what each costs.
"""

from __future__ import annotations

import itertools
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm import nn
from minilm.backend import cpu
from minilm.backend.threads import pool
from minilm.formats.absmax import absmax
from minilm.nn.checks import expect_width
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids

PIECE = 1 << 19  # weights that are widened at once: two megabytes
SHARED = 3 << 18  # weights from which a second thread is worth its waking
FEW = 8  # vectors up to which sums are scaled instead of weights
BLOCK = 32  # weights that share a scale, in `Blocks`


class Scratch(threading.local):
    """A thread's memory for widened weights: taken once, since to be given new pages takes longer than to fill them."""

    def __init__(self) -> None:
        self.memory = {dtype: np.empty(0, dtype) for dtype in (np.uint8, np.int32, np.float32)}
        self.views: dict[Any, HostArray] = {}

    def take(self, shape: tuple[int, ...], dtype: Any) -> HostArray:
        """An array of this shape and dtype, valid until the next one of the dtype is taken."""
        view = self.views.get((shape, dtype))
        if view is None:
            size = math.prod(shape)
            if self.memory[dtype].size < size:
                self.memory[dtype] = np.empty(size, dtype)
                self.views.clear()
            view = self.views[shape, dtype] = self.memory[dtype][:size].reshape(shape)
        return view


scratch = Scratch()


class Stored(ABC):
    """A matrix W of shape (out, in), in pieces of several rows.

    Attributes:
        shape: (out, in).
        cuts: the rows of each piece.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        count = max(1, -(-shape[0] * shape[1] // PIECE))
        ends = [i * shape[0] // count for i in range(count + 1)]
        self.cuts = [slice(a, b) for a, b in itertools.pairwise(ends) if a < b]

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The bytes that the weights take."""

    def prepare(self, x: HostArray) -> Any:
        """What `apply` needs of the vectors x (n, in), once for all pieces."""
        return x

    @abstractmethod
    def apply(self, x: Any, piece: int, out: HostArray) -> None:
        """Writes :math:`x W^\\top` for the rows of one piece into their columns of `out` (n, out)."""

    @abstractmethod
    def rows(self, ids: Any) -> HostArray:
        """The rows with these numbers, as float32: ids (...) -> (..., in)."""


class Float32(Stored):
    """The array as it is: nothing is copied."""

    def __init__(self, array: HostArray) -> None:
        super().__init__(array.shape)
        self.array = array

    @property
    def nbytes(self) -> int:
        return int(self.array.nbytes)

    def apply(self, x: HostArray, piece: int, out: HostArray) -> None:
        cut = self.cuts[piece]
        out[:, cut] = x.dot(self.array[cut].T)

    def rows(self, ids: Any) -> HostArray:
        return self.array[ids]


class Float16(Stored):
    r"""Half precision, taken apart by its bits.

    Sign, exponent and mantissa are moved to where float32 has them; the exponent is then too small by 112. The vectors make up for 60 of
    these and the sums for 52, so that no product is too large or too small for float32. The plain version is
    ``x @ array.astype(np.float16).astype(np.float32).T``, subnormal weights included.

    Raises:
        ValueError: a weight is not finite, or too large for half precision.
    """

    SIGN_AND_DIGITS = np.uint32(0x8FFFE000).view(np.int32)
    BEFORE, AFTER = np.float32(2.0**60), np.float32(2.0**52)

    def __init__(self, array: HostArray) -> None:
        super().__init__(array.shape)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError("float16 storage takes weights of at most 65504 in size; one is larger, or not finite.")
        self.bits = half.view(np.int16)

    @property
    def nbytes(self) -> int:
        return int(self.bits.nbytes)

    def prepare(self, x: HostArray) -> HostArray:
        return x * self.BEFORE

    def apply(self, x: HostArray, piece: int, out: HostArray) -> None:
        cut = self.cuts[piece]
        wide = scratch.take(self.bits[cut].shape, np.int32)
        np.copyto(wide, self.bits[cut])
        np.left_shift(wide, 13, out=wide)
        np.bitwise_and(wide, self.SIGN_AND_DIGITS, out=wide)
        np.multiply(x.dot(wide.view(np.float32).T), self.AFTER, out=out[:, cut])

    def rows(self, ids: Any) -> HostArray:
        return self.bits.view(np.float16)[ids].astype(np.float32)


def to_bfloat16(x: Any) -> HostArray:
    """The bits (uint16) of the bfloat16 nearest to each float32, ties to even; beyond the largest one it is infinite."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    # Just below half of the last bit that stays, and that bit: so a tie goes to the even one.
    rounded: HostArray = (bits + (np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint32(0x7FC0), rounded).astype(np.uint16)


def from_bfloat16(bits: Any) -> HostArray:
    """The float32 of which these are the upper halves."""
    wide: HostArray = np.asarray(bits, np.uint32) << np.uint32(16)
    return wide.view(np.float32)


class BFloat16(Stored):
    """The upper halves of float32, rounded to the nearest, ties to even. The plain version is the product with ``rows`` of all.

    Raises:
        ValueError: a weight is not finite, or is rounded beyond the largest bfloat16.
    """

    def __init__(self, array: HostArray) -> None:
        super().__init__(array.shape)
        self.bits = to_bfloat16(array)
        if (self.bits & 0x7F80 == 0x7F80).any():
            raise ValueError("bfloat16 storage takes weights of at most 3.39e38 in size; one is larger, or not finite.")

    @property
    def nbytes(self) -> int:
        return int(self.bits.nbytes)

    def apply(self, x: HostArray, piece: int, out: HostArray) -> None:
        cut = self.cuts[piece]
        wide = scratch.take(self.bits[cut].shape, np.int32)
        np.copyto(wide, self.bits[cut])
        np.left_shift(wide, 16, out=wide)
        out[:, cut] = x.dot(wide.view(np.float32).T)

    def rows(self, ids: Any) -> HostArray:
        return from_bfloat16(self.bits[ids])


class Int8(Stored):
    """One byte for each weight and a scale for each row: the largest weight of a row is 127 steps.

    Raises:
        ValueError: a weight is not finite.
    """

    def __init__(self, array: HostArray) -> None:
        super().__init__(array.shape)
        self.scale = np.empty(len(array), np.float32)
        self.codes = np.empty(array.shape, np.int8)
        for cut in self.cuts:
            self.codes[cut], self.scale[cut] = absmax(array[cut])

    @property
    def nbytes(self) -> int:
        return int(self.codes.nbytes + self.scale.nbytes)

    def apply(self, x: HostArray, piece: int, out: HostArray) -> None:
        cut = self.cuts[piece]
        weights = scratch.take(self.codes[cut].shape, np.float32)
        np.copyto(weights, self.codes[cut])
        np.multiply(x.dot(weights.T), self.scale[cut], out=out[:, cut])

    def rows(self, ids: Any) -> HostArray:
        return self.codes[ids] * self.scale[ids][..., None]


class Blocks(Stored):
    """Blocks of 32 weights with a scale, and in some kinds a minimum, as GGUF files hold them: Q4_0, Q4_1, Q8_0.

    The codes are turned so that one place of a block lies side by side for all rows of a piece; in the file a block's bytes and its
    scale alternate, which NumPy could only take 16 numbers at a time.

    Args:
        kind: the block type's name.
        raw: the file's bytes, (rows, blocks, bytes per block).

    Raises:
        ValueError: the kind is another, the bytes do not have its length, or a scale is not finite.
    """

    LAYOUT = {"Q4_0": (1, 4), "Q4_1": (2, 4), "Q8_0": (1, 8)}
    """For each kind: the half-precision numbers before the codes (the scale, the minimum), and the bits of a code."""

    def __init__(self, kind: str, raw: HostArray) -> None:
        if kind not in self.LAYOUT:
            raise ValueError(f"Blocks keeps {', '.join(self.LAYOUT)} as they are in a file, not {kind!r}.")
        numbers, self.bits = self.LAYOUT[kind]
        length = 2 * numbers + BLOCK * self.bits // 8
        if raw.ndim != 3 or raw.shape[2] != length:
            raise ValueError(
                f"{kind} has {length} bytes per block: expected (rows, blocks, {length}), got {raw.shape}."
            )
        super().__init__((raw.shape[0], BLOCK * raw.shape[1]))
        self.kind = kind
        self.codes: list[HostArray] = []
        self.scales: list[HostArray] = []
        self.minima: list[HostArray] = []
        code = np.int8 if self.bits == 8 else np.uint8
        for cut in self.cuts:
            part = raw[cut].transpose(1, 2, 0)  # (blocks, bytes, rows)
            head = np.ascontiguousarray(part[:, : 2 * numbers].transpose(0, 2, 1)).view("<f2").astype(np.float32)
            if not np.isfinite(head).all():
                raise ValueError(f"{kind}: the scale of a block is NaN or infinite.")
            scale = np.ascontiguousarray(head[:, None, :, 0])  # (blocks, 1, rows)
            self.codes.append(np.ascontiguousarray(part[:, 2 * numbers :]).view(code))
            self.scales.append(scale)
            if kind != "Q8_0":
                self.minima.append(np.ascontiguousarray(head[:, None, :, 1]) if numbers == 2 else -8 * scale)

    @property
    def nbytes(self) -> int:
        return sum(int(a.nbytes) for arrays in (self.codes, self.scales, self.minima) for a in arrays)

    def prepare(self, x: HostArray) -> tuple[HostArray, HostArray, HostArray]:
        """The vectors, their blocks (blocks, n, 32), and the sums of these (n, blocks)."""
        blocks = np.ascontiguousarray(x.reshape(len(x), -1, BLOCK).swapaxes(0, 1))
        return x, blocks, np.ascontiguousarray(blocks.sum(axis=-1).T)

    def apply(self, x: tuple[HostArray, HostArray, HostArray], piece: int, out: HostArray) -> None:
        vectors, blocks, sums = x
        cut = self.cuts[piece]
        weights = self._widen(piece)
        if len(vectors) > FEW:
            weights *= self.scales[piece]
            if self.minima:
                weights += self.minima[piece]
            out[:, cut] = vectors.dot(weights.reshape(self.shape[1], -1))
            return
        y = np.matmul(blocks, weights)  # (blocks, n, rows)
        y *= self.scales[piece]
        np.add.reduce(y, axis=0, out=out[:, cut])
        if self.minima:
            out[:, cut] += sums.dot(self.minima[piece][:, 0])

    def rows(self, ids: Any) -> HostArray:
        ids = np.asarray(ids)
        found = np.empty((ids.size, self.shape[1]), np.float32)
        starts = [cut.start for cut in self.cuts]
        for i, id in enumerate(ids.reshape(-1).tolist()):
            piece = int(np.searchsorted(starts, id, "right")) - 1
            column = slice(id - starts[piece], id - starts[piece] + 1)
            codes = self.codes[piece][..., column]
            if self.bits == 4:
                codes = np.concatenate([codes & 15, codes >> 4], axis=1)
            row = codes * self.scales[piece][..., column]
            if self.minima:
                row += self.minima[piece][..., column]
            found[i] = row.reshape(-1)
        return found.reshape(*ids.shape, self.shape[1])

    def _widen(self, piece: int) -> HostArray:
        """The codes of a piece as float32 (blocks, 32, rows)."""
        codes = self.codes[piece]
        shape = (codes.shape[0], BLOCK, codes.shape[2])
        weights = scratch.take(shape, np.float32)
        if self.bits == 8:
            np.copyto(weights, codes)
            return weights
        both = scratch.take(shape, np.uint8)
        np.bitwise_and(codes, 15, out=both[:, : BLOCK // 2])
        np.right_shift(codes, 4, out=both[:, BLOCK // 2 :])
        np.copyto(weights, both)
        return weights


KINDS: dict[str, Callable[[HostArray], Stored]] = {"float16": Float16, "bfloat16": BFloat16, "int8": Int8}
"""What `compress` can make of float32 weights."""


def products(x: HostArray, weights: Sequence[Stored]) -> list[HostArray]:
    """:math:`x W^\\top` for each matrix: x (n, in) to (n, out); the pieces of all on the threads of the pool, where that pays."""
    outs = [np.empty((len(x), each.shape[0]), np.float32) for each in weights]
    jobs = [
        (each.apply, prepared, piece, out)
        for each, out in zip(weights, outs, strict=True)
        for prepared in [each.prepare(x)]
        for piece in range(len(each.cuts))
    ]
    if len(x) * sum(each.shape[0] * each.shape[1] for each in weights) < SHARED:
        pool.on_one(_all, jobs)
    else:
        pool.run(_call, jobs)
    return outs


def _call(function: Callable[..., None], *args: Any) -> None:
    function(*args)


def _all(jobs: Sequence[tuple[Any, ...]]) -> None:
    for function, *args in jobs:
        function(*args)


class StoredLinear(nn.Module):
    """A linear layer that cannot learn: :math:`y = x W^\\top + b` with W as it is `Stored`, on the CPU."""

    def __init__(self, stored: Stored, bias: Tensor | None = None) -> None:
        super().__init__()
        self.stored, self.bias = stored, bias
        self.out_features, self.in_features = stored.shape

    def forward(self, x: Tensor) -> Tensor:
        expect_width(self, x, self.in_features)
        if x.device is not cpu or x.dtype != np.float32 or x.requires_grad:
            raise ValueError(
                f"{self!r} takes float32 on the CPU without gradients, got {x.dtype} on {x.device.name}"
                f"{', requiring gradients' if x.requires_grad else ''}: its weights are kept to be read, not to learn."
            )
        (y,) = products(np.ascontiguousarray(x.data).reshape(-1, self.in_features), [self.stored])
        out = Tensor(y.reshape(*x.shape[:-1], self.out_features))
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, {type(self.stored).__name__}"


class StoredEmbedding(nn.Module):
    """A table of vectors that cannot learn, as it is `Stored`, on the CPU."""

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        self.stored = stored
        self.num_embeddings, self.embedding_dim = stored.shape

    def forward(self, ids: Ids) -> Tensor:
        numbers = ids.numpy() if isinstance(ids, Tensor) else np.asarray(ids)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < self.num_embeddings:
            raise IndexError(f"{self!r}: an id is outside 0 to {self.num_embeddings - 1}.")
        return Tensor(self.stored.rows(numbers))

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, {type(self.stored).__name__}"


def compress(model: nn.Module, kind: str) -> nn.Module:
    """Puts stored layers in the place of a model's Linear and Embedding layers, one after the other, and freezes the rest.

    Each float32 matrix is let go as its place is taken; one that two layers share (a tied output) stays one.

    Args:
        model: a float32 model on the CPU; it is changed, and returned.
        kind: "float16", "bfloat16" or "int8".

    Raises:
        ValueError: the kind is unknown, or a weight is not float32 on the CPU, or does not fit the kind.
    """
    if kind not in KINDS:
        raise ValueError(f"compress: the storage must be one of {', '.join(KINDS)}; got {kind!r}.")
    done: dict[int, tuple[Tensor, Stored]] = {}
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) not in (nn.Linear, nn.Embedding):
                continue
            weight = child.weight
            if weight.device is not cpu or weight.dtype != np.float32:
                raise ValueError(
                    f"compress takes float32 on the CPU; {name} is {weight.dtype} on {weight.device.name}."
                )
            if id(weight) not in done:
                done[id(weight)] = weight, KINDS[kind](weight.data)
            replace(module, name, done[id(weight)][1])
    model.requires_grad_(False)
    return model


def replace(parent: nn.Module, name: str, stored: Stored) -> None:
    """Puts a stored layer in the place of the Linear or Embedding called `name`; a bias is kept."""
    old = getattr(parent, name)
    new = StoredEmbedding(stored) if isinstance(old, nn.Embedding) else StoredLinear(stored, old.bias)
    setattr(parent, name, new)


__all__ = ["KINDS", "BFloat16", "Blocks", "Float16", "Float32", "Int8", "Stored", "StoredEmbedding", "StoredLinear", "compress",
           "from_bfloat16", "products", "replace", "to_bfloat16"]  # fmt: skip
