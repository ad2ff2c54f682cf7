"""The chapters as a reader meets them: executed in a kernel, and the site built."""

import re
import shutil

import pytest

from chapters.tools.source import ROOT, chapters
from tests.browser.driver import pyodide_folders

pytestmark = [pytest.mark.book, pytest.mark.host]
CHAPTERS = chapters()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_notebook_is_what_the_chapter_gives_and_a_cell_that_is_run_twice_prints_the_same(chapter):
    for module in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters.tools import build

    problems = build.check(chapter, twice=True)
    if not build.has_torch():
        print("PyTorch is not installed: cells tagged needs-torch ran, but were not compared.")
    assert not problems, "\n".join(problems)


def test_the_site_builds_without_a_warning():
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters.tools import site
    from chapters.tools.extension import formula_id
    from chapters.tools.live import supply

    assert site.main(live=pyodide_folders()) == 0
    pages = ROOT / "_build" / "site" / "en"
    assert [path for path in pages.rglob("*") if path.stat().st_size > supply.LARGEST] == []
    for chapter in CHAPTERS:
        page = "\n".join(
            path.read_text(encoding="utf-8")
            for path in [pages / f"{chapter.stem}.html", *sorted((pages / chapter.stem).glob("*.html"))]
        )
        assert page.count("<img") >= sum(bool(cell.alt) for cell in chapter.code)
        ids = [id for display in chapter.displays() for id in display.ids]
        assert [id for id in ids if page.count(f'id="{formula_id(id)}"') != 1] == []
        assert [id for id in ids if f">({id})</a>" not in page] == []
        assert r"\tag" not in page
        linked = re.findall(
            rf'href="[./]*(solutions-{chapter.number}/[\w-]+\.html)#([^"]+)">Hint, derivation and solution', page
        )
        assert len(linked) == len(chapter.exercises())
        answers = {name: (pages / name).read_text(encoding="utf-8") for name, _ in linked}
        assert [anchor for name, anchor in linked if f'id="{anchor}"' not in answers[name]] == []
    if shutil.which("npm"):
        assert "cdn.jsdelivr" not in (pages / "index.html").read_text(encoding="utf-8")
