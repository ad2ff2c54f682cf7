"""A diagram declared: boxes and matrices at places of a grid, arrows between their names, frames around groups.

The grid has as many columns as its boxes ask for, each of the same share of a phone's width; rows are as high as what stands in them.
Nothing may cover anything else: words look for a free place beside their arrow, and what finds none is an error, not a blot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from minilm.book.diagram.svg import (
    LINE,
    SIZE,
    WIDTH,
    Box,
    Diagram,
    Point,
    along,
    element,
    line,
    number,
    text_box,
    text_width,
    union,
    wrapped,
    write,
)
from minilm.style import COLORS, NEGATIVE, POSITIVE

PAD, GAP, BETWEEN = 8, 27, 9  # from a box's edge to its text; between rows; the least between boxes of one row
FRAME, TITLE = 8, 20  # from a frame to its boxes; the room of its title
AWAY = 16  # from a box to an arrow that goes around
BLUE, VERMILLION, GREEN = COLORS[:3]
GRAY = "#808080"
TINTS = {"box": BLUE, "value": GREEN, "weight": VERMILLION, "round": BLUE, "quiet": GRAY, "text": ""}
"""The kinds of boxes and their colors: an operation, numbers, numbers that are learned, an operation as a circle (+), what is not used or
does not happen, words alone."""


@dataclass(frozen=True)
class Node:
    """A box of a diagram.

    Attributes:
        name: what arrows call it.
        column: where it stands across, 0 at the left; 0.5 is between two columns.
        row: where it stands, 0 at the top; 0.5 is between two rows.
        note: lines below the title.
        kind: "box" (an operation), "value" (numbers), "weight" (numbers that are learned), "round" (a circle), "quiet" (not used), "text".
        title: what it is called in the picture, in bold; None: its name.
        wide: how many columns it fills; 0: as wide as its text.
    """

    name: str
    column: float
    row: float
    note: str = ""
    kind: str = "box"
    title: str | None = None
    wide: float = 0


@dataclass(frozen=True)
class Matrix:
    """A matrix of a diagram, as a grid of numbers on shades: blue is negative, orange positive.

    Attributes:
        name: what arrows call it; column, row: where it stands.
        values: rows of numbers; text is written as it is, None is a cell that does not count (masked).
        rows: what stands before its rows; columns: above its columns.
        title: above all; None: its name.
        digits: after the point; -1 shows shades alone.
        cell: the least width of a cell.
    """

    name: str
    column: float
    row: float
    values: Sequence[Sequence[float | str | None]]
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    title: str | None = None
    digits: int = 1
    cell: float = 24


@dataclass(frozen=True)
class Arrow:
    """An arrow of a diagram.

    Attributes:
        start, end: the names of two boxes.
        word: what stands beside it.
        side: "": the straight way; "left", "right", "above", "below": around whatever is between, on that side.
        away: how far from the boxes it goes around.
        kind: "forward"; "backward" (dashed, in another color: a gradient); "line" (without a head).
    """

    start: str
    end: str
    word: str = ""
    side: str = ""
    away: float = AWAY
    kind: str = "forward"


@dataclass(frozen=True)
class Frame:
    """A frame around boxes.

    Attributes:
        title: at its upper left corner.
        names: what it holds.
        color: of its line and tint.
    """

    title: str
    names: Sequence[str]
    color: str = GRAY


def draw(
    nodes: Sequence[Node | Matrix],
    arrows: Sequence[Arrow | str] = (),
    label: str = "",
    frames: Sequence[Frame] = (),
    columns: Sequence[float] | int = 0,
    gap: float = GAP,
) -> Diagram:
    """Boxes on a grid, arrows between their names, frames around groups of them.

    Args:
        arrows: ``"x -> h"``; ``"x -> h: times W"`` with a word, ``"x -> h -> y"`` a chain, ``"h ~> x"`` backward (dashed), ``"x -- y"``
            without a head; or an `Arrow`, where it is to go around.
        label: what the diagram shows, in words, for readers who do not see it.
        columns: how many, or the share of each; 0: as many as the nodes ask for.
        gap: between rows.

    Raises:
        ValueError: there is no label or no node, a name is unknown or used twice, something is too wide, or covers something else.
    """
    if not label or not nodes:
        raise ValueError("a diagram needs nodes, and a label that says in words what it shows.")
    return _Grid(nodes, [one for arrow in arrows for one in _parsed(arrow)], frames, columns, gap).diagram(label)


def _parsed(arrow: Arrow | str) -> list[Arrow]:
    """The arrows of a text such as "x -> h -> y: word"; the word stands at the last."""
    if isinstance(arrow, Arrow):
        return [arrow]
    path, _, word = arrow.partition(": ")
    names = re.split(r" (->|~>|--) ", path)
    if len(names) < 3:
        raise ValueError(f"an arrow is written 'start -> end: word', got {arrow!r}.")
    kinds = {"->": "forward", "~>": "backward", "--": "line"}
    pairs = list(zip(names[::2], names[1::2], names[2::2], strict=False))
    return [Arrow(a, b, word if k + 1 == len(pairs) else "", kind=kinds[sign]) for k, (a, sign, b) in enumerate(pairs)]


class _Grid:
    """The places of all things, found in turn: sizes, columns and rows, arrows, words."""

    def __init__(
        self,
        nodes: Sequence[Node | Matrix],
        arrows: Sequence[Arrow],
        frames: Sequence[Frame],
        columns: Sequence[float] | int,
        gap: float,
    ) -> None:
        self.nodes = {node.name: node for node in nodes}
        if len(self.nodes) < len(nodes):
            raise ValueError("a diagram's names must differ from each other: " + ", ".join(node.name for node in nodes))
        for name in [n for a in arrows for n in (a.start, a.end)] + [n for f in frames for n in f.names]:
            if name not in self.nodes:
                raise ValueError(f"a diagram has no node {name!r}; it has {', '.join(map(repr, self.nodes))}.")
        self.arrows, self.frames, self.gap = arrows, frames, gap
        count = columns if isinstance(columns, int) else len(columns)
        count = count or int(max(node.column for node in nodes)) + 1
        shares = [1.0] * count if isinstance(columns, int) else list(columns)
        edges = [0.0]
        for share in shares:
            edges.append(edges[-1] + share * WIDTH / sum(shares))
        self.edges = edges
        self.parts: dict[str, _Drawn] = {node.name: self._sized(node) for node in nodes}
        self.boxes: dict[str, Box] = {}
        self.height = 0.0
        self._place()
        self.paths = [self._path(arrow) for arrow in arrows]

    # -- sizes and places ---------------------------------------------------------------------------------------------

    def _across(self, column: float) -> float:
        """The middle of a column, or a place between two."""
        k = min(max(floor(column), 0), len(self.edges) - 2)
        middle = [(a + b) / 2 for a, b in zip(self.edges, self.edges[1:], strict=False)]
        after = middle[k + 1] if k + 1 < len(middle) else 2 * self.edges[-1] - middle[k]
        return middle[k] + (column - k) * (after - middle[k])

    def _room(self, column: float, wide: float) -> float:
        """How wide a box may be: its columns, less the space to the next."""
        share = (
            self.edges[min(int(column), len(self.edges) - 2) + 1] - self.edges[min(int(column), len(self.edges) - 2)]
        )
        return min(max(wide, 1) * share, WIDTH) - BETWEEN

    def _sized(self, node: Node | Matrix) -> _Drawn:
        if isinstance(node, Matrix):
            return _matrix(node)
        if node.kind not in TINTS:
            raise ValueError(f"a node is of kind {', '.join(TINTS)}, got {node.kind!r}.")
        title = node.name if node.title is None else node.title
        room = self._room(node.column, node.wide)
        pad = {"text": 1, "value": PAD + 2}.get(node.kind, PAD)
        titles = wrapped(title, room - 2 * pad, bold=node.kind != "text")
        lines = [*titles, *wrapped(node.note, room - 2 * pad)]
        widths = [text_width(text, k < len(titles) and node.kind != "text") for k, text in enumerate(lines)]
        width = max(widths, default=0) + 2 * pad
        height: float = LINE * len(lines) + (2 if node.kind == "text" else 11)
        if node.kind == "round":
            width = height = max(26.0, width - 4)
        elif node.wide:
            width = room
        elif node.kind != "text":
            width = min(max(width, 34), room)
        return _Drawn(width, height, [], node, lines, len(titles))

    def _place(self) -> None:
        last = int(max(node.row for node in self.nodes.values()))
        heights = [0.0] * (last + 1)
        for name, node in self.nodes.items():
            if node.row == int(node.row):
                heights[int(node.row)] = max(heights[int(node.row)], self.parts[name].height)
        above, below = [0.0] * (last + 1), [0.0] * (last + 1)
        for frame in self.frames:
            first, final = (int(f(self.nodes[name].row for name in frame.names)) for f in (min, max))
            above[first] += FRAME + (TITLE if frame.title else 0)
            below[final] += FRAME
        middles, y = [], 2.0
        for k, height in enumerate(heights):
            y += above[k]
            middles.append(y + height / 2)
            y += height + below[k] + self.gap
        middles.append(y)
        self.height = y - self.gap + 2
        for name, node in self.nodes.items():
            k = int(node.row)
            y = middles[k] + (node.row - k) * (middles[min(k + 1, last)] - middles[k])
            x, part = self._across(node.column), self.parts[name]
            half = part.width / 2
            x = min(max(x, half + 1), WIDTH - half - 1)
            self.boxes[name] = Box(x - half, y - part.height / 2, x + half, y + part.height / 2)
        up = min(box.top for box in self.boxes.values()) - 2  # a box between two rows may be taller than both
        if up < 0:
            self.boxes = {name: Box(b.left, b.top - up, b.right, b.bottom - up) for name, b in self.boxes.items()}
        self.height = max(self.height - min(up, 0), *(box.bottom + 2 for box in self.boxes.values()))

    # -- arrows -------------------------------------------------------------------------------------------------------

    def _path(self, arrow: Arrow) -> list[Point]:
        if arrow.side:
            return self._around(arrow)
        back = any((other.start, other.end) == (arrow.end, arrow.start) and not other.side for other in self.arrows)
        return self._straight(arrow, 5.0 if back else 0.0)

    def _around(self, arrow: Arrow) -> list[Point]:
        """Out at one side, along it, past all boxes that are in the way, and in again."""
        a, b = self.boxes[arrow.start], self.boxes[arrow.end]
        upright = arrow.side in ("left", "right")
        near, far = (0, 2) if upright else (1, 3)  # the places in a Box of its lower and its higher edge on that axis
        sign, edge = (-1, near) if arrow.side in ("left", "above") else (1, far)
        leave, enter = self._beside(arrow)
        lane = sign * max(sign * a[edge], sign * b[edge])
        others = sorted(
            (box for name, box in self.boxes.items() if name not in (arrow.start, arrow.end)),
            key=lambda box: sign * box[edge],
        )
        while True:
            at = lane + sign * arrow.away
            if upright:
                path = [
                    (a[edge], a.center[1] + leave),
                    (at, a.center[1] + leave),
                    (at, b.center[1] + enter),
                    (b[edge], b.center[1] + enter),
                ]
            else:
                path = [
                    (a.center[0] + leave, a[edge]),
                    (a.center[0] + leave, at),
                    (b.center[0] + enter, at),
                    (b.center[0] + enter, b[edge]),
                ]
            hit = [
                box
                for box in others
                if any(box.contains(p, 1) for p in along(path[1:3])) and sign * box[edge] > sign * lane
            ]
            if not hit:
                return path
            lane = hit[-1][edge]

    def _beside(self, arrow: Arrow) -> tuple[float, float]:
        """How far from the middle it leaves and enters: where another one enters or leaves on the same side, they stand apart."""
        axis = 1 if arrow.side in ("left", "right") else 0
        (start, end), aside = (self.boxes[name].center[axis] for name in (arrow.start, arrow.end)), 4.0
        way = aside if end > start else -aside
        same = [other for other in self.arrows if other.side == arrow.side]
        leave = way if any(other.end == arrow.start for other in same) else 0.0
        return leave, -way if any(other.start == arrow.end for other in same) else 0.0

    def _straight(self, arrow: Arrow, aside: float) -> list[Point]:
        """From edge to edge: level or upright where the boxes lie so, else from corner to corner of their middles."""
        a, b = self.boxes[arrow.start], self.boxes[arrow.end]
        up = self._shared(arrow, 0)
        if up is not None and (a.bottom < b.top or b.bottom < a.top):
            down = a.bottom < b.top
            x = up + (aside if down else -aside)
            return [(x, a.bottom), (x, b.top)] if down else [(x, a.top), (x, b.bottom)]
        level = self._shared(arrow, 1)
        if level is not None and (a.right < b.left or b.right < a.left):
            right = a.right < b.left
            y = level + (-aside if right else aside)
            return [(a.right, y), (b.left, y)] if right else [(a.left, y), (b.right, y)]
        return [self._edge(arrow.start, b.center), self._edge(arrow.end, a.center)]

    def _shared(self, arrow: Arrow, axis: int) -> float | None:
        """A place on an axis that both boxes have: the narrower one's middle."""
        a, b = self.boxes[arrow.start], self.boxes[arrow.end]
        small, large = sorted((a, b), key=lambda box: box[axis + 2] - box[axis])
        middle = small.center[axis]
        return middle if large[axis] + 5 <= middle <= large[axis + 2] - 5 else None

    def _edge(self, name: str, towards: Point) -> Point:
        """Where a line from a box's middle leaves it."""
        box, node = self.boxes[name], self.nodes[name]
        (x, y), (tx, ty) = box.center, towards
        dx, dy = tx - x, ty - y
        if isinstance(node, Node) and node.kind == "round":
            r = (box.right - box.left) / 2 / max((dx * dx + dy * dy) ** 0.5, 1e-9)
        else:
            if abs(node.row - self._row_of(towards)) > 0.9 and abs(dx) < 2.2 * abs(
                dy
            ):  # from above or below: in the middle
                return x, box.bottom if dy > 0 else box.top
            r = min((box.right - x) / max(abs(dx), 1e-9), (box.bottom - y) / max(abs(dy), 1e-9))
        return x + dx * r, y + dy * r

    def _row_of(self, point: Point) -> float:
        return next(self.nodes[name].row for name, box in self.boxes.items() if box.center == point)

    # -- what covers what ---------------------------------------------------------------------------------------------

    def _check(self, frames: list[tuple[Frame, Box]]) -> None:
        names = list(self.boxes)
        for k, one in enumerate(names):
            for other in names[k + 1 :]:
                if self.boxes[one].overlaps(self.boxes[other], 1):
                    raise ValueError(f"in the diagram {one!r} covers {other!r}: give them more columns or rows.")
            for frame, box in frames:
                if one not in frame.names and self.boxes[one].overlaps(box):
                    raise ValueError(f"the frame {frame.title!r} covers {one!r}, which it does not hold.")
        for arrow, path in zip(self.arrows, self.paths, strict=True):
            for name, box in self.boxes.items():
                if name not in (arrow.start, arrow.end) and any(box.contains(p, 1) for p in along(path)):
                    raise ValueError(
                        f"the arrow {arrow.start} -> {arrow.end} runs through {name!r}: let it go around (side=...)."
                    )
            if any(not 0 < x < WIDTH for x, _ in path):
                raise ValueError(f"the arrow {arrow.start} -> {arrow.end} leaves the picture at its side.")

    def _word(self, arrow: Arrow, path: list[Point], taken: list[Box], lines: list[Point]) -> tuple[str, Box]:
        """The word of an arrow at the first free place beside it."""
        spots = along(path, 4)
        middle = len(spots) // 2
        for k in sorted(range(len(spots)), key=lambda k: abs(k - middle)):
            x, y = spots[k]
            for dx, dy, anchor in ((7, 5, "start"), (-7, 5, "end"), (0, -6, "middle"), (0, 15, "middle")):
                box = text_box(x + dx, y + dy, arrow.word, anchor)
                free = box.left > 0 and box.right < WIDTH and box.top > 0 and box.bottom < self.height
                if (
                    free
                    and not any(box.overlaps(other, 1) for other in taken)
                    and not any(box.contains(p, 1) for p in lines)
                ):
                    return write(x + dx, y + dy, arrow.word, anchor), box
        raise ValueError(f"there is no room for the word {arrow.word!r} beside the arrow {arrow.start} -> {arrow.end}.")

    # -- the drawing --------------------------------------------------------------------------------------------------

    def diagram(self, label: str) -> Diagram:
        frames = [(frame, self._framed(frame)) for frame in self.frames]
        lowest = max([y for path in self.paths for _, y in path] + [box.bottom for _, box in frames], default=0)
        self.height = max(self.height, lowest + 3)
        self._check(frames)
        parts = []
        taken = list(self.boxes.values())
        for frame, box in frames:
            parts.append(_rect(box, frame.color, 0.06, 'rx="9" stroke-dasharray="2 3"'))
            if frame.title:
                at = box.left + FRAME, box.top + 15
                parts.append(write(*at, frame.title, "start", bold=True))
                taken.append(text_box(*at, frame.title, "start", bold=True))
        corners = [
            [(b.left, b.top), (b.right, b.top), (b.right, b.bottom), (b.left, b.bottom), (b.left, b.top)]
            for _, b in frames
        ]
        lines = [point for path in [*self.paths, *corners] for point in along(path)]
        for arrow, path in zip(self.arrows, self.paths, strict=True):
            color = VERMILLION if arrow.kind == "backward" else "currentColor"
            parts.append(line(path, color, arrow.kind == "backward", arrow.kind != "line"))
        for name, box in self.boxes.items():
            parts += self.parts[name].at(box)
        for arrow, path in zip(self.arrows, self.paths, strict=True):
            if arrow.word:
                text, box = self._word(arrow, path, taken, lines)
                parts.append(text)
                taken.append(box)
        return element(parts, self.height, label)

    def _framed(self, frame: Frame) -> Box:
        held = [
            Box(x, y, x, y)
            for arrow, path in zip(self.arrows, self.paths, strict=True)
            if {arrow.start, arrow.end} <= set(frame.names)
            for x, y in path
        ]
        inner = union([*(self.boxes[name] for name in frame.names), *held]).around(FRAME)
        width = text_width(frame.title, bold=True) + 2 * FRAME
        right = max(inner.right, inner.left + width)
        return Box(max(inner.left, 1), inner.top - (TITLE if frame.title else 0), min(right, WIDTH - 1), inner.bottom)


