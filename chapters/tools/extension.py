"""What the site does beyond Sphinx: numbered formulas that a narrow screen can scroll, and references that lead to what they name.

The chapters are plain Markdown, which JupyterLab shows as it is: a formula's number is a ``\\tag`` in it, and a reference is the
number in brackets. On the site the number stands beside its formula, outside what scrolls, and each reference is a link.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

from chapters.tools import code
from chapters.tools.reference import TOP
from chapters.tools.source import formula_id

FOLD = re.compile(
    r'<details class="admonition hide above-input">\s*<summary aria-label="Toggle hidden content">\s*'
    r'(<p class="collapsed admonition-title">)(.)'
)  # as myst-nb writes it
TAG = re.compile(r"\s*\\tag\{([^}]*)\}\s*$")
NUMBER = r"(?:\d{1,2}|[A-Z])(?:\.\d+){1,2}"  # 4.9; in a section that is a page of its own 6.1.2
REFERENCE = re.compile(rf"\(({NUMBER}\*?)\)|\b(Figure|Exercise) ({NUMBER})")
OUTPUT = 120  # columns: a printed table is at most so wide and scrolls; what is wider is prose, and is wrapped
UNTOUCHED = (nodes.literal, nodes.literal_block, nodes.reference, nodes.math, nodes.math_block, nodes.title, nodes.raw)


def formulas(app: Any, doctree: Any) -> None:
    """Each displayed formula in a box with its number beside it.

    MathJax would set the number as part of the formula and stretch both to the page's width: then a screen that is too narrow
    cuts the formula at its beginning, where nothing can scroll to.
    """
    for node in list(doctree.findall(nodes.math_block)):
        text = node.astext()
        tag = TAG.search(text)
        if tag or "\\begin{" in text:
            # Sphinx would wrap a display that has a line break in `split`.
            node["no-wrap"] = node["nowrap"] = True
            node[:] = [nodes.Text(f"\\[{TAG.sub('', text)}\\]")]
        if tag:
            number = nodes.paragraph(
                "", "", nodes.reference("", f"({tag[1]})", refuri=f"#{formula_id(tag[1])}"), classes=["number"]
            )
            box = nodes.container("", classes=["formula"], ids=[formula_id(tag[1])])
            node.replace_self(box)
            box += [node, number]
            _places(app)[tag[1]] = (app.env.docname, formula_id(tag[1]))


def figures_and_exercises(app: Any, doctree: Any) -> None:
    """Notes where captions, exercises and their solutions stand."""
    for paragraph in doctree.findall(nodes.paragraph):
        caption = re.match(rf"Figure ({NUMBER})\. ", paragraph.astext())
        if caption and paragraph.children and isinstance(paragraph.children[0], nodes.emphasis):
            paragraph["ids"].append(f"figure-{caption[1]}")
            _places(app)[f"Figure {caption[1]}"] = (app.env.docname, f"figure-{caption[1]}")
    for section in doctree.findall(nodes.section):
        heading = section[0].astext() if section.children else ""
        if title := re.match(r"(Exercise \d+\.\d+)\. ", heading):
            _places(app)[title[1]] = (app.env.docname, section["ids"][0])
        elif app.env.docname.startswith("solutions-") and (title := re.match(r"(\d+\.\d+)\. ", heading)):
            _places(app)[f"Solution {title[1]}"] = (app.env.docname, section["ids"][0])


def solutions(app: Any, doctree: Any, docname: str) -> None:
    """Below each exercise a link to its hint, derivation and solution."""
    for section in doctree.findall(nodes.section):
        title = re.match(r"Exercise (\d+\.\d+)\. ", section[0].astext() if section.children else "")
        place, anchor = _places(app).get(f"Solution {title[1]}", ("", "")) if title else ("", "")
        if place:
            to = f"{app.builder.get_relative_uri(docname, place)}#{anchor}"
            words = "Hint, derivation and solution"
            section += nodes.paragraph(
                "", "", nodes.reference("", words, refuri=to, internal=True), classes=["solution"]
            )


def outputs(_app: Any, doctree: Any) -> None:
    """Marks printed prose, which is to be wrapped; a table keeps its columns, and scrolls."""
    for block in doctree.findall(nodes.literal_block):
        if max(map(len, block.astext().split("\n"))) > OUTPUT and _in_output(block):
            block["classes"].append("prose")


def _in_output(node: Any) -> bool:
    while node is not None and "cell_output" not in node.get("classes", []):
        node = node.parent
    return node is not None


def references(app: Any, doctree: Any, docname: str) -> None:
    """Turns "(4.9)", "Figure 4.2" and "Exercise 4.3" into links."""
    for text in list(doctree.findall(nodes.Text)):
        above = text.parent
        while above is not None and not isinstance(above, UNTOUCHED):
            above = above.parent
        if above is None and REFERENCE.search(text):
            text.parent.replace(text, list(_pieces(app, str(text), docname)))


def _pieces(app: Any, text: str, docname: str) -> Any:
    done = 0
    for m in REFERENCE.finditer(text):
        key = m[1] or f"{m[2]} {m[3]}"
        place, anchor = _places(app).get(key, ("", ""))
        caption = m[2] and m.start() == 0 and text[m.end() : m.end() + 1] == "."
        if not place or caption:
            continue
        to = app.builder.get_relative_uri(docname, place) if place != docname else ""
        yield nodes.Text(text[done : m.start()])
        yield nodes.reference("", m[0], refuri=f"{to}#{anchor}", internal=True)
        done = m.end()
    yield nodes.Text(text[done:])


def _places(app: Any) -> dict[str, tuple[str, str]]:
    """For each formula, figure and exercise: its page and anchor."""
    if not hasattr(app.env, "book_places"):
        app.env.book_places = {}
    found: dict[str, tuple[str, str]] = app.env.book_places
    return found


def notebook(_app: Any, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """The notebook from which a page was made, for the page's link to it."""
    stem = pagename.split("/")[0]
    if re.match(r"(\d\d|[A-Z])-", stem):
        context["book_notebook"] = f"notebooks/{stem}.ipynb"


