"""The arrows of the house: the layers of imports in pyproject.toml hold, and an import against them is found wherever it hides."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter is in the extra dev")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, verbose=False))"
AGAINST = {
    "at the top": ("minilm/ops/op.py", "\nfrom minilm import tensor\n"),
    "inside a function": ("minilm/graph.py", "\ndef _up():\n    from minilm.nn import Linear\n\n    return Linear\n"),
    "for a type checker alone": (
        "minilm/backend/device.py",
        "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minilm.backend import registry\n",
    ),
    "a view in the data": ("minilm/trace/model.py", "\nfrom minilm.trace import html\n"),
    "a Tensor in a tokenizer": ("minilm/text/base.py", "\nimport minilm.tensor\n"),
    "a module without a place": ("minilm/attic.py", "\n"),
}


def lint(folder):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env={"PYTHONPATH": str(folder), "PATH": ""}, timeout=120, check=False,
        text=True, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of what import-linter reads."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "minilm", folder / "minilm", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.slow
def test_the_arrows_run_one_way(house):
    done = lint(house)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("where", AGAINST)
def test_an_import_against_them_is_found(house, where):
    file, lines = AGAINST[where]
    path = house / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text((before or "") + lines, encoding="utf-8")
    try:
        done = lint(house)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    assert done.returncode != 0, f"not found {where}: {file}"
    assert "BROKEN" in done.stdout or "attic" in done.stdout, done.stdout