@dataclass
class _Drawn:
    """The size of a box, and how it is drawn: a node's lines, or a matrix's parts relative to its upper left corner."""

    width: float
    height: float
    inside: list[tuple[str, tuple[float, ...], str]]
    node: Node | Matrix
    lines: list[str]
    titles: int

    def at(self, box: Box) -> list[str]:
        node = self.node
        if isinstance(node, Matrix):
            return _matrix_parts(node, box)
        x, y = box.center
        color, parts = TINTS[node.kind], []
        if node.kind == "round":
            r = (box.right - box.left) / 2
            parts.append(
                f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" fill="{color}" fill-opacity="0.14" stroke="{color}"/>'
            )
        elif node.kind != "text":
            more = (
                'rx="6" stroke-dasharray="4 3"' if node.kind == "quiet" else f'rx="{13 if node.kind == "value" else 6}"'
            )
            parts.append(_rect(box, color, 0.0 if node.kind == "quiet" else 0.14, more))
        top = y - LINE * len(self.lines) / 2
        for k, text in enumerate(self.lines):
            parts.append(write(x, top + LINE * k + SIZE - 1, text, bold=k < self.titles and node.kind != "text"))
        return parts


def _rect(box: Box, color: str, opacity: float, more: str) -> str:
    w, h = box.right - box.left, box.bottom - box.top
    return (
        f'<rect x="{number(box.left)}" y="{number(box.top)}" width="{number(w)}" height="{number(h)}" fill="{color}" '
        f'fill-opacity="{opacity:.2g}" stroke="{color}" {more}/>'
    )


