"""What every diagram is made of: an SVG element that takes the colors of its page, texts whose width is known, lines with heads.

A diagram is SVG within HTML, so that a notebook and a page show it in the colors of their theme: lines and letters have the color of the
text around them, fills are light tints of the book's palette over whatever is behind. It is as wide as a phone, and grows little wider.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from math import hypot
from typing import NamedTuple

from minilm.trace.panel import length

Point = tuple[float, float]

WIDTH = 360  # of a diagram: what a phone has beside its margins
SIZE, LINE = 13, 16  # of the letters, 12 pixels at least where a phone shrinks them; from line to line
SMALL = 0.75  # a subscript's size beside the text's
HEAD = 7  # the length of an arrow's head
BOLD = 1.06  # how much wider letters in bold are, at most, than what `length` allows for


class Box(NamedTuple):
    """A rectangle by its left, upper, right and lower edges."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> Point:
        """Its middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Whether two rectangles come nearer to each other than `gap`."""
        across = self.left < other.right + gap and other.left < self.right + gap
        return across and self.top < other.bottom + gap and other.top < self.bottom + gap

    def around(self, pad: float) -> Box:
        """Larger by `pad` on all sides."""
        return Box(self.left - pad, self.top - pad, self.right + pad, self.bottom + pad)

    def contains(self, point: Point, gap: float = 0.0) -> bool:
        """Whether a point lies in it, or nearer than `gap`."""
        return self.left - gap < point[0] < self.right + gap and self.top - gap < point[1] < self.bottom + gap


def union(boxes: Iterable[Box]) -> Box:
    """The smallest rectangle around all of them."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return Box(min(left), min(top), max(right), max(bottom))


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


def element(parts: Iterable[str], height: float, label: str, width: float = WIDTH) -> Diagram:
    """The parts as one drawing, scaled to the width that there is, up to 1.3 times."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" role="img" '
        f'aria-label="{escape(label)}" style="display:block;width:100%;max-width:{round(1.3 * width)}px;height:auto;'
        f'margin:0.6em 0;color:inherit" fill="currentColor" font-family="system-ui,sans-serif" font-size="{SIZE}">'
    )
    return Diagram("".join([head, *parts, "</svg>"]), label)


# -- text -------------------------------------------------------------------------------------------------------------

_PIECES = re.compile(r"([_^])\{([^}]*)\}")  # x_{t}, A^{T}


def text_width(text: str, bold: bool = False, size: float = SIZE) -> float:
    """How wide a line is at most, in the diagram's units; ``x_{t}`` and ``A^{T}`` are set small."""
    plain = _PIECES.sub("", text)
    small = "".join(m[2] for m in _PIECES.finditer(text))
    return (length(plain, size) + length(small, size * SMALL)) * (BOLD if bold else 1)


def wrapped(text: str, width: float, bold: bool = False) -> list[str]:
    """The lines of a text that are no wider than that, broken between words; a line break in the text stays one.

    Raises:
        ValueError: a word alone is wider.
    """
    lines: list[str] = []
    for part in text.split("\n") if text else []:
        line = ""
        for word in part.split(" "):
            if text_width(word, bold) > width:
                raise ValueError(
                    f"a diagram has {width:.0f} units of room for {word!r}, which needs {text_width(word, bold):.0f}."
                )
            if line and text_width(f"{line} {word}", bold) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def write(x: float, y: float, text: str, anchor: str = "middle", bold: bool = False) -> str:
    """A line of text at its baseline."""
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += ' font-weight="600"' if bold else ""
    return f'<text x="{number(x)}" y="{number(y)}"{more}>{_marked(text)}</text>'


def text_box(x: float, y: float, text: str, anchor: str = "middle", bold: bool = False) -> Box:
    """The rectangle of what `write` writes."""
    w = text_width(text, bold)
    left = x - {"start": 0, "middle": w / 2, "end": w}[anchor]
    return Box(left, y - 0.78 * SIZE, left + w, y + 0.25 * SIZE)


def _marked(text: str) -> str:
    """Escaped, with ``_{t}`` and ``^{T}`` lowered and raised."""
    parts, end = [], 0
    for m in _PIECES.finditer(text):
        shift = 4 if m[1] == "_" else -5
        parts.append(escape(text[end : m.start()], quote=False))
        parts.append(
            f'<tspan dy="{shift}" font-size="{SIZE * SMALL:.1f}">{escape(m[2], quote=False)}</tspan><tspan dy="{-shift}">\u200b</tspan>'
        )
        end = m.end()
    return "".join([*parts, escape(text[end:], quote=False)])


# -- lines ------------------------------------------------------------------------------------------------------------


def number(x: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{x:.1f}".rstrip("0").rstrip(".")


def line(points: Sequence[Point], color: str = "currentColor", dashed: bool = False, head: bool = True) -> str:
    """A line through the points, its corners rounded, with a head at its end."""
    end, before = points[-1], points[-2]
    long = hypot(end[0] - before[0], end[1] - before[1])
    dx, dy = (end[0] - before[0]) / long, (end[1] - before[1]) / long
    stop = (end[0] - HEAD * dx, end[1] - HEAD * dy) if head else end
    path = f"M{_at(points[0])}"
    for (x0, y0), (x, y), (x1, y1) in zip(points, points[1:-1], points[2:], strict=False):
        a, b = max(hypot(x - x0, y - y0), 1e-9), max(hypot(x1 - x, y1 - y), 1e-9)
        r = min(7.0, a / 2, b / 2)
        near, far = (x + (x0 - x) * r / a, y + (y0 - y) * r / a), (x + (x1 - x) * r / b, y + (y1 - y) * r / b)
        path += f"L{_at(near)}Q{_at((x, y))} {_at(far)}"
    path += f"L{_at(stop)}"
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    drawn = f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.4"{dash}/>'
    if not head:
        return drawn
    left = (stop[0] - 3.6 * dy, stop[1] + 3.6 * dx)
    right = (stop[0] + 3.6 * dy, stop[1] - 3.6 * dx)
    corners = "L".join(map(_at, (end, left, right)))
    return drawn + f'<path d="M{corners}z" fill="{color}"/>'


def _at(point: Point) -> str:
    return f"{number(point[0])},{number(point[1])}"


def along(points: Sequence[Point], step: float = 3.0) -> list[Point]:
    """Points on a line through the given ones, `step` apart."""
    found: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        n = max(int(hypot(x1 - x0, y1 - y0) / step), 1)
        found += [(x0 + (x1 - x0) * k / n, y0 + (y1 - y0) * k / n) for k in range(n)]
    return [*found, points[-1]]
