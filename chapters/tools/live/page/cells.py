"""Runs a notebook's cells in the page, and shows what they show as a notebook does: what is printed as it is printed, then the value
of the last line, then the open figures.

`run` and `call` are what the worker calls; the names that cells define live in `space`.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import linecache
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

Send = Callable[[str, str], Any]

space: dict[str, Any] = {}
LINES = 20  # of a traceback: what is left out of a long one lies in its middle
_send: Send | None = None  # of the cell that runs


def forget() -> None:
    """Takes away all names that cells have defined, and lets the random numbers begin anew."""
    space.clear()
    space.update({"__name__": "__main__", "__builtins__": __builtins__, "display": display})


def run(code: str, name: str, send: Send) -> bool:
    """Runs one cell; returns whether it came to its end.

    Args:
        code: the text of the cell.
        name: of the cell, in messages of errors.
        send: is given each piece of output: its kind ("stream", "text", "html", "svg", "png", "error") and its text.
    """
    global _send
    name = f"<{name or 'cell'}>"
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    before, _send = (sys.stdout, sys.stderr), send
    sys.stdout = sys.stderr = _Printed(send)
    try:
        tree = ast.parse(code, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
            last = tree.body.pop()
        exec(compile(tree, name, "exec"), space)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
            if value is not None:
                space["_"] = value
                display(value)
        show_figures()
        return True
    except BaseException as error:  # SystemExit and the like, too: the cell ends, the page goes on
        show_figures()
        send("error", told(error, name))
        return False
    finally:
        sys.stdout, sys.stderr = before
        _send = None


def told(error: BaseException, name: str) -> str:
    """The error as a notebook tells it: from the cell's line on, with the lines' text."""
    trace: TracebackType | None = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    lines = "".join(traceback.format_exception(type(error), error, trace)).splitlines()
    if len(lines) > 2 * LINES:
        lines = [*lines[:LINES], f"  ... {len(lines) - 2 * LINES} lines ...", *lines[-LINES:]]
    if isinstance(error, RecursionError):
        lines.append("A page's Python has less room for functions that call themselves than one on a computer.")
    return "\n".join(lines)


def display(*values: Any) -> None:
    """Shows values as a notebook shows them."""
    for value in values:
        kind, text = _shown(value)
        if _send is not None:
            _send(kind, text)


def _shown(value: Any) -> tuple[str, str]:
    """The richest form that a value has."""
    for method, kind in (("_repr_html_", "html"), ("_repr_svg_", "svg")):
        form = None if isinstance(value, type) else getattr(value, method, None)
        if callable(form) and (text := form()) is not None:
            return kind, str(text)
    return "text", repr(value)


def show_figures() -> None:
    """Sends the figures that are open, and closes them."""
    figures = sys.modules.get("figures")  # imported by matplotlib, with the first figure
    if figures is not None and _send is not None:
        figures.send(_send)


def call(module: str, name: str, arguments: str) -> str:
    """What a function of a module returns, in JSON, for arguments in JSON."""
    return json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments)))


class _Printed(io.TextIOBase):
    """What a cell prints, sent as it comes."""

    def __init__(self, send: Send) -> None:
        self.send = send

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self.send("stream", text)
        return len(text)


forget()
