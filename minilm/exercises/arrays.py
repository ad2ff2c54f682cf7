"""Values in a message: short, with the elements that differ marked, in text and in HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from minilm.tensor import Tensor
from minilm.terminal import visible

GENERATOR = "a generator (np.random.default_rng(...))"
COLUMNS = 6
WIDEST = 68


@dataclass
class Window:
    """The part of an array that is shown: some rows and columns of one of its planes.

    Attributes:
        cells: the elements as text, row by row; for an array without axes one cell.
        marked: which of them differ.
        axes: number of axes of what is shown: 0, 1 or 2.
        note: what is left out, or "".
    """

    cells: list[list[str]]
    marked: list[list[bool]]
    axes: int
    note: str = ""


def window(x: Any, wrong: Any = None, rows: int = 4, columns: int = COLUMNS, digits: int = 4) -> Window:
    """The first rows and columns in which elements differ; the first ones where none does."""
    x = np.asarray(x)
    wrong = np.zeros(x.shape, bool) if wrong is None else np.asarray(wrong)
    first = np.argwhere(wrong)[0].tolist() if wrong.any() else [0] * x.ndim
    plane = tuple(first[:-2])
    part, bad = x[plane], wrong[plane]
    note = f"[{', '.join(map(str, plane))}] of {x.shape}" if plane else ""
    shape = part.shape
    if part.ndim < 2:
        part, bad = part.reshape(1, -1), bad.reshape(1, -1)
    top, left = (_start(bad.any(axis=1), rows), _start(bad.any(axis=0), columns))
    shown = (slice(top, top + rows), slice(left, left + columns))
    if part.shape[0] > rows or part.shape[1] > columns:
        height, width = part[shown].shape
        here = _span("row", top, height) if len(shape) == 2 and part.shape[0] > rows else ""
        there = _span("column" if len(shape) == 2 else "element", left, width) if part.shape[1] > columns else ""
        note = ", ".join(filter(None, (note, here, there))) + ("" if plane else f" of {x.shape}")
    cells = [[number(element, digits) for element in row] for row in part[shown].tolist()]
    return Window(cells, bad[shown].tolist(), len(shape), note)


def _start(bad: Any, size: int) -> int:
    """Where a window of this size begins, so that it shows the first that differs and, if it fits, what stands before it."""
    first = int(np.argmax(bad)) if bad.any() else 0
    return 0 if first < size else min(first, len(bad) - size)


def _span(name: str, start: int, count: int) -> str:
    return f"{name} {start}" if count == 1 else f"{name}s {start} to {start + count - 1}"


def number(x: Any, digits: int = 4) -> str:
    """A number in a few characters."""
    if isinstance(x, bool | str | bytes) or x is None:
        return visible(repr(x))
    if isinstance(x, int):
        return str(x) if abs(x) < 10**12 else f"{x:.{digits}e}" if abs(x) < 10**300 else "an integer beyond 1e300"
    if isinstance(x, float):
        return str(int(x)) + "." if x == x and x.is_integer() and abs(x) < 10**6 else f"{x:.{digits}g}"
    return f"{x:.{digits}g}" if isinstance(x, complex) else cut(visible(repr(x)), 20)


def text(x: Any, wrong: Any = None, rows: int = 4, digits: int = 4, star: str = "*") -> list[str]:
    """A value in lines; an element that differs has a star behind it."""
    if isinstance(x, Tensor):
        lines = text(x.numpy(), wrong, rows, digits, star)
        lines = [("Tensor(" if not i else " " * 7) + line for i, line in enumerate(lines)]
        return [*lines[:-1], lines[-1] + ")"]
    if isinstance(x, np.ndarray):
        return _array(x, wrong, rows, digits, star)
    if isinstance(x, np.generic | int | float | complex) and not isinstance(x, str | bytes):
        x = x.item() if isinstance(x, np.generic) else x
        return [number(x, max(digits, 6)) + star * bool(wrong is not None and np.any(wrong))]
    if isinstance(x, list | tuple) and any(isinstance(part, np.ndarray | Tensor) for part in x):
        return ["(" + ", ".join(brief(part) for part in x) + ")"]
    return [cut(_plain(x), WIDEST)]


def _array(x: Any, wrong: Any, rows: int, digits: int, star: str) -> list[str]:
    if x.size == 0:
        return [f"an empty array of shape {x.shape}"]
    columns = COLUMNS
    while True:
        lines = _lines(window(x, wrong, rows, columns, digits), star)
        if columns == 1 or max(map(len, lines)) <= WIDEST:
            return lines
        columns -= 1


def _lines(shown: Window, star: str) -> list[str]:
    cells = [
        [c + (star if m else " " * len(star)) for c, m in zip(*pair, strict=True)]
        for pair in zip(shown.cells, shown.marked, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if shown.axes == 0:
        return [rows[0].strip()]
    if shown.axes == 1:
        lines = [f"[{rows[0].strip()}]"]
    else:
        size = max(map(len, rows))
        lines = [f"{'[' if not i else ' '}[{row:{size}}]" for i, row in enumerate(rows)]
        lines[-1] += "]"
    return [*lines[:-1], lines[-1] + (f"  {shown.note}" if shown.note else "")]


def html(x: Any, wrong: Any = None, label: str = "", star: str = "*", digits: int = 4) -> str:
    """An array as a small table, other values as code. What differs is bold and framed, and has a star: not color alone tells it."""
    if isinstance(x, Tensor):
        x = x.numpy()
    if not isinstance(x, np.ndarray) or x.size == 0 or x.ndim == 0:
        return f"<code>{escape(' '.join(text(x, wrong, digits=digits, star=star)))}</code>"
    shown = window(x, wrong, digits=digits)
    rows = "".join(
        f"<tr>{''.join(_cell(*cell, star) for cell in zip(*row, strict=True))}</tr>"
        for row in zip(shown.cells, shown.marked, strict=True)
    )
    note = f'<span class="ml-note">{escape(shown.note)}</span>' if shown.note else ""
    return f'<table aria-label="{escape(label)}">{rows}</table>{note}'


def _cell(content: str, marked: bool, star: str) -> str:
    return f"<td class=ml-wrong>{escape(content)}{star}</td>" if marked else f"<td>{escape(content)}</td>"


def brief(x: Any) -> str:
    """What a value is, in a few words: for those too large to show."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype} {x.shape}" if x.size > 6 or x.ndim > 1 else cut(" ".join(text(x)), 40)
    if isinstance(x, Tensor):
        return f"Tensor {x.shape}"
    if isinstance(x, np.random.Generator):
        return GENERATOR
    return cut(_plain(x), 40)


