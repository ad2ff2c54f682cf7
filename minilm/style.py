"""One palette for all pictures, and one look for figures: readable in print, on a screen, and by color-blind readers.

The figures of the book, the drawings of a trace, the roofline of a profile and the losses of a training take their colors from here.
They are those of Okabe and Ito (2008, "Color Universal Design"), ordered so that the first four stand at least 3:1 against white
(W3C, Web Content Accessibility Guidelines 2.1, 1.4.11) and apart from each other in deuteranopia and protanopia. A line's style
changes with its color, so that a figure can be read without colors, too.
"""

from __future__ import annotations

import sys
from typing import Any

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, YELLOW = "#E69F00", "#56B4E9", "#000000", "#F0E442"

COLORS = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW]
"""The book's colors: the first four for lines and markers on white, the others for fills and for a fifth line."""

LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1))]
INK, GRAY, GRID = "#222222", "#888888", "#DDDDDD"
PLUM = "#B3578C"
"""Purple for thin lines, around a tint of `PURPLE`: 4.5:1 against white."""

NEGATIVE, ZERO, POSITIVE = "#005A9E", "#F7F7F7", "#C95400"
"""Blue and vermillion a shade darker, with what lies between them: a scale for numbers with a sign."""


def rgb(color: str) -> tuple[int, ...]:
    """The three numbers of #RRGGBB, from 0 to 255."""
    return tuple(bytes.fromhex(color[1:]))


def settings() -> dict[str, Any]:
    """matplotlib's rcParams of the book."""
    from cycler import cycler

    return {
        "figure.figsize": (6.4, 3.6),  # inches
        "figure.dpi": 100,
        "savefig.dpi": 100,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.facecolor": "white",
        "figure.constrained_layout.use": True,
        "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same figure on every machine
        "font.size": 10,
        "axes.labelsize": 10,
        "axes.titlesize": 10,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.handlelength": 2.6,  # long enough to show the line's style
        "axes.prop_cycle": cycler(color=COLORS[:7]) + cycler(linestyle=LINES),
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "image.cmap": "cividis",
        "svg.hashsalt": "minilm",
    }


def use_style() -> None:
    """Gives all figures from here on the book's look.

    In a notebook, a picture's file does not name the matplotlib that drew it, so that an upgrade alone changes nothing.
    """
    import matplotlib as mpl

    for name, value in settings().items():
        mpl.rcParams[name] = value  # type: ignore[index]
    shell = _notebook_shell()
    if shell is not None:
        from matplotlib_inline.config import InlineBackend

        backend = InlineBackend.instance(parent=shell)
        options: dict[str, Any] = {"bbox_inches": "tight", "metadata": {"Software": None}}
        backend.print_figure_kwargs = options


def _notebook_shell() -> Any:
    """The running IPython, where there is one."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
