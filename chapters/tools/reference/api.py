"""The API reference: a page per package, as reStructuredText for Sphinx's autodoc, which takes the words from the docstrings.

A package whose page would be long has several, each with a few of its files. What a docstring says stands nowhere else.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from chapters.tools.reference import public
from chapters.tools.reference.public import Entry
from minilm.ops.op import REGISTRY
from minilm.tensor import Tensor

TOP = "reference/api"
METHODS = 60  # of Tensor, on a page
LONG = 7_500  # pixels at a width of 1,280, estimated: so long a page may be


class Part(NamedTuple):
    """What a page says of one file: its heading, what it says first, and the entries."""

    title: str
    module: str  # whose docstring is shown; "" for none
    entries: Sequence[Entry]
    more: str = ""  # text that stands below them


def pages() -> dict[str, str]:
    """The page that lists the packages, and theirs."""
    made: dict[str, str] = {TOP: _top()}
    for package in public.PACKAGES:
        made |= _package(package)
    return made


def _top() -> str:
    lines = [
        title("API reference"),
        "Every public name, from its docstring. A heading is the name as it is imported; *source* beside a name leads to its lines. What "
        "computes a number and its gradient is an op, and has a page in the :doc:`reference of ops </reference/ops>`.",
        "",
    ]
    for package in public.PACKAGES:
        lines.append(f":doc:`{package} </{page_of(package)}>`\n   {summary(importlib.import_module(package))}\n")
    return "\n".join(lines)


def page_of(package: str) -> str:
    """The name of a package's page."""
    return f"{TOP}/{package.removeprefix('minilm.').replace('.', '-')}" if package != "minilm" else f"{TOP}/minilm"


def title(text: str, under: str = "=") -> str:
    """A heading."""
    return f"{text}\n{under * len(text)}\n"


def summary(found: Any) -> str:
    """The first sentence of a docstring, in one line; the library's name before it is left out."""
    lines = itertools.takewhile(str.strip, (inspect.getdoc(found) or "").split("\n"))
    return " ".join(line.strip() for line in lines).removeprefix("minilm: ")


def _package(package: str) -> dict[str, str]:
    """The pages of one package: its own, and, where that would be long, those below it."""
    name, parts = page_of(package), list(_parts(package))
    clash = package in public.homes().values()  # ml.trace is a function, and the name of its package
    head = [":orphan:\n", title(package), f":doc:`API reference </{TOP}>` › {package}\n"]
    head += [f".. automodule:: {package}\n{'   :no-index:' + chr(10) if clash else ''}", _elsewhere(package)]
    if sum(map(_height, parts)) <= LONG:
        return {name: "\n".join([*head, *map(_section, parts)])}
    below = list(_divided([piece for part in parts for piece in _cut(part)]))
    head += [title("Its files", "-")]
    made = {}
    for some in below:
        key = f"{name}/{_key(some[0])}"
        what = some[0].title if len(some) == 1 else f"{some[0].title} to {some[-1].title}"
        way = f":doc:`API reference </{TOP}>` › :doc:`{package} </{name}>`\n"
        names = [f"``{e.name}``" for part in some for e in part.entries]
        head += [f":doc:`{what} </{key}>`\n   {', '.join(names) or 'methods of Tensor'}\n"]
        sections = [_body(some[0])] if len(some) == 1 else map(_section, some)
        made[key] = "\n".join([":orphan:\n", title(f"{package}: {what}"), way, *sections])
    return {name: "\n".join(head), **made}


def _key(part: Part) -> str:
    """A file's part in the name of a page: ``attention``, ``sets-bias``, of one that is cut ``conv-2``."""
    file, _, number = part.title.partition(", part ")
    words = file.removesuffix(".py").removesuffix("/__init__").replace("/", "-")
    return f"{words}-{number}" if number else words


