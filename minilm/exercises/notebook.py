"""Notebooks made of tasks, and the answers found in them again. A notebook is JSON of format 4.5, written and read here without a
library.

Each cell says in its metadata whose it is, ``{"minilm": {"task": "4.9", "role": "answer"}}``, so that an answer is found after its
cell was moved, split or copied. Where an editor lost the metadata, the place between a statement and its check tells.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minilm.exercises.task import Task
from minilm.files import read_regular, shown
from minilm.strict_json import JSONFault, object_from

LARGEST = 1 << 26
_HEADING = re.compile(r"^#{1,6}\s+(?:Exercise\s+)?(\d+\.\d+)\b", re.MULTILINE)
_MARK = re.compile(r"^#\s*task\s+(\d+\.\d+)\s*$", re.MULTILINE | re.IGNORECASE)
_CALL = re.compile(r"^\s*(?:ml|minilm)\.(check|hint|exercise|progress)\(.*\)\s*;?\s*$")
_CHECK = re.compile(r"""^\s*(?:ml|minilm)\.check\(\s*["'](\d+\.\d+)["']""", re.MULTILINE)
_OF_A_SHELL = re.compile(r"^\s*[%!]|^\s*\?|\?\s*$")
_HARMLESS = re.compile(r"^%%(time|timeit|capture|prun)\b")


class NotebookError(ValueError):
    """A file in which no answers can be looked for; the message says why."""


# --- writing -----------------------------------------------------------------------------------------------------------------------

INTRODUCTION = """# {title}

Each exercise has a statement, a cell for your answer, and a cell that checks it. Run the first code cell below, then take the
exercises in any order. `ml.hint("{first}")` opens a hint, asked again the derivation, then the solution; `ml.progress()` shows how far
you are. What you write here is run on your machine only.
"""
MARKDOWN_ANSWER = "*Your answer to {id}:*\n"


def student(tasks: Sequence[Task], title: str, seeds: Mapping[str, int | None] | None = None) -> bytes:
    """A notebook to hand out: statements, empty cells and checks. It holds no solution, no hint and no test.

    Args:
        seeds: of each task's numbers, under its id; those that are missing, or None, are the ones for who learns alone.
    """
    cells = _first_cells(tasks, title)
    for task in tasks:
        cells += _task_cells(task, (seeds or {}).get(task.id))
    return _bytes(cells)


def solutions(tasks: Sequence[Task], title: str, seeds: Mapping[str, int | None] | None = None) -> bytes:
    """The second file: statement, hint, derivation, solution, and what known wrong answers look like."""
    cells = _first_cells(tasks, title)[1:]
    cells.insert(0, _cell("markdown", f"# {title}\n", "introduction"))
    for task in tasks:
        seed = (seeds or {}).get(task.id)
        cells += [_statement(task, seed), *_given(task, seed)]
        helps = (("Hint", task.hint), ("Derivation", task.derivation))
        text = "\n\n".join(f"**{name}.** {help.strip()}" for name, help in helps if help.strip())
        if text:
            cells.append(_cell("markdown", text + "\n", "help", task))
        if task.graded:
            cells.append(_cell("code", task.solution.strip() + "\n", "solution", task))
        elif task.solution.strip():
            cells.append(_cell("markdown", f"**Solution.** {task.solution.strip()}\n", "solution", task))
        if task.wrong and task.graded:
            cells.append(_cell("markdown", _known_wrong(task), "wrong", task))
    return _bytes(cells)


def _first_cells(tasks: Sequence[Task], title: str) -> list[dict[str, Any]]:
    first = next((task.id for task in tasks if task.graded), tasks[0].id if tasks else "4.9")
    return [
        _cell("markdown", INTRODUCTION.format(title=title, first=first), "introduction"),
        _cell("code", "import numpy as np\n\nimport minilm as ml\n", "imports"),
    ]


def _task_cells(task: Task, seed: int | None) -> list[dict[str, Any]]:
    cells = [_statement(task, seed), *_given(task, seed)]
    if not task.graded:
        return [*cells, _cell("markdown", stub_of(task), "answer", task)]
    argument = "" if seed is None else f", seed={seed}"
    return [
        *cells,
        _cell("code", stub_of(task), "answer", task),
        _cell("code", f'ml.check("{task.id}"{argument})\n', "check", task),
    ]


def stub_of(task: Task) -> str:
    """What a student begins with, as the cell holds it: Python, or Markdown where a teacher reads the answer."""
    if not task.graded:
        return MARKDOWN_ANSWER.format(id=task.id)
    return (task.start.strip() or f"{task.name} = ...  # instead of the dots, your {task.kind}") + "\n"


def heading(task: Task) -> str:
    """The line under a title: "*code · 40 minutes · difficulty 3 of 3 · 5 points · practises ...*"."""
    points = f"{task.points} point{'s' * (task.points != 1)}"
    parts = [task.kind, f"{task.minutes} minutes", f"difficulty {task.difficulty} of 3", points]
    return "*" + " · ".join([*parts, *([f"practises {task.practises}"] if task.practises else [])]) + "*"


def _statement(task: Task, seed: int | None) -> dict[str, Any]:
    text = f"## {task.id} {task.title}\n\n{heading(task)}\n\n{task.asked(seed).strip()}\n"
    return _cell("markdown", text, "statement", task)


def _given(task: Task, seed: int | None) -> list[dict[str, Any]]:
    text = given_of(task, seed)
    return [_cell("code", text, "given", task)] if text else []


def given_of(task: Task, seed: int | None = None) -> str:
    """The set-up and the numbers of the statement, as a cell holds them, where there are any beyond NumPy; otherwise ""."""
    lines = [
        line for line in task.setup.splitlines() if line.strip() not in ("import numpy as np", "import minilm as ml")
    ]
    text = "\n".join(lines).strip()
    values = "\n".join(f"{name} = {_literal(value)}" for name, value in task.values(seed).items())
    both = "\n\n".join(part for part in (text, values) if part)
    return both + "\n" if both else ""


def _literal(value: Any) -> str:
    """A value as Python text."""
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r}, dtype={value.dtype.name!r})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def _known_wrong(task: Task) -> str:
    """The wrong answers that the grader knows, each with the fragment that makes it."""
    parts = ["**What known wrong answers look like:**\n"]
    for wrong in task.wrong:
        name = wrong.bug.replace("-", " ") or "of this exercise alone"
        why = f" {' '.join(wrong.why.split())}" if wrong.why else ""
        parts.append(f"- {name}:{why}\n\n{_fenced(wrong.old, '  right  ')}\n{_fenced(wrong.new, '  wrong  ')}\n")
    return "\n".join(parts)


