"""Layers as functions, under PyTorch's names. Those that are one op are that op: ``relu.formula`` shows what it computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minilm import random
from minilm.ops import normalize
from minilm.ops.activation import gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from minilm.ops.arguments import shape_of
from minilm.ops.attention import scaled_dot_product_attention as attend
from minilm.ops.conv import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool1d, max_pool2d
from minilm.ops.dtypes import get_default_dtype
from minilm.ops.embedding import embedding as look_up
from minilm.ops.interpolate import resize
from minilm.ops.linalg import linear
from minilm.ops.loss import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, kl_div
from minilm.ops.loss import huber as huber_loss
from minilm.ops.loss import l1 as l1_loss
from minilm.ops.loss import mse as mse_loss
from minilm.ops.loss import nll as nll_loss
from minilm.ops.normalize import batch_norm, log_softmax, softmax
from minilm.ops.padding import pad_with_own
from minilm.ops.random import dropout as drop
from minilm.ops.rectifier import (
    celu,
    elu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    logsigmoid,
    mish,
    prelu,
    relu6,
    selu,
    softshrink,
    softsign,
    tanhshrink,
)
from minilm.ops.shape import pad as pad_with_value
from minilm.ops.shape import reshape
from minilm.ops.spellings import by_dim_or_axis
from minilm.ops.transposed import conv_transpose1d, conv_transpose2d
from minilm.tensor import Tensor
from minilm.types import Shape


@by_dim_or_axis
def softmin(x: Any, axis: int = -1) -> Any:
    """`softmax` of -x: the smallest number gets the largest probability."""
    return softmax(-x, axis=axis)


def embedding(ids: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """The rows of `weight` at the ids; see `minilm.ops.embedding.embedding`. The row of padding_idx gets no gradient."""
    y: Tensor = look_up(weight, ids, padding_idx=padding_idx)
    return y


def unit(x: Any, eps: float = 1e-12) -> Tensor:
    r"""Vectors of the last axis brought to length 1: the op `rms_norm` over the root of their size; 0 stays 0.

    .. math:: y = \frac{x}{\sqrt{\lVert x \rVert^2 + D \varepsilon}}

    Shapes: x ``(..., D)``, y the same.
    """
    return normalize.rms_norm(x, eps=eps) / math.sqrt(max(1, shape_of(x)[-1] if shape_of(x) else 1))


def contrastive_loss(first: Any, second: Any, scale: Any = 1.0) -> Tensor:
    r"""How well each vector finds its partner among all, and is found by it: the symmetric loss of CLIP.

    .. math:: L = -\frac{1}{2N} \sum_i \left( \ln \frac{e^{s\, a_i \cdot b_i}}{\sum_j e^{s\, a_i \cdot b_j}}
        + \ln \frac{e^{s\, a_i \cdot b_i}}{\sum_j e^{s\, a_j \cdot b_i}} \right)

    with :math:`a_i, b_i` the rows of both at length 1 (`unit`): the cosines, times s, are logits. Each half is InfoNCE (van den Oord, Li,
    Vinyals 2018, arXiv:1807.03748, equation 4); both together are Radford et al. 2021, arXiv:2103.00020, figure 3. Whoever knows nothing
    has :math:`\ln N`. Rows that mean the same count as wrong for each other all the same: see that a batch has few.

    Shapes: first, second ``(N, D)``, row i of one belongs to row i of the other; the loss ``()``, in nats.

    Args:
        scale: s, one over the temperature: a number, or a Tensor ``()`` that is learned.

    Raises:
        ValueError: the two have not the same shape ``(N, D)``, or there is no pair.
    """
    shape, other = shape_of(first), shape_of(second)
    if len(shape) != 2 or shape != other:
        raise ValueError(f"contrastive_loss: both need one shape (N, D), a row per pair, got {shape} and {other}.")
    if not shape[0]:
        raise ValueError("contrastive_loss: there is no pair.")
    a, b = unit(first), unit(second)
    logits = (a @ b.transpose()) * scale  # [N, N], a row per first one
    own = logits.device.xp.arange(shape[0])
    return (cross_entropy(logits, own) + cross_entropy(logits.transpose(), own)) / 2


def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """The input in a frame, with PyTorch's arguments.

    Args:
        pad: pairs (before, after) as one flat sequence, for the last axis first: ``(left, right, top, bottom)``. Axes that are not
            named stay as they are. A negative number cuts off.
        mode: ``"constant"`` (a frame of `value`, 0 by default), ``"reflect"``, ``"replicate"`` or ``"circular"``
            (`minilm.ops.padding`).

    Raises:
        ValueError: an odd number of widths, more pairs than axes, an unknown mode, or a value for another mode than constant.
    """
    widths, ndim = tuple(pad), len(shape_of(x))
    if len(widths) % 2 or len(widths) > 2 * ndim:
        raise ValueError(
            f"pad: {widths} must be pairs (before, after), at most one for each of {ndim} axes, the last one first."
        )
    pairs = tuple(widths[2 * i : 2 * i + 2] for i in range(len(widths) // 2))
    pairs = ((0, 0),) * (ndim - len(pairs)) + pairs[::-1]
    if mode != "constant" and value is not None:
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value!r}.")
    y: Tensor
    if mode == "constant":
        y = pad_with_value(x, widths=pairs, value=0.0 if value is None else value)
    else:
        y = pad_with_own(x, widths=pairs, mode=mode)
    return y


def interpolate(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Lines ``(N, C, L)`` or images ``(N, C, H, W)`` in another size, with PyTorch's arguments; see `minilm.ops.interpolate`.

    Args:
        size: the new size: one number for all axes, or one for each.
        scale_factor: instead of it, by how much it grows; the size is rounded down.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` for lines or ``"bilinear"`` for images.
        align_corners: whether the centers of the corners stay in place, for the linear modes; default: False.
        recompute_scale_factor: use the ratio of the sizes in place of `scale_factor`.

    Raises:
        ValueError: neither or both of size and scale_factor, or what `minilm.ops.interpolate.resize` refuses.
    """
    shape = shape_of(x)
    axes = max(len(shape) - 2, 0)
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor.")
    scales = None
    if size is None:
        scales = tuple(scale_factor) if isinstance(scale_factor, tuple | list) else (scale_factor,) * axes
        if len(scales) != axes or not all(0 < c < float("inf") for c in scales):
            raise ValueError(f"interpolate: scale_factor must be positive, one number or {axes}, got {scale_factor!r}.")
        size = tuple(int(n * c) for n, c in zip(shape[2:], scales, strict=True))
    size = tuple(size) if isinstance(size, tuple | list) else (size,) * axes
    y: Tensor = resize(
        x, size=size, mode=mode, align_corners=bool(align_corners), scales=None if recompute_scale_factor else scales
    )
    return y