def _cut(part: Part) -> Iterable[Part]:
    """A file's part, or, where its page would be long, several."""
    count = min(-(-int(_height(part)) // LONG), len(part.entries))
    if count <= 1:
        yield part
        return
    for k in range(count):
        some = part.entries[k * len(part.entries) // count : (k + 1) * len(part.entries) // count]
        yield Part(f"{part.title}, part {k + 1}", part.module if k == 0 else "", some)


def _divided(parts: Sequence[Part]) -> Iterable[list[Part]]:
    """Parts that fit on one page, together."""
    some: list[Part] = []
    for part in parts:
        if some and sum(map(_height, [*some, part])) > LONG:
            yield some
            some = []
        some.append(part)
    if some:
        yield some


def _parts(package: str) -> Iterable[Part]:
    """The package's own entries, file by file."""
    here = [e for e in public.entries() if e.package == package and e.here and e.kind in ("class", "function")]
    for file, some in itertools.groupby(sorted(here, key=lambda e: (e.file != package, e.file)), lambda e: e.file):
        documented = file in public.PACKAGES or _is_documented(file, package)
        own = list(some)
        yield Part(_file(file, package), "" if documented else file, own)
        if Tensor in [e.found for e in own]:
            yield from _methods()


@cache
def _is_documented(module: str, package: str) -> bool:
    """Whether another package's page has the docstring of this file."""
    for other in public.PACKAGES[: public.PACKAGES.index(package)]:
        if any(
            e.file == module and e.here and e.kind in ("class", "function")
            for e in public.entries()
            if e.package == other
        ):
            return True
    return module.startswith("minilm.ops.") and module != "minilm.ops.spellings"  # a family's page has it


def _file(module: str, package: str) -> str:
    """A file as it is called on the page of a package: ``attention.py``."""
    inside = module.removeprefix(f"{package}.") if module != package else "__init__"
    if inside == module:
        inside = module.removeprefix("minilm.")
    path = inside.replace(".", "/")
    packed = hasattr(importlib.import_module(module), "__path__") and inside != "__init__"
    return f"{path}/__init__.py" if packed else f"{path}.py"


def _section(part: Part) -> str:
    return f"{title(part.title, '-')}\n{_body(part)}"


def _body(part: Part) -> str:
    lines = [f".. automodule:: {part.module}\n   :no-index:\n"] if part.module else []
    return "\n".join([*lines, *map(_entry, part.entries), part.more])


def _entry(entry: Entry) -> str:
    directive = "autofunction" if entry.kind == "function" else "autoclass"
    if entry.kind == "class" and issubclass(entry.found, Exception):
        directive = "autoexception"
    options = "" if directive == "autofunction" else "   :members:\n"
    if entry.kind == "class" and any(id(base) in public.homes() for base in entry.found.__bases__):
        options += "   :show-inheritance:\n"
    return f".. {directive}:: {entry.package}::{entry.name}\n{options}"


def _elsewhere(package: str) -> str:
    """What a package lists, and what has its entry somewhere else: packages, ops, values, and other packages' names."""
    lines, all_of = [], [e for e in public.entries() if e.package == package]
    listed = {
        "Packages": [f":py:mod:`{e.found.__name__}`" for e in all_of if e.kind == "module"],
        "Ops, each of which has a page": [_link(e) for e in all_of if e.kind == "op"],
        "Other names of what has its entry elsewhere": [
            _link(e) for e in all_of if e.kind in ("class", "function") and not e.here
        ],
        "Values": [_value(e) for e in all_of if e.kind == "value"],
    }
    for what, names in listed.items():
        if names:
            lines += [f"{what}: {', '.join(names)}.\n"]
    return "\n".join(lines)


def _link(entry: Entry) -> str:
    own = entry.home.rpartition(".")[2]
    return f":py:func:`{entry.name} <{entry.home}>`" + (f" ({own})" if own != entry.name else "")


def _value(entry: Entry) -> str:
    found = entry.found
    if isinstance(found, int | float | str | type(None)):
        return f"``{entry.name}`` = {found!r}".replace("*", r"\*")
    if type(found).__module__.startswith("numpy"):
        return f"``{entry.name}`` = dtype {found}"
    return f"``{entry.name}``, a {type(found).__name__}"


def _methods() -> Iterable[Part]:
    """What Tensor can do because PyTorch and NumPy can: ops as methods by name, then the rest with its docstring."""
    ops, own = [], []
    for name, found in sorted(inspect.getmembers(Tensor, inspect.isroutine)):
        if name.startswith("_") or name in vars(Tensor):
            continue
        doc = inspect.getdoc(found) or ""
        if doc.startswith(("The op `", "In place", "``x.")) or not doc:
            ops.append(name)
        else:
            own.append(name)
    lines = [f".. automethod:: minilm::Tensor.{name}\n" for name in own]
    count = -(-len(lines) // METHODS)
    for k in range(count):
        some = lines[k * len(lines) // count : (k + 1) * len(lines) // count]
        if k == 0:
            some.insert(0, f"Methods that are ops: {', '.join(map(_method, ops))}.\n")
        yield Part(f"methods.py, part {k + 1}", "" if k else "minilm.methods", (), "\n".join(some))


def _method(name: str) -> str:
    op = REGISTRY.get(name)
    return f":py:func:`{name} <{public.home_of_op(op)}>`" if op else f"``{name}``"


def _height(part: Part) -> float:
    return 200 + sum(_entry_height(e) for e in part.entries) + 110 * part.more.count("automethod")


def _entry_height(entry: Entry) -> float:
    found = [entry.found]
    if entry.kind == "class":
        found += [v for k, v in vars(entry.found).items() if not k.startswith("_") and inspect.getdoc(v)]
    return sum(90 + 26 * (inspect.getdoc(each) or "").count("\n") for each in found)