def _fenced(code: str, label: str) -> str:
    lines = code.strip("\n").splitlines() or [""]
    return "\n".join(["  ```python", f"  # {label.strip()}", *(f"  {line}" for line in lines), "  ```"])


def _cell(kind: str, text: str, role: str, task: Task | None = None) -> dict[str, Any]:
    mark = {"role": role} if task is None else {"role": role, "task": task.id}
    cell: dict[str, Any] = {"cell_type": kind, "id": _id(role, task), "metadata": {"minilm": mark}}
    if role not in ("answer", "solution"):
        cell["metadata"]["deletable"] = False
    cell["source"] = text.rstrip("\n").splitlines(keepends=True)
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


def _id(role: str, task: Task | None) -> str:
    return role if task is None else f"{role}-{task.id.replace('.', '-')}"


def _bytes(cells: Sequence[dict[str, Any]]) -> bytes:
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


# --- reading -----------------------------------------------------------------------------------------------------------------------


def answers_in(path: str | Path) -> dict[str, str]:
    """The answers in a student's file, as text under the ids of their tasks.

    Of a notebook (.ipynb) those that `answers_of` finds. In a Python file a line ``# task 4.9`` begins an answer, which ends at the
    next such line; what stands above the first one, such as imports, belongs to each. Line numbers stay those of the file: the lines of
    the other answers are there, empty. A Python file without such a line that is named after a task, as 4.9.py, is one answer.

    Raises:
        NotebookError: there is no such file, it cannot be read, or it is neither a notebook nor Python text.
    """
    path = Path(path)
    content = read_regular(path, NotebookError, max_bytes=LARGEST, remedy="clear the notebook's outputs", what="answer")
    if path.suffix == ".ipynb":
        return answers_of(_document(content, shown(path)))
    if path.suffix != ".py":
        raise NotebookError(f"{shown(path)} is neither a notebook (.ipynb) nor Python text (.py): give one of them.")
    text = _decoded(content, shown(path))
    if _MARK.search(text):
        return _marked(text)
    return {path.stem: text} if re.fullmatch(r"\d+\.\d+", path.stem) else {}


