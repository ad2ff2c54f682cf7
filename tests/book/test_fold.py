"""Folded cells: one line each, in the notebook and on the page; that of a formula's check says what was checked."""

import pytest

from chapters.tools.source import folded
from tests.book.demo import demo

nbformat = pytest.importorskip("nbformat", reason="needs the extra book")
from chapters.tools import build, pages, site  # noqa: E402

HOLDS = "✓ (4.1) holds at 20 random points, to 9 digits; gradient checked in z"
FAILS = "✗ (4.1*) fails, as it must: at z = 0.5 the formula gives 0.62, the\n    engine 0.24"


def cell(tags, *outputs):
    made = nbformat.v4.new_code_cell("x = 1\n" * 30, metadata={"tags": list(tags)})
    made.outputs = list(outputs)
    return made


def text(said):
    return nbformat.v4.new_output("stream", text=said)


def picture():
    return nbformat.v4.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})


def test_which_cells_are_folded():
    assert [folded([tag]) for tag in ("setup", "formula", "fold")] == [True] * 3
    assert [folded(tags) for tags in ([], ["varies"], ["formula", "open"], ["stepper"])] == [False] * 4


def test_the_notebook_hides_their_code(tmp_path):
    pytest.importorskip("jupytext", reason="needs the extra book")
    notebook = build.read(demo(tmp_path, ("[raises-exception]", "[raises-exception, fold]")))
    hidden = [
        each.metadata.get("jupyter", {}).get("source_hidden", False)
        for each in notebook.cells
        if each.cell_type == "code"
    ]
    assert hidden == [True, True, False, True, False]
    opened = build.read(demo(tmp_path, ("[formula]", "[formula, open]")))
    assert sum("jupyter" in each.metadata for each in opened.cells) == 1


@pytest.mark.parametrize(
    ("tags", "outputs", "line", "left"),
    [
        (["setup"], [], "Set-up", []),
        (["setup"], [picture()], "Code of the figure", ["display_data"]),
        (["fold"], [picture()], "Code of the figure", ["display_data"]),
        (["fold"], [text("a table\n")], "Code", ["a table\n"]),
        (["formula"], [text(f"{HOLDS}\n")], HOLDS, []),
        (["formula"], [text(f"{HOLDS}\n{FAILS}\n")], f"{HOLDS}\n{FAILS}".replace("\n    ", " "), []),
        (["formula"], [text(f"{HOLDS}\nand a row\n")], HOLDS, ["and a row\n"]),
    ],
)
def test_a_page_shows_one_line_and_what_the_cell_printed_beside_it(tags, outputs, line, left):
    shown = cell(tags, *(nbformat.from_dict(output) for output in outputs))
    site.fold(shown)
    assert shown.metadata.mystnb.code_prompt_show == shown.metadata.mystnb.code_prompt_hide == line
    assert shown.metadata.tags == [*tags, "hide-input"]
    assert [output.get("text", output.output_type) for output in shown.outputs] == left


def test_a_folded_cell_takes_little_of_a_page():
    plain, hidden = cell(["fold"]), cell(["fold"])
    hidden.metadata.jupyter = nbformat.from_dict({"source_hidden": True})
    assert pages.height([hidden]) < 60 < 600 < pages.height([plain])


def test_a_line_is_named_by_its_words_and_a_check_told_from_other_code():
    extension = pytest.importorskip("chapters.tools.extension", reason="needs the extra book")
    html = (
        '<details class="admonition hide above-input">\n<summary aria-label="Toggle hidden content">\n'
        '<p class="collapsed admonition-title">{}</p>\n'
    )
    context = {"body": html.format("✓ (4.1) holds") + html.format("Set-up")}
    extension.folded_lines(None, "", "", context, None)
    assert "aria-label" not in context["body"]
    assert context["body"].index("hide check") < context["body"].index("holds") < context["body"].index("hide code")
