"""Wheels of what Pyodide does not have: minilm as it stands in the repository, and the pure packages that it needs, as they are installed.

They are written by hand: no build, no network, and the same bytes each time. A wheel's name holds a part of its own sum, so that a browser
never takes one from its cache that the lock of a later site does not mean.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = ("tqdm", "latex2mathml")
RECORDS = ("chapters/results", "chapters/experiments")  # read by minilm.book, which looks for them beside minilm
LEFT_OUT = re.compile(
    r"__pycache__|\.(cu|pyc|sh|1|pyi)$|^tqdm/(contrib|keras|dask|rich|tk|gui|cli|completion)|^chapters/results/live\.json$"
)
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file knows


def write(target: Path) -> dict[str, dict[str, Any]]:
    """Writes the wheels into a folder; returns their entries in Pyodide's lock."""
    made = {"minilm": (_own_version(), _own(), ["numpy", *INSTALLED])}
    for name in INSTALLED:
        made[name] = (importlib.metadata.version(name), _installed(name), [])
    return {
        name: _put(target, name, version, files, depends) for name, (version, files, depends) in sorted(made.items())
    }


def _own_version() -> str:
    found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def _own() -> dict[str, bytes]:
    """minilm, its licence, and the records of experiments that chapters show."""
    paths = [path for path in (ROOT / "minilm").rglob("*") if path.is_file()]
    for folder in RECORDS:
        paths += (ROOT / folder).glob("*.json")
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    version = _own_version()
    info = f"minilm-{version}.dist-info"
    about = f"Metadata-Version: 2.4\nName: minilm\nVersion: {version}\nLicense-Expression: MIT\n"
    return {**files, f"{info}/METADATA": about.encode(), f"{info}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes()}


def _installed(name: str) -> dict[str, bytes]:
    """The package's own files, its licence, and the head of what it says of itself, without the long description."""
    files = {}
    for path in importlib.metadata.files(name) or ():
        place = path.as_posix()
        if place.startswith(f"{name}/") or re.search(r"\.dist-info/.*LICEN[CS]E", place):
            files[place] = Path(str(path.locate())).read_bytes() if "__pycache__" not in place else b""
        elif place.endswith(".dist-info/METADATA"):
            files[place] = Path(str(path.locate())).read_bytes().split(b"\n\n")[0] + b"\n"
    return files


def _put(target: Path, name: str, version: str, files: Mapping[str, bytes], depends: list[str]) -> dict[str, Any]:
    info = f"{name}-{version}.dist-info"
    kept = {place: content for place, content in files.items() if not LEFT_OUT.search(place)}
    kept[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: minilm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    kept[f"{info}/RECORD"] = "".join(f"{place},,\n" for place in sorted([*kept, f"{info}/RECORD"])).encode()
    content = packed(kept)
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"{name}-{version}-0{sha256[:8]}-py3-none-any.whl"  # a build number begins with a digit
    (target / file).write_bytes(content)
    return {
        "name": name, "version": version, "file_name": file, "install_dir": "site", "sha256": sha256, "package_type": "package",
        "imports": [name], "depends": depends, "unvendored_tests": False,
    }  # fmt: skip


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip file of these, the same bytes for the same files: in alphabetical order, and without times or owners."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as Unix has it, wherever this runs
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
