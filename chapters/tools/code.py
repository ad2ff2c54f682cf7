"""The library's code on the site: a page for each source file that the book names, and links from the names to their lines.

A name in running text leads to its entry in the reference, and that to the lines; a name without an entry leads to its lines at once.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes

from chapters.tools.reference import sphinx, where
from minilm.ops.op import Op

ROOT = Path(__file__).resolve().parents[2]
# What a first word means in the chapters.
ROOTS = {"ml": "minilm", "minilm": "minilm", "nn": "minilm.nn", "F": "minilm.nn.functional", "book": "minilm.book"}
NAME = re.compile(r"(?<![\w.])(?:ml|nn|F|book)(?:\.[A-Za-z_]\w*)+")


@functools.cache
def place(name: str) -> tuple[str, int]:
    """The file, from the repository, and the line where what the book calls `name` is defined; ("", 0) where that is unknown.

    >>> place("F.cross_entropy")[0]
    'minilm/ops/loss.py'
    """
    return source(find(name))


def find(name: str) -> Any:
    """What the book calls `name`, as ``nn.Linear`` or ``nn.Linear(2, 3)``; None where that is unknown."""
    m = re.fullmatch(r"([A-Za-z_][\w.]*)(\(.*\))?", name, re.DOTALL)
    first, *rest = m[1].split(".") if m else [""]
    if rest and first in ROOTS:
        found: Any = importlib.import_module(ROOTS[first])
    elif m and not rest and first in importlib.import_module("minilm.book").__all__:
        found, rest = importlib.import_module("minilm.book"), [first]
    else:
        return None
    for word in rest:
        found = getattr(found, word, None)
    return found


def source(found: Any) -> tuple[str, int]:
    """The file, from the repository, and the line where something of the library is defined; ("", 0) where that is unknown."""
    if isinstance(found, Op):  # an op is the one instance of its class
        found = type(found)
    try:
        found = inspect.unwrap(found)
        path = Path(inspect.getsourcefile(found) or "").resolve()
        if not path.is_relative_to(ROOT / "minilm"):
            return "", 0
        file = path.relative_to(ROOT).as_posix()
        name = getattr(found, "__qualname__", "")
        return file, 1 if inspect.ismodule(found) else where.places(file).get(name, (0,))[0] or inspect.getsourcelines(
            found
        )[1]
    except (TypeError, OSError, ValueError):
        return "", 0


def links(app: Any, doctree: Any, docname: str) -> None:
    """Turns names of the library in running text into links to its code, and lists those of a page's cells at its end."""
    for literal in list(doctree.findall(nodes.literal)):
        if isinstance(literal.parent, nodes.reference) or _in_title(literal):
            continue
        found = sphinx.named(literal) if "module" in literal else find(literal.astext())
        to = sphinx.entry(app, docname, found)
        if not to:
            file, line = source(found)
            to = uri(app, docname, file, line) if file else ""
        if to:
            link = nodes.reference("", "", refuri=to, internal=True)
            literal.replace_self(link)
            link += literal
    names = {name for block in doctree.findall(nodes.literal_block) for name in NAME.findall(block.astext())}
    named = [(name, *place(name)) for name in sorted(names, key=str.lower) if place(name)[0]]
    section = next(iter(doctree.findall(nodes.section)), None)
    if named and section is not None and docname[:2].isdigit():
        listed = nodes.paragraph("", "The library's code that this page calls: ", classes=["code-called"])
        for k, (name, file, line) in enumerate(named):
            link = nodes.reference("", "", nodes.literal("", name), refuri=uri(app, docname, file, line), internal=True)
            listed += [nodes.Text(", " if k else ""), link]
        section += [listed]


def _in_title(node: Any) -> bool:
    while node is not None and not isinstance(node, nodes.title):
        node = node.parent
    return node is not None


def uri(app: Any, docname: str, file: str, line: int) -> str:
    """The address of a line of code, from a page of the site; the file gets a page."""
    _lines(app).setdefault(file, set()).add(line)
    return f"{app.builder.get_relative_uri(docname, _page(file))}#line-{line}"


def _page(file: str) -> str:
    return f"code/{file.removesuffix('.py')}"


def _lines(app: Any) -> dict[str, set[int]]:
    """For each file that is named: the lines that are linked."""
    if not hasattr(app.env, "book_code"):
        app.env.book_code = {}
    found: dict[str, set[int]] = app.env.book_code
    return found


def pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The pages of code, for Sphinx to write."""
    for file, lines in sorted(_lines(app).items()):
        shown = app.builder.highlighter.highlight_block(
            (ROOT / file).read_text(encoding="utf-8"), "python", linenos=False
        )
        rows = shown.split("\n")
        for line in sorted(lines):
            start = rows[line - 1]
            cut = start.index("<pre>") + 5 if line == 1 else 0
            rows[line - 1] = f'{start[:cut]}<span id="line-{line}"></span>{start[cut:]}'
        what = "A test of minilm." if file.startswith("tests/") else "Part of minilm, as the book uses it."
        body = "<h1>{}</h1>\n<p>{}</p>\n{}".format(file, what, "\n".join(rows))
        yield _page(file), {"title": file, "body": body, "parents": []}, "page.html"