def layer_norm(x: Any, *args: Any, **options: Any) -> Any:
    """The op `layer_norm` of the last axis, ``(x, weight, bias, eps=1e-5)``; or PyTorch's form, for the last axes together.

    That is ``layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5)``, where weight and bias have the shape
    normalized_shape, the sizes of those axes.

    Raises:
        ValueError: x does not end in normalized_shape, or weight or bias has another shape.
    """
    if (args and isinstance(args[0], tuple | list | int)) or "normalized_shape" in options:
        return _over_axes(normalize.layer_norm, x, *args, **options)
    return normalize.layer_norm(x, *args, **options)


def rms_norm(x: Any, *args: Any, **options: Any) -> Any:
    """The op `rms_norm` of the last axis, ``(x, weight, eps=1e-5)``; or ``rms_norm(x, normalized_shape, weight=None, eps=1e-5)``.

    The second form takes the last axes together, as in `layer_norm`. (PyTorch's default eps is the dtype's rounding unit.)
    """
    if (args and isinstance(args[0], tuple | list | int)) or "normalized_shape" in options:
        return _over_axes(normalize.rms_norm, x, *args, **options)
    return normalize.rms_norm(x, *args, **options)


for _norm, _op in ((layer_norm, normalize.layer_norm), (rms_norm, normalize.rms_norm)):
    for _part in ("formula", "derivative", "source"):
        setattr(_norm, _part, getattr(_op, _part))


