"""What the numbers of `minilm.training.flow` say, in words.

The bounds are rules of thumb, wide ones: they name what is far from usual, and a training may be well with one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minilm.training.flow_rows import QUANTITIES, Row

MOST_DEAD = 0.5
LARGEST_RATIO, SMALLEST_RATIO = 0.1, 1e-6
LARGEST_SPREAD = 1e4
IDLE = {
    "relu": "gave 0",
    "gelu": "gave nearly 0",
    "silu": "gave nearly 0",
    "tanh": "were at 1 or -1",
    "sigmoid": "were at 0 or 1",
}


def warnings(rows: Sequence[Row]) -> list[str]:
    """What is far from usual in the last step of the rows, a sentence for each; the worst first."""
    last = [row for row in rows if row.step == rows[-1].step] if rows else []
    found = [(badness, text) for row in last for badness, text in _of_layer(row)]
    return [text for _, text in sorted(found + _of_all(last), key=lambda pair: pair[0])]


def told(rows: Sequence[Row]) -> str:
    """The warnings, under the step that they are of; or that there are none."""
    if not rows:
        return "nothing was read yet."
    found = warnings(rows) or ["nothing is far from usual."]
    return "\n".join([f"step {rows[-1].step}:", *(f"  {text}" for text in found)])


def _of_layer(row: Row) -> list[tuple[int, str]]:
    name = f"layer {row.layer}" if row.layer else "the model"
    broken = [q.replace("_", " ") for q in QUANTITIES if (v := getattr(row, q)) is not None and not math.isfinite(v)]
    if broken:
        return [
            (
                0,
                f"{name}: its {', '.join(broken)} is not finite. Look for the first such number with ml.detect_anomaly().",
            )
        ]
    found = []
    if row.gradient_norm == 0:
        found.append((1, f"{name}: no gradient reaches it, so it learns nothing."))
    if row.dead is not None and row.dead >= MOST_DEAD:
        idle = IDLE[row.activation or "relu"]
        found.append(
            (
                2,
                f"{name}: {row.dead:.0%} of its units {idle} for the whole batch".replace("%", " %")
                + f" ({row.activation}).",
            )
        )
    if row.std == 0:
        found.append((3, f"{name}: its output is the same number for every example."))
    ratio = row.update_ratio
    if ratio is not None and ratio > LARGEST_RATIO:
        found.append(
            (
                4,
                f"{name}: an update changes its weights by {ratio:.2g} of their size; 0.001 is usual. Is the learning rate too high?",
            )
        )
    if ratio is not None and ratio < SMALLEST_RATIO and row.gradient_norm:
        found.append(
            (
                5,
                f"{name}: an update changes its weights by {ratio:.2g} of their size; 0.001 is usual. Is the learning rate too low?",
            )
        )
    return found


def _of_all(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """What is seen by comparing layers."""
    reached = [(row.gradient_norm, row.layer) for row in rows if row.gradient_norm and math.isfinite(row.gradient_norm)]
    if not reached:
        return []
    (low, least), (high, most) = min(reached), max(reached)
    if high <= LARGEST_SPREAD * low:
        return []
    return [
        (
            1,
            f"the gradient is {high / low:.1g} times smaller in layer {least} than in layer {most}: it vanishes on its way.",
        )
    ]


__all__ = ["told", "warnings"]
