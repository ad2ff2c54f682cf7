"""The data sets that come with the pages, and what is said of those that do not."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chapters.tools.live.wheels import packed
from minilm.data import TABLE, DataError, get_files
from minilm.data.sets.dataset import DataSet
from minilm.pretrained.table import TABLE as MODELS

SETS = ("digits", "mnist-5k", "python-questions")
"""Those that come along. The others stay where they are: with the next one, sentences of film reviews, the archive had more than MOST."""
MOST = 1_500_000  # bytes of the archive
ELSEWHERE = "Run the notebook on your computer to have it: there `minilm data get` fetches it."


def write(target: Path, sets: Sequence[str] = SETS) -> dict[str, Any]:
    """Writes the archive, which a page unpacks into minilm's cache; returns what the manifest says of it.

    Sets that this machine does not have are fetched, as a chapter would. Where that fails, a set is left out, and ``failed`` says why.
    """
    files: dict[str, bytes] = {}
    held, failed = {}, {}
    for name in sets:
        try:
            content = _files(TABLE[name], get_files(name))
        except DataError as error:
            failed[name] = str(error).splitlines()[0]
            continue
        held[name] = sum(map(len, content.values()))
        files |= content
    files |= {"pydoc_data/__init__.py": b"", "pydoc_data/topics.py": manual()}
    archive = packed(files)
    (target / "data.zip").write_bytes(archive)
    about = {"file": "data.zip", "bytes": len(archive), "sha256": hashlib.sha256(archive).hexdigest()}
    return {**about, "sets": held, "failed": failed}


def manual() -> bytes:
    """The module that holds Python's manual, as this machine has it: Pyodide's library leaves it out."""
    return Path(str(importlib.import_module("pydoc_data.topics").__file__)).read_bytes()


def _files(entry: DataSet, paths: Sequence[Path]) -> dict[str, bytes]:
    """The files of a set, under the names that the cache has for them."""
    names = [
        f"{package.place}/{file.name}"
        for package in entry.packages
        for file in package.files
        if file.name in entry.filenames
    ]
    return {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}


def missing(sets: Mapping[str, Any] | Sequence[str] = SETS) -> dict[str, dict[str, Any]]:
    """Of each data set and published model that does not come along: its bytes, and what a page says where a cell needs it."""
    found = {
        name: _says(f"the data set {name}", _size(entry))
        for name, entry in TABLE.items()
        if name not in sets and _size(entry)
    }
    models = {
        name: _says(f"the model {name}", sum(file.size for file in model.package.files))
        for name, model in MODELS.items()
    }
    return {**found, **models}


def _size(entry: DataSet) -> int:
    """The bytes of its files; 0: Python itself holds it."""
    own = sum(file.size for package in entry.packages for file in package.files if file.name in entry.filenames)
    return own or entry.download_size


def _says(what: str, size: int) -> dict[str, Any]:
    sentence = f"This cell needs {what} of {shown(size)}, which does not come with the page. {ELSEWHERE}"
    return {"bytes": size, "says": sentence}


def shown(size: int) -> str:
    """A number of bytes in words: 7 kB, 1.4 MB, 55 MB."""
    if size < 1e5:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"


def licences(sets: Sequence[str] = SETS) -> str:
    """What the data sets are, whose, and under which licence."""
    lines = [f"{name}: {TABLE[name].title}\n  {TABLE[name].licence}\n  {TABLE[name].citation}\n" for name in sets]
    return "\n".join(
        [*lines, "pydoc_data: the topics of Python's manual\n  Python Software Foundation License 2 (Python.txt)\n"]
    )