def _over_axes(norm: Any, x: Any, normalized_shape: Any, *args: Any, **options: Any) -> Any:
    """A norm of the last axes together: of vectors that hold all of their numbers."""
    sizes = tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    shape = shape_of(x)
    if not sizes or shape[max(len(shape) - len(sizes), 0) :] != sizes:
        raise ValueError(
            f"{norm.name}: normalized_shape {sizes} must be the sizes of the last axes of x, which has shape {shape}."
        )
    if len(sizes) == 1:
        return norm(x, *args, **options)
    parts = {"weight": None, "bias": None} if norm is normalize.layer_norm else {"weight": None}
    given = dict(zip((*parts, "eps"), args, strict=False))
    if len(args) > len(parts) + 1 or given.keys() & options.keys():
        raise TypeError(f"{norm.name}() takes (x, normalized_shape, {', '.join(parts)}, eps), each once.")
    options = {**parts, **given, **options}
    for part in parts:
        if options[part] is not None:
            if shape_of(options[part]) != sizes:
                raise ValueError(f"{norm.name}: {part} has shape {shape_of(options[part])}, expected {sizes}.")
            options[part] = reshape(options[part], (-1,))
    y = norm(reshape(x, (*shape[: len(shape) - len(sizes)], math.prod(sizes))), **options)
    return reshape(y, shape)


def dropout(x: Any, p: float = 0.5, training: bool = True, key: int | None = None) -> Any:
    """x with each number set to 0 with probability p and the others divided by 1 - p; x itself where not `training`.

    Args:
        key: which numbers are dropped; default: a new key (`minilm.random.next_key`).
    """
    if not training or p == 0.0:
        return x
    return drop(x, p=p, key=random.next_key(math.prod(shape_of(x))) if key is None else key)


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
    seed = random.next_key(_pairs(shape_of(query), shape_of(key))) if dropout_p else 0
    y: Tensor = attend(query, key, value, mask, causal=causal, dropout_p=dropout_p, key=seed, scale=scale)
    return y


def _pairs(query: Shape, key: Shape) -> int:
    """How many pairs of a query and a key there are; 0 where the shapes do not fit each other, which the op will say."""
    try:
        return math.prod(np.broadcast_shapes(query[:-2], key[:-2])) * query[-2] * key[-2]
    except (ValueError, IndexError):
        return 0


def distillation_loss(student: Any, teacher: Any, temperature: float = 1.0) -> Tensor:
    r"""How far a student's probabilities are from a teacher's, both softened by a temperature T.

    .. math:: L = \frac{T^2}{n} \sum_{i=1}^{n} \operatorname{KL}(p_i \Vert q_i), \qquad p_i = \operatorname{softmax}(t_i / T),
        \quad q_i = \operatorname{softmax}(s_i / T)

    The gradient by s is :math:`\frac{T}{n} (q - p)`. The difference shrinks as 1 / T, so :math:`T^2` keeps the gradient's size, and a
    share of this loss beside that of the labels means the same at each temperature. Hinton, Vinyals and Dean 2015, *Distilling the
    Knowledge in a Neural Network*, arXiv:1503.02531, section 2.

    Args:
        student, teacher: logits of one shape, ``(..., classes)``; n is the product of the leading axes. A teacher that requires a
            gradient gets one: ``teacher.detach()`` keeps it as it is.
        temperature: T.

    Raises:
        ValueError: the shapes differ or have no axis, or the temperature is not positive and finite.
    """
    shape = shape_of(student)
    if shape != shape_of(teacher) or not shape:
        raise ValueError(
            f"distillation_loss: expected logits (..., classes) of one shape, got {shape} and {shape_of(teacher)}."
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"distillation_loss: temperature must be positive and finite, got {temperature}.")
    target = log_softmax(teacher / temperature)
    total = kl_div(log_softmax(student / temperature), target, log_target=True, reduction="sum")
    loss: Tensor = total * (temperature**2 / max(1, math.prod(shape[:-1])))
    return loss


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


__all__ = ["avg_pool1d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu",
           "contrastive_loss", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d",
           "cross_entropy", "distillation_loss", "dropout", "elu", "embedding", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish",
           "hardtanh", "huber_loss", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
           "max_pool1d", "max_pool2d", "mish", "mse_loss", "nll_loss", "one_hot", "pad", "prelu", "relu", "relu6", "rms_norm",
           "scaled_dot_product_attention", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink",
           "softsign", "tanh", "tanhshrink", "unit"]  # fmt: skip
