"""A table as Markdown and as HTML."""

from minilm.tables import html, markdown


def test_markdown():
    assert markdown(["a", "b"], [["1", "x < y"]]) == "| a | b |\n| --- | --- |\n| 1 | x < y |"
    assert markdown(["a"], []) == "| a |\n| --- |"


def test_what_a_cell_holds_is_no_html():
    page = html(["a & b"], iter([["<b>"], ["2"]]))
    assert '<th scope="col">a &amp; b</th>' in page
    assert "<tr><td>&lt;b&gt;</td></tr>\n<tr><td>2</td></tr>" in page
