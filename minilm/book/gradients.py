"""Chapter 3: what its checks and pictures of gradients need beside the text.

The chapter's own cells show how a gradient is computed; here is what counts, draws and measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm import random
from minilm.models.mlp import MLP
from minilm.nn import functional as F
from minilm.nn import init
from minilm.ops.op import Op
from minilm.optim import Adam
from minilm.style import COLORS
from minilm.tensor import Tensor, grad
from minilm.types import HostArray

UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}


def sigma(z: Tensor) -> Tensor:
    """The logistic function as it is defined, 1 / (1 + exp(-z)), by operations of Tensors."""
    return 1 / (1 + (-z).exp())


def sigmoid(z: Any) -> HostArray:
    """The same of NumPy arrays, with exponentials that cannot overflow."""
    return np.asarray(np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))))


def central_difference(f: Callable[[], float], array: HostArray, h: float = 1e-5) -> HostArray:
    """df/d(array) by two runs of `f` per element; `f` reads `array`, which is as before in the end.

    Args:
        h: how far an element is moved to either side.
    """
    slope = np.zeros_like(array)
    for place in np.ndindex(*array.shape):
        middle, sides = array[place], []
        for moved in (middle + h, middle - h):
            array[place] = moved
            sides.append(f())
        array[place] = middle
        slope[place] = (sides[0] - sides[1]) / (2 * h)
    return slope


class Multiplications:
    """An observer (`minilm.observe`) that counts the multiplications of numbers within matrix products.

    Attributes:
        count: so many by now.
    """

    def __init__(self) -> None:
        self.count = 0

    def forward(self, op: Op, inputs: Sequence[Any], params: Any, outputs: Sequence[Any]) -> None:
        """One operation has run."""
        if op.name == "matmul":
            self.count += outputs[0].size * inputs[0].shape[-1]


def standard_deviation(initialize: Callable[..., Any], n_in: int, n_out: int) -> float:
    """Of the weights that an initializer draws from a normal distribution: a weight over the number that it was made from."""
    drawn = np.random.default_rng(7).standard_normal((n_out, n_in))
    weight = Tensor(np.zeros((n_out, n_in), np.float32))
    initialize(weight, rng=np.random.default_rng(7))
    return float(weight.numpy()[0, 0] / drawn[0, 0])


def place_of_minimum(total: Callable[[Tensor], Tensor], low: float = 1e-12, high: float = 1e3) -> float:
    """The h > 0 at which a function that falls and then rises is smallest: where the engine's derivative changes its sign, by bisection."""
    for _ in range(200):
        middle = (low * high) ** 0.5
        h = Tensor(np.array(middle), requires_grad=True)
        low, high = (low, middle) if grad(total(h), h)[0].item() > 0 else (middle, high)
    return middle


def through_layers(
    activation: Callable[[Tensor], Tensor], std: float, *, depth: int = 20, width: int = 128
) -> tuple[HostArray, HostArray]:
    """The root mean square of each layer's activations, and that of the gradient in them: random data, random last gradient.

    Args:
        std: of the weights, which are drawn from a normal distribution.
    """
    rng = np.random.default_rng(0)
    a, kept = Tensor(rng.standard_normal((128, width))), []
    for _ in range(depth):
        weight = Tensor(std * rng.standard_normal((width, width)), requires_grad=True)
        a = activation(F.linear(a, weight)).retain_grad()
        kept.append(a)
    (a * Tensor(rng.standard_normal(a.shape))).sum().backward()

    def size(x: Any) -> float:
        return float(np.sqrt((x.numpy() ** 2).mean()))

    return np.array([size(a) for a in kept]), np.array([size(a.grad) for a in kept])


def loss_on_xor(start: float | None, *, steps: int) -> float:
    """The loss of a 2-4-1 network on the exclusive or after so many steps of Adam; its biases begin at 0.

    Args:
        start: what all weights begin with; None: random numbers (Glorot and Bengio 2010).
    """
    x = Tensor(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32))
    y = Tensor(np.array([[0], [1], [1], [0]], np.float32))
    random.manual_seed(1)
    model = MLP([2, 4, 1], activation="tanh")
    for layer in model.layers:
        init.xavier_uniform_(layer.weight) if start is None else init.constant_(layer.weight, start)
        init.constant_(layer.bias, 0.0)
    optimizer, loss = Adam(model.parameters(), lr=0.05), Tensor(np.float32(0))
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


class Weight(NamedTuple):
    """One weight in place of a number: the loss as a function of it, at one point.

    Attributes:
        loss: of a weight, in the arithmetic of its dtype; a complex weight is one, too.
        at: the weight's value.
        derivatives: f, f', f'', f''' there, exact to many digits.
    """

    loss: Callable[[Any], Any]
    at: float
    derivatives: Sequence[float]


