"""The form of a chapter: what keeps the rules passes, and each planted fault is found, at its line."""

import pytest

from chapters.tools import form, symbols
from chapters.tools.source import Chapter

SENTENCE = "A chapter asks before it answers, and a reader who knows the question reads on. "
CELL = "```{{code-cell}} ipython3\n:tags: [{}]\n\n{}\n```\n\n"
LOOP = CELL.format("varies", "x = 1\n\ny = 2\n\nprint(x, y)")
END = "**Summary**\n\n- One.\n- Two.\n- Three.\n\n"
TEXT = (
    "# A title\n\n**You will learn** nothing.\n\n"
    + SENTENCE * 5
    + "\n\n"
    + CELL.format("setup", "import minilm as ml")
    + "## A section\n\nSee $h$ here.\n\n"
    + "$$ \\hat y_i = W_{ij} x_j + b_i \\tag{4.1} $$\n\n"
    + CELL.format("formula, open", 'holds("4.1", engine=f, formula=f)')
    + "$$ q = q \\tag{4.1*} $$\n\n"
    + CELL.format("formula", 'fails("4.1*", engine=f, formula=f)')
    + LOOP * 20
    + END
    + "## Another\n\n"
    + SENTENCE * 340
    + "\n\n"
    + END
    + "## Symbols\n\n| symbol | meaning | shape or range |\n| --- | --- | --- |\n"
    + "| $\\hat y$ | output | |\n| $W$ | weights | (out, in) |\n| $x$, $x_j$ | input | |\n| $b$ | bias | |\n| $i$, $j$ | indices | |\n"
    + "| $h$ | step | |\n\n"
    + "## What the article gets wrong here\n\n| where | what it says | what holds |\n| --- | --- | --- |\n"
    + "| 4.1 | *false:* a | b |\n| 4.1 | *false:* a \\| b | b |\n| 4.2 | *undefined:* a | b |\n| 4.3 | *missing:* a | b |\n\n"
    + "## Exercises\n\n"
    + SENTENCE * 1000
    + "\n\n$$ k = k $$\n\n## Sources\n\n- None.\n"
)


def chapter(*changes, name="04-demo"):
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text, name


@pytest.fixture
def found(tmp_path):
    """``found((old, new), ...)``: the messages about a chapter with pieces of its text replaced, each with its line's text."""

    def rules(*changes, name="04-demo"):
        text, _ = chapter(*changes)
        made = Chapter(tmp_path / f"{name}.md", text)
        return [(message, made.text.split("\n")[line - 1]) for line, message in form.rules(made)]

    return rules


def test_a_chapter_that_keeps_the_rules(found):
    assert found() == []


