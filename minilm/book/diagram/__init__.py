"""Diagrams of the book, drawn by code: `flow`, steps one below the other, and `draw`, boxes, matrices and arrows on a grid.

Each file knows only those before it: `svg` (texts, lines, the element), then `flow` and `grid`.
"""

from minilm.book.diagram.flow import Step, flow
from minilm.book.diagram.grid import Arrow, Frame, Matrix, Node, draw
from minilm.book.diagram.svg import Diagram

__all__ = ["Arrow", "Diagram", "Frame", "Matrix", "Node", "Step", "draw", "flow"]
