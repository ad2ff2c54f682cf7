"""The affine layer."""

from __future__ import annotations

from minilm.creation import zeros
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_sizes, expect_width
from minilm.nn.module import Module, Parameter
from minilm.tensor import Tensor


class Linear(Module):
    r"""An affine map of the last axis.

    .. math:: y = x W^\top + b

    Shapes: x ``(..., in_features)``, W ``(out_features, in_features)``, b ``(out_features,)``, y ``(..., out_features)``. W and b
    start uniform in :math:`\pm 1/\sqrt{in\_features}` (`init.default_`).

    Args:
        bias: False leaves b out; ``layer.bias`` is then None.

    Raises:
        ValueError: the input's last axis is not in_features.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        expect_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features))
        self.bias = Parameter(zeros(out_features)) if bias else None
        init.default_(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        expect_width(self, x, self.in_features)
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


__all__ = ["Linear"]
