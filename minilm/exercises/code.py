"""Code that is text: run under a name of its own, so that an error's traceback shows the student's line."""

from __future__ import annotations

import ast
import linecache
from typing import Any

from minilm.exercises.task import Task, Wrong, with_bug


def run_text(text: str, filename: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs Python text, and returns what it defined.

    A traceback shows its lines, since `filename` is entered in Python's cache of lines.

    Raises:
        what the text raises; SyntaxError where it is no Python.
    """
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    space: dict[str, Any] = {"__name__": "answer", "__file__": filename, **(names or {})}
    exec(compile(text, filename, "exec", dont_inherit=True), space)
    return space


def solution_of(task: Task, seed: int | None = None, wrong: Wrong | None = None) -> Any:
    """What the solution defines under the task's name; with `wrong`, what that wrong answer defines."""
    text = task.solution if wrong is None else with_bug(task.solution, wrong)
    return define(task, text, f"<solution of {task.id}>", seed)


def subject_of(task: Task, wrong: Wrong | None = None) -> Any:
    """For "write the test": the function that the student's test is given, right or wrong."""
    text = task.subject if wrong is None else with_bug(task.subject, wrong)
    space = run_text(task.setup + text, f"<subject of {task.id}>")
    return space[first_definition(task.subject)]


def define(task: Task, text: str, filename: str, seed: int | None = None) -> Any:
    """Runs setup and text, and returns the object under the task's name.

    Raises:
        KeyError: the text does not define it.
    """
    names = run_text(task.setup, f"<set-up of {task.id}>", task.values(seed))
    return run_text(text, filename, names)[task.name]


def first_definition(text: str) -> str:
    """The name of the first function or class in the text."""
    return next(node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
