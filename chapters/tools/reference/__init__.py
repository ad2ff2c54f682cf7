"""The site's reference, made from the library itself: a page for each op of the registry, and every public name from its docstring.

From the ground up: `public` (which names there are, and where each has its entry), `proofs` (which tests hold an op), `calls` (what an op
takes and gives), `plot` (its curve), `ops` and `api` (the pages, as reStructuredText, which is what the docstrings are written in), and
`sphinx` (what Sphinx must know to read them). Nothing here is written by hand twice: what a page says of an op stands in its record.
"""

from __future__ import annotations

from pathlib import Path

TOP = ("reference/ops", "reference/api")
"""The two pages that the table of contents lists. Those below them are reached from there, and from names in the text: a list of all of
them beside every page of the book would be longer than most pages."""


def pages() -> dict[str, str]:
    """All pages, by name."""
    from chapters.tools.reference import api, ops  # what asks only for `TOP` need not import the library

    return {**ops.pages(), **api.pages()}


def write(target: Path) -> list[str]:
    """Writes the pages into the folder that Sphinx reads; returns those for the table of contents."""
    for name, text in pages().items():
        path = target / f"{name}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(TOP)
