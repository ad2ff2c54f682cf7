"""Ops with random numbers. The numbers follow from a key, so each op is a function: it can be run again, and checked."""

from __future__ import annotations

import numpy as np

from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real


@op
class dropout(Op):
    r"""Each element set to zero with probability p, and the others scaled so that the expected value stays.

    Args:
        p: the probability of zero.
        key: which mask to draw (`minilm.random.next_key` gives a new one): the same key, the same mask, on every device
            and in every derivative. Of a part of a batch, it also says where the part begins.
        training: False returns x unchanged.

    Raises:
        ValueError: p is not in [0, 1], or the key is not in [0, 2^96).
        TypeError: the key is no integer.
    """

    formula = (
        r"y_i = \frac{m_i}{1 - p}\, x_i, \quad m_i \sim \operatorname{Bernoulli}(1 - p); \quad y = 0 \text{ for } p = 1"
    )
    derivative = r"\bar x_i = \frac{m_i}{1 - p}\, \bar y_i"
    source = "Srivastava et al. (2014), Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    has_aux = True
    integers = "floats"
    samples = [Sample(real(3, 4), p=0.5, key=1), Sample(real(2, 2, 3), p=0.1, key=2**64 - 1), Sample(real(2), p=0.0, key=3),
               Sample(real(2, 3), p=1.0, key=4), Sample(real(3), p=0.5, key=5, training=False), Sample(real(), p=0.3, key=6),
               Sample(real(0, 2), p=0.5, key=7)]  # fmt: skip

    def check(self, x, *, p, key, training):
        return {"p": check_probability("dropout", p), "key": check_key("dropout", key), "training": bool(training)}

    def forward(self, dev, x, *, p, key, training=True):
        mask = dev.dropout_mask(x.shape, p if training else 0.0, key, x.dtype)
        return x * mask, mask

    def grad_x(self, g, _y, _x, *, p, key, training, aux):
        return g * aux


def check_probability(op_name, p):
    """p, where it is a probability."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{op_name}: p is the probability of a zero, from 0 to 1, got {p}.")
    return float(p)


def check_key(op_name, key):
    """The key, where it has 96 bits."""
    if isinstance(key, bool) or not isinstance(key, int | np.integer):
        raise TypeError(f"{op_name}: key must be an integer such as minilm.random.next_key() gives, got {key!r}.")
    if not 0 <= key < 2**96:
        raise ValueError(f"{op_name}: key must be in [0, 2**96), got {key}.")
    return int(key)
