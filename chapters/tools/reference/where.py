"""Where the pieces of a source file stand: each file is read and parsed once, since a page for each op asks for many."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@cache
def tree(file: str) -> ast.Module:
    """A source file, named from the repository, as Python reads it."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@cache
def places(file: str) -> dict[str, tuple[int, int]]:
    """The classes and functions of a file, ``tanh`` and ``Reference.gelu``: first line, with decorators, and last."""
    found = {}
    for node in tree(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = _lines(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{f.name}": _lines(f) for f in node.body if isinstance(f, ast.FunctionDef)}
    return found


def _lines(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, int]:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno or node.lineno


def line_of(file: str, name: str) -> int:
    """Where a class or function begins.

    Raises:
        KeyError: there is none of that name.
    """
    return places(file)[name][0]


@cache
def code_of(file: str, name: str) -> str:
    """The text of a class or function, moved to the left edge."""
    first, last = places(file)[name]
    lines = (ROOT / file).read_text(encoding="utf-8").split("\n")[first - 1 : last]
    by = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[by:] for line in lines)


def record(op: Any) -> tuple[str, str]:
    """The file of an op's record, and the name of its class there."""
    return f"{type(op).__module__.replace('.', '/')}.py", type(op).__name__
