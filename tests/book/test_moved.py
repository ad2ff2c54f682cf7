"""Old addresses of the book: each leads somewhere, and to what took its place."""

import json

import pytest

from chapters.tools import moved
from chapters.tools.pages import cut, formula_places, places
from chapters.tools.site import written_places
from chapters.tools.source import ROOT, Chapter, chapters, label


@pytest.fixture(scope="module")
def now():
    """Where each heading of the book stands, by the committed notebooks."""
    nbformat = pytest.importorskip("nbformat", reason="needs the extra book")
    found = {}
    for chapter in chapters():
        path = ROOT / "notebooks" / "en" / f"{chapter.stem}.ipynb"
        whole = cut(nbformat.read(path, as_version=4), chapter.stem, chapter.number > 5)
        found[chapter.stem] = {**places(whole), **formula_places(whole)}
    return found | written_places("en")


@pytest.mark.parametrize("stem", moved.record())
def test_every_old_anchor_and_page_leads_to_a_heading_that_there_is(stem, now):
    old = moved.record()[stem]
    lost = []
    for anchor in [*old["anchors"], *old["pages"].values()]:
        try:
            moved.target(stem, anchor, now)
        except KeyError:
            lost.append(anchor)
    assert lost == []


def test_the_old_numbers_of_formulas_lead_to_formulas_or_to_their_subjects(now):
    old = {stem: [a for a in there["anchors"] if a.startswith("eq-")] for stem, there in moved.record().items()}
    assert [len(found) for found in old.values()] == [14, 22, 35, 59, 9]
    led = [moved.target(stem, anchor, now)[1] for stem, found in old.items() for anchor in found]
    assert sum(anchor.startswith("eq-") for anchor in led) == 63, "these stand somewhere as they were, or nearly"


def test_an_old_number_leads_to_its_old_formula_though_another_bears_it_now(monkeypatch):
    monkeypatch.setattr(moved, "record", lambda: {"04-mathematics": {"pages": {}, "anchors": {"eq-4.1": "eq-4.2"}}})
    now = {"04-mathematics": {f"eq-4.{k}": (f"04-mathematics/page-{k}", f"eq-4.{k}") for k in (1, 2, 3)}}
    assert moved.anchors("04-mathematics", now) == {
        "eq-4.1": "04-mathematics/page-2.html#eq-4.2",
        "eq-4.2": "04-mathematics/page-2.html#eq-4.2",
        "eq-4.3": "04-mathematics/page-3.html#eq-4.3",
    }


def test_a_page_that_is_gone_leads_on_and_one_that_stands_is_left(tmp_path, monkeypatch):
    old = {"04-mathematics": {"pages": {"gone": "old", "here": "new"}, "anchors": {"old": "B-more#there", "new": ""}}}
    monkeypatch.setattr(moved, "record", lambda: old)
    now = {"04-mathematics": {"new": ("04-mathematics/here", "")}, "B-more": {"there": ("B-more", "there")}}
    (tmp_path / "04-mathematics").mkdir()
    (tmp_path / "04-mathematics" / "here.html").write_text("stands")
    assert moved.write(tmp_path, now) == 1
    assert 'url=../B-more.html#there"' in (tmp_path / "04-mathematics" / "gone.html").read_text()
    assert (tmp_path / "04-mathematics" / "here.html").read_text() == "stands"
    text = (tmp_path / "anchors.js").read_text().removeprefix("window.bookAnchors = ").removesuffix(";\n")
    assert json.loads(text)["04-mathematics"] == {"old": "B-more.html#there", "new": "04-mathematics/here.html"}


def test_an_anchor_without_a_successor_is_an_error(monkeypatch):
    monkeypatch.setattr(moved, "record", lambda: {"04-mathematics": {"pages": {}, "anchors": {"old": ""}}})
    with pytest.raises(KeyError):
        moved.target("04-mathematics", "old", {"04-mathematics": {}})


def test_an_appendix_has_a_letter(tmp_path):
    path = tmp_path / "B-more.md"
    path.write_text("# More\n")
    chapter = Chapter(path)
    assert (chapter.number, chapter.section, chapter.prefix, label(4)) == (102, 0, "B", "4")


def test_an_anchor_may_have_gone_to_a_page_that_is_written_by_hand(tmp_path, monkeypatch):
    old = {"04-mathematics": {"pages": {}, "anchors": {"learning": "terms#learning"}}}
    monkeypatch.setattr(moved, "record", lambda: old)
    now = {"04-mathematics": {}, "terms": written_places("en")["terms"]}
    assert moved.target("04-mathematics", "learning", now) == ("terms", "learning")
    moved.write(tmp_path, now)
    text = (tmp_path / "anchors.js").read_text().removeprefix("window.bookAnchors = ").removesuffix(";\n")
    assert json.loads(text) == {"04-mathematics": {"learning": "terms.html#learning"}}
