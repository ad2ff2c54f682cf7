"""Steps one below the other, arrows between them, and what leaves at the side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minilm.book.diagram.svg import LINE, SIZE, WIDTH, Diagram, element, line, wrapped, write
from minilm.style import COLORS

BOX, GAP, PAD = 206, 30, 9
"""The width of a box; between two boxes; from a box's edge to its text."""


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
    for k, step in enumerate(steps):
        titles = wrapped(step.title, BOX - 2 * PAD, bold=True)
        lines = [*titles, *wrapped(step.note, BOX - 2 * PAD)]
        height = 2 * PAD + LINE * len(lines) - 2
        parts.append(
            f'<rect x="1" y="{y}" width="{BOX}" height="{height}" rx="6" fill="{color}" fill-opacity="0.14" stroke="{color}"/>'
        )
        parts += [
            write(PAD + 1, y + PAD + LINE * row + SIZE - 2, text, "start", row < len(titles))
            for row, text in enumerate(lines)
        ]
        if step.leaves:
            middle = y + height / 2
            parts.append(line([(BOX + 1, middle), (BOX + 22, middle)]))
            out = wrapped(step.leaves, WIDTH - BOX - 28)
            parts += [
                write(BOX + 27, middle + 4 + LINE * (row - (len(out) - 1) / 2), text, "start")
                for row, text in enumerate(out)
            ]
        y += height
        if k + 1 < len(steps):
            parts.append(line([(BOX / 2, y), (BOX / 2, y + GAP)]))
            parts.append(write(BOX / 2 + 9, y + GAP / 2 + 3, step.after, "start") if step.after else "")
            y += GAP
    return element(parts, y + 2, label)
