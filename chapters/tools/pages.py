"""Cuts a chapter's notebook into the pages of the site: its opening, one page per section, and the parts of a long section.

A page is what a reader can hold in view, and what a search finds. The chapter's file stays whole; a link to one of its headings is
led to the page where that heading now stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chapters.tools.source import INLINE_MATH, Heading, anchors, formulas_of, headings_of

LONG = 9_000  # pixels at a width of 1,280, estimated; a longer section is cut at its own headings
ENOUGH = 50  # characters of the line that says what a page begins with: a shorter sentence takes the next one along
DESK = 300  # pixels of an exercise's editor and its buttons, where the site's pages run Python
WHOLE = 13_000  # so long may a section be that has a notebook of its own


@dataclass
class Page:
    """A piece of a chapter, and the pages that stand below it in the table of contents."""

    name: str  # its address in the site, without the ending
    cells: list[Any]
    level: int  # of the heading that it begins with
    pages: list[Page] = field(default_factory=list)

    def every(self) -> list[Page]:
        """The page and all below it, in reading order."""
        return [self, *(page for below in self.pages for page in below.every())]


def cut(notebook: Any, stem: str, whole: bool = False) -> Page:
    """The chapter's opening page, with its sections below it. Cells are copies.

    Args:
        whole: of a section with a notebook of its own, and of the first page of such a chapter: it stays one page if that is not long.
    """
    if whole and height(notebook.cells) <= WHOLE:
        return Page(stem, [type(cell)(cell) for cell in notebook.cells], 1)
    opening, *sections = _divided(notebook.cells, 2)
    chapter = Page(stem, opening, 1)
    taken: set[str] = set()
    for cells in sections:
        chapter.pages.append(page := Page(_name(stem, cells, taken), cells, 2))
        if height(cells) + DESK * _exercises(cells) > LONG:
            page.cells, *parts = _divided(cells, 3)
            page.pages = [Page(_name(stem, part, taken), part, 3) for part in parts]
    return chapter


def _divided(cells: Sequence[Any], level: int) -> list[list[Any]]:
    """The cells, cut before each heading of the level: first what stands before the first."""
    pieces: list[list[Any]] = [[]]
    for cell in cells:
        if cell.cell_type != "markdown":
            pieces[-1].append(cell)
            continue
        lines = cell.source.split("\n")
        starts = [heading.line for heading in headings_of(cell.source) if heading.level == level]
        for k, (start, end) in enumerate(zip([0, *starts], [*starts, len(lines)], strict=True)):
            if k:
                pieces.append([])
            text = "\n".join(lines[start:end]).strip("\n")
            if text:
                pieces[-1].append(type(cell)({**cell, "id": f"{cell.id}-{k}" if k else cell.id, "source": text}))
    return pieces


def _name(stem: str, cells: Sequence[Any], taken: set[str]) -> str:
    """A page's address: the chapter's, and the words of the heading."""
    words = re.sub(r"^[\d.-]+", "", anchors(headings_of(cells[0].source)[:1])[0])
    name = f"{stem}/{re.sub('-+', '-', words).strip('-')}"
    if name in taken:
        raise ValueError(f"{stem}: two pages would be called {name}; give one of the sections another title.")
    taken.add(name)
    return name


def height(cells: Sequence[Any]) -> float:
    """Roughly how many pixels high the cells stand on a page that is 1,280 wide."""
    return sum(_height(cell) for cell in cells)


def _height(cell: Any) -> float:
    lines = cell.source.count("\n") + 1
    if cell.cell_type == "markdown":
        shown = re.sub(r"<details>.*?</details>", "\n" * 3, cell.source, flags=re.DOTALL)
        return 17 * (shown.count("\n") + 1) + len(shown) / 90 * 10 + 40 * shown.count("$$") / 2
    code = 45 if cell.metadata.get("jupyter", {}).get("source_hidden") else 60 + 21 * lines
    return code + sum(map(_output_height, cell.get("outputs", [])))


def _exercises(cells: Sequence[Any]) -> int:
    """How many exercises the cells ask."""
    texts = (cell.source for cell in cells if cell.cell_type == "markdown")
    return sum(len(re.findall(r"^### Exercise ", text, re.MULTILINE)) for text in texts)


def _output_height(output: Any) -> float:
    data = output.get("data", {})
    if "image/png" in data:
        return 420
    if "text/html" in data:
        return 700
    return 40 + 21 * str(output.get("text", data.get("text/plain", ""))).count("\n")


def places(chapter: Page) -> dict[str, tuple[str, str]]:
    """For each anchor of the whole chapter: the page where its heading stands, and the anchor there; of the title "", for the site
    writes its number before it.
    """
    found: list[tuple[Heading, str, str]] = []
    for page in chapter.every():
        own = [heading for cell in page.cells if cell.cell_type == "markdown" for heading in headings_of(cell.source)]
        found += [(heading, page.name, anchor) for heading, anchor in zip(own, anchors(own), strict=True)]
    whole = anchors([heading for heading, _, _ in found])
    return {
        anchor: (name, "" if heading.level == 1 else local)
        for anchor, (heading, name, local) in zip(whole, found, strict=True)
    }


def formula_places(chapter: Page) -> dict[str, tuple[str, str]]:
    """The same for each numbered formula, whose anchor is that of its page, too."""
    texts = [
        (page.name, cell.source) for page in chapter.every() for cell in page.cells if cell.cell_type == "markdown"
    ]
    return {anchor: (name, anchor) for name, text in texts for anchor in formulas_of(text)}


def first_words(page: Page) -> str:
    """What a page begins with, in a line for the list of its chapter's pages: the first words of its text; of an exercise how long
    it takes and what it practises. "" where it begins with a table or a list, or where the sentence goes on in a display.
    """
    text = next((cell.source for cell in page.cells if cell.cell_type == "markdown"), "")
    blocks = [block for block in re.split(r"\n{2,}", text) if not block.startswith("#")]
    first = re.sub(r"\s+", " ", blocks[0]) if blocks else ""
    if not re.match(r"[*`$]?[A-Za-z0-9\\'\"]", first) or "$$" in first or re.match(r"\d+\. ", first):
        return ""
    first = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first)
    if whole := re.fullmatch(r"\*([^*]+)\*", first):  # an exercise's line: kind, minutes, what it practises
        return whole[1]
    hidden = INLINE_MATH.sub(lambda m: "x" * len(m[0]), first)  # a full stop in a formula ends no sentence
    ends = [m.end() for m in re.finditer(r"(?<!et al)(?<![A-Z])[.?!][\"')*]*(?= [A-Z*`x\"'(]|$)", hidden)]
    sentence = first[: next((end for end in ends if end >= ENOUGH), len(first))]
    return f"{sentence.removesuffix(':')}." if sentence.endswith(":") else sentence


def lifted(markdown: str, levels: int) -> str:
    """The Markdown with its headings that many levels up: a section's title becomes the page's."""
    lines = markdown.split("\n")
    for heading in headings_of(markdown):
        lines[heading.line] = lines[heading.line][min(levels, heading.level - 1) :]
    return "\n".join(lines)


def linked(markdown: str, lead: Callable[[str, str], str]) -> str:
    """The Markdown with each link to a chapter or to a heading led elsewhere: `lead` is given the notebook's stem ("" for the
    page's own) and the anchor, and returns the new target.
    """

    def link(m: re.Match[str]) -> str:
        return f"]({lead(m[1] or '', m[2] or '')})"

    return re.sub(r"\]\((?=[\dA-Z#])(?:((?:\d\d|[A-Z])-[\w-]+)\.ipynb)?(?:#([^)\s]+))?\)", link, markdown)
