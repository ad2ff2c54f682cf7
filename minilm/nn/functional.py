"""Layers as functions, under PyTorch's names. Those that are one op are that op: ``relu.formula`` shows what it computes."""

from __future__ import annotations

from typing import Any

from minilm import random
from minilm.ops import REGISTRY
from minilm.tensor import Tensor

softmax, log_softmax = REGISTRY["softmax"], REGISTRY["log_softmax"]
layer_norm, rms_norm, batch_norm = REGISTRY["layer_norm"], REGISTRY["rms_norm"], REGISTRY["batch_norm"]


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    r""":math:`y = x W^\top + b`: x ``(..., in)``, W ``(out, in)``, b ``(out,)``, y ``(..., out)``."""
    y: Tensor = x @ weight.T
    return y if bias is None else y + bias


def embedding(ids: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """The rows of `weight` at the ids; see `minilm.ops.embedding.embedding`. The row of padding_idx gets no gradient."""
    return REGISTRY["embedding"](weight, ids, padding_idx=padding_idx)  # type: ignore[no-any-return]


def dropout(x: Any, p: float = 0.5, training: bool = True, key: int | None = None) -> Any:
    """x with each number set to 0 with probability p and the others divided by 1 - p; x itself where not `training`.

    Args:
        key: which numbers are dropped; default: a new key (`minilm.random.next_key`).
    """
    if not training or p == 0.0:
        return x
    return REGISTRY["dropout"](x, p=p, key=random.next_key() if key is None else key)


__all__ = [
    "batch_norm",
    "dropout",
    "embedding",
    "layer_norm",
    "linear",
    "log_softmax",
    "rms_norm",
    "softmax",
]