ROW = "| 4.1 | *false:* a | b |\n"
FAULTS = {
    "long cell": (("x = 1\n\n", "x = 1\n" * 14), "has 16 lines of code; one that stands open has at most 15", "x = 1"),
    "too few open": ((LOOP * 5, ""), "has 16 code cells that stand open; 18 to 25 are", "# A title"),
    "too many open": ((LOOP, LOOP * 8), "has 28 code cells that stand open", "# A title"),
    "too short": ((SENTENCE * 100, ""), "words before the exercises; 4,500 to 6,500 are expected", "# A title"),
    "too long": ((SENTENCE * 100, SENTENCE * 300), "words before the exercises; 4,500 to 6,500 are expected", "# A title"),
    "opens with code": ((SENTENCE * 5, SENTENCE), "words stand before the first code cell; at least 60", "import minilm as ml"),
    "code before the first section": (("## A section", LOOP + "## A section"), "a chapter does not open with code", "x = 1"),
    "no worked check": (("formula, open", "formula"), "exactly one formula's cell stands open, as an example (tag open)", "# A title"),
    "two worked checks": (("[formula]", "[formula, open]"), "there are 2", 'fails("4.1*", engine=f, formula=f)'),
    "open loop": (("[varies]", "[open]"), "only a formula's cell is tagged open", "x = 1"),
    "no summary": ((END, ""), "the section 'A section' ends with '**Summary**'", "## A section"),
    "two lines of summary": (("- Two.\n", ""), "three lines '- ...'", "## A section"),
    "four lines of summary": (("- Two.\n", "- Two.\n- And.\n"), "three lines '- ...'", "## A section"),
    "text after the summary": ((END, END + "Text.\n\n"), "three lines '- ...'", "## A section"),
    "broken line of summary": (("- Two.", "- Two,\n  and more."), "three lines '- ...'", "## A section"),
    "long line of summary": (("- Two.", "- " + "Two " * 33), "at most 130 characters", "- Two"),
    "no symbols": (("## Symbols", "## Letters"), "one section 'Symbols' is expected", "# A title"),
    "symbols after the errors": (("## Symbols", f"## {form.WRONG}\n\n## Symbols"), "'Symbols' comes before", "## Symbols"),
    "unexplained letter": (("+ b_i", "+ c_i"), "(4.1) has $c$, which the table of symbols does not explain", "$$"),
    "unexplained index": (("+ b_i", "+ b_k"), "(4.1) has $k$", "$$"),
    "unexplained accent": (("+ b_i", "+ \\bar b_i"), "(4.1) has $\\bar b$", "$$"),
    "unused letter": (("See $h$", "See"), "$h$ is explained, and no formula above has it", "| $h$"),
    "two meanings": (("| $h$ |", "| $h$, $x_i$ |"), "$x$ has two rows, $x$, $x_j$ and $h$, $x_i$", "| $h$, $x_i$"),
    "long table": ((ROW, ROW * 10), "the table of errors has 13 rows; at most 12", "## What"),
    "unsorted": ((ROW, "| 4.1 | *missing:* a | b |\n"), "the rows are sorted", "| 4.1 | *false:* a \\| b"),
    "no kind": ((ROW, "| 4.1 | a | b |\n"), "first what is wrong: *false:*, *undefined:*, *missing:*", "| 4.1 | a"),
    "other kind": ((ROW, "| 4.1 | *wrong:* a | b |\n"), "first what is wrong", "| 4.1 | *wrong:*"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_at_its_line(fault, found):
    change, message, line = FAULTS[fault]
    problems = found(change)
    assert any(message in said and at.startswith(line) for said, at in problems), problems


def test_a_section_has_at_most_one_worked_check_and_needs_none(found):
    def said(*changes):
        return [message for message, _ in found(*changes, name="06-1-demo") if "stands open" in message]

    assert said() == said(("formula, open", "formula")) == []
    assert "at most one formula's cell stands open" in said(("[formula]", "[formula, open]"))[0]


def test_a_chapter_in_sections_is_counted_whole(tmp_path):
    first = tmp_path / "07-demo.md"
    first.write_text("# One\n\n" + SENTENCE * 5 + "\n\n<!-- sections -->\n", encoding="utf-8")
    (tmp_path / "07-1-demo.md").write_text(f"# Two\n\n{SENTENCE * 300}\n\n" + LOOP * 16, encoding="utf-8")
    (_, many), (_, cells) = form.rules(Chapter(first))
    assert "at most 4,000 are" in many
    assert "has 16 code cells that stand open; at most 15 are" in cells


def test_words_are_those_of_prose():
    def count(markdown):
        return form.words(Chapter(form.Path("04-demo.md"), f"# Title\n\n{markdown}\n"))

    assert count("") == 1
    assert count("Two words, `code f(x)`, $a + b$ and a [link here](03-x.md#no).") == 1 + 7 - 1
    assert count("| a | b c |\n| --- | --- |\n\n*Figure 4.1. Five.*") == 1 + 3 + 3
    assert count("One.\n\n```text\nnot this\n```\n\n$$ a $$\n\n## Exercises\n\nNot these.") == 2


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\hat y_i = \sum_{j=1}^{n} W_{ij}\, x_j^2", [r"\hat y", "i", "j", "n", "W", "i", "j", "x", "j"]),
        (r"\operatorname{softmax}(z)^T \text{in } \mathbb{R} \ln \alpha", ["z", r"\alpha"]),
        (r"e^{-z} + e", ["(e)", "z", "e"]),
        (r"\frac{dy}{dx} \mathrm d x \partial d", ["(d)", "y", "(d)", "x", "x", "d"]),
        (r"\begin{aligned} \sigma'(z) &= a \\ b \end{aligned} \tag{4.1}", [r"\sigma", "z", "a", "b"]),
        (r"\begin{array}{cc} a & b \end{array} \mathcal{L} \widehat{x}", ["a", "b", r"\mathcal L", r"\hat x"]),
        (r"\underbrace{a}_{\text{one}} \frac12 \left( \pi \right)", ["a"]),
    ],
)
def test_letters_of_a_formula(latex, expected):
    assert [letter.symbol for letter in symbols.letters(latex)] == expected


def test_a_row_explains_its_letters_with_their_indices_and_accents():
    rows = symbols.table(["| symbol |", "| --- |", r"| $W_Q$, $W_{ij}$ |", "| $x$ |", r"| $\bar x$ |", "| $d$ |"])
    assert [row.symbols for row in rows] == [("W",), ("x",), (r"\bar x",), ("d",)]
    assert symbols.unknown(r"W_Q \bar W x_{\text{in}} d", rows) == []
    assert symbols.unknown(r"W_K x_Q \hat x W_{ij}", rows) == ["K", "Q", r"\hat x"]


def test_the_page_of_symbols_has_a_table_for_each_chapter_that_has_one(tmp_path):
    first = Chapter(tmp_path / "04-demo.md", TEXT.replace("| step |", "| step, [here](#a-section) |"))
    page = symbols.page([first, Chapter(tmp_path / "06-demo.md", "# None\n")])
    assert page.startswith("# Symbols\n")
    assert page.count("\n## ") == 1
    assert "## 4. A title\n\n| symbol |" in page
    assert "[here](04-demo.md#a-section)" in page
    assert "What the article" not in page
    assert "[Chapter 4: A title](04-demo.md#symbols)" in page
