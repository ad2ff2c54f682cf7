"""Chapters of which each section has a file and a notebook of its own: numbers, rules, the list, the site's pages."""

import pytest

from chapters.tools.lint import lint
from chapters.tools.source import Chapter, chapters, in_order, numbers
from minilm.exercises import tasks
from tests.book.demo import TEXT

pytestmark = pytest.mark.usefixtures("_made_up")

FIRST_PAGE = """\
# Uses

**You will learn**

- what they are, why there are so many of them, and which of them a reader who has little time may leave out;
- how each is measured, against which simple method, and with which interval;
- where it fails.

```{code-cell} ipython3
:tags: [setup]

one = 1
```

<!-- sections -->

## What the article gets wrong here

| where | what it says | what holds |
| --- | --- | --- |
| 9.1 | *missing:* all | (9.1.1) |

## Sources

- Nobody.
"""
HEADER = TEXT[: TEXT.index("# A demonstration")]
NAMED = "<!-- exercises 1.1 1.2 -->\n\n"


def section(number=1, *changes):
    """The text of a section that keeps the rules, with pieces replaced."""
    text = TEXT[: TEXT.index("### Exercise 9.1")] + NAMED + TEXT[TEXT.index("## Sources") :]
    text = text.replace("(09-demo.md#", f"(09-{number}-demo.md#")
    text = text.replace("**You will learn**\n\n", "Is it so? Or is it (9.1)? This is told.\n\n")
    a, b = text.index("## What the article gets wrong here"), text.index("## Exercises")
    text = text[:a].replace("[the errors](#what-the-article-gets-wrong-here)", "the errors") + text[b:]
    text = text.replace("9.1", f"9.{number}.1").replace("(9.7)", f"(9.{number}.7)")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.fixture
def folder(tmp_path):
    """A chapter of two sections."""
    (tmp_path / "09-uses.md").write_text(HEADER + FIRST_PAGE, encoding="utf-8")
    for number in (1, 2):
        (tmp_path / f"09-{number}-demo.md").write_text(section(number), encoding="utf-8")
    return tmp_path


def messages(chapter):
    return [problem.message for problem in lint(chapter)]


def test_numbers_of_files():
    assert numbers("06-applications") == (6, 0)
    assert numbers("06-3-question-answering") == (6, 3)
    for name in ("applications", "6-3", "06", "06-0-x?"):
        with pytest.raises(ValueError, match="called as 05-project or 06-1-classification"):
            numbers(name)


def test_a_chapter_comes_before_its_sections(folder):
    (folder / "10-end.md").touch()
    (folder / "08-before.md").touch()
    names = [path.stem for path in in_order(folder.glob("*.md"))]
    assert names == ["08-before", "09-uses", "09-1-demo", "09-2-demo", "10-end"]


def test_a_section_knows_its_numbers(folder):
    one = Chapter(folder / "09-1-demo.md")
    assert (one.number, one.section, one.prefix, one.tasks) == (9, 1, "9.1", ("1.1", "1.2"))
    first = Chapter(folder / "09-uses.md")
    assert (first.number, first.section, first.prefix, first.tasks) == (9, 0, "9", None)
    assert first.in_sections
    assert not one.in_sections


def test_sections_that_keep_the_rules(folder):
    for path in folder.glob("*.md"):
        assert messages(Chapter(path)) == [], path.name


def test_the_first_page_lists_the_sections(folder):
    text = Chapter(folder / "09-uses.md").text
    assert "\n1. [A demonstration](09-1-demo.md)\n2. [A demonstration](09-2-demo.md)\n" in text
    (folder / "09-2-demo.md").write_text(HEADER + "Begun.\n", encoding="utf-8")
    assert "2. [09-2-demo](09-2-demo.md)\n" in Chapter(folder / "09-uses.md").text


def test_the_exercises_that_a_section_names_stand_in_it(folder):
    one = Chapter(folder / "09-1-demo.md")
    assert [heading.text for heading in one.exercises()] == [
        f"Exercise {id}. {tasks.find(id).title}" for id in ("1.1", "1.2")
    ]
    assert 'ml.check("1.1", ...)' in one.text
    with pytest.raises(KeyError, match="no exercise '1.99'"):
        Chapter(folder / "09-1-demo.md", section(1, ("1.2 -->", "1.99 -->")))


