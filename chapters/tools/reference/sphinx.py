"""What Sphinx must know to read the reference: names in docstrings become links, each entry leads to its lines of code, and the search
knows the names of ops and the numbers of exercises.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from typing import Any

from docutils import nodes

from chapters.tools.reference import public

FOLDER = "reference/"


def name_role(_role: str, raw: str, text: str, _line: int, inliner: Any, *_: Any) -> tuple[list[Any], list[Any]]:
    """What stands in single backticks in a docstring: a name, as code, which remembers where it was said (`code.links` leads it on)."""
    context = inliner.document.settings.env.ref_context
    node = nodes.literal(raw, text, classes=["name"])
    node["module"], node["class"] = context.get("py:module") or "minilm", context.get("py:class") or ""
    return [node], []


def source_role(_role: str, raw: str, text: str, *_: Any) -> tuple[list[Any], list[Any]]:
    """``:source:`words <file#line>```: a link to a line of code, made when the pages are written (`sources`)."""
    m = re.fullmatch(r"(.*) <([^<>#]+)#(\d+)>", text.replace("\x00", ""), re.DOTALL)
    assert m, raw
    node = nodes.inline(raw, m[1], classes=["to-source"])
    node["file"], node["line"] = m[2], int(m[3])
    return [node], []


@cache
def _under(module: str, words: tuple[str, ...]) -> Any:
    """What a dotted name means in a module."""
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    for word in words:
        found = inspect.getattr_static(found, word, None) if inspect.isclass(found) else getattr(found, word, None)
        if found is None:
            return None
    return found


def named(literal: Any) -> Any:
    """What a name in a docstring means: in its class, its module, the packages above that, and the whole library; None: nothing there."""
    text = literal.astext().removesuffix("()")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text):
        return None
    words, module = tuple(text.split(".")), literal["module"]
    if words[0] == "minilm":
        return _in_library(words) if "__main__" not in words else None  # to import that is to run it
    if literal["class"] and (found := _under(module, (*literal["class"].split("."), *words))) is not None:
        return found
    while module:
        if (found := _under(module, words)) is not None:
            return found
        module = module.rpartition(".")[0]
    return _under("minilm.nn", words) or _under("minilm.nn.functional", words)


def _in_library(words: tuple[str, ...]) -> Any:
    """What a full name such as ``minilm.nn.Linear`` means: the longest module in it, and what stands there."""
    for k in range(len(words), 0, -1):
        try:
            importlib.import_module(".".join(words[:k]))
        except ImportError:
            continue
        return _under(".".join(words[:k]), words[k:])
    return None


def entry(app: Any, docname: str, found: Any) -> str:
    """The address, from a page, of the entry in the reference; "" where there is none."""
    full = found.__name__ if inspect.ismodule(found) else public.homes().get(id(found), "")
    if not full and inspect.isfunction(found):  # a method of a public class
        owner = getattr(importlib.import_module(found.__module__), found.__qualname__.partition(".")[0], None)
        full = f"{public.homes()[id(owner)]}.{found.__name__}" if id(owner) in public.homes() else ""
    place = app.env.domains["py"].objects.get(full) if full else None
    if place is None:
        return ""
    to = app.builder.get_relative_uri(docname, place.docname) if place.docname != docname else ""
    return f"{to}#{place.node_id}"


def skipped(_app: Any, _what: str, _name: str, found: Any, _skip: bool, _options: Any) -> bool | None:
    """A field of a NamedTuple, of which Python says nothing but its number: the class's docstring says what it is."""
    doc = getattr(found, "__doc__", None) or ""
    return True if doc.startswith("Alias for field number") else None


def with_other_names(_app: Any, what: str, name: str, _found: Any, _options: Any, lines: list[str]) -> None:
    """Below a docstring: under which other names the same can be called."""
    others = public.other_names().get(name.replace("::", "."), ())
    if others and what in ("function", "class", "exception"):
        lines += ["", "Also: " + ", ".join(f"``{public.short(other)}``" for other in others) + "."]


def sources(app: Any, doctree: Any, docname: str) -> None:
    """Links to lines of code: those that the text asks for, and one beside each entry."""
    from sphinx import addnodes

    from chapters.tools import code

    for node in list(doctree.findall(nodes.inline)):
        if "file" in node:
            link = nodes.reference(
                "", node.astext(), refuri=code.uri(app, docname, node["file"], node["line"]), internal=True
            )
            node.replace_self(link)
    if not docname.startswith("reference/api"):
        return
    for signature in doctree.findall(addnodes.desc_signature):
        name = (signature.get("ids") or [""])[0]
        file, line = code.source(_in_library(tuple(name.split(".")))) if name else ("", 0)
        if file:
            signature += nodes.reference(
                "", "source", refuri=code.uri(app, docname, file, line), internal=True, classes=["to-source"]
            )


def searched(app: Any, doctree: Any) -> None:
    """What the search finds by its exact name, before all else: an op, and an exercise by its number.

    Sphinx's domain would enter each function and class of the reference as "Linear (class in minilm.nn)", and put these before the
    objects themselves, which are found under their names.
    """
    from sphinx import addnodes

    docname = app.env.docname
    if docname.startswith(FOLDER):
        for node in list(doctree.findall(addnodes.index)):
            node["entries"] = []
    entries: list[tuple[str, str]] = []
    if docname.startswith(f"{FOLDER}ops/") and docname.count("/") == 3:
        entries.append((docname.rpartition("/")[2], ""))
    for section in doctree.findall(nodes.section):
        title = re.match(r"Exercise (\d+\.\d+)\. ", section[0].astext() if section.children else "")
        if title:
            entries += [(title[1], section["ids"][0]), (f"exercise {title[1]}", section["ids"][0])]
    for name, anchor in entries:
        doctree += addnodes.index(entries=[("single", name, anchor, "main", None)])


def setup(app: Any) -> dict[str, bool]:
    from docutils.parsers.rst import roles

    roles.register_local_role("name", name_role)
    roles.register_local_role("source", source_role)
    app.connect("autodoc-skip-member", skipped)
    app.connect("autodoc-process-docstring", with_other_names)
    app.connect("doctree-read", searched)
    app.connect("doctree-resolved", sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