def read_text(path: Path) -> str:
    """A whole Python file.

    Raises:
        NotebookError: there is no such file, or it is no text.
    """
    content = read_regular(path, NotebookError, max_bytes=LARGEST, remedy="an answer is a few lines", what="answer")
    return _decoded(content, shown(path))


def answers_of(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The answers in a notebook, as text under the ids of their tasks, in the notebook's order.

    An answer is all that its cells hold, one after the other. To a task belong the cells with its metadata, and code cells without any
    that stand between its statement and its check. A proof's answer is Markdown. IPython's own commands (``%matplotlib``, ``!pip``)
    become comments, and calls of `ml.check` and its kind too; line counts stay.

    Raises:
        NotebookError: it is no notebook of format 4.
    """
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotebookError("this is no notebook of format 4: it has no list of cells.")
    found: dict[str, list[str]] = {}
    for task, text in _parts(cells):
        found.setdefault(task, []).append(text)
    return {task: "\n".join(parts) for task, parts in found.items()}


def _parts(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    here = ""  # the task whose statement was the last one
    for cell in cells:
        mark, text, is_code = _mark(cell), _text(cell), cell.get("cell_type") == "code"
        role, task = mark.get("role"), mark.get("task")
        if role == "answer" and isinstance(task, str):
            here = task
            yield task, python_of(text) if is_code else text
        elif role == "statement" or (not is_code and _HEADING.search(text)):
            heading = _HEADING.search(text)
            here = task if isinstance(task, str) else heading[1] if heading else ""
        elif role is None and is_code and here:
            check = _CHECK.search(text)
            if python_of(text).strip() and not _only_comments(python_of(text)):
                yield here, python_of(text)
            if check:
                here = ""
        elif role == "check":
            here = ""


def _mark(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = cell.get("metadata")
    mark = metadata.get("minilm") if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else {}


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return source if isinstance(source, str) else ""


def _only_comments(text: str) -> bool:
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())


def python_of(cell: str) -> str:
    """A cell's text as Python: what is IPython's, and calls such as ``ml.check("4.9")``, become comments."""
    lines = cell.splitlines()
    if lines and lines[0].startswith("%%") and not _HARMLESS.match(lines[0]):
        return "".join(f"# {line}\n" for line in lines)  # another language
    if not _is_python(cell):
        lines = [f"# {line}" if _OF_A_SHELL.search(line) else line for line in lines]
    within = _within_statements("\n".join(lines))
    lines = [
        f"# {line}" if _CALL.match(line) and number not in within else line for number, line in enumerate(lines, 1)
    ]
    return "".join(f"{line}\n" for line in lines)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _within_statements(text: str) -> set[int]:
    """The lines that are part of a statement of several lines: a string, a function. Nothing in them is taken out."""
    if not _is_python(text):
        return set()
    long = [s for s in ast.parse(text).body if (s.end_lineno or s.lineno) > s.lineno]
    return {line for s in long for line in range(s.lineno, (s.end_lineno or s.lineno) + 1)}


def _marked(text: str) -> dict[str, str]:
    """The answers of a Python file, each at the line where it stands."""
    lines, found = text.splitlines(keepends=True), dict[str, str]()
    marks = [(number, match[1]) for number, line in enumerate(lines) if (match := _MARK.match(line))]
    before = "".join(lines[: marks[0][0]])
    for number, (begin, task) in enumerate(marks):
        end = marks[number + 1][0] if number + 1 < len(marks) else len(lines)
        part = "".join(lines[begin:end])
        there = found.get(task, before)
        found[task] = there + "\n" * (begin - there.count("\n")) + part
    return found


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NotebookError(f"{name} is no text in UTF-8 (byte {error.start}): save it as UTF-8.") from None


def _document(content: bytes, name: str) -> dict[str, Any]:
    try:
        return object_from(content, max_digits=1000)
    except JSONFault as fault:
        raise NotebookError(f"{name} {fault}: save it again, or begin with a new copy.") from None
