"""Sphinx's settings for one edition of the book. `site` names it in BOOK_LANGUAGE, the folder of the files that the site carries
in BOOK_FILES, and the repository's address, where there is one, in BOOK_REPOSITORY. The notebooks have been executed.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = ROOT / "_build" / "mathjax"
REPOSITORY = os.environ.get("BOOK_REPOSITORY", "")
sys.path.insert(0, str(ROOT))

project = html_title = "minilm, the book that runs"
author = "The minilm authors"
copyright = author
language = os.environ.get("BOOK_LANGUAGE", "en")
extensions = ["myst_nb", "sphinx_copybutton", "chapters.tools.extension"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_extra_path = [os.environ["BOOK_FILES"]] if "BOOK_FILES" in os.environ else []
html_css_files = ["book.css"]
html_js_files = ["anchors-lead.js"]
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