FAULTS = {
    "a number of the chapter": (("\\tag{9.1.1}", "\\tag{9.1}"), "(9.1) is no formula number of section 9.1"),
    "a number of another section": (("\\tag{9.1.1}", "\\tag{9.2.1}"), "(9.2.1) is no formula number of section 9.1"),
    "out of order": (("\\tag{9.1.1}", "\\tag{9.1.3}"), "(9.1.3) stands where (9.1.1) is expected"),
    "an unknown formula of a section": (("Is it so?", "Is it (9.2.4)?"), "no formula (9.2.4) in section 9.2"),
    "a figure's number": (("*Figure 9.1.1. A", "*Figure 9.1. A"), "Figure 9.1 stands where 9.1.1 is expected"),
    "an unknown figure": (("Figure 9.1.1 rises", "Figure 9.1.4 rises"), "there is no Figure 9.1.4"),
    "no exercise": ((NAMED, ""), "a section names its exercises"),
    "all exercises": ((NAMED, "### Exercise 9.1. So\n"), "is none of the exercises that a section names"),
    "data of which nothing is said": (
        ("one = 1", "from minilm.applications import find"),
        "how many MB, and under which licence",
    ),
    "no setup": ((":tags: [setup]", ":tags: [varies]"), "must be tagged setup"),
    "no sources": (("## Sources", "## Literature"), "one section 'Sources'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, folder):
    change, expected = FAULTS[fault]
    found = messages(Chapter(folder / "09-1-demo.md", section(1, change)))
    assert any(expected in message for message in found), found


def test_what_is_fetched_is_said(folder):
    said = ("Is it so?", "Is it so? The first run fetches 2.1 MB, under the MIT licence.")
    text = section(1, ("one = 1", "one = 1\nfrom minilm.applications import find"), said)
    assert messages(Chapter(folder / "09-1-demo.md", text)) == []


def test_formulas_of_sections_are_looked_up_from_elsewhere(folder):
    path = folder / "12-other.md"
    fine = (
        TEXT.replace("9.", "12.").replace("09-demo", "12-other").replace("- Nobody.", "- (9.1.1), (9.2.1*), (7.1.1).")
    )
    assert messages(Chapter(path, fine)) == []
    assert messages(Chapter(path, fine.replace("(9.2.1*)", "(9.2.2)"))) == [
        "there is no formula (9.2.2) in section 9.2."
    ]


def test_a_chapter_of_sections_has_a_first_page_that_lists_them(folder):
    first = HEADER + FIRST_PAGE.replace("<!-- sections -->\n", "") + "\n## Exercises\n\n### Exercise 9.1. So\n"
    assert messages(Chapter(folder / "09-uses.md", first)) == [
        "the first page of a chapter lists its sections: the line <!-- sections --> stands for them."
    ]
    (folder / "09-uses.md").unlink()
    assert "chapter 9 has no first page, such as 09-name.md." in messages(Chapter(folder / "09-1-demo.md"))


def test_every_exercise_of_a_chapter_of_sections_stands_in_one_of_them():
    there = chapters()
    for first in there:
        if first.in_sections and first.number in tasks.CHAPTERS:
            named = [id for chapter in there if chapter.number == first.number for id in chapter.tasks or ()]
            assert named == [task.id for task in tasks.of_chapter(first.number)]


@pytest.mark.book
class TestNotebooks:
    """As files, and as pages of the site."""

    @pytest.fixture(autouse=True)
    def _extra(self):
        for module in ("jupytext", "nbformat"):
            pytest.importorskip(module, reason="needs the extra book")

    def test_a_notebook_of_its_own(self, folder):
        from chapters.tools import build

        one, first = (Chapter(folder / f"{name}.md") for name in ("09-1-demo", "09-uses"))
        assert build.notebook_path(one).name == "09-1-demo.ipynb"
        notebook = build.read(one)
        assert [cell.id for cell in notebook.cells][:2] == ["09-1-000", "09-1-001"]
        listed = next(cell.source for cell in build.read(first).cells if "2. [A" in cell.source)
        assert "[A demonstration](09-2-demo.ipynb)" in listed

    def test_it_may_take_less_time_than_a_chapter(self, folder, monkeypatch):
        from chapters.tools import build

        monkeypatch.setattr(build, "execute", lambda chapter, notebook, twice: (build.SECTION_SECONDS + 1, []))
        monkeypatch.setattr(build, "_alternatives", lambda chapter, notebook: None)
        build.build(Chapter(folder / "09-uses.md"))
        with pytest.raises(build.BuildError, match=r"09-1-demo.md: the notebook took 121 s, more than 120\."):
            build.build(Chapter(folder / "09-1-demo.md"))

    def test_pages_of_the_site(self, folder, monkeypatch):
        """A section is one page below that of its chapter, its title has its number, and links lead to it."""
        import nbformat

        from chapters.tools import build, site

        root = folder / "root"
        (root / "notebooks" / "en").mkdir(parents=True)
        (root / "chapters" / "en").mkdir(parents=True)
        (root / "chapters" / "en" / "index.md").write_text("[three](09-2-demo.md)\n", encoding="utf-8")
        plain = TEXT.replace("09-demo", "08-other").replace("(9.", "(8.").replace("{9.", "{8.")
        (folder / "08-other.md").write_text(plain, encoding="utf-8")
        for path in folder.glob("*.md"):
            text = build.serialize(build.read(Chapter(path)))
            (root / "notebooks" / "en" / f"{path.stem}.ipynb").write_text(text, encoding="utf-8")
        monkeypatch.setattr(site, "ROOT", root)
        monkeypatch.setattr(site, "write_appendices", lambda *_: [])
        site.copy_sources("en", folder / "src")
        names = {path.relative_to(folder / "src").as_posix() for path in (folder / "src").rglob("*.ipynb")}
        assert {
            "09-uses.ipynb",
            "09-1-demo.ipynb",
            "09-2-demo.ipynb",
            "08-other.ipynb",
            "08-other/sources.ipynb",
        } <= names
        assert not any(name.startswith("09-") and "/" in name for name in names)
        index = (folder / "src" / "index.md").read_text(encoding="utf-8")
        assert ":maxdepth: 2\n\n08-other\n09-uses\n```" in index
        assert "](09-2-demo.ipynb)" in index
        first, one = (nbformat.read(folder / "src" / f"{name}.ipynb", 4) for name in ("09-uses", "09-1-demo"))
        assert first.cells[0].source.startswith("# 9. "), (
            "by its own number: a chapter before it may not be written yet"
        )
        *_, listed, article = first.cells
        assert listed.source == "```{toctree}\n:titlesonly:\n:hidden:\n\n09-1-demo\n09-2-demo\n```"
        assert article.source.startswith("This chapter follows part 9 of the article")
        assert one.cells[0].source.startswith("# 9.1 A demonstration")
        assert "\n## " not in one.cells[0].source
        assert any("(#the-logistic-function-and-)" in cell.source for cell in one.cells)


def test_pages_written_by_hand_lead_to_the_pages_of_sections(tmp_path):
    """Their links to a heading of a chapter end on the page that has it; what is their own, or no chapter's, stays."""
    from chapters.tools import site

    page = tmp_path / "terms.md"
    page.write_text("[a](01-one.ipynb#two) [b](01-one.ipynb) [c](#own) [d](corpus.md#x)\n", encoding="utf-8")
    site.lead_written({"01-one": {"two": ("01-one/two", ""), "other": ("01-one", "other")}}, tmp_path)
    assert page.read_text(encoding="utf-8") == "[a](01-one/two.ipynb) [b](01-one.ipynb) [c](#own) [d](corpus.md#x)\n"


def test_chapters_link_to_pages_written_by_hand(tmp_path):
    """A notebook leads to their Markdown, which has no notebook; on the site they are pages beside the chapters."""
    from chapters.tools import build, site

    (tmp_path / "terms.md").write_text("# Terms\n", encoding="utf-8")
    (tmp_path / "01-one.md").write_text(HEADER, encoding="utf-8")
    led = build.for_jupyter(Chapter(tmp_path / "01-one.md"), "[t](terms.md#learning), [gone](gone.md)")
    assert led == f"[t](../../chapters/{tmp_path.name}/terms.md#learning), [gone](gone.md)"
    source = site.BUILD / "src" / "en"
    found = site.for_sphinx(
        "[t](../../chapters/en/terms.md#x)", site.ROOT / "notebooks" / "en", source / "01-one", "en"
    )
    assert found == "[t](../terms.md#x)"


def test_references_have_two_numbers_or_three():
    extension = pytest.importorskip("chapters.tools.extension", reason="needs the extra book")
    found = extension.REFERENCE.findall("(4.9), (6.1.2*), Figure 6.1.2. Exercise 6.2. Version 3.10.1, 1.2.3.4")
    assert found == [("4.9", "", ""), ("6.1.2*", "", ""), ("", "Figure", "6.1.2"), ("", "Exercise", "6.2")]
