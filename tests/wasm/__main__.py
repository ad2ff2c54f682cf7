"""Runs tests, or any Python, where a page of the book runs it: in Pyodide, under Node instead of a browser.

    MINILM_PYODIDE=folder[:folder] python -m tests.wasm tests/ops tests/test_graph.py    # arguments as of pytest
    MINILM_PYODIDE=... python -m tests.wasm --script file.py argument ...

The folders, or folders in them, hold an unpacked release of Pyodide; or npm's `pyodide` and the wheels that its lock names. The
working tree is mounted, not copied. pytest comes from the Python that runs this, and so does hypothesis where it is pure Python;
``--tools FOLDER`` is looked into first (``pip install --target FOLDER ...``). Without a pure one, property tests are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from tests.browser.driver import pyodide_folders

ROOT = Path(__file__).resolve().parents[2]
STACK = "--stack-size=480"  # kB: what Chromium gives a Worker, and half of Node's own
ENGINE = Path(__file__).with_name("engine.mjs")
TOOLS = (
    "pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "hypothesis",
    "attrs",
    "sortedcontainers",
    "tqdm",
    "latex2mathml",
)
CORE, NUMPY = "pyodide.asm.wasm", "numpy-*wasm32.whl"
WITHOUT_PLUGINS = [
    "-p",
    "no:cacheprovider",
    "-p",
    "no:threadexception",
    "-p",
    "no:unraisableexception",
    "-p",
    "no:faulthandler",
    "--capture=sys",
]

PYTEST = """
import sys
import pytest
int(pytest.main(sys.argv[1:]))
"""
SCRIPT = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
0
"""
FIRST = """
import sys
sys.path[:0] = ["/minilm", *{tools!r}]
sys.dont_write_bytecode = True
sys.argv = ["tests.wasm", *{arguments!r}]
"""


def missing(folders: list[Path] | None = None) -> str | None:
    """Why Pyodide cannot be started here; None if it can."""
    if not shutil.which("node"):
        return "Node.js is not on the PATH"
    if not folders and not pyodide_folders():
        return "MINILM_PYODIDE names no folder with Pyodide"
    try:
        find(CORE, folders), find(NUMPY, folders)
    except FileNotFoundError as error:
        return str(error)
    return None


def find(pattern: str, folders: list[Path] | None = None) -> Path:
    """The folder that holds such a file, among MINILM_PYODIDE's and those in them.

    Raises:
        FileNotFoundError: none does.
    """
    folders = folders or [Path(name) for name in pyodide_folders()]
    for folder in folders:
        for found in sorted(folder.rglob(pattern)):
            return found.parent.resolve()
    raise FileNotFoundError(f"no {pattern} in {os.pathsep.join(map(str, folders))}")


def copy_tools(to: Path) -> None:
    """What the tests import, from this Python's own packages, if it is pure Python."""
    for name in TOOLS:
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            files = []
        if not files or any(file.suffix in (".so", ".pyd") for file in files):
            continue
        for file in files:
            if (file.suffix in (".py", ".css", ".txt") or file.name == "METADATA") and ".." not in file.parts:
                (to / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), to / file)


def run(code: str, arguments: list[str], *, tools: list[Path] | None = None, mounts: dict[str, Path] | None = None,
        folders: list[Path] | None = None, **options: object) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Runs Python text in WebAssembly; its last line's value is the exit status.

    Args:
        arguments: ``sys.argv[1:]`` there.
        tools: folders with packages, mounted where modules are looked for.
        mounts: further folders of this machine, by where they stand there.
        folders: Pyodide's, instead of MINILM_PYODIDE's.
        options: for `subprocess.run`.
    """
    places = {f"/tools{i or ''}": folder for i, folder in enumerate(tools or [])}
    job = {
        "core": str(find(CORE, folders)), "wheels": str(find(NUMPY, folders)), "packages": ["numpy"],
        "mounts": {name: str(folder) for name, folder in ({"/minilm": ROOT} | places | (mounts or {})).items()},
        "cwd": "/minilm", "env": {"HOME": "/home/pyodide", "MPLBACKEND": "Agg", "COLUMNS": "120"},
        "code": FIRST.format(arguments=arguments, tools=list(places)) + code,
    }  # fmt: skip
    return subprocess.run(["node", STACK, str(ENGINE)], input=json.dumps(job), text=True, check=False, **options)  # type: ignore[call-overload]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.wasm", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--tools", type=Path, help="a folder with pytest and hypothesis, pure Python")
    parser.add_argument("--script", help="run this file instead of pytest")
    parser.add_argument("--if-there", action="store_true", help="without Pyodide say so, and that all is well")
    asked, arguments = parser.parse_known_args()
    if reason := missing():
        print(f"not run: {reason}.", file=sys.stderr)
        return 0 if asked.if_there else 2
    if asked.script:
        script = "/minilm/" + Path(asked.script).resolve().relative_to(ROOT).as_posix()
        return run(SCRIPT, [script, *arguments]).returncode
    with tempfile.TemporaryDirectory() as folder:
        copy_tools(Path(folder))
        tools = [*([asked.tools] if asked.tools else []), Path(folder), Path(__file__).with_name("stand_in")]
        return run(PYTEST, ["-p", "tests.wasm.cannot", *WITHOUT_PLUGINS, *arguments], tools=tools).returncode


if __name__ == "__main__":
    sys.exit(main())
