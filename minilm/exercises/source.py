"""A live function as text: its source, and that of the names it uses, so that another process can run it."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import sysconfig
import textwrap
import types
from pathlib import Path
from typing import Any

import numpy as np

from minilm.tensor import Tensor

MOST_NAMES = 200


class NoSource(ValueError):
    """The text of an object is not known; the message names it."""


def of(value: Any, name: str) -> str:
    """Python text that defines under `name` what `value` is.

    A function or class comes with the functions, classes, modules, numbers and arrays that it uses from its notebook.

    Raises:
        NoSource: the text of one of them is not known.
    """
    done: dict[str, str] = {}
    _gather(name, value, done)
    return "".join(done.values())


def _gather(name: str, value: Any, done: dict[str, str]) -> None:
    """Enters what defines `name` behind what it needs."""
    if name in done:
        return
    if len(done) >= MOST_NAMES:
        raise NoSource(f"{name} uses more than {MOST_NAMES} names.")
    if isinstance(value, types.ModuleType):
        done[name] = f"import {value.__name__} as {name}\n" if value.__name__ != name else f"import {name}\n"
    elif inspect.isfunction(value) or inspect.isclass(value):
        if value.__module__ in sys.builtin_module_names or _is_of_a_library(value):
            done[name] = f"from {value.__module__} import {value.__qualname__.partition('.')[0]} as {name}\n"
            return
        text = _text(value)
        done[name] = ""  # a function that calls itself, or two that call each other, end here
        for used, there in _used(value, text).items():
            _gather(used, there, done)
        del done[name]
        own = value.__name__
        done[name] = text + (f"{name} = {own}\n" if own != name else "")
    elif isinstance(value, np.ufunc):
        done[name] = f"from numpy import {value.__name__} as {name}\n"
    else:
        done[name] = f"{_needs(value)}{name} = {_literal(name, value)}\n"


def _is_of_a_library(value: Any) -> bool:
    """Whether an import gives it: not what stands in a notebook, nor in a file beside it."""
    module = sys.modules.get(value.__module__)
    file = getattr(module, "__file__", None)
    return value.__module__ != "__main__" and bool(file) and ("site-packages" in str(file) or _under(str(file)))


def _under(file: str) -> bool:
    places = [str(Path(__file__).resolve().parent.parent), sysconfig.get_paths()["stdlib"]]
    return any(file.startswith(os.path.join(place, "")) for place in places)


def _text(value: Any) -> str:
    """The source of a function or class.

    Raises:
        NoSource: neither Python nor the notebook knows it.
    """
    try:
        text = textwrap.dedent(inspect.getsource(value))
        ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        text = _cell_with(value.__name__)
    if value.__name__ == "<lambda>" or not text:
        raise NoSource(f"the text of {value.__name__} is not known: define it with def, in a cell of its own.")
    return text if text.endswith("\n") else text + "\n"


def _cell_with(name: str) -> str:
    """The last definition of this name in the notebook's cells."""
    cells = getattr(sys.modules.get("__main__"), "In", [])
    for cell in reversed(cells if isinstance(cells, list) else []):
        try:
            body = ast.parse(cell).body
        except SyntaxError:
            continue
        for node in reversed(body):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return ast.get_source_segment(cell, node) or ""
    return ""


def _used(value: Any, text: str) -> dict[str, Any]:
    """The global names and the closure's that its text mentions, with what stands under them."""
    mentioned = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    functions = [value] if inspect.isfunction(value) else [f for f in vars(value).values() if inspect.isfunction(f)]
    there: dict[str, Any] = {}
    for function in functions:
        there.update({k: v for k, v in function.__globals__.items() if k in mentioned})
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        there.update({k: cell.cell_contents for k, cell in cells if k in mentioned})
    if inspect.isclass(value) and not functions:
        there.update({k: v for k, v in vars(sys.modules[value.__module__]).items() if k in mentioned})
    return {k: v for k, v in there.items() if k != value.__name__}


def _needs(value: Any) -> str:
    return (
        "import numpy\n"
        if isinstance(value, np.ndarray | np.generic)
        else "import minilm, numpy\n"
        if isinstance(value, Tensor)
        else ""
    )


def _literal(name: str, value: Any) -> str:
    """Python text that makes an equal value."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcSU":
        end = "" if isinstance(value, np.ndarray) else "[()]"
        content = f"bytes.fromhex({value.tobytes().hex()!r}), {value.dtype.str!r}"
        return f"numpy.frombuffer({content}).reshape({value.shape}).copy(){end}"
    if isinstance(value, Tensor):
        return f"minilm.tensor({_literal(name, value.numpy())}, requires_grad={value.requires_grad})"
    text = repr(value)
    try:
        if len(text) < 1 << 20 and ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError, TypeError):
        pass
    raise NoSource(f"{name}, of type {type(value).__name__}, cannot be carried to another process.")
