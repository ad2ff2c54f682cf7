"""The names of a test's inputs, and of the sizes in them: a message says "the batch", not "4"."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test
from minilm.tensor import Tensor

AXES = {1: ("length of {0}",), 2: ("number of rows of {0}", "number of columns of {0}")}


def names(task: Task, test: Test, count: int) -> list[str]:
    """What the inputs are called: as in the function's signature, or in that of the test's `use`."""
    found = _parameters(test.use)[1:] if test.use is not None else signature(task)
    if test.use is not None and _gathers(test.use):  # use(answer, *inputs): the names are those of what is called
        own = signature(task)
        found = own if len(own) == count else []
    if len(found) < count:
        found = [*found, *(f"input {i + 1}" for i in range(len(found), count))]
    return found[:count]


def signature(task: Task, text: str | None = None) -> list[str]:
    """The parameters of the function that is asked for, as the solution (or the text) has them."""
    try:
        tree = ast.parse(task.solution if text is None else text)
    except SyntaxError:
        return []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == task.name:
            return _arguments(node)
        if isinstance(node, ast.ClassDef) and node.name == task.name:
            makers = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
            return _arguments(makers[0])[1:] if makers else []
    return []


def sizes(task: Task, test: Test, inputs: tuple[Any, ...]) -> dict[str, int]:
    """Sizes in the inputs, by name: those that the test names, then the axes of the arrays, then whole numbers."""
    labels = test.labels(*inputs) if callable(test.labels) else dict(test.labels or {})
    found = {name.removeprefix("the "): int(value) for name, value in labels.items()}
    for name, x in zip(names(task, test, len(inputs)), inputs, strict=True):
        found.update(_sizes(name, x))
    return found


def _sizes(name: str, x: Any) -> dict[str, int]:
    if isinstance(x, Tensor):
        x = x.numpy()
    if isinstance(x, np.ndarray):
        axes = AXES.get(x.ndim) or tuple(f"size of axis {i} of {{0}}" for i in range(x.ndim))
        return {axis.format(name): n for axis, n in zip(axes, x.shape, strict=True)} | (
            {f"number of elements of {name}": x.size} if x.ndim > 1 else {}
        )
    if isinstance(x, list | tuple | str | dict | set):
        found = {f"length of {name}": len(x)}
        if isinstance(x, list | tuple) and x and isinstance(x[0], np.ndarray):
            found |= _sizes(f"{name}[0]", x[0])
        return found
    if isinstance(x, int | np.integer) and not isinstance(x, bool):
        return {f"value of {name}": int(x)}
    return {}


def _gathers(function: Callable[..., Any]) -> bool:
    try:
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return False
    return inspect.Parameter.VAR_POSITIONAL in kinds


def _arguments(node: ast.FunctionDef) -> list[str]:
    return [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _parameters(function: Callable[..., Any] | None) -> list[str]:
    try:
        return list(inspect.signature(function).parameters) if function else []
    except (TypeError, ValueError):
        return []
