"""matplotlib's backend in the page: figures become pictures where they are shown, in order (``MPLBACKEND=module://figures``)."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import cells
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas
from matplotlib.backends.backend_agg import FigureManagerBase as FigureManager


def show(*_arguments: Any, **_named: Any) -> None:
    """What ``plt.show()`` does: the figures so far, here."""
    cells.show_figures()


def send(to: Callable[[str, str], Any]) -> None:
    """Sends the open figures as PNG in base64, as a notebook does, and closes them."""
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        buffer = io.BytesIO()
        plt.figure(number).savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
        to("png", base64.b64encode(buffer.getvalue()).decode())
    plt.close("all")


__all__ = ["FigureCanvas", "FigureManager", "send", "show"]