class Errors(NamedTuple):
    """How far a difference is off, relatively, for each step.

    Attributes:
        steps, errors: one after the other.
        best: the step at which the smallest error is expected.
    """

    steps: HostArray
    errors: HostArray
    best: float


def difference_errors(weight: Weight, dtype: str) -> dict[str, Errors]:
    """Of the forward and of the central difference, in float64 or float32 arithmetic.

    The steps are those that are really made, after `w + h` has been rounded.
    """
    number = np.dtype(dtype).type
    w, (f, f1, f2, f3), eps = number(weight.at), weight.derivatives, UNIT_ROUNDOFF[dtype]
    tried = 10.0 ** np.arange(-15 if dtype == "float64" else -7.5, 0.1, 0.25)
    h = np.array([number(w + number(step)) - w for step in tried])
    h, tried = h[h > 0], tried[h > 0]  # a step below the distance of two numbers is none
    above, below = (np.array([weight.loss(number(w + s * each)) for each in h]) for s in (1, -1))
    slopes = {"forward": (above - weight.loss(w)) / h, "central": (above - below) / (2 * h)}
    best = {"forward": 2 * (eps * abs(f) / abs(f2)) ** 0.5, "central": (3 * eps * abs(f) / abs(f3)) ** (1 / 3)}
    return {
        name: Errors(tried, np.abs(slope.astype(np.float64) / f1 - 1), best[name]) for name, slope in slopes.items()
    }


def complex_step_errors(weight: Weight) -> Errors:
    """Of the imaginary part of f(w + ih) over h, in float64; no step is the best one."""
    tried = 10.0 ** np.arange(-20, 0.1, 0.25)
    slopes = np.array([np.imag(weight.loss(weight.at + 1j * h)) / h for h in tried])
    return Errors(tried, np.abs(slopes / weight.derivatives[1] - 1), 0.0)


def draw_errors(panel: Any, curves: dict[str, Errors], label: str) -> None:
    """Curves of errors against steps on logarithmic axes; a vertical line where the smallest error is expected."""
    for (name, curve), color, marker, line in zip(curves.items(), COLORS, "os^", ("-", "--", "-."), strict=False):
        seen = np.maximum(curve.errors, 1e-17)
        panel.loglog(curve.steps, seen, line, marker=marker, markersize=3, linewidth=1, color=color, label=name)
        if curve.best:
            panel.axvline(curve.best, color=color, linewidth=1.2, linestyle=line)
    panel.set_xlabel(label)


def draw_network(
    ax: Any,
    columns: Sequence[tuple[str, Sequence[float], Sequence[float] | None]],
    layers: Sequence[tuple[Any, Any]],
    targets: Sequence[float],
) -> None:
    """A network as columns of circles: values and, in parentheses, gradients, in the circles and on the lines.

    Args:
        ax: of matplotlib.
        columns: for each layer of neurons its title, values, and gradients or None.
        layers: for each layer of weights (out, in) the weights and their gradients.
        targets: beside the last column.
    """

    def signed(text: str) -> str:
        return text.replace("-", "\N{MINUS SIGN}")

    for column, (weights, slopes) in enumerate(layers):
        for i, j in np.ndindex(*np.shape(weights)):
            t = 0.5 if i == j else 0.3
            ax.plot([column, column + 1], [-j, -i], color="0.6", ls="-", lw=1, zorder=1)
            ax.text(
                column + t, -j + t * (j - i), signed(f"{weights[i][j]:g}\n({slopes[i][j]:+.4f})"), ha="center", va="center",
                fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    for column, (title, values, gradients) in enumerate(columns):
        ax.text(column, 0.42, title, ha="center", weight="bold")
        for i, value in enumerate(values):
            ax.plot(column, -i, "o", ms=54, mfc="white", mec=COLORS[column], mew=2, zorder=2)
            text = f"{value:.4g}" + (f"\n({gradients[i]:+.3f})" if gradients is not None else "")
            ax.text(column, -i, signed(text), ha="center", va="center", fontsize=9)
    last = len(columns) - 1
    for i, target in enumerate(targets):
        line = {"arrowstyle": "-", "color": "0.6"}
        ax.annotate(f"target {target}", (last + 0.16, -i), (last + 0.3, -i), va="center", arrowprops=line)
    ax.set(xlim=(-0.25, last + 0.8), ylim=(-1.35, 0.6))
    ax.axis("off")


__all__ = [
    "UNIT_ROUNDOFF",
    "Errors",
    "Multiplications",
    "Weight",
    "central_difference",
    "complex_step_errors",
    "difference_errors",
    "draw_errors",
    "draw_network",
    "loss_on_xor",
    "place_of_minimum",
    "sigma",
    "sigmoid",
    "standard_deviation",
    "through_layers",
]  # fmt: skip
