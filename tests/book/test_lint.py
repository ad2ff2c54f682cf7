"""The rules for chapters: the chapters keep them, and each planted fault is found, at its line."""

import pytest

from chapters.tools.lint import lint, slugs
from chapters.tools.source import Chapter, chapters
from tests.book.demo import EXERCISES, TEXT, demo

pytestmark = pytest.mark.usefixtures("_made_up")


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.stem)
def test_the_chapters_keep_the_rules(chapter):
    assert [f"{chapter.path.name}:{line}: {message}" for line, message in lint(chapter)] == []


def test_a_chapter_that_keeps_the_rules(tmp_path):
    assert lint(demo(tmp_path)) == []


CHECK = 'fails("9.1*", engine=slope, formula=lambda z: z.sigmoid(), z=real(3))'
EQUATION = "$$\ns' = s \\tag{9.1*}\n$$"
SECTION = "### A part of it\n"
NEXT = "$$\nx = x \\tag{9.2}\n$$\n"
CELL = '```{{code-cell}} ipython3\n:tags: [formula]\n\n{}("{}", engine=lambda: 1.0, formula=lambda: 1.0)\n```\n'
ERRORS = "| Where | What it says | What holds |\n| --- | --- | --- |\n| 9.1 | *false:* $s' = s$ | (9.1) |"
FAULTS = {
    "no number": ((" \\tag{9.1*}", ""), "this one has 0"),
    "two numbers": (("\\tag{9.1*}", "\\tag{9.1*} \\tag{9.2}"), "this one has 2"),
    "number not at the end": (("s' = s \\tag{9.1*}", "\\tag{9.1*} s' = s"), "ends with one"),
    "number of another chapter": (("\\tag{9.1*}", "\\tag{8.1*}"), "no formula number of chapter 9"),
    "out of order": (("\\tag{9.1}", "\\tag{9.2}"), r"(9.2) stands where (9.1) is expected"),
    "twice": ((SECTION, SECTION + "\n" + NEXT.replace("9.2", "9.1")), "(9.1) is there twice"),
    "star without the right one": ((EQUATION, EQUATION.replace("9.1*", "9.8*")), "the right one, (9.8), is missing"),
    "no check": ((CHECK, ""), "(9.1*) has 0 checks"),
    "two checks": ((CHECK, CHECK + "\n" + CHECK), "(9.1*) has 2 checks"),
    "check without display": ((CHECK, CHECK + '\nholds("9.5", engine=slope, formula=slope)'), "no display with \\tag{9.5}"),
    "star that holds": ((CHECK, CHECK.replace("fails", "holds")), "(9.1*) must be checked with fails()"),
    "fails without star": (('holds("9.1"', 'fails("9.1"'), "(9.1) must be checked with holds()"),
    "id not literal": (('holds("9.1"', "holds(one"), "literal string"),
    "untagged check": ((":tags: [formula]\n", ":tags: [varies]\n"), "must be tagged formula"),
    "formula cell without check": ((":tags: [rtol=1e-2]", ":tags: [formula]"), "must call holds() or fails()"),
    "check before display": ((SECTION, CELL.format("holds", "9.2") + NEXT + SECTION), "must come after it, in the same section"),
    "check in the next section": ((SECTION, NEXT + SECTION.replace("###", "##") + CELL.format("holds", "9.2")), "in the same section"),
    "unknown reference": (("(9.1) is right", "(9.4) is right"), "there is no formula (9.4) in chapter 9"),
    "link to no file": (("09-demo.md#", "09-other.md#"), "there is no file 09-other.md"),
    "link to no heading": (("#what-the-article-gets-wrong-here", "#elsewhere"), "there is no heading #elsewhere"),
    "link to no heading of a file": (("09-demo.md#the-logistic", "09-demo.md#a-logistic"), "no heading #a-logistic"),
    "figure without alt": (("    alt: a line that rises\n", "    width: 3\n"), "no alternative text"),
    "figure out of order": (("*Figure 9.1. A line", "*Figure 9.2. A line"), "Figure 9.2 stands where 9.1"),
    "unknown figure": (("Figure 9.1 rises", "Figure 9.3 rises"), "there is no Figure 9.3"),
    "exercise number": (("Exercise 9.3.", "Exercise 9.7."), "'### Exercise 9.3. Title' is expected"),
    "no exercise": ((EXERCISES, ""), "a chapter has exercises"),
    "no sources": (("## Sources", "## Literature"), "one section 'Sources'"),
    "no errors": (("## What the article gets wrong here", "## Errors"), "one section 'What the article gets wrong here'"),
    "no table": ((ERRORS, "None."), "holds a table"),
    "directive": (("- Nobody.", "```{note}\nNobody.\n```"), "a MyST directive"),
    "colons": (("- Nobody.", ":::{note}\nNobody.\n:::"), "a MyST directive"),
    "role": (("- Nobody.", "- {doc}`nobody`"), "a MyST role"),
    "label": (("## Sources", "(sources)=\n## Sources"), "a MyST label"),
    "HTML": (("- Nobody.", "- <b>Nobody</b>"), "raw HTML"),
    "lone dollars": (("- Nobody.", "$$\n- Nobody."), "a $$ without its partner"),
    "unknown tag": (("[rtol=1e-2]", "[remove-input]"), "unknown tag 'remove-input'"),
    "lexer": (("```{code-cell} ipython3\n---", "```{code-cell} python\n---"), "begins with ```{code-cell} ipython3"),
    "not Python": (("one = 1", "%matplotlib inline"), "the cell is not Python"),
    "wide code": (("one = 1", "one = 1  # " + "x" * 74), "the line of code has 85 columns; a page shows 84"),
    "header": (("  name: python3", "  name: python"), "the header that all chapters share"),
    "numbered title": (("# A demonstration", "# Chapter 9. A demonstration"), "the title has no number"),
    "two titles": (("## Sources", "# Sources"), "one title"),
    "goals": (("**You will learn**", "You will learn"), "'**You will learn**'"),
    "setup": ((":tags: [setup]", ":tags: [varies]"), "must be tagged setup"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, tmp_path):
    (old, new), expected = FAULTS[fault]
    messages = [message for _, message in lint(demo(tmp_path, (old, new)))]
    assert any(expected in message for message in messages), messages


def test_quoted_text_may_be_wide(tmp_path):
    wide = 'one = 1\ntext = """\n' + "x " * 50 + '\n"""'
    assert lint(demo(tmp_path, ("one = 1", wide))) == []


def test_the_line_is_the_one_of_the_fault(tmp_path):
    for old, new in (("(9.1) is right", "(9.4) is right"), ("s' = s \\tag{9.1*}", "s' = s"), ("one = 1", "one = = 1")):
        chapter = demo(tmp_path, (old, new))
        lines = chapter.text.split("\n")
        assert any(new in "\n".join(lines[line - 1 : line + 1]) for line, _ in lint(chapter)), (old, lint(chapter))


def test_references_to_other_chapters_are_looked_up(tmp_path):
    other = TEXT.replace("9.", "8.").replace("# A demonstration", "# Another")
    (tmp_path / "08-other.md").write_text(other, encoding="utf-8")
    assert lint(demo(tmp_path, ("- Nobody.", "- Nobody, (8.1), (7.7) [there](08-other.md#sources)."))) == []
    messages = [
        message for _, message in lint(demo(tmp_path, ("- Nobody.", "- Nobody, (8.6) [there](08-other.md#here).")))
    ]
    assert len(messages) == 2
    assert "(8.6) in chapter 8" in " ".join(messages)


def test_a_display_in_an_exercise_has_no_number(tmp_path):
    assert lint(demo(tmp_path, ("Show that it is so.", "Show that\n\n$$\nx = x\n$$\n\nis so."))) == []


def test_anchors_are_those_of_the_site(tmp_path):
    chapter = demo(
        tmp_path,
        ("### A part of it", "### *What* `x_1`'s for: $a_1$ & [more](x.md)\n\n## Exercises\n\n### Ünïcode 2.0"),
    )
    assert {"what-x_1s-for---more", "exercises", "exercises-1", "ünïcode-20"} <= slugs(chapter)


def test_anchors_are_those_of_myst_parser(tmp_path):
    base = pytest.importorskip("myst_parser.mdit_to_docutils.base", reason="needs the extra book")
    for title in ("Why $e$? Because", "`holds` and `fails`", "A-B  c", "Größe, 2.0!", "Exercise 4.1. One (of two)"):
        text = TEXT.replace("### A part of it", f"### {title}")
        words = title.replace("$e$", "").replace("`", "")
        assert base.default_slugify(words) in slugs(Chapter(tmp_path / "09-demo.md", text))
