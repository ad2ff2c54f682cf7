"""Code cells that run in the page: what the pages fetch about them, and the scripts of the pages that have some.

``live/cells/NAME.json`` holds all code cells of a notebook, in order: a page is a piece of a chapter, and a cell may need cells of earlier
pages (`needs`). What a run in a browser showed of each cell, such as its seconds, is kept in ``chapters/results/live.json``
(``python -m tests.browser.live_times``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from chapters.tools.live import limits, loaded
from chapters.tools.live.needs import Facts, names, needs

RECORD = Path(__file__).resolve().parents[2] / "results" / "live.json"
SLOWER = 6
"""So many times as long as a program on a computer a page takes for cells of the book, for those that were not measured in one."""
PLACE = "minilm_cell"  # in a cell's metadata: its id, for the page


def digest(source: str) -> str:
    """A few letters that change with a cell's text."""
    return hashlib.sha256(source.encode()).hexdigest()[:8]


@cache
def record(path: Path = RECORD) -> dict[str, dict[str, Any]]:
    """What is known of each cell, by its id; nothing where none was recorded."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def known(cell: Any, recorded: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What is known of a cell whose text is still the one that was recorded."""
    found = recorded.get(cell.id)
    return found if found is not None and found["text"] == digest(cell.source) else None


def text_for_others(cell: Any) -> str:
    """What a cell is to others: nothing, where it is one that a page leaves out and the notebook does without (`limits.TAGS`)."""
    return "" if limits.TAGS.keys() & set(cell.metadata.get("tags", ())) else str(cell.source)


def needs_of(code: Sequence[Any], recorded: Mapping[str, Mapping[str, Any]]) -> list[list[int]]:
    """For each code cell of a notebook the numbers of those that it needs.

    Of a cell that cannot run in a page only the names count: what it draws or sets, nobody there can wait for.
    """
    facts = []
    for cell in code:
        if limits.cannot(cell.id, cell.metadata.get("tags", ()), cell.source):
            facts.append(Facts(False, False))
        else:
            one = known(cell, recorded)
            facts.append(None if one is None else Facts("draws" in one["does"], "sets" in one["does"]))
    return needs([text_for_others(cell) for cell in code], facts)


def listed(notebook: Any, places: Mapping[str, str], recorded: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The code cells of a notebook, as the page wants them.

    Args:
        places: the page of each cell, by its id.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    answer = []
    for cell, above in zip(code, needs_of(code, recorded), strict=True):
        one = known(cell, recorded)
        entry: dict[str, Any] = {
            "id": cell.id,
            "page": places.get(cell.id, ""),
            "source": cell.source,
            "needs": above,
            "binds": sorted(names(text_for_others(cell)).binds),
        }
        if one is not None and (seconds := one.get("seconds", SLOWER * one.get("native", 0.0))):
            entry["seconds"] = round(seconds, 1)
        if reason := limits.cannot(cell.id, cell.metadata.get("tags", ()), cell.source):
            entry["cannot"] = reason
        if budget := limits.BUDGET.get(cell.id):
            entry["budget"] = [list(change) for change in budget]
        answer.append(entry)
    return answer


def write(notebooks: Mapping[str, Any], chapters: Mapping[str, Any], folder: Path) -> None:
    """Writes NAME.json for each notebook.

    Args:
        notebooks: by their names.
        chapters: the pages of each (`pages.cut`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stem, notebook in notebooks.items():
        places = {cell.id: page.name for page in chapters[stem].every() for cell in page.cells}
        content = {"notebook": stem, "cells": listed(notebook, places, record())}
        (folder / f"{stem}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def marked(cell: Any) -> None:
    """Notes a cell's id where Sphinx hands it on."""
    cell.metadata[PLACE] = cell.id


def cells(_app: Any, doctree: Any, docname: str) -> None:
    """Gives each code cell its id, and a page with some the scripts."""
    from docutils import nodes

    found = [node for node in doctree.findall(nodes.container) if PLACE in (node.get("cell_metadata") or ())]
    for node in found:
        node["ids"].append(f"cell-{node['cell_metadata'][PLACE]}")
    if found:
        stem = escape(docname.split("/")[0])
        html = loaded(docname, "notebook", ("exercises", "live"), f' data-notebook="{stem}"')
        doctree += nodes.raw("", html, format="html")


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-resolved", cells)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
