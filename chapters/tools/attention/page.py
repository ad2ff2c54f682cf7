"""Puts "Attention by hand" where a chapter says `MARK`: the model, the scripts, and a picture for where none run.

All of it stands in the page or in ``_static``, as plain scripts: the page works under any path, without a network, and opened as a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from chapters.tools.attention import tiny
from minilm.book import Matrix, draw
from minilm.interpret import attention_maps

MARK = "<!-- attention by hand -->"
PLACE = '<div id="by-hand"></div>'
HEADS = (("the cat slept while it", 0, 1), ("red gold blue again red gold", 1, 0))  # text, layer, head
OPS = Path(__file__).resolve().parents[3] / "minilm" / "trace" / "ops.js"
SCRIPTS = ("ops.js", "attention/gpt.js", "attention/steps.js", "attention/attention.js")


def filled() -> str:
    """The place as it stands without scripts, and the model, which the scripts read."""
    file = json.loads(tiny.FILE.read_text(encoding="utf-8"))
    data = json.dumps(file, separators=(",", ":")).replace("<", "\\u003c")
    pictures = "".join(f"<figure>{picture(*head)}</figure>" for head in HEADS)
    return (
        f'<div id="by-hand">{pictures}<p>Two of the model\'s heads. Where scripts run, a text can be typed here.</p></div>\n'
        f'<script type="application/json" id="by-hand-model">{data}</script>'
    )


def picture(text: str, layer: int, head: int) -> str:
    """What a head of the model makes of a text, as a drawing with its words."""
    words = text.split()
    model = tiny.load()
    weights = attention_maps(lambda: model(np.array([[tiny.WORDS.index(word) for word in words]])))[layer][0, head]
    later = np.triu(np.ones(weights.shape, bool), 1)
    values = [[None if later[i, j] else float(x) for j, x in enumerate(row)] for i, row in enumerate(weights)]
    name, most = f"layer {layer + 1}, head {head + 1}", int(weights[-1].argmax())
    says = f"{name}: the last word, {words[-1]}, gives {weights[-1][most]:.2f} of its attention to {words[most]}."
    drawn = draw([Matrix(name, 0, 0, values, rows=words, columns=words, digits=1)], [], says)
    return str(drawn._repr_html_())


def placed(markdown: str) -> str:
    """The Markdown with the place, which Sphinx hands on as it is, for the mark."""
    return markdown.replace(MARK, PLACE)


def fill(app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """The page's body with the place filled, and its scripts."""
    if PLACE in context.get("body", ""):
        context["body"] = context["body"].replace(PLACE, filled())
        app.add_css_file("attention/attention.css")
        for script in SCRIPTS:
            app.add_js_file(script, loading_method="defer")


def carry_ops(app: Any) -> None:
    """The ops' twins stand beside the step-through's other files, where the library's readers find them; the site takes them along."""
    if str(OPS) not in app.config.html_static_path:
        app.config.html_static_path.append(str(OPS))


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", carry_ops)
    app.connect("html-page-context", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
