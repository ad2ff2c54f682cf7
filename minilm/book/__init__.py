"""What the chapters use: checks of their formulas (`holds`, `fails`), one look for their figures (`use_style`), diagrams
(`flow`, `draw`), and the records of measured `results` and of each longer `experiment`."""

from __future__ import annotations

from minilm.book.diagram import Arrow, Diagram, Frame, Matrix, Node, Step, draw, flow
from minilm.book.experiments import Experiment, experiment
from minilm.book.formula import Check, FormulaError, checked, distinct, fails, holds, integer, mask, real, simplex
from minilm.book.indices import delta, indexed, jacobian, pullback
from minilm.book.labeled import labeled
from minilm.book.missing import install
from minilm.book.results import recorded, results
from minilm.book.rounding import loss_errors
from minilm.style import COLORS, use_style

install()

__all__ = [
    "COLORS",
    "Arrow",
    "Check",
    "Diagram",
    "Experiment",
    "FormulaError",
    "Frame",
    "Matrix",
    "Node",
    "Step",
    "checked",
    "delta",
    "distinct",
    "draw",
    "experiment",
    "fails",
    "flow",
    "holds",
    "indexed",
    "integer",
    "jacobian",
    "labeled",
    "loss_errors",
    "mask",
    "pullback",
    "real",
    "recorded",
    "results",
    "simplex",
    "use_style",
]  # fmt: skip
