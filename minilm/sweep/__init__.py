"""Sweeps: the same run with every combination of some options, and several seeds; resumable, with intervals.

Of a command (``minilm sweep``) in parallel processes, of a function of Python (`sweep`) one call after the other. Both give the same
`Results`; `read` gives those that a folder holds, also while a sweep is under way.
"""

from __future__ import annotations

from minilm.sweep.function import sweep
from minilm.sweep.picture import plot
from minilm.sweep.record import Row, read_about, read_rows
from minilm.sweep.results import Estimate, Results
from minilm.sweep.table import SweepError
from minilm.types import Pathish


def read(folder: Pathish, number: str | None = None, highest: bool = False) -> Results:
    """What the sweep in a folder found so far.

    Args:
        folder: as ``minilm sweep --out`` or ``sweep(folder=...)`` made it.
        number, highest: which number decides, and whether more of it is better (`Results`).

    Raises:
        SweepError: there is no sweep in the folder, its files are damaged, or no run has the number.
    """
    read_about(folder)
    return Results(read_rows(folder), number, highest)


__all__ = ["Estimate", "Results", "Row", "SweepError", "plot", "read", "sweep"]
