"""What is kept does not know how it is shown: in trace and profile a file imports only those before it, inside functions, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import minilm

FOLDER = Path(minilm.__file__).parent


def imports(package: str) -> dict[str, set[str]]:
    """By file of a package: the files of the package that it imports."""
    found = {}
    for path in (FOLDER / package).glob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module, f"{path.name}: name the module that is imported from"
                names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        prefix = f"minilm.{package}."
        found[path.stem] = {name.removeprefix(prefix).partition(".")[0] for name in names if name.startswith(prefix)}
    return {name: others & set(found) for name, others in found.items()}


def before(files: dict[str, set[str]], name: str) -> set[str]:
    """All that a file imports, and all that those import."""
    return files[name].union(*(before(files, other) for other in files[name]))


@pytest.mark.parametrize(
    ("package", "data", "views"), [("trace", "model", ["text", "html"]), ("profile", "results", ["table", "roofline"])]
)
def test_each_file_imports_only_those_before_it(package, data, views):
    files = imports(package)
    assert list(TopologicalSorter(files).static_order())
    for view in views:
        assert data in before(files, view)
        assert "recorder" not in before(files, view)
    assert {*views, data, "recorder"} <= before(files, "face")


def test_a_circle_is_found():
    files = imports("trace")
    files["model"].add("text")
    with pytest.raises(CycleError):
        list(TopologicalSorter(files).static_order())
