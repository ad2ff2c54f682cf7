"""Old addresses keep working: what moved when chapters 1 to 5 were revised leads to where its subject now stands.

``moved.json`` holds for each of these chapters the pages that it had on the site, each with the anchor of its heading; and every
anchor, with the one that took its place: of the same chapter (``"attention"``), of another file (``"B-complex-step#two-cells"``,
``"terms#learning"``), or ``""`` where the heading still stands. The anchors of formulas are among them (``"eq-4.9": "eq-4.12"``);
one that was rewritten leads to the heading under which its subject stands. `site` writes a page that leads on for each old page that is
gone, and the map that an opening page asks for an anchor that it does not hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from chapters.tools.source import NAME

RECORD = Path(__file__).with_name("moved.json")
Places = Mapping[str, Mapping[str, tuple[str, str]]]
"""Of each file, for each of its anchors: the page where its heading stands, and the anchor there (`pages.places`)."""


@cache  # it is asked for each anchor
def record() -> dict[str, Any]:
    """What stands in moved.json."""
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def target(stem: str, anchor: str, places: Places) -> tuple[str, str]:
    """The page, and the anchor there, where a heading of the old chapter now stands.

    Raises:
        KeyError: it stands nowhere: moved.json lacks its successor, or names one that there is not.
    """
    to = record()[stem]["anchors"].get(anchor, "") or anchor
    file, _, local = to.rpartition("#")
    return places[file or stem][local]


def anchors(stem: str, places: Places) -> dict[str, str]:
    """For each anchor that the chapter has, or had, its address from the site's first folder.

    Most numbers of formulas were given again, to others. Who asks for one where it does not stand follows an old link: it leads to what
    bore the number then.
    """
    old = {anchor: target(stem, anchor, places) for anchor in record().get(stem, {"anchors": {}})["anchors"]}
    found = {**old, **places[stem], **{anchor: to for anchor, to in old.items() if anchor.startswith("eq-")}}
    return {anchor: _address(page, local) for anchor, (page, local) in found.items()}


def _address(page: str, anchor: str) -> str:
    """Of a page of the site, or of a heading on it."""
    return f"{page}.html#{anchor}" if anchor else f"{page}.html"


def write(site: Path, places: Places) -> int:
    """A page that leads on for each old page that is gone, and ``anchors.js``; returns how many pages."""
    count = 0
    for stem, old in record().items():
        for name, anchor in old["pages"].items():
            path = site / stem / f"{name}.html"
            if not path.exists():
                page, local = target(stem, anchor, places)
                path.parent.mkdir(parents=True, exist_ok=True)
                to = _address(os.path.relpath(site / page, path.parent), local)
                path.write_text(leading_to(to), encoding="utf-8")
                count += 1
    maps = {stem: anchors(stem, places) for stem in places if NAME.fullmatch(stem)}
    text = json.dumps(maps, ensure_ascii=False, separators=(",", ":"))
    (site / "anchors.js").write_text(f"window.bookAnchors = {text};\n", encoding="utf-8")
    return count


def leading_to(address: str) -> str:
    """A page that leads to another, with a link for readers whose browser does not follow by itself."""
    to = escape(address, quote=True)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>This page has moved</title>\n'
        f'<meta http-equiv="refresh" content="0; url={to}">\n<link rel="canonical" href="{to}">\n</head>\n'
        f'<body><main><h1>This page has moved</h1><p><a href="{to}">Its subject now stands here.</a></p></main></body>\n</html>\n'
    )