# -- matrices ---------------------------------------------------------------------------------------------------------

CELL = 24  # the height of a cell


def _entry(x: float | str | None, digits: int) -> str:
    if x is None or (digits < 0 and not isinstance(x, str)):
        return ""
    return x if isinstance(x, str) else f"{x:.{digits}f}".replace("-", "−")


def _sizes(node: Matrix) -> tuple[float, float, float, float]:
    """A cell's width, the room of the names before the rows, of the title, and of the names above the columns."""
    texts = [_entry(x, node.digits) for row in node.values for x in row]
    cell = max([node.cell, *(text_width(t) + 6 for t in texts), *(text_width(t) + 5 for t in node.columns)])
    before = max((text_width(t) for t in node.rows), default=-6) + 6
    title = node.name if node.title is None else node.title
    return cell, before, LINE * len(title.split("\n")) + 3 if title else 0, LINE + 1 if node.columns else 0


def _matrix(node: Matrix) -> _Drawn:
    if len({len(row) for row in node.values}) != 1:
        raise ValueError(f"the rows of the matrix {node.name!r} must be of one length.")
    cell, before, above, heads = _sizes(node)
    title = node.name if node.title is None else node.title
    width = before + cell * len(node.values[0]) + 2
    widest = max((text_width(t, bold=True) for t in title.split("\n")), default=0)
    if max(width, widest) > WIDTH:
        raise ValueError(
            f"the matrix {node.name!r} is {max(width, widest):.0f} wide; a diagram has {WIDTH}: fewer digits, shorter names."
        )
    return _Drawn(max(width, widest), above + heads + CELL * len(node.values) + 2, [], node, [], 0)


