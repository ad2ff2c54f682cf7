r"""Linear layers with weights of 8 or 4 bits: integers times a scale, which few weights share.

.. math:: y = x \tilde W^\top + b, \qquad \tilde W_{ij} = s_{i g(j)}\, q_{ij}

where g(j) is the group of column j. The kinds:

- `int8`: q from -127 to 127 and a float32 scale per row (`minilm.formats.absmax`);
- `Q8_0`, `Q4_0`: 8 or 4 bits and a float16 scale per 32 weights, as in GGUF files (`minilm.formats.blocks`): 8.5 and 4.5 bits per weight.

A weight is off by half a step at most. The integers do not learn; the gradient of the input is that of :math:`\tilde W`, so what stands
below, or beside (`minilm.nn.lora`), does. The weights are widened in each pass: this saves memory, and time only where reading is the
narrow place. `minilm.models.storage` is the version without gradients that saves time.

`compensated` rounds column after column and makes the columns that follow take up the error (Frantar, Ashkboos, Hoefler and Alistarh 2022,
*GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers*, arXiv:2210.17323, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minilm.backend import to_device, to_host
from minilm.formats import blocks
from minilm.formats.absmax import absmax
from minilm.nn import functional as F
from minilm.nn.checks import expect_width
from minilm.nn.linear import Linear
from minilm.nn.linears import chosen
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.types import Array, HostArray

KINDS = ("int8", *blocks.SYMMETRIC)
"""What weights can be kept as."""


class QuantizedLinear(Module):
    """A linear layer whose weights are integers and scales.

    Args:
        layer: whose weights are rounded; its bias is kept as it is, the same parameter.
        kind: one of `KINDS`.
        gram: (in_features, in_features), the sum of x x^T over inputs: then `compensated` rounds. None: each weight to its nearest.

    Attributes:
        codes: buffer of int8, or of uint8 with two weights per byte: (out, groups, bytes per group).
        scales: buffer of floats, (out, groups).

    Raises:
        ValueError: the kind is unknown, a weight is not finite, the blocks' length 32 does not divide in_features, or `gram` is for int8.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, layer: Linear, kind: str = "int8", gram: HostArray | None = None) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"QuantizedLinear: kind must be one of {', '.join(KINDS)}; got {kind!r}.")
        if gram is not None and kind == "int8":
            raise ValueError("QuantizedLinear: errors are compensated in blocks, of Q4_0 or Q8_0, not in int8.")
        self.in_features, self.out_features, self.kind = layer.in_features, layer.out_features, kind
        weight = to_host(layer.weight.data)
        codes: HostArray
        scales: HostArray
        if kind == "int8":
            codes, scales = absmax(weight[:, None, :])
        else:
            raw = blocks.quantize(kind, weight) if gram is None else compensated(weight, gram, kind)
            codes, scales = blocks.split(kind, raw)
        for name, array in (("codes", codes), ("scales", scales)):
            self.register_buffer(name, to_device(array, layer.weight.device))
        self.bias = layer.bias

    def dequantized(self, dtype: Any = np.float32) -> Tensor:
        """The weights that the integers stand for, (out_features, in_features)."""
        xp, q = self.codes.device.xp, self.codes.data
        if self.kind == "Q4_0":  # the low halves of 16 bytes are the first 16 weights
            q = xp.concatenate([q & 15, q >> 4], axis=-1).astype(np.int8) - 8
        weights: Array = q.astype(dtype) * self.scales.data.astype(dtype)[..., None]
        return Tensor(weights.reshape(self.out_features, self.in_features))

    def forward(self, x: Tensor) -> Tensor:
        expect_width(self, x, self.in_features)
        return F.linear(x, self.dequantized(x.dtype), self.bias)

    @property
    def nbytes(self) -> int:
        """The bytes of integers, scales and bias."""
        return sum(int(t.data.nbytes) for t in (self.codes, self.scales, self.bias) if t is not None)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, kind={self.kind!r}"


