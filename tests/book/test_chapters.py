"""The chapters as a reader meets them: executed in a kernel, their exercises solved, the site built."""

import shutil

import pytest

from chapters.source import ROOT, chapters, fenced
from tests.book.run import run, setup

pytestmark = [pytest.mark.book, pytest.mark.host]
CHAPTERS = chapters()
SOLUTIONS = [
    pytest.param(chapter, fenced(fold.text, "python")[0], id=f"{chapter.stem} {exercise.number}")
    for chapter in CHAPTERS
    for exercise in chapter.exercises()
    for fold in exercise.folds
    if fold.summary == "Code"
]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_notebook_is_what_the_chapter_gives(chapter):
    for module in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters import build

    problems = build.check(chapter)
    if not build.has_torch():
        print("PyTorch is not installed: cells tagged needs-torch ran, but were not compared.")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("chapter", "solution"), SOLUTIONS)
def test_the_solution_solves_the_exercise(chapter, solution, request):
    with setup(chapter) as names:
        run(solution, f"{request.node.callspec.id} [solution]", names)


def test_the_site_builds_without_a_warning():
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters import site

    assert site.main() == 0
    pages = ROOT / "_build" / "site" / "en"
    for chapter in CHAPTERS:
        page = (pages / f"{chapter.stem}.html").read_text(encoding="utf-8")
        assert page.count("<img") >= sum(bool(cell.alt) for cell in chapter.code)
        assert all(rf"\tag{{{id}}}" in page for display in chapter.displays() for id in display.ids)
    if shutil.which("npm"):
        assert "cdn.jsdelivr" not in (pages / "index.html").read_text(encoding="utf-8")
