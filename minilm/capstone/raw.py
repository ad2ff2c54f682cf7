"""Raw text that every Python carries, as three collections in three forms, with the copies that are really in it.

- ``manual/``: the topics of the language reference (``help("topics")``), a ``.txt`` file each;
- ``sources.jsonl.gz``: every docstring of the standard library's Python files, a line each, compressed;
- ``compiled.jsonl``: the docstrings of what is written in C, a line each.

Nothing is added or spoiled. Python has some modules twice, in C and in Python (``io`` and ``_pyio.py``), methods that repeat those of
another class, and topics under two names: these are the copies that the pipeline finds. All of it stands under Python's licence (PSF).
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import platform
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from minilm.data.sets.python_text import Documented, documented, python_topics
from minilm.files import atomic_write

MODULES = (
    "_asyncio", "_bisect", "_codecs", "_collections", "_csv", "_datetime", "_decimal", "_functools", "_heapq", "_io", "_json",
    "_operator", "_pickle", "_random", "_socket", "_sre", "_ssl", "_struct", "_thread", "array", "atexit", "binascii", "builtins", "cmath",
    "errno", "gc", "itertools", "marshal", "math", "select", "signal", "time", "unicodedata", "zlib",
)  # fmt: skip
"""Modules written in C whose docstrings are taken. Not `sys`: what stands in its hooks depends on the program around."""
REPLACED = ("builtins.input",)  # in a notebook
COLLECTIONS = ("manual", "sources.jsonl.gz", "compiled.jsonl")
COMPLETE = "complete.txt"
LICENCE = "PSF License Agreement (Python's)"
_MEMBERS = (types.MethodDescriptorType, types.GetSetDescriptorType, types.ClassMethodDescriptorType)


def write_raw(folder: Path) -> list[Path]:
    """Writes the three collections into a folder, unless they are there, and returns where they are, in the order of `COLLECTIONS`.

    They are there when `COMPLETE` is, which is written last: what the pipeline has begun to read does not change under it.

    Raises:
        DataError: this Python has no manual, or no standard library in source.
    """
    places = [folder / name for name in COLLECTIONS]
    if (folder / COMPLETE).exists():
        return places
    places[0].mkdir(parents=True, exist_ok=True)
    for name, text in python_topics().items():
        _write(places[0] / f"{name}.txt", text.encode())
    _write(places[1], gzip.compress(_lines(each._asdict() for each in documented()), mtime=0))
    _write(places[2], _lines({"name": name, "text": text} for name, text in compiled()))
    _write(folder / COMPLETE, f"Python {platform.python_version()}\n".encode())
    return places


def functions_in(places: list[Path]) -> list[Documented]:
    """What stands in ``sources.jsonl.gz``, with the parameters of each function."""
    with gzip.open(places[1], "rt", encoding="utf-8") as lines:
        return [Documented(**json.loads(line)) for line in lines]


def compiled(modules: Iterable[str] = MODULES) -> Iterator[tuple[str, str]]:
    """The docstrings of modules written in C, of their functions, classes and methods, copies too: name and text.

    A module that this Python does not have is passed over.
    """
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        yield from _documented(name, module)
        for key, value in sorted(vars(module).items()):
            if (
                key.startswith("__")
                or f"{name}.{key}" in REPLACED
                or not isinstance(value, types.BuiltinFunctionType | type)
            ):
                continue
            yield from _documented(f"{name}.{key}", value)
            if isinstance(value, type):
                for member, each in sorted(vars(value).items()):
                    if isinstance(each, _MEMBERS):
                        yield from _documented(f"{name}.{key}.{member}", each)


def _documented(name: str, thing: object) -> Iterator[tuple[str, str]]:
    text = getattr(thing, "__doc__", None)
    if isinstance(text, str) and text.strip():
        yield name, inspect.cleandoc(text)


def _lines(objects: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in objects)


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


__all__ = ["COLLECTIONS", "LICENCE", "MODULES", "compiled", "functions_in", "write_raw"]
