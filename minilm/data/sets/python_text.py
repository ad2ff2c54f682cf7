"""The text that every Python carries: its manual and its docstrings. No network and no cache are needed."""

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from minilm.data.errors import DataError
from minilm.files import read_regular, shown

MAX_SOURCE_BYTES = 1 << 24
# Tests say little in words. The others are installed on some systems and missing on others, and would make the text
# of one Python version differ from machine to machine.
_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"} | {
    "tkinter", "turtle.py", "turtledemo", "idlelib", "lib2to3", "distutils", "ensurepip",
}  # fmt: skip
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def python_docs() -> str:
    """The topics of Python's reference manual (`help("topics")`), in alphabetical order, a newline between two.

    Raises DataError where Python was installed without its documentation module.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python has no module pydoc_data.topics (some systems package it separately). "
            "Install the full standard library, or give a text file instead."
        ) from error
    return "\n".join(topics[name] for name in sorted(topics))


def python_docstrings(root: str | Path | None = None) -> str:
    """Every different docstring under `root`, as `docstrings` has them, a blank line between two."""
    return "\n\n".join(docstrings(root))


def docstrings(root: str | Path | None = None) -> list[str]:
    """Every different docstring under `root` (default: the standard library).

    Files are taken in the order of their paths and parsed, never imported; one that cannot be read, does not parse or has
    more than 16 MiB (`MAX_SOURCE_BYTES`) is skipped, as is a docstring that is no valid Unicode. Of equal docstrings the
    first is kept. Raises DataError if there are none.
    """
    name = sysconfig.get_path("stdlib") if root is None else root
    shown(name)  # refuses what is no name
    folder = Path(name)
    try:
        paths = _source_files(folder)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot look into {shown(folder)}: {error}") from None
    different = dict.fromkeys(doc for path in paths for doc in _docstrings(path))
    if not different:
        raise DataError(f"no docstrings under {shown(folder)}: the standard library's .py files are not there")
    return list(different)


def _source_files(folder: Path) -> list[Path]:
    paths = ((path.relative_to(folder), path) for path in folder.rglob("*.py"))
    return [path for _, path in sorted((r.as_posix(), p) for r, p in paths if not _LEFT_OUT.intersection(r.parts))]


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in old sources
            content = read_regular(path, DataError, max_bytes=MAX_SOURCE_BYTES, remedy="it is skipped")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: the parser's word for too deep
        return
    nodes = [node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    for node in sorted(nodes, key=lambda node: getattr(node, "lineno", 0)):
        text = ast.get_docstring(node)
        if text and not any("\ud800" <= character <= "\udfff" for character in text):
            yield text