def short_contents(app: Any, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Beside pages of code and of the reference stand the chapters without their sections.

    There are more such pages than of the book: the whole table of contents would be most of each, and most of the time that the site
    takes. The pages of one folder share what is made for the first of them.
    """
    if not pagename.startswith(("code/", "reference/")):
        return
    contents, folder = context["toctree"], pagename.rpartition("/")[0]
    made: dict[tuple[str, str], str] = app.__dict__.setdefault("book_contents", {})

    def short(**named: Any) -> str:
        named["maxdepth"] = 1
        if pagename in TOP:  # it is marked as the one that is open
            return str(contents(**named))
        key = folder, repr(sorted(named.items()))
        if key not in made:
            made[key] = str(contents(**named))
        return made[key]

    context["toctree"] = short


def named_toggles(_app: Any, _pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Gives the buttons that unfold the table of contents a name, which the theme leaves out."""
    contents = context["generate_toctree_html"]
    context["generate_toctree_html"] = lambda *arguments, **named: str(contents(*arguments, **named)).replace(
        "<summary>", '<summary aria-label="Sections">'
    )


def folded_lines(_app: Any, _pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """A folded cell is named by its line; myst-nb gives all of them one other name, which a screen reader would say instead.

    The line of a check is told from that of other code: it is printed on paper, too.
    """
    if "body" in context:
        context["body"] = FOLD.sub(_line, context["body"])


def _line(m: re.Match[str]) -> str:
    kind = "check" if m[2] in "✓✗" else "code"
    return f'<details class="admonition hide {kind} above-input">\n<summary>\n{m[1]}{m[2]}'


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("chapters.tools.attention.page")
    app.connect("doctree-read", formulas)
    app.connect("doctree-read", figures_and_exercises)
    app.connect("doctree-read", outputs)
    app.connect("doctree-resolved", references)
    app.connect("doctree-resolved", solutions)
    app.connect("doctree-resolved", code.links)
    app.connect("html-collect-pages", code.pages)
    app.connect("html-page-context", notebook)
    app.connect("html-page-context", short_contents, priority=400)  # before the theme asks for it
    app.connect("html-page-context", folded_lines)
    app.connect("html-page-context", named_toggles, priority=900)  # after the theme has made its function
    return {"parallel_read_safe": False, "parallel_write_safe": True}
