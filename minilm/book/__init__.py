"""What the chapters use: checks of their formulas (`holds`, `fails`), and one look for their figures (`use_style`)."""

from __future__ import annotations

from minilm.book.formula import Check, FormulaError, checked, distinct, fails, holds, integer, mask, real, simplex
from minilm.book.missing import install
from minilm.style import COLORS, use_style

install()

__all__ = [
    "COLORS", "Check", "FormulaError", "checked", "distinct", "fails", "holds", "integer", "mask", "real", "simplex", "use_style",
]  # fmt: skip
