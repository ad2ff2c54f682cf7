"""The text that every Python carries: its manual and its docstrings. No network and no cache are needed."""

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minilm.data.errors import DataError
from minilm.files import read_regular, shown

MAX_SOURCE_BYTES = 1 << 24
# Tests say little in words. The others are installed on some systems and missing on others, and would make the text
# of one Python version differ from machine to machine.
_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"} | {
    "tkinter", "turtle.py", "turtledemo", "idlelib", "lib2to3", "distutils", "ensurepip",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)


class Documented(NamedTuple):
    """A docstring and whose it is.

    Attributes:
        name: "json/decoder.py:JSONDecoder.decode"; of a module its file alone.
        parameters: of a function as its source has them, "s, *, strict=True"; None: it is a class or a module.
        text: the docstring, without its indentation.
    """

    name: str
    parameters: str | None
    text: str


def python_docs() -> str:
    """The topics of Python's reference manual (`help("topics")`), in alphabetical order, a newline between two.

    Raises DataError where Python was installed without its documentation module.
    """
    return "\n".join(python_topics().values())


def python_topics() -> dict[str, str]:
    """The same topics by their names, in alphabetical order."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python has no module pydoc_data.topics (some systems package it separately). "
            "Install the full standard library, or give a text file instead."
        ) from error
    return {name: topics[name] for name in sorted(topics)}


def python_docstrings(root: str | Path | None = None) -> str:
    """Every different docstring under `root`, as `docstrings` has them, a blank line between two."""
    return "\n\n".join(docstrings(root))


def docstrings(root: str | Path | None = None) -> list[str]:
    """Every different docstring under `root` (default: the standard library), in the order of `documented`; of equal ones the first.

    Raises DataError if there are none.
    """
    return list(dict.fromkeys(found.text for found in documented(root)))


def documented(root: str | Path | None = None) -> list[Documented]:
    """Every docstring under `root` (default: the standard library), copies too.

    Files are taken in the order of their paths and parsed, never imported; one that cannot be read, does not parse or has
    more than 16 MiB (`MAX_SOURCE_BYTES`) is skipped, as is a docstring that is no valid Unicode. Raises DataError if there are none.
    """
    name = sysconfig.get_path("stdlib") if root is None else root
    shown(name)  # refuses what is no name
    folder = Path(name)
    try:
        paths = _source_files(folder)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot look into {shown(folder)}: {error}") from None
    found = [each for path in paths for each in _documented(path, path.relative_to(folder).as_posix())]
    if not found:
        raise DataError(f"no docstrings under {shown(folder)}: the standard library's .py files are not there")
    return found


def _source_files(folder: Path) -> list[Path]:
    paths = ((path.relative_to(folder), path) for path in folder.rglob("*.py"))
    return [path for _, path in sorted((r.as_posix(), p) for r, p in paths if not _LEFT_OUT.intersection(r.parts))]


def _documented(path: Path, name: str) -> Iterator[Documented]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in old sources
            content = read_regular(path, DataError, max_bytes=MAX_SOURCE_BYTES, remedy="it is skipped")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: the parser's word for too deep
        return
    inside: dict[ast.AST, str] = {tree: ""}  # what stands before the names in a node
    found: list[tuple[int, Documented]] = []
    for node in ast.walk(tree):
        before = inside[node]
        if isinstance(node, _DOCUMENTED):
            own = "" if isinstance(node, ast.Module) else f"{before}{node.name}"
            text = ast.get_docstring(node)
            if text and not any("\ud800" <= character <= "\udfff" for character in text):
                parameters = ast.unparse(node.args) if isinstance(node, _FUNCTIONS) else None
                found.append(
                    (getattr(node, "lineno", 0), Documented(f"{name}:{own}" if own else name, parameters, text))
                )
            before = f"{own}." if own else ""
        inside.update(dict.fromkeys(ast.iter_child_nodes(node), before))
    yield from (each for _, each in sorted(found, key=lambda pair: pair[0]))
