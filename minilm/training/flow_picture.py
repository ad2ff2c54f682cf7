"""The rows of `minilm.training.flow` as a picture: a panel for each quantity, a line for each layer; in a notebook, renewed in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minilm.style import COLORS, GRAY, LINES
from minilm.training.flow_rows import Row
from minilm.training.flow_words import warnings

PANELS = (
    ("gradient_norm", "gradient norm", True),
    ("weight_norm", "weight norm", True),
    ("update_ratio", "update per weight", True),
    ("dead", "share of dead units", False),
    ("mean", "mean of the output", False),
    ("std", "deviation of the output", False),
)
USUAL_RATIO = 1e-3
MOST_NAMES = 8


def draw_flow(rows: Sequence[Row], figure: Any = None) -> Any:
    """Draws the rows; returns matplotlib's figure.

    A model of more than `MOST_NAMES` layers has a scale of colors, from the first layer to the last, for a legend.

    Args:
        rows: of one model, in the order of their steps.
        figure: is cleared and drawn on; default: a new one, which `matplotlib.pyplot` does not know.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("draw_flow: there are no rows yet: no step was read.")
    if figure is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 5), layout="constrained")
    figure.clear()
    layers = list(dict.fromkeys(row.layer for row in rows))
    looks = {layer: _look(i, len(layers)) for i, layer in enumerate(layers)}
    for axes, (quantity, label, logarithmic) in zip(figure.subplots(2, 3, sharex=True).flat, PANELS, strict=True):
        for layer in layers:
            points = points_of(rows, layer, quantity, logarithmic)
            if points:
                mark = "." if len(points) < 3 else ""
                axes.plot(*zip(*points, strict=True), label=layer or "model", marker=mark, **looks[layer])
        if logarithmic and axes.lines:
            _logarithmic(axes)
        if quantity == "update_ratio":
            axes.axhline(USUAL_RATIO, color=GRAY, linewidth=1, linestyle=":")
        if quantity == "dead":
            axes.set_ylim(-0.03, 1.03)
        axes.set_title(label)
        axes.grid(alpha=0.3)
    for axes in figure.axes[3:]:
        axes.set_xlabel("step")
    _legend(figure, layers)
    return figure


def points_of(rows: Sequence[Row], layer: str, quantity: str, logarithmic: bool) -> list[tuple[int, float]]:
    """Step and value where there is one that can be drawn: finite, and on a logarithmic scale positive."""
    found = [(row.step, getattr(row, quantity)) for row in rows if row.layer == layer]
    return [(s, v) for s, v in found if v is not None and math.isfinite(v) and (v > 0 or not logarithmic)]


def _logarithmic(axes: Any) -> None:
    """A logarithmic scale, whose numbers are written as numbers, those between powers of ten, too."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    few = math.log10(axes.get_ylim()[1] / axes.get_ylim()[0]) < 2
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if few else "")


def _look(i: int, count: int) -> dict[str, Any]:
    if count <= MOST_NAMES:
        return {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "linewidth": 1.5}
    from matplotlib import colormaps

    return {"color": colormaps["cividis"](i / (count - 1)), "linestyle": "-", "linewidth": 1.0}


def _legend(figure: Any, layers: Sequence[str]) -> None:
    if len(layers) <= MOST_NAMES:
        axes = max(figure.axes, key=lambda axes: len(axes.lines))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(ScalarMappable(Normalize(0, len(layers) - 1), "cividis"), ax=figure.axes, fraction=0.03)
    bar.set_ticks([0, len(layers) - 1], labels=[layers[0] or "model", layers[-1]])


class LivePicture:
    """A picture in a notebook that is drawn again in its place.

    ::

        live = LivePicture()
        for step in ...:
            with flow.update(step, x):
                optimizer.step()
            if step % 50 == 0:
                live.show(flow.rows)
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self.figure: Any = None

    def show(self, rows: Sequence[Row]) -> None:
        """Draws the rows in place of those that were shown before; below them stands what is far from usual.

        Raises:
            ModuleNotFoundError: there is no IPython.
            ValueError: there are no rows.
        """
        import IPython.display as shell

        self.figure = draw_flow(rows, self.figure)
        self.figure.suptitle("\n".join(warnings(rows)[:2]), fontsize=9)
        if self._handle is None:
            show: Any = shell.display
            self._handle = show(self.figure, display_id=True)
        else:
            self._handle.update(self.figure)


__all__ = ["LivePicture", "draw_flow", "points_of"]
