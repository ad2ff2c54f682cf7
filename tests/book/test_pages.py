"""How a chapter becomes pages: nothing is lost, no page is long, and every link leads to where its heading now stands."""

import builtins
import re
import symtable

import pytest

from chapters.tools import pages
from chapters.tools.source import ROOT, anchors, chapters, headings_of
from minilm.book import missing

nbformat = pytest.importorskip("nbformat", reason="needs the extra book")
TEXT = """\
# Title

See [below](#a-part), [there](02-other.ipynb#a-part) and [all](02-other.ipynb); $x$ [out](https://a.org/#a-part).

## First

### A part

#### Deep

```
## no heading
```

## 2.1 Second

### A part
"""


def notebook(*sources):
    cells = [nbformat.v4.new_markdown_cell(source, id=f"c{k}") for k, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_chapter_is_cut_at_its_sections():
    chapter = pages.cut(notebook(TEXT), "01-one")
    assert [page.name for page in chapter.every()] == ["01-one", "01-one/first", "01-one/second"]
    assert [cell.id for page in chapter.every() for cell in page.cells] == ["c0", "c0-1", "c0-2"]
    assert "\n\n".join(cell.source for page in chapter.every() for cell in page.cells) == TEXT.strip()


def test_a_long_section_is_cut_at_its_own_headings(monkeypatch):
    monkeypatch.setattr(pages, "LONG", 100)
    chapter = pages.cut(notebook(TEXT), "01-one")
    names = ["01-one", "01-one/first", "01-one/a-part", "01-one/second"]
    assert [page.name for page in chapter.every()][:3] == names[:3]
    assert [page.level for page in chapter.every()][:3] == [1, 2, 3]


def test_two_pages_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(pages, "LONG", 10)
    with pytest.raises(ValueError, match="two pages would be called 01-one/a-part"):
        pages.cut(notebook(TEXT), "01-one")


def test_anchors_are_led_to_their_pages():
    found = pages.places(pages.cut(notebook(TEXT), "01-one"))
    assert found["title"] == ("01-one", "")
    assert found["a-part"] == ("01-one/first", "a-part")
    assert found["21-second"] == ("01-one/second", "21-second")
    assert found["a-part-1"] == ("01-one/second", "a-part")


def test_links_are_given_to_the_guide_and_others_left():
    seen = []
    text = pages.linked(TEXT, lambda stem, anchor: seen.append((stem, anchor)) or "to")
    assert seen == [("", "a-part"), ("02-other", "a-part"), ("02-other", "")]
    assert text.count("](to)") == 3
    assert "(https://a.org/#a-part)" in text


def test_headings_are_lifted_and_code_is_not():
    text = pages.lifted("## A\n\n### B\n\n```\n## c\n```\n", 1)
    assert text == "# A\n\n## B\n\n```\n## c\n```\n"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*/[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_the_book_loses_nothing(path):
    whole = nbformat.read(path, as_version=4)
    chapter = pages.cut(whole, path.stem)
    parts = [cell for page in chapter.every() for cell in page.cells]
    text = [re.sub(r"\s+", "", "".join(cell.source for cell in cells)) for cells in (whole.cells, parts)]
    assert text[0] == text[1]
    assert [c.id for c in parts if c.cell_type == "code"] == [c.id for c in whole.cells if c.cell_type == "code"]
    assert all(pages.height(page.cells) <= pages.LONG for page in chapter.every())
    headings = [heading for cell in whole.cells if cell.cell_type == "markdown" for heading in headings_of(cell.source)]
    assert sorted(pages.places(chapter)) == sorted(anchors(headings))


def test_anchors_of_the_chapters_are_those_that_links_are_checked_with():
    for chapter in chapters():
        assert len(set(anchors(chapter.headings()))) == len(chapter.headings())


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.stem)
def test_every_name_is_defined_above(chapter):
    """Run All Above Selected Cell is all that any cell needs, and the first code cell has what most need."""
    above = {"__name__"}
    for cell in chapter.code:
        assert needed(cell.source) <= above, (cell.line, needed(cell.source) - above)
        above |= missing.defined(cell.source)
    if not chapter.section and not chapter.in_sections:  # those need not have a formula or a picture
        assert {"holds", "ml", "np", "plt"} <= missing.defined(chapter.code[0].source)


def needed(source):
    """The names that a cell takes from others, in functions too."""
    top = symtable.symtable(source, "cell", "exec")
    read, scopes = set(), [top]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        read |= {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (scope is top or s.is_global())}
    return read - missing.defined(source) - set(dir(builtins))
