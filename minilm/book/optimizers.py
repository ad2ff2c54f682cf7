"""Chapter 2 and appendix C: optimizers, tried on single gradients and on functions whose minimum is known.

`after` and `descend` run one of `minilm.optim` and return where it ends, for the checks of the update rules. `race` is the
comparison of appendix C: all learning rates of a grid at once, on functions of two variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.creation import tensor
from minilm.ops.shape import stack
from minilm.optim import SGD
from minilm.tensor import Tensor
from minilm.types import HostArray

Make = Callable[[list[Any]], Any]  # an optimizer of parameters, or of groups of them
Function = Callable[[Any, Any], Any]  # of x and y, numbers or arrays or tensors

GRID = np.array([float(f"{10 ** (k / 3 - 4):.3g}") for k in range(16)])
"""The learning rates of the race: 0.0001, 0.000215, 0.000464, 0.001, ... 10."""
NEAR = 1e-3  # the distance from the minimum that is the goal


def after(make: Make, p: Tensor, *gradients: Tensor) -> Tensor:
    """The parameter p after one step of the optimizer for each of the gradients."""
    q = tensor(p.numpy().copy(), requires_grad=True)
    optimizer = make([q])
    for g in gradients:
        q.grad = g.detach()
        optimizer.step()
    return q.detach()


def descend(make: Make, loss: Callable[[Tensor], Tensor], p: Tensor, steps: int) -> Tensor:
    """The parameter p after so many steps down the function loss(p)."""
    q = tensor(p.numpy().copy(), requires_grad=True)
    optimizer = make([q])
    for _ in range(steps):
        optimizer.zero_grad()
        loss(q).backward()
        optimizer.step()
    return q.detach()


def steps_needed(eigenvalues: Any, lr: float, momentum: float, *, goal: float = 1e-3, limit: int = 20_000) -> int:
    """Steps until the distance from the minimum of a bowl with these eigenvalues is `goal` of what it was; `limit` at most.

    It starts at 1 along each eigenvector, with `SGD` and its momentum.
    """
    curvature = np.asarray(eigenvalues, np.float64)
    p = tensor(np.ones(len(curvature)), requires_grad=True)
    optimizer = SGD([p], lr=lr, momentum=momentum)
    for step in range(1, limit):
        p.grad = tensor(curvature * p.numpy())  # the bowl's gradient, written down
        optimizer.step()
        if np.linalg.norm(p.numpy()) <= goal * np.sqrt(len(curvature)):
            return step
    return limit


class Surface(NamedTuple):
    """A function of two variables: where a race starts, its nearest minimum, and the part that a picture shows (x0, x1, y0, y1)."""

    function: Function
    start: tuple[float, float]
    minimum: tuple[float, float]
    window: tuple[float, float, float, float]


def bowl(x: Any, y: Any) -> Any:
    """(x² + 100 y²) / 2: condition number 100, along the axes."""
    return 0.5 * (x * x + 100 * y * y)


def turned_bowl(x: Any, y: Any) -> Any:
    """`bowl`, turned by 45 degrees."""
    return bowl((x + y) * 0.5**0.5, (y - x) * 0.5**0.5)


def rosenbrock(x: Any, y: Any) -> Any:
    """(1 - x)² + 100 (y - x²)²: a curved valley (Rosenbrock 1960, doi:10.1093/comjnl/3.3.175)."""
    return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)


def beale(x: Any, y: Any) -> Any:
    """The sum of (c_k - x + x y^k)² for c = 1.5, 2.25, 2.625: a plateau with steep edges (Beale 1958)."""
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y
    return a * a + b * b + c * c


def saddle(x: Any, y: Any) -> Any:
    """x²/2 - y²/2 + y⁴/4: flat at 0, with minima at (0, 1) and (0, -1)."""
    return 0.5 * x * x - 0.5 * y * y + 0.25 * y * y * y * y


SURFACES = {
    "bowl": Surface(bowl, (-4.0, 1.0), (0.0, 0.0), (-4.5, 1.5, -1.5, 1.5)),
    "turned bowl": Surface(turned_bowl, (-5 * 0.5**0.5, -3 * 0.5**0.5), (0.0, 0.0), (-4.5, 1.5, -4.5, 1.5)),
    "Rosenbrock": Surface(rosenbrock, (-1.2, 1.0), (1.0, 1.0), (-2.0, 2.0, -1.0, 3.0)),
    "Beale": Surface(beale, (1.0, 1.0), (3.0, 0.5), (-0.5, 4.2, -1.5, 1.8)),
    "saddle": Surface(saddle, (1.5, 0.001), (0.0, 1.0), (-1.8, 1.8, -1.0, 1.8)),
}


def race(surface: Surface, rule: Make, rates: Sequence[float] | HostArray = GRID, steps: int = 400) -> HostArray:
    """The paths of one optimizer with all learning rates at once, (steps + 1, rates, 2).

    Too large a rate overflows: that is part of the experiment, and no error.
    """
    points = [tensor(list(surface.start), requires_grad=True) for _ in rates]
    path = [[p.tolist() for p in points]]
    with np.errstate(all="ignore"):
        optimizer = rule([{"params": [p], "lr": float(rate)} for p, rate in zip(points, rates, strict=True)])
        for _ in range(steps):
            optimizer.zero_grad()
            both = stack(*points)
            surface.function(both[:, 0], both[:, 1]).sum().backward()  # of the sum, each point gets its own gradient
            optimizer.step()
            path.append([p.tolist() for p in points])
    return np.array(path)


class Arrival(NamedTuple):
    """The best of a race's rates: its index, the first step from which on it stays near (None: never), the distances by step."""

    rate: int
    steps: int | None
    distances: HostArray


def best_rate(path: HostArray, minimum: tuple[float, float]) -> Arrival:
    """The rate that needs the fewest steps to come within 0.001 of the minimum and stay; if none does, the nearest in the end."""
    with np.errstate(all="ignore"):
        distance = np.nan_to_num(np.linalg.norm(path - np.array(minimum), axis=2), nan=np.inf)
    outside = distance >= NEAR
    never = len(path)
    arrival = np.where(outside[-1], never, never - outside[::-1].argmax(axis=0))
    steps, _, k = min((int(arrival[k]), float(distance[-1, k]), k) for k in range(path.shape[1]))
    return Arrival(k, None if steps == never else steps, distance[:, k])


__all__ = ["GRID", "SURFACES", "Arrival", "Surface", "after", "best_rate", "descend", "race", "steps_needed"]