def kind_of(x: Any) -> str:
    """Type, and for arrays dtype and shape: "float64 array of shape (4, 3)"."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype} array of shape {x.shape}"
    if isinstance(x, Tensor):
        return f"Tensor of shape {tuple(x.shape)}"
    if x is None:
        return "None"
    name = class_name(x)
    if isinstance(x, list | tuple | dict | set):
        return f"{name} of length {len(x)}"
    return name


def a(words: str) -> str:
    """With its article: "an int64 array", "a float". None has none."""
    if words == "None":
        return words
    return f"{'an' if words[:1].lower() in 'aeio' else 'a'} {words}"


def class_name(x: Any) -> str:
    """The name of its class; of what stands for an object that stayed in another process, that object's."""
    return x.type if type(x).__name__ == "Other" and hasattr(x, "type") else type(x).__name__


def _plain(x: Any) -> str:
    if callable(x) and hasattr(x, "__name__"):
        return f"<{class_name(x)} {x.__name__}>"
    if isinstance(x, float):
        return number(x, 6)
    if isinstance(x, set | frozenset) and x:  # sorted: their own order is another one in each process
        parts = sorted(map(_plain, x))
        if len(x) > 40:
            return f"{kind_of(x)}, {cut('[' + ', '.join(parts[:5]) + ']', 50)}"
        inside = f"{{{', '.join(parts)}}}"
        return inside if isinstance(x, set) else f"frozenset({inside})"
    if isinstance(x, list | tuple | dict) and len(x) > 40:
        return f"{kind_of(x)}, {cut(_plain(list(x)[:5]), 50)}"
    if isinstance(x, list | tuple):
        inside = ", ".join(brief(part) if isinstance(part, np.ndarray | Tensor) else _plain(part) for part in x)
        return f"[{inside}]" if isinstance(x, list) else f"({inside}{',' * (len(x) == 1)})"
    if isinstance(x, np.random.Generator):
        return GENERATOR
    try:
        return re.sub(
            r" at 0x[0-9A-Fa-f]+", "", visible(repr(x))
        )  # an address says nothing, and is another one each time
    except Exception as error:
        return f"<{class_name(x)}, whose repr raises {type(error).__name__}>"


def cut(words: str, size: int) -> str:
    """The first characters, with dots for the rest."""
    words = " ".join(words.split())
    return words if len(words) <= size else words[: size - 3] + "..."
