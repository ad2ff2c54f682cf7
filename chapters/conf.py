"""Sphinx's settings for one edition of the book, which `site` names in BOOK_LANGUAGE. The notebooks have been executed."""

import os
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).resolve().parent
MATHJAX = HERE.parent / "_build" / "mathjax"

project = html_title = "minilm, the book that runs"
author = "The minilm authors"
copyright = author
language = os.environ.get("BOOK_LANGUAGE", "en")
extensions = ["myst_nb", "sphinx_copybutton"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "article_header_end": ["article-header-buttons"],
    # Empty, or the theme shows a second bar with a second search box.
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}
copybutton_selector = "div.cell_input div.highlight pre, div.highlight-python div.highlight pre"

if (
    MATHJAX / "tex-svg-full.js"
).exists():  # fetched by `site`; without it, Sphinx's own address on the open net is used
    html_static_path.append(str(MATHJAX))
    mathjax_path = "tex-svg-full.js"
    mathjax_options = {"loading_method": "defer"}


def keep_tagged_math(_app, doctree):
    r"""Sphinx wraps a display that has a line break in `split`, where ``\tag`` is an error: such displays are left as they are."""
    for node in doctree.findall(nodes.math_block):
        text = node.astext()
        if "\\tag" in text or "\\begin{" in text:
            node["no-wrap"] = node["nowrap"] = True
            node[:] = [nodes.Text(f"\\[{text}\\]")]


def setup(app):
    app.connect("doctree-read", keep_tagged_math)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
