"""A table of texts as Markdown, for ``print``, and as HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table in lines: | a | b |."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table as a notebook and the site show it; what a cell holds is text, not HTML."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="table">\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


__all__ = ["html", "markdown"]
