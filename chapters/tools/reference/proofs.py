"""Which tests hold an op: found in their sources, so that a page names no test that there is not."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from chapters.tools.reference import where
from chapters.tools.reference.calls import PLAIN, kernels
from minilm.ops.op import REGISTRY, Op

FOLDERS = ("tests/ops", "tests/oracle")
LIBRARIES = frozenset(
    ("ml", "F", "nn", "functional", "linalg", "spellings")
)  # ml.tanh is the op; x.tanh may be an array's


class Test(NamedTuple):
    """A test that names an op."""

    file: str
    name: str
    line: int

    @property
    def words(self) -> str:
        """Its name as a sentence would have it."""
        return self.name.removeprefix("test_").replace("_", " ")


@cache
def index() -> dict[str, tuple[Test, ...]]:
    """For each op the tests that name it: its own file first, then those beside PyTorch."""
    found: dict[str, list[Test]] = {name: [] for name in REGISTRY}
    for folder in FOLDERS:
        for path in sorted((where.ROOT / folder).glob("test_*.py")):
            for test, names in _tests(path):
                for name in names & REGISTRY.keys():
                    found[name].append(test)
    return {name: tuple(tests) for name, tests in found.items()}


def _tests(path: Path) -> Iterator[tuple[Test, set[str]]]:
    """The tests of a file, and what each names: by itself, and in the tables and helpers of the file that it uses."""
    file = path.relative_to(where.ROOT).as_posix()
    tree = where.tree(file)
    ops = {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minilm.ops")
        for alias in node.names
    }
    pieces: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            pieces[node.name] = node
        elif isinstance(node, ast.Assign):
            pieces |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    for name, node in pieces.items():
        if name.startswith("test_") and isinstance(node, ast.FunctionDef):
            used = [
                node,
                *(pieces[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in pieces and n.id != name),
            ]
            names = {found for piece in used for found in _names(piece, ops)}
            yield Test(file, name, node.lineno), names


def _names(piece: ast.stmt, ops: dict[str, str]) -> Iterator[str]:
    """The ops that a piece of code names: ``ml.tanh``, ``tanh`` where it is imported, ``"tanh"`` and ``"tanh-0"`` as texts."""
    for node in ast.walk(piece):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in LIBRARIES | ops.keys()
        ):
            yield node.attr
        elif isinstance(node, ast.Name) and node.id in ops:
            yield ops[node.id]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition("-")[0]


class Planted(NamedTuple):
    """A bug that the tests put into the op, and the file of the test that must find it."""

    name: str
    file: str
    line: int
    test: str


@cache
def _mutants() -> tuple[tuple[str, str, str, str], ...]:
    """All bugs that are planted: their names, the sources, the fragments that are replaced, and the tests that must fail."""
    package = importlib.import_module("tests.mutants")
    modules = [importlib.import_module(f"tests.mutants.{info.name}") for info in pkgutil.iter_modules(package.__path__)]
    return tuple((m.name, m.file, m.old, m.tests) for module in modules for m in getattr(module, "MUTANTS", ()))


def planted(op: Op) -> list[Planted]:
    """The bugs that are put into an op's record or its functions of the device, or that a check of its derivative must find."""
    parts = [where.record(op), *((PLAIN, f"Reference.{name}") for name in kernels(op))]
    code = [(file, where.code_of(file, name)) for file, name in parts]
    found = []
    for bug, place, old, tests in _mutants():
        if any(place == file and old in text for file, text in code) or f"[{op.name}-" in tests:
            test_file, _, test = tests.split()[0].partition("::")
            test = test.partition("[")[0]
            found.append(Planted(bug, test_file, where.line_of(test_file, test), test))
    return found
