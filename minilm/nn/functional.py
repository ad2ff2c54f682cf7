"""Layers as functions, under PyTorch's names. Those that are one op are that op: ``relu.formula`` shows what it computes."""

from __future__ import annotations

from typing import Any

from minilm import random
from minilm.ops import REGISTRY
from minilm.ops.spellings import by_dim_or_axis
from minilm.tensor import Tensor, get_default_dtype

linear = REGISTRY["linear"]
tanh, sigmoid, relu, leaky_relu = (REGISTRY[name] for name in ("tanh", "sigmoid", "relu", "leaky_relu"))
gelu, silu, softplus = (REGISTRY[name] for name in ("gelu", "silu", "softplus"))
elu, selu, celu, hardtanh, relu6 = (REGISTRY[name] for name in ("elu", "selu", "celu", "hardtanh", "relu6"))
hardsigmoid, hardswish, mish = (REGISTRY[name] for name in ("hardsigmoid", "hardswish", "mish"))
logsigmoid, softsign, tanhshrink = (REGISTRY[name] for name in ("logsigmoid", "softsign", "tanhshrink"))
hardshrink, softshrink, prelu, glu = (REGISTRY[name] for name in ("hardshrink", "softshrink", "prelu", "glu"))
softmax, log_softmax = (REGISTRY[name] for name in ("softmax", "log_softmax"))
layer_norm, rms_norm, batch_norm = (REGISTRY[name] for name in ("layer_norm", "rms_norm", "batch_norm"))
conv1d, conv2d, max_pool2d, avg_pool2d = (REGISTRY[name] for name in ("conv1d", "conv2d", "max_pool2d", "avg_pool2d"))
cross_entropy, nll_loss, kl_div = (REGISTRY[name] for name in ("cross_entropy", "nll", "kl_div"))
mse_loss, l1_loss, huber_loss = (REGISTRY[name] for name in ("mse", "l1", "huber"))
binary_cross_entropy = REGISTRY["binary_cross_entropy"]
binary_cross_entropy_with_logits = REGISTRY["binary_cross_entropy_with_logits"]


@by_dim_or_axis
def softmin(x: Any, axis: int = -1) -> Any:
    """`softmax` of -x: the smallest number gets the largest probability."""
    return softmax(-x, axis=axis)


def embedding(ids: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """The rows of `weight` at the ids; see `minilm.ops.embedding.embedding`. The row of padding_idx gets no gradient."""
    y: Tensor = REGISTRY["embedding"](weight, ids, padding_idx=padding_idx)
    return y


def dropout(x: Any, p: float = 0.5, training: bool = True, key: int | None = None) -> Any:
    """x with each number set to 0 with probability p and the others divided by 1 - p; x itself where not `training`.

    Args:
        key: which numbers are dropped; default: a new key (`minilm.random.next_key`).
    """
    if not training or p == 0.0:
        return x
    return REGISTRY["dropout"](x, p=p, key=random.next_key() if key is None else key)


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    *,
    causal: bool = False,
    dropout_p: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention of queries to keys; see `minilm.ops.attention.scaled_dot_product_attention`.

    Args:
        dropout_p: probability of dropping an attention weight; 0 for prediction, since a function has no ``eval()``.
    """
    seed = random.next_key() if dropout_p else 0
    y: Tensor = REGISTRY["scaled_dot_product_attention"](
        query, key, value, mask, causal=causal, dropout_p=dropout_p, key=seed, scale=scale
    )
    return y


def one_hot(ids: Any, num_classes: int, dtype: Any = None) -> Tensor:
    """A vector for each id, with a 1 at the id and 0 elsewhere: ``(...) -> (..., num_classes)``, in the default float type.

    Raises:
        TypeError: the ids are not integers.
        IndexError: an id is not in 0 ... num_classes - 1.
    """
    ids = ids if isinstance(ids, Tensor) else Tensor(ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"one_hot: ids must be integers, got {ids.dtype}; convert them with .astype('int64').")
    if ids.size and not (int(ids.data.min()) >= 0 and int(ids.data.max()) < num_classes):
        low, high = int(ids.data.min()), int(ids.data.max())
        raise IndexError(f"one_hot: ids must be in 0 to {num_classes - 1}, got {low} to {high}.")
    xp = ids.device.xp
    return Tensor((ids.data[..., None] == xp.arange(num_classes)).astype(dtype or get_default_dtype()))


__all__ = ["avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "conv1d",
           "conv2d", "cross_entropy", "dropout", "elu", "embedding", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish",
           "hardtanh", "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
           "max_pool2d", "mish", "mse_loss", "nll_loss", "one_hot", "prelu", "relu", "relu6", "rms_norm",
           "scaled_dot_product_attention", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink",
           "softsign", "tanh", "tanhshrink"]  # fmt: skip
