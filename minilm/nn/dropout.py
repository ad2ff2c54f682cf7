"""Layers that leave things out at random while learning."""

from __future__ import annotations

from minilm.nn import functional as F
from minilm.nn.checks import expect_probability, expect_width
from minilm.nn.linear import Linear
from minilm.nn.module import Module
from minilm.tensor import Tensor


class Dropout(Module):
    r"""Sets each number to 0 with probability p while learning, and divides the others by 1 - p.

    .. math:: y_i = \frac{m_i x_i}{1 - p}, \quad m_i \sim \operatorname{Bernoulli}(1 - p)

    So the mean of y is x, and after `eval` y is x itself. Srivastava et al., Dropout: a simple way to prevent neural networks from
    overfitting, JMLR 2014, in the form that scales while learning.

    Raises:
        ValueError: p is no probability.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        expect_probability("Dropout", p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class DropConnect(Module):
    r"""A Linear layer whose weights, not outputs, are dropped while learning.

    .. math:: y = x \left(\frac{M \odot W}{1 - p}\right)^{\!\top} + b, \quad M_{ij} \sim \operatorname{Bernoulli}(1 - p)

    One mask serves all rows of a call. Wan et al., Regularization of neural networks using DropConnect, ICML 2013. Two
    simplifications: the paper draws a mask for each example, and it averages over masks when predicting, where this layer uses
    the mean weight W.

    Args:
        linear: the layer whose weights are dropped; it stays reachable as ``layer.linear``.
        p: probability of dropping a weight, while learning.

    Raises:
        TypeError: `linear` is no Linear layer.
        ValueError: p is no probability, or the input has another width than the layer.
    """

    def __init__(self, linear: Linear, p: float = 0.5) -> None:
        super().__init__()
        expect_probability("DropConnect", p)
        if not isinstance(linear, Linear):
            raise TypeError(f"DropConnect wraps a Linear layer, got {type(linear).__name__}.")
        self.linear, self.p = linear, p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return self.linear(x)
        expect_width(self.linear, x, self.linear.in_features)
        return F.linear(x, F.dropout(self.linear.weight, self.p), self.linear.bias)

    def extra_repr(self) -> str:
        return f"p={self.p}"


__all__ = ["DropConnect", "Dropout"]
