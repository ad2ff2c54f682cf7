"""The licences of what is shipped, beside it: a text for each package, and a list of all."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).with_name("texts")  # of what has none in a wheel
TEXT = re.compile(r"(^|/)(LICEN[CS]E|COPYING|NOTICE)[^/]*(?<!\.py)$", re.IGNORECASE)
CORE = """\
What lies in this folder's parent, whose it is, and under which licence. The texts are in this folder, a file for each.

Pyodide {version} (pyodide.js, pyodide.mjs, pyodide.asm.js, pyodide.asm.wasm)
  Mozilla Public License 2.0 (MPL-2.0.txt); the files are unchanged
  Source: https://github.com/pyodide/pyodide/tree/{version}
CPython {python} (python_stdlib.zip, and inside pyodide.asm.wasm)
  Python Software Foundation License 2 (Python.txt); Copyright (c) 2001-2024 Python Software Foundation
  Source: https://github.com/python/cpython/tree/v{python}
Emscripten's runtime (inside pyodide.asm.js and pyodide.asm.wasm), with musl, zlib, bzip2 and libffi
  MIT and University of Illinois/NCSA; MIT; zlib; bzip2; MIT
  Source: https://github.com/emscripten-core/emscripten, https://github.com/libffi/libffi
"""


def write(target: Path, packages: Mapping[str, Any], version: str, python: str, of_data: str) -> None:
    """Writes the folder ``licences`` below the target, from the wheels that lie in it.

    Args:
        packages: their entries in the lock.
        version, python: of Pyodide, and of the Python in it.
        of_data: what is said of the data sets.
    """
    folder = target / "licences"
    shutil.copytree(TEXTS, folder)
    lines = [CORE.format(version=version, python=python)]
    for name, entry in sorted(packages.items()):
        about, text = of_wheel(target / entry["file_name"])
        lines.append(f"{name} {entry['version']} ({entry['file_name']})\n  {about}\n")
        if text:
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    lines.append(f"\nThe data in data.zip\n\n{of_data}")
    (folder / "README.txt").write_text("".join(lines), encoding="utf-8")


def of_wheel(path: Path) -> tuple[str, str]:
    """What a wheel says of its licence and its source in a line, and the texts in it, each below the name of its file."""
    with zipfile.ZipFile(path) as wheel:
        texts = {name: wheel.read(name).decode("utf-8", "replace") for name in wheel.namelist() if TEXT.search(name)}
        [place] = [name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        about = HeaderParser().parsestr(wheel.read(place).decode("utf-8", "replace"))
    classified = [each.split(" :: ")[-1] for each in about.get_all("Classifier", ()) if each.startswith("License ::")]
    said = [about["License-Expression"], *classified, *(about["License"] or "").strip().splitlines()[:1]]
    named = [each.partition(", ") for each in about.get_all("Project-URL", ())]
    links = [link for name, _, link in sorted(named, key=lambda each: "home" not in each[0].lower())]
    homes = [each for each in [about["Home-page"], *links, about["Author"]] if each]
    licence = next((each for each in said if each), "its licence stands in its file")
    if not texts:
        licence += " (it brings no text of it)"
    whole = "\n\n".join(f"{name}\n{'=' * len(name)}\n\n{text.strip()}" for name, text in texts.items())
    return f"{licence}; {homes[0] if homes else 'no address'}", f"{whole}\n" if whole else ""
