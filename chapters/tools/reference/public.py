"""Which names of the library are public, and where each has its one entry.

A name is public where a package lists it in ``__all__``. One function is often listed in several places and under several names
(``ml.concat``, ``ml.cat``, ``ml.concatenate``): its entry stands in the first package of `PACKAGES` that has it, under its own name, and
the other names are said there.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import Any, NamedTuple

from minilm.ops.op import REGISTRY, Op

PACKAGES = (
    "minilm",
    "minilm.nn",
    "minilm.nn.functional",
    "minilm.nn.init",
    "minilm.optim",
    "minilm.linalg",
    "minilm.random",
    "minilm.ops",
    "minilm.backend",
    "minilm.attacks",
    "minilm.trace",
    "minilm.profile",
    "minilm.models",
    "minilm.training",
    "minilm.parallel",
    "minilm.text",
    "minilm.data",
    "minilm.data.corpus",
    "minilm.pipeline",
    "minilm.formats",
    "minilm.pretrained",
    "minilm.metrics",
    "minilm.evaluation",
    "minilm.applications",
    "minilm.chat",
    "minilm.interpret",
    "minilm.privacy",
    "minilm.scaling",
    "minilm.sweep",
    "minilm.capstone",
    "minilm.exercises.desk",
    "minilm.exercises.grade",
    "minilm.exercises.bugs",
    "minilm.book",
)
"""Where public names are listed, in the order in which a reader meets them."""

MORE = {
    "minilm": ("abs", "all", "any", "max", "min", "pow", "round", "sum", "float", "int", "bool"),
    "minilm.exercises.desk": ("check", "exercise", "hint", "progress"),
}
"""Public names that are in no ``__all__``: Python has them too, or a student's notebook should keep such common words."""


class Entry(NamedTuple):
    """A public name.

    Attributes:
        package: where it is listed.
        name: under which name.
        found: what it names.
        kind: "op", "class", "function", "module" or "value".
        home: the full name under which it has its entry; of an op its own; of a module the name of the module.
        file: the module that defines it.
    """

    package: str
    name: str
    found: Any
    kind: str
    home: str
    file: str

    @property
    def full(self) -> str:
        return f"{self.package}.{self.name}"

    @property
    def here(self) -> bool:
        """Whether its entry stands here, under this name."""
        return self.full == self.home


def kind_of(found: Any) -> str:
    """What a public name names."""
    if isinstance(found, Op):
        return "op"
    if inspect.ismodule(found):
        return "module"
    if inspect.isclass(found):
        return "class"
    return "function" if inspect.isroutine(found) else "value"


def names_of(package: str) -> list[str]:
    """The public names of a package, in alphabetical order."""
    module = importlib.import_module(package)
    return sorted({*getattr(module, "__all__", ()), *MORE.get(package, ())}, key=lambda name: (name.lower(), name))


@cache
def _listed() -> tuple[tuple[str, str, Any], ...]:
    """Every package, each name in it, and what that names."""
    return tuple((p, name, getattr(importlib.import_module(p), name)) for p in PACKAGES for name in names_of(p))


@cache
def _ops() -> dict[str, str]:
    """For each op that is listed somewhere: its full name, under its own name where it is listed so."""
    found: dict[str, str] = {}
    ops = [(package, name, op) for package, name, op in _listed() if isinstance(op, Op)]
    for package, name, op in sorted(ops, key=lambda place: place[1] != place[2].name):
        found.setdefault(op.name, f"{package}.{name}")
    return found


def home_of_op(op: Op) -> str:
    """The full name of an op: ``minilm.relu`` where it is listed so, ``minilm.ops.index.place`` where users do not call it."""
    return _ops().get(op.name, f"{type(op).__module__}.{op.name}")


@cache
def entries() -> tuple[Entry, ...]:
    """Every public name, package by package."""
    homes: dict[int, str] = {}
    for own in (True, False):  # under its own name, if it is listed so at all
        for package, name, found in _listed():
            if not own or getattr(found, "__name__", name) == name:
                homes.setdefault(id(found), f"{package}.{name}")
    return tuple(_entry(package, name, found, homes[id(found)]) for package, name, found in _listed())


def _entry(package: str, name: str, found: Any, home: str) -> Entry:
    kind = kind_of(found)
    if kind == "op":
        return Entry(package, name, found, kind, home_of_op(found), type(found).__module__)
    if kind == "module":
        return Entry(package, name, found, kind, found.__name__, package)
    if kind == "value":  # one number may have two names, and two of them be equal
        return Entry(package, name, found, kind, f"{package}.{name}", package)
    return Entry(package, name, found, kind, home, getattr(found, "__module__", package) or package)


@cache
def homes() -> dict[int, str]:
    """For each op, class and function that is public, by its id: the full name under which it has its entry."""
    ops = {id(op): home_of_op(op) for op in REGISTRY.values()}
    return {id(e.found): e.home for e in entries() if e.kind in ("class", "function", "op")} | ops


@cache
def other_names() -> dict[str, tuple[str, ...]]:
    """For each entry, by its full name: the other full names that mean the same."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries():
        if entry.kind in ("op", "class", "function") and not entry.here:
            found[entry.home] = (*found.get(entry.home, ()), entry.full)
    return found


def short(full: str) -> str:
    """A full name as it is written in the book: ``ml.relu``, ``nn.Linear``, ``F.dropout``, ``ml.optim.Adam``."""
    for long, written in (("minilm.nn.functional.", "F."), ("minilm.nn.", "nn."), ("minilm.", "ml.")):
        if full.startswith(long):
            return written + full.removeprefix(long)
    return full
