"""The chapters as a reader meets them: executed in a kernel, and the site built."""

import re
import shutil
import time

import pytest

from chapters.tools.source import ROOT, chapters
from tests.book.run import setup

pytestmark = [pytest.mark.book, pytest.mark.host]
CHAPTERS = chapters()
AGAIN = 5  # seconds that a section's cell may take to be run twice


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_notebook_is_what_the_chapter_gives(chapter):
    for module in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters.tools import build

    problems = build.check(chapter)
    if not build.has_torch():
        print("PyTorch is not installed: cells tagged needs-torch ran, but were not compared.")
    assert not problems, "\n".join(problems)


@pytest.mark.filterwarnings("ignore")  # of IPython's own parts, and what the cells mean to show
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_a_cell_that_is_run_twice_prints_the_same(chapter):
    """Each cell twice in a row, as a reader does who did not look. Cells that print times, marked `varies`, may differ.

    A section's cell that trains for long is run once.
    """
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="needs the extra book")
    from IPython.utils.capture import capture_output

    interactive.InteractiveShell.clear_instance()
    shell = interactive.InteractiveShell.instance()
    differ = []
    with setup(chapter):  # for the settings that it puts back
        for cell in chapter.code:
            printed, began = [], time.monotonic()
            for _ in range(2):
                if not printed or not chapter.section or time.monotonic() - began < AGAIN:
                    with capture_output(display=False) as captured:
                        done = shell.run_cell(cell.source, store_history=False)
                    printed.append(captured.stdout + str(done.error_in_exec))
            if printed[0] != printed[-1] and not {"varies", "needs-torch"} & set(cell.tags):
                differ.append((cell.line, *printed))
    interactive.InteractiveShell.clear_instance()
    assert differ == []


def test_the_site_builds_without_a_warning():
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters.tools import site
    from chapters.tools.extension import formula_id

    assert site.main() == 0
    pages = ROOT / "_build" / "site" / "en"
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
