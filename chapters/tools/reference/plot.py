"""The curve of an op of one number, and of its derivative, as a small SVG that takes the page's colors, on light pages and on dark.

The curves are computed by the engine, the derivative by its backward rule: what a reader sees is what the record does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.ops.explain import USUAL
from minilm.ops.op import Op
from minilm.ops.sample import Arg, Sample
from minilm.tensor import Tensor, grad

FAMILIES = ("activation", "arithmetic", "elementary", "rectifier", "rounding")  # where ops of one number stand
REACH = 4  # the plot goes from -4 to 4, both ways
POINTS = 401
SCALE = 38.0  # pixels per unit


def sample_of(op: Op) -> Sample | None:
    """The sample whose parameters are plotted; None for an op that is no function of one number."""
    if (
        type(op).__module__.rpartition(".")[2] not in FAMILIES
        or op.input_names != ("x",)
        or op.answers
        or op.name == "cast"
    ):
        return None
    sample: Sample = op.samples[0]
    (x,) = sample.inputs
    return sample if isinstance(x, Arg) and x.kind == "real" and _elementwise(op, sample) else None


def _elementwise(op: Op, sample: Sample) -> bool:
    """Whether a vector's result is that of its elements."""
    x = np.array([0.3, 0.9, 0.6])
    try:
        with np.errstate(all="ignore"):  # some places may be outside its domain
            y = op(x, **sample.params)
            alone = [op(x[i : i + 1], **sample.params) for i in range(3)]
    except USUAL:
        return False
    same = isinstance(y, np.ndarray) and y.shape == x.shape
    return same and np.array_equal(np.concatenate(alone), y, equal_nan=True)


def curves(op: Op, sample: Sample) -> tuple[Any, Any, Any]:
    """Places, the function there, and its derivative; NaN where it is not defined."""
    x = np.linspace(-REACH, REACH, POINTS)
    with np.errstate(all="ignore"):
        t = Tensor(x, requires_grad=True)
        y = op(t, **sample.params)
        d = grad(y.sum(), [t])[0].numpy() if y.requires_grad else np.zeros_like(x)
    return x, y.numpy(), np.where(np.isfinite(y.numpy()), d, math.nan)


def pieces(x: Any, y: Any) -> list[list[tuple[float, float]]]:
    """The curve as lines: cut where it is not defined and where it jumps, without the points that stand on a straight line."""
    step = np.abs(np.diff(y))
    found: list[list[tuple[float, float]]] = [[]]
    for i in range(len(x)):
        if not np.isfinite(y[i]):
            if found[-1]:
                found.append([])
            continue
        if found[-1] and i and _jumps(step, i - 1):
            found.append([])
        found[-1].append((float(x[i]), float(y[i])))
    return [_straightened(line) for line in found if len(line) > 1]


def _jumps(step: Any, i: int) -> bool:
    """Whether the curve is torn between two places: a step far above those beside it, or one that leaves the plot on both sides."""
    beside = [s for s in (*step[max(i - 1, 0) : i], *step[i + 1 : i + 2]) if np.isfinite(s)]
    return bool(step[i] > 2 * REACH or (step[i] > 0.05 and step[i] > 5 * min(beside, default=math.inf)))


def _straightened(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    kept = [line[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(line[1:]):
        a, b = kept[-1]
        if abs((y0 - b) * (x1 - a) - (y1 - b) * (x0 - a)) > 2e-4:  # an area: less than a quarter of a square pixel
            kept.append((x0, y0))
    return [*kept, line[-1]]


def picture(op: Op) -> str:
    """The SVG, and what the lines are in words; "" for an op that is no function of one number."""
    sample = sample_of(op)
    if sample is None:
        return ""
    x, y, d = curves(op, sample)
    seen = np.concatenate([y[np.isfinite(y)], d[np.isfinite(d)], [0.0]])
    low, high = max(-REACH, math.floor(seen.min() - 0.1)), min(REACH, math.ceil(seen.max() + 0.1))
    height = (high - low) * SCALE
    with_params = ", ".join(f"{name} = {value}" for name, value in sample.params.items())
    label = f"{op.name}{f' with {with_params}' if with_params else ''} from -{REACH} to {REACH}, and its derivative"

    def points(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{(a + REACH) * SCALE:.1f},{(high - _held(b)) * SCALE:.1f}" for a, b in line)

    lines = [
        f'<polyline class="{kind}" points="{points(line)}"/>'
        for kind, c in (("dy", d), ("y", y))
        for line in pieces(x, c)
    ]
    ticks = [
        f'<text x="{(k + REACH) * SCALE:.0f}" y="{height + 16:.0f}" text-anchor="middle">{_sign(k)}</text>'
        for k in range(-REACH, REACH + 1, 2)
    ]
    ticks += [
        f'<text x="-6" y="{(high - k) * SCALE + 4:.0f}" text-anchor="end">{_sign(k)}</text>'
        for k in range(low, high + 1)
    ]
    axes = (
        f'<path class="axis" d="M0 {high * SCALE:.0f}H{2 * REACH * SCALE:.0f}M{REACH * SCALE:.0f} 0V{height:.0f}"/>'
        f'<rect class="axis" width="{2 * REACH * SCALE:.0f}" height="{height:.0f}"/>'
    )
    curve = f'<svg class="curves" width="{2 * REACH * SCALE:.0f}" height="{height:.0f}">{"".join(lines)}</svg>'
    return (
        f'<figure class="op-plot"><svg role="img" aria-label="{label}" viewBox="-28 -6 {2 * REACH * SCALE + 36:.0f} {height + 28:.0f}">'
        f"{axes}{''.join(ticks)}{curve}</svg>"
        f'<figcaption><span class="y">y</span> <span class="dy">its derivative</span>{f" ({with_params})" if with_params else ""}'
        "</figcaption></figure>"
    )


def _held(y: float) -> float:
    """A number so far outside that it cannot be seen, nearer: a line to infinity is not drawn by every browser."""
    return min(max(y, -3 * REACH), 3 * REACH)


def _sign(k: int) -> str:
    return f"\N{MINUS SIGN}{-k}" if k < 0 else f"{k}"
