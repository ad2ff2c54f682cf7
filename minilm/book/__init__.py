"""What the chapters use: checks of their formulas (`holds`, `fails`), one look for their figures (`use_style`), diagrams
(`flow`), and the records of measured `results` and of each longer `experiment`."""

from __future__ import annotations

from minilm.book.diagram import Diagram, Step, flow
from minilm.book.experiments import Experiment, experiment
from minilm.book.formula import Check, FormulaError, checked, distinct, fails, holds, integer, mask, real, simplex
from minilm.book.missing import install
from minilm.book.results import recorded, results
from minilm.style import COLORS, use_style

install()

__all__ = [
    "COLORS", "Check", "Diagram", "Experiment", "FormulaError", "Step", "checked", "distinct", "experiment", "fails", "flow",
    "holds", "integer", "mask", "real", "recorded", "results", "simplex", "use_style",
]  # fmt: skip
