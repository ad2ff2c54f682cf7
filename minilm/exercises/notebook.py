"""Notebooks made of tasks, and the answers found in them again. A notebook is JSON of format 4.5, written and read here without a
library.

Each cell says in its metadata whose it is, ``{"minilm": {"task": "4.9", "role": "answer"}}``, so that an answer is found after its
cell was moved, split or copied. Where an editor lost the metadata, the place between a statement and its check tells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from minilm.files import read_regular, shown
from minilm.strict_json import JSONFault, object_from

LARGEST = 1 << 26
SHOWN = {"number": "number", "code": "code", "proof": "proof", "open": "open question"}
_HEADING = re.compile(r"^#{1,6}\s+(?:Exercise\s+)?(\d+\.\d+)\b", re.MULTILINE)
_MARK = re.compile(r"^#\s*task\s+(\d+\.\d+)\s*$", re.MULTILINE | re.IGNORECASE)
_CALL = re.compile(r"^\s*(?:ml|minilm)\.(check|hint|exercise|progress)\(.*\)\s*;?\s*$")
_CHECK = re.compile(r"""^\s*(?:ml|minilm)\.check\(\s*["'](\d+\.\d+)["']""", re.MULTILINE)
_OF_A_SHELL = re.compile(r"^\s*[%!]|^\s*\?|\?\s*$")
_HARMLESS = re.compile(r"^%%(time|timeit|capture|prun)\b")


class NotebookError(ValueError):
    """A file in which no answers can be looked for; the message says why."""


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