def quantize(
    model: Module, kind: str, targets: Sequence[str] | None = None, grams: Mapping[str, HostArray] | None = None
) -> list[str]:
    """Puts a `QuantizedLinear` in the place of linear layers, in place; embeddings stay. A weight that is tied to one stays there, too.

    Args:
        model: a model that holds `Linear` layers.
        kind: one of `KINDS`.
        targets: what their paths end in; None: all.
        grams: of `input_grams`, by path: layers that are there are rounded by `compensated`.

    Returns:
        The paths of the layers.

    Raises:
        ValueError: no layer of such a name, or as `QuantizedLinear`. Then nothing has been changed.
    """
    found = chosen(model, targets)
    grams = grams or {}
    made = {id(place.layer): QuantizedLinear(place.layer, kind, grams.get(place.path)) for place in found}
    for place in found:
        setattr(place.parent, place.name, made[id(place.layer)])
    return [place.path for place in found]


@contextmanager
def input_grams(model: Module, targets: Sequence[str] | None = None) -> Iterator[dict[str, HostArray]]:
    """Within it, each linear layer adds up :math:`\\sum x x^\\top` of its inputs, in float64, by path: what `compensated` needs."""
    sums: dict[str, HostArray] = {}

    def watch(path: str) -> Any:
        def hook(_layer: Module, args: tuple[Any, ...]) -> None:
            x = to_host(args[0].data).reshape(-1, args[0].shape[-1])
            sums[path] = sums.get(path, 0.0) + (x.T @ x).astype(np.float64)

        return hook

    removers = [place.layer.register_forward_pre_hook(watch(place.path)) for place in chosen(model, targets)]
    try:
        yield sums
    finally:
        for remove in removers:
            remove()


def compensated(weight: HostArray, gram: HostArray, kind: str = "Q4_0", damping: float = 0.01) -> blocks.Bytes:
    r"""Blocks for a layer that make its outputs err little, rather than its weights.

    The squared error of the outputs is :math:`\operatorname{tr}(E H E^\top)`, with E the error of the weights and
    :math:`H = \sum x x^\top`. Column j is rounded; then the columns F that follow move to where that error is least:

    .. math:: w_F \leftarrow w_F - \frac{w_j - \tilde w_j}{[H_{\ge j}^{-1}]_{jj}}\, [H_{\ge j}^{-1}]_{j F}

    All these rows of inverses stand in one Cholesky factor, :math:`H^{-1} = U^\top U`. The columns of a block are updated at once, those
    behind it block by block.

    Args:
        weight: (out, in).
        gram: H, (in, in).
        kind: "Q4_0" or "Q8_0".
        damping: the share of the mean diagonal that is added to it, so that H has an inverse.

    Returns:
        uint8 (out, in / 32, bytes per block), as `minilm.formats.blocks.quantize`.

    Raises:
        ValueError: the gram's shape does not fit, it is not finite or all zeros; `FormatError`: as `blocks.quantize`.
    """
    rows, columns = weight.shape
    if gram.shape != (columns, columns) or not np.isfinite(gram).all() or not np.trace(gram) > 0:
        raise ValueError(
            f"compensated: the gram of a weight {weight.shape} is the sum of x x^T, ({columns}, {columns}), finite and not all zeros; "
            f"got {gram.shape}."
        )
    w = np.array(weight, np.float64)
    H = gram + damping * np.trace(gram) / columns * np.eye(columns)
    U = np.linalg.cholesky(np.linalg.inv(H)).T
    half, size = blocks.SYMMETRIC.get(kind, 0), blocks.block_type(kind).size
    parts = []
    for start in range(0, columns, size):
        own, rest = slice(start, start + size), slice(start + size, columns)
        d = blocks.split(kind, blocks.quantize(kind, w[:, own]))[1]  # (rows, 1)
        step = np.where(d == 0, 1.0, d.astype(np.float64))[:, 0]
        q = np.zeros((rows, size))
        errors = np.zeros((rows, size))
        for k, j in enumerate(range(start, start + size)):
            q[:, k] = np.clip(np.rint(w[:, j] / step), -half, half - 1) * (d[:, 0] != 0)
            errors[:, k] = (w[:, j] - q[:, k] * step) / U[j, j]
            w[:, own] -= np.outer(errors[:, k], np.where(np.arange(size) > k, U[j, own], 0.0))
        w[:, rest] -= errors @ U[own, rest]
        parts.append(blocks.join(kind, q.astype(np.int16)[:, None], d))
    return np.concatenate(parts, axis=1)


__all__ = ["KINDS", "QuantizedLinear", "compensated", "input_grams", "quantize"]
