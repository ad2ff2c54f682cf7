"""Pieces of a page: what strangers wrote is text and nothing else, and pictures fit their frames."""

import html
import re
from itertools import pairwise

import pytest

from minilm.data.corpus.page import Bin, bar, details, document, histogram, nice, shown, table, text_box, visible
from tests.data.corpus.summaries import HOSTILE


def test_what_strangers_wrote_is_text():
    found = shown(HOSTILE)
    assert "<" not in found
    assert '"' not in found
    assert "&lt;script&gt;" in found
    assert found.encode("utf-8").decode("utf-8") == found
    for spelled in (
        r"\x00",
        r"\x1b[31m",
        r"\x0d",
        r"\x85",
        r"\u202e",
        r"\u2066",
        r"\ufeff",
        r"\u200b",
        r"\ud800",
        r"\ufffe",
        r"\U000e0041",
    ):
        assert spelled in found
    assert html.unescape(found) == visible(HOSTILE)


@pytest.mark.parametrize(
    "text", ["", "a\tb\nc  d", "é 中国，\u3000ß", "مرحبا", "\U0001f468\u200d\U0001f469", "می\u200cخواهم"]
)
def test_what_can_be_seen_stays(text):
    assert visible(text) == text


def test_a_table_tells_what_its_cells_are_of():
    found = table("Sizes of <b>all</b>", ["Name", "Kind", "Size"], [["a", "b", "1"]], 2)
    assert 'aria-label="Sizes of all"' in found
    assert "<caption>Sizes of <b>all</b></caption>" in found
    assert found.count('scope="col"') == 3
    assert '<th scope="row">a</th><td>b</td><td class="n">1</td>' in found


def test_a_bar_has_its_parts_one_behind_the_other():
    assert re.findall(r'class="(\w+)" x="([\d.]+)" y="1" width="([\d.]+)"', bar(3, 1, 8)) == [
        ("is", "0.0", "375.0"),
        ("was", "375.0", "125.0"),
    ]
    assert "<rect" not in bar(0, 0, 0)


@pytest.mark.parametrize(
    ("most", "step"), [(0, 1), (1, 1), (4, 1), (5, 2), (9, 5), (99, 50), (100, 50), (2862, 1000), (10**12, 5 * 10**11)]
)
def test_steps_of_an_axis(most, step):
    assert nice(most) == step


@pytest.mark.parametrize("bins", [[Bin("1", 0, 0)], [Bin("1", 7, 9)], [Bin(f"{2**b:,}", 10**b, b) for b in range(20)]])
def test_a_histogram_is_within_its_frame(bins):
    found = histogram("a &lt; b", bins, "1,048,576")
    assert 'aria-label="a &lt; b"' in found
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', found).groups())
    for x, y, w, h in re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', found):
        assert float(x) + float(w) <= width
        assert float(y) + float(h) <= height
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="\d+" text-anchor="middle"', found)]
    assert places == sorted(places)
    assert all(b - a > 50 for a, b in pairwise(places))


def test_a_whole_page():
    page = document("<T>", details("s", text_box("c", "t")))
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>&lt;T&gt;</title>" in page
