"""The reader of chapters finds what is there, where it is."""

from chapters.tools.source import Chapter, read_cells, without_fences, without_inline_code, without_math
from tests.book.demo import TEXT, demo


def test_cells_are_found_with_their_lines_and_options(tmp_path):
    chapter = demo(tmp_path)
    lines = TEXT.split("\n")
    for cell in chapter.cells:
        first = cell.source.split("\n")[0]
        assert lines[cell.line - 1] == first
    assert [cell.tags for cell in chapter.code] == [("setup",), ("formula",), (), ("raises-exception",), ("rtol=1e-2",)]
    assert [cell.alt for cell in chapter.code] == ["", "", "a line that rises", "", ""]
    assert {cell.lexer for cell in chapter.code} == {"ipython3"}


def test_tags_may_stand_in_a_block():
    text = (
        '```{code-cell} ipython3\n---\ntags: [formula, "varies"]\nmystnb:\n  image:\n    alt: "a: b"\n---\nx = 1\n```\n'
    )
    [cell] = read_cells(text)
    assert (cell.tags, cell.alt, cell.source, cell.line) == (("formula", "varies"), '"a: b"', "x = 1", 8)
    [cell] = read_cells("```{code-cell} ipython3\n---\ntags:\n  - formula\n  - varies\n---\n\nx = 1\n```\n")
    assert (cell.tags, cell.source, cell.line) == (("formula", "varies"), "x = 1", 8)


def test_fences_in_fences_and_other_code_belong_to_the_text():
    text = "a\n\n````text\n```{code-cell} ipython3\nx\n```\n````\n\n```python\n# Not a heading\n```\nb\n"
    [cell] = read_cells(text)
    assert cell.kind == "markdown"
    assert "Not a heading" not in without_fences(cell.source)
    assert without_fences(cell.source).count("\n") == cell.source.count("\n")


def test_formulas_and_code_are_blanked_out_in_place():
    assert without_inline_code("a `b$` ``c ` d`` e") == "a `  ` ``     `` e"
    assert without_math("a $b_1$ costs $5 and\n$$\nx\n$$") == "a       costs $5 and\n  \n \n  "


def test_displays_checks_and_exercises(tmp_path):
    chapter = demo(tmp_path)
    assert [display.ids for display in chapter.displays()] == [("9.1*",), ("9.1",)]
    assert [(check.id, check.function) for check in chapter.checks()] == [("9.1", "holds"), ("9.1*", "fails")]
    assert [heading.text for heading in chapter.exercises()] == [f"Exercise 9.{k}. Number {k}" for k in range(1, 7)]
    lines = TEXT.split("\n")
    for found in (*chapter.displays(), *chapter.checks(), *chapter.headings()):
        assert lines[found.line - 1].startswith(("$$", "holds", "fails", "#"))


def test_a_chapter_has_a_number_and_setup_cells(tmp_path):
    chapter = Chapter(tmp_path / "12-name.md", TEXT)
    assert chapter.number == 12
    assert [cell.tags for cell in chapter.setup] == [("setup",)]
