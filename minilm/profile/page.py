"""A profile as HTML, for a notebook, and in files."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from pathlib import Path
from typing import Any

from minilm.files import atomic_write
from minilm.profile.results import Results
from minilm.profile.roofline import draw
from minilm.profile.table import EMPTY, notes, table
from minilm.style import settings

STYLE = """
.mlprofile{overflow-x:auto;color:inherit;font:13px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
html[data-theme="dark"] .bd-content div.cell_output .text_html:has(.mlprofile){background:transparent!important;color:inherit!important}
.mlprofile table{border-collapse:collapse;margin:0 0 .6em;color:inherit}
.mlprofile table{font:inherit;font-variant-numeric:tabular-nums}
.mlprofile th,.mlprofile td{padding:2px 8px;border:0;text-align:right;white-space:nowrap;background:none;color:inherit}
.mlprofile th{border-bottom:1px solid rgba(128,128,128,.6);font-weight:600}
.mlprofile .n{text-align:left}
.mlprofile .t td{border-top:1px solid rgba(128,128,128,.6)}
.mlprofile p{margin:.2em 0}
.mlprofile img{display:block;max-width:100%;height:auto;margin:.6em 0}
"""


def page(profile: Results) -> str:
    """The tables and the picture as one ``<div>``, for a notebook."""
    if not profile.ops:
        return f"<p>{EMPTY[0].upper()}{EMPTY[1:].replace('with block', '<code>with</code> block')}.</p>"
    parts = [html_table(profile, "op", 20), *(f"<p>{escape(note)}</p>" for note in notes(profile))]
    if any(row.flops and row.time > 0 for row in profile.ops):
        data = base64.b64encode(image(draw(profile), "png")).decode()
        alt = "Roofline: for each op, operations a second over operations a byte, below the ceilings of this machine."
        parts.append(f'<img src="data:image/png;base64,{data}" alt="{alt}" width="640">')
    if profile.modules:
        parts.append(f"<details><summary>By Module</summary>{html_table(profile, 'module', 40)}</details>")
    return f'<div class="mlprofile"><style>{STYLE}</style>{"".join(parts)}</div>'


def html_table(profile: Results, by: str, limit: int) -> str:
    """One table."""
    (header, *lines), rules = table(profile, by, "time", limit)
    named = 2 if by in ("op", "module") else 1
    head = "".join(
        f'<th scope="col"{" class=n" if i < named else ""}>{escape(cell)}</th>' for i, cell in enumerate(header)
    )
    body = ""
    for k, line in enumerate(lines, 1):
        row = "".join(f"<td{' class=n' if i < named else ''}>{escape(cell)}</td>" for i, cell in enumerate(line))
        body += f"<tr{' class=t' if k == rules[1] else ''}>{row}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def image(figure: Any, kind: str) -> bytes:
    """A figure as the bytes of a file; the same figure gives the same bytes."""
    from matplotlib import rc_context

    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": settings()["svg.hashsalt"]}):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata, dpi=200 if kind == "png" else 100)
    return buffer.getvalue()


def save(profile: Results, path: Path) -> None:
    """Writes a profile in the format that the name ends in."""
    kind = path.suffix.lower()
    if kind == ".json":
        data = (json.dumps(profile.as_dict(), indent=1) + "\n").encode()
    elif kind == ".html":
        data = f'<!doctype html><meta charset="utf-8"><title>minilm profile</title>\n{page(profile)}\n'.encode()
    elif kind in (".png", ".svg"):
        data = image(draw(profile), kind[1:])
    else:
        raise ValueError(f"save: {path.name!r} must end in .json, .html, .png or .svg.")
    with atomic_write(path) as file:
        file.write(data)