def _matrix_parts(node: Matrix, box: Box) -> list[str]:
    cell, before, above, heads = _sizes(node)
    title = node.name if node.title is None else node.title
    across = len(node.values[0])
    left = box.center[0] - (before + cell * across) / 2 + before
    top = box.top + above + heads + 1
    middle = left + cell * across / 2 if text_width(title) < cell * across else box.center[0]
    parts = [write(middle, box.top + SIZE - 1 + LINE * k, t, bold=True) for k, t in enumerate(title.split("\n")) if t]
    parts += [write(left + cell * (k + 0.5), top - 5, t) for k, t in enumerate(node.columns)]
    parts += [write(left - 6, top + CELL * k + 16, t, "end") for k, t in enumerate(node.rows)]
    numbers = [abs(x) for row in node.values for x in row if isinstance(x, int | float)]
    largest = max(numbers, default=0.0) or 1.0
    for i, row in enumerate(node.values):
        for j, x in enumerate(row):
            place = Box(left + cell * j, top + CELL * i, left + cell * (j + 1), top + CELL * (i + 1))
            shade = 0.5 * abs(x) / largest if isinstance(x, int | float) else 0.0
            color = NEGATIVE if isinstance(x, int | float) and x < 0 else POSITIVE
            if x is None:
                parts.append(_rect(place, GRAY, 0.25, 'stroke-width="0.7"'))
                continue
            parts.append(
                _rect(place, color, shade, 'stroke-width="0.7"').replace(f'stroke="{color}"', f'stroke="{GRAY}"')
            )
            text = _entry(x, node.digits)
            if text:
                parts.append(write(place.center[0], place.top + 16, text))
    return parts
