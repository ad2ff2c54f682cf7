"""Sphinx's settings for one edition of the book. `site` names it in BOOK_LANGUAGE, the folder of the files that the site carries
in BOOK_FILES, the repository's address, where there is one, in BOOK_REPOSITORY, and in BOOK_LIVE whether the pages run Python. The
notebooks have been executed.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = ROOT / "_build" / "mathjax"
REPOSITORY = os.environ.get("BOOK_REPOSITORY", "")
LIVE = bool(os.environ.get("BOOK_LIVE"))
sys.path.insert(0, str(ROOT))

project = html_title = "minilm, the book that runs"
author = "The minilm authors"
copyright = author
language = os.environ.get("BOOK_LANGUAGE", "en")
extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "chapters.tools.reference.sphinx",
    "chapters.tools.extension",
]
if LIVE:
    extensions += ["chapters.tools.live.desks", "chapters.tools.live.cells"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

# The reference: docstrings, as the library has them.
default_role = "name"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # what every `forward` inherits says nothing of this one
napoleon_numpy_docstring = False
toc_object_entries = False  # beside the page, its sections are enough
add_module_names = False

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_extra_path = [os.environ["BOOK_FILES"]] if "BOOK_FILES" in os.environ else []
html_css_files = ["book.css", "reference.css", "paper.css"]
html_js_files = ["anchors-lead.js", "search-kinds.js", "paper.js"]
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_sidebars = {"**": ["start-and-search", "sbt-sidebar-nav.html"]}
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "use_repository_button": bool(REPOSITORY),
    "repository_url": REPOSITORY,
    "show_toc_level": 2,
    "article_header_end": ["notebook", "article-header-buttons"],
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
