"""Diagrams of the book, drawn by code: boxes one below the other, arrows between them, and what leaves at the side.

A diagram is SVG within HTML, so that a notebook and a page show it in the colors of their theme: lines and letters have the color of the
text around them, fills are light tints of the book's palette over whatever is behind. It is as wide as a phone, and grows no wider.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from minilm.style import COLORS

WIDTH, BOX, GAP, LINE, PAD = 380, 212, 30, 15, 9
"""Of the picture and of a box; between two boxes; from line to line; from a box's edge to its text."""
SIZE = 12  # of the letters
_LETTERS = 0.52 * SIZE  # the mean width of one


class Step(NamedTuple):
    """A box.

    Attributes:
        title: what happens, in bold.
        note: more of it, below the title.
        leaves: what goes out at its side; empty: nothing does.
        after: what stands at the arrow to the next box, as the number of documents.
    """

    title: str
    note: str = ""
    leaves: str = ""
    after: str = ""


class Diagram:
    """A drawing that a notebook shows.

    Args:
        svg: the whole element.
        label: what it shows, in words, for readers who do not see it.
    """

    def __init__(self, svg: str, label: str) -> None:
        self.svg, self.label = svg, label

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.label


def flow(steps: Sequence[Step], label: str, color: str = COLORS[0]) -> Diagram:
    """Steps from top to bottom.

    Args:
        label: what the diagram shows, in words.
        color: of the boxes.

    Raises:
        ValueError: there is no step.
    """
    if not steps:
        raise ValueError("a diagram needs a step at least.")
    y, parts = 1, list[str]()
    for number, step in enumerate(steps):
        lines = [step.title, *_wrapped(step.note, BOX - 2 * PAD)]
        height = 2 * PAD + LINE * len(lines)
        parts.append(
            f'<rect x="1" y="{y}" width="{BOX}" height="{height}" rx="6" fill="{color}" fill-opacity="0.14" stroke="{color}"/>'
        )
        for k, line in enumerate(lines):
            weight = ' font-weight="600"' if k == 0 else ""
            parts.append(_text(PAD + 1, y + PAD + LINE * k + SIZE - 1, line, weight))
        if step.leaves:
            middle = y + height // 2
            parts.append(_arrow(BOX + 1, middle, BOX + 22, middle))
            out = _wrapped(step.leaves, WIDTH - BOX - 28)
            parts += [
                _text(BOX + 28, middle + 4 + round(LINE * (k - (len(out) - 1) / 2)), line) for k, line in enumerate(out)
            ]
        y += height
        if number + 1 < len(steps):
            parts.append(_arrow(BOX // 2, y, BOX // 2, y + GAP))
            parts.append(_text(BOX // 2 + 9, y + GAP // 2 + 4, step.after) if step.after else "")
            y += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 2}" role="img" aria-label="{escape(label)}" '
        f'style="display:block;width:100%;max-width:{round(1.25 * WIDTH)}px;height:auto;color:inherit" fill="currentColor" '
        f'font-family="system-ui,sans-serif" font-size="{SIZE}">'
    )
    return Diagram("".join([head, *parts, "</svg>"]), label)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, int(width / _LETTERS))


def _text(x: int, y: int, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}"{more}>{escape(text)}</text>'


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    """A line with a head, straight to the right or down."""
    tip = "l-5,-3 v6 z" if y == to_y else "l-3,-5 h6 z"
    return (
        f'<path d="M{x},{y} L{to_x - 4 * (y == to_y)},{to_y - 4 * (x == to_x)}" fill="none" stroke="currentColor"/>'
        f'<path d="M{to_x},{to_y} {tip}"/>'
    )


__all__ = ["Diagram", "Step", "flow"]
