"""Normalization layers. Their formulas and derivatives stand in `minilm.ops.normalize`."""

from __future__ import annotations

import math

from minilm.creation import ones, zeros
from minilm.graph import no_grad
from minilm.nn import functional as F
from minilm.nn.checks import expect_shape, expect_sizes, expect_width
from minilm.nn.module import Module, Parameter
from minilm.ops.arguments import shape_of
from minilm.ops.normalize import batch_statistics, layer_norm, rms_norm
from minilm.tensor import Tensor
from minilm.types import Shape


class _Norm(Module):
    """What LayerNorm and RMSNorm share: the axes that are brought to one scale together, always the last ones."""

    shape: Shape

    def _make(self, normalized_shape: int | tuple[int, ...] | list[int]) -> None:
        name, many = type(self).__name__, isinstance(normalized_shape, tuple | list)
        self.shape = tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
        if not self.shape:
            raise ValueError(f"{name}: normalized_shape must name at least one axis, got {normalized_shape!r}.")
        expect_sizes(
            name, **{f"normalized_shape[{i}]" if many else "normalized_shape": n for i, n in enumerate(self.shape)}
        )
        self.normalized_shape = self.shape if len(self.shape) > 1 else self.shape[0]


class LayerNorm(_Norm):
    r"""Each vector shifted to mean 0 and scaled to variance 1, then to a learned scale and mean.

    .. math:: y = w \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b

    Shapes: x and y ``(..., *normalized_shape)``, w and b ``normalized_shape``, which start at 1 and 0. Ba, Kiros and Hinton,
    Layer normalization, 2016.

    Args:
        normalized_shape: the size of the last axis, or those of the last axes, whose numbers then count as one vector: for images
            ``(C, H, W)``.
        eps: added to the variance.
        elementwise_affine: False leaves w and b out.
        bias: False leaves b out.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, no axis is named, or the input does not end in normalized_shape.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._make(normalized_shape)
        self.eps = eps
        self.weight = Parameter(ones(*self.shape)) if elementwise_affine else None
        self.bias = Parameter(zeros(*self.shape)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        if len(self.shape) > 1:
            expect_shape(self, x, self.shape)
            return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
        expect_width(self, x, self.shape[0])
        return layer_norm(x, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        left_out = [f"{name}=False" for name in ("weight", "bias") if getattr(self, name) is None]
        return ", ".join([str(self.normalized_shape), f"eps={self.eps}", *left_out])


class RMSNorm(_Norm):
    r"""Each vector divided by its root mean square, then scaled as learned.

    .. math:: y = w \odot \frac{x}{\sqrt{\frac1n \sum_j x_j^2 + \epsilon}}

    Shapes: x and y ``(..., *normalized_shape)``, w ``normalized_shape``, which starts at 1. Zhang and Sennrich, Root mean square
    layer normalization, NeurIPS 2019. (PyTorch's default eps is the dtype's rounding unit; here it is LayerNorm's.)

    Args:
        normalized_shape, eps, elementwise_affine: as for `LayerNorm`.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, no axis is named, or the input does not end in normalized_shape.
    """

    def __init__(
        self, normalized_shape: int | tuple[int, ...] | list[int], eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self._make(normalized_shape)
        self.eps = eps
        self.weight = Parameter(ones(*self.shape)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        if len(self.shape) > 1:
            expect_shape(self, x, self.shape)
            return F.rms_norm(x, self.shape, self.weight, self.eps)
        expect_width(self, x, self.shape[0])
        return rms_norm(x, self.weight, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}" + ("" if self.weight is not None else ", weight=False")


class _BatchNorm(Module):
    r"""Each channel shifted to mean 0 and scaled to variance 1 over the batch, then to a learned scale and mean.

    .. math:: y = w_c \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + b_c

    While learning, :math:`\mu_c` and :math:`\sigma_c^2` (the biased variance) are those of the batch, and running averages of the
    mean and the unbiased variance are kept: :math:`r \leftarrow (1 - m)\, r + m\, s`. After `eval` the running averages are used.
    Ioffe and Szegedy, Batch normalization, ICML 2015.

    Args:
        num_features: the number of channels, axis 1 of the input.
        eps: added to the variance.
        momentum: m, the weight of the newest batch; None gives every batch the same weight.
        affine: False leaves w and b out.

    Raises:
        ValueError: the input has other axes, or only one number in each channel while learning.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    shapes: dict[int, str]

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True) -> None:
        super().__init__()
        expect_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(ones(num_features)) if affine else None
        self.bias = Parameter(zeros(num_features)) if affine else None
        self.register_buffer("running_mean", zeros(num_features))
        self.register_buffer("running_var", ones(num_features))
        self.register_buffer("num_batches_tracked", zeros(dtype="int64"))

    def forward(self, x: Tensor) -> Tensor:
        shape = shape_of(x)
        if len(shape) not in self.shapes or shape[1] != self.num_features:
            expected = " or ".join(self.shapes.values()).replace("C", str(self.num_features))
            raise ValueError(f"{self!r} expected an input of shape {expected}, got {shape}.")
        if not self.training:
            mean, var = self.running_mean, self.running_var
        else:
            count = math.prod(shape) // self.num_features
            if count < 2:
                raise ValueError(
                    f"{self!r} needs at least 2 numbers in each channel to learn from, got an input of shape {shape}; use a larger "
                    "batch, or eval() to predict."
                )
            mean, var = batch_statistics(x)
            self._keep(mean, var, count)
        return F.batch_norm(x, self.weight, self.bias, mean, var, eps=self.eps)

    def _keep(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Moves the running averages towards a batch's statistics."""
        with no_grad():
            self.num_batches_tracked = self.num_batches_tracked + 1
            m = 1.0 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean = self.running_mean * (1.0 - m) + mean * m
            self.running_var = self.running_var * (1.0 - m) + var * (m * count / (count - 1))

    def extra_repr(self) -> str:
        left_out = "" if self.weight is not None else ", affine=False"
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}{left_out}"


class BatchNorm1d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "") + "\n    Shapes: x and y ``(N, C)`` or ``(N, C, L)``.\n    "
    shapes = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "") + "\n    Shapes: x and y ``(N, C, H, W)``.\n    "
    shapes = {4: "(N, C, H, W)"}


__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "RMSNorm"]
