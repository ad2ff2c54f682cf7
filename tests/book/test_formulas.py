"""Every displayed formula of every chapter, with the chapter's setup cells and its own cell alone."""

import pytest

from chapters.tools.lint import formula_ids, lint
from chapters.tools.source import chapters
from minilm.book import checked
from tests.book.run import run, setup

pytestmark = [pytest.mark.formulas, pytest.mark.host]
CHAPTERS = chapters()
CELLS = [
    pytest.param(chapter, cell, id=f"{chapter.stem} ({check.id})")
    for chapter in CHAPTERS
    for check in chapter.checks()
    for cell in [check.cell]
]


@pytest.mark.parametrize(("chapter", "cell"), CELLS)
def test_formula(chapter, cell, request):
    id = request.node.callspec.id.split("(")[1].rstrip(")")
    with setup(chapter) as names:
        before = len(checked())
        run(cell.source, f"{chapter.path.name} [formula, line {cell.line}]", names)
        shown = {check.id: check.kind for check in checked()[before:]}
    assert shown.get(id) == ("fails" if id.endswith("*") else "holds")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_every_formula_has_its_check(chapter):
    assert formula_ids(chapter) == {check.id for check in chapter.checks()}
    assert [problem for problem in lint(chapter) if "(" in problem.message] == []
