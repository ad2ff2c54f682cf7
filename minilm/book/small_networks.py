"""Chapter 2: a network as a picture, gradients through ten layers, and two numbers that tell a zero from a one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minilm import nn
from minilm.nn import init
from minilm.random import manual_seed
from minilm.style import COLORS
from minilm.tensor import Tensor, grad
from minilm.types import HostArray


def two_numbers(image: HostArray) -> list[float]:
    """Of an 8 x 8 digit: the mean gray value of its middle, where a zero is empty, and of the columns beside it, where a one is."""
    middle, sides = image[3:5, 3:5], image[2:6, [1, 2, 5, 6]]
    return [float(middle.mean()) / 16, float(sides.mean()) / 16]


def first_and_last_gradient(
    activation: Callable[[Tensor], Tensor], he: bool = False, depth: int = 10, width: int = 64
) -> tuple[float, float]:
    """The norms of the gradients of the first and of the last layer's weights, of the mean square of the outputs.

    Args:
        activation: between the layers, and after the last.
        he: weights with the standard deviation of He et al. (2015, arXiv:1502.01852), the root of 2 / width.
    """
    manual_seed(1)
    layers = [nn.Linear(width, width) for _ in range(depth)]
    if he:
        for layer in layers:
            init.kaiming_normal_(layer.weight, nonlinearity="relu")
    a = Tensor(np.random.default_rng(2).normal(size=(32, width)).astype(layers[0].weight.numpy().dtype))
    for layer in layers:
        a = activation(layer(a))
    first, last = grad((a * a).mean(), [layers[0].weight, layers[-1].weight])
    return float(np.linalg.norm(first.numpy())), float(np.linalg.norm(last.numpy()))


def draw_network(weights: Sequence[HostArray], labels: Sequence[str]) -> None:
    """Circles in columns, and a line per weight: solid if positive, dashed if negative, thick if large.

    Args:
        weights: a matrix (out, in) per layer.
        labels: below each column of circles, one more than matrices.
    """
    import matplotlib.pyplot as plt  # a heavy library, which only pictures need

    sizes = [weights[0].shape[1]] + [W.shape[0] for W in weights]
    place = [[(2.2 * k, (n - 1) / 2 - i) for i in range(n)] for k, n in enumerate(sizes)]
    _, axes = plt.subplots(figsize=(6.4, 3.2))
    for k, W in enumerate(weights):
        for i in range(sizes[k + 1]):
            for j in range(sizes[k]):
                (x0, y0), (x1, y1) = place[k][j], place[k + 1][i]
                color, style = (COLORS[0], "-") if W[i, j] > 0 else (COLORS[1], "--")
                axes.plot([x0, x1], [y0, y1], style, color=color, linewidth=0.4 + 4 * abs(W[i, j]), zorder=1)
    for k, column in enumerate(place):
        for i, (px, py) in enumerate(column):
            axes.scatter([px], [py], s=620, color="white", edgecolor="black", zorder=2)
            axes.text(px, py, f"${'xaz'[k]}_{i + 1}$", ha="center", va="center", zorder=3)
        axes.text(2.2 * k, -2.2, labels[k], ha="center", va="top")
    axes.set(xlim=(-0.8, 5.2), ylim=(-3.0, 2.0))
    axes.axis("off")


__all__ = ["draw_network", "first_and_last_gradient", "two_numbers"]
