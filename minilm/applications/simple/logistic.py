r"""Logistic regression, and a small network, on a table of numbers, with a weight for each example.

.. math:: z = w \cdot x + b \quad \text{or} \quad z = w \cdot \operatorname{relu}(U x + c) + b, \qquad P(y = 1) = \sigma(z), \qquad
    L = \frac{\sum_i v_i \left(-\ln P(y_i)\right)}{\sum_i v_i}

All examples at once, by Adam. The weights v are for examples that stand for more than others, as `minilm.metrics.reweighting` has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm import nn
from minilm.graph import no_grad
from minilm.nn import functional as F
from minilm.optim import AdamW
from minilm.random import manual_seed
from minilm.tensor import Tensor
from minilm.types import HostArray


class Logistic:
    """A yes or no from a row of numbers.

    Args:
        width: the numbers in a row.
        hidden: how many units the hidden layer has; 0: there is none, and it is logistic regression.
        seed: of the weights it begins with.
    """

    def __init__(self, width: int, hidden: int = 0, seed: int = 0) -> None:
        manual_seed(seed)
        layers = [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)] if hidden else [nn.Linear(width, 1)]
        self.model = nn.Sequential(*layers)

    def fit(
        self, x: Any, y: Any, weights: Any = None, *, steps: int = 200, learning_rate: float = 0.03, decay: float = 0.0
    ) -> Logistic:
        """Learns from rows (n, width) and whether each is a yes (n,).

        Args:
            weights: (n,) what each example counts; None: 1.
            steps: updates, each of all examples.
            learning_rate: of Adam.
            decay: of the weights, decoupled (AdamW).

        Raises:
            ValueError: there is not one truth, or not one weight, per row, or a weight is negative or not finite.
        """
        x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        v = np.ones(len(x), np.float32) if weights is None else np.asarray(weights, np.float32)
        if x.ndim != 2 or y.shape != (len(x),) or v.shape != (len(x),):
            raise ValueError(f"expected rows (n, width), and n of the others, got {x.shape}, {y.shape} and {v.shape}.")
        if not np.isfinite(v).all() or (v < 0).any() or not v.any():
            raise ValueError("weights are finite, not negative, and not all 0.")
        rows, truth, share = Tensor(x), Tensor(y), Tensor(v / v.sum())
        optimizer = AdamW(self.model.parameters(), lr=learning_rate, weight_decay=decay)
        for _ in range(steps):
            surprise = F.binary_cross_entropy_with_logits(self.model(rows)[:, 0], truth, reduction="none")
            optimizer.zero_grad()
            (surprise * share).sum().backward()
            optimizer.step()
        return self

    @no_grad()
    def probabilities(self, x: Any) -> HostArray:
        """P(y = 1) of each row, (n,)."""
        z = self.model(Tensor(np.asarray(x, np.float32)))[:, 0]
        return np.asarray(z.sigmoid().numpy(), np.float64)


__all__ = ["Logistic"]
