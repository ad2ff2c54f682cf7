"""The page on a corpus: whole, the same for the same numbers, of texts that are texts, and with all that the steps removed."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from minilm.data import DataError
from minilm.data.corpus.documents import Document
from minilm.data.corpus.page import shown
from minilm.data.corpus.records import json_of, record_of
from minilm.data.corpus.report import flat, html_of
from minilm.data.corpus.summary import Summary, Weighed
from tests.data.corpus.summaries import HOSTILE, summary_of
from tests.data.corpus.texts import words

ELEMENTS = (
    " html head meta title style body main nav h1 h2 h3 p b a code ul ol li div small span bdi br mark table caption thead tbody tr th td "
    "details summary figure figcaption svg rect line text "
)
EMPTY = {"meta", "br", "rect", "line"}


class Page(HTMLParser):
    """A page's elements and text; that each element is closed is checked on the way."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if "style" not in self.open else ""


@pytest.fixture(scope="module")
def page(summary):
    return html_of(summary)


def test_the_page_is_whole_and_loads_nothing(page):
    found = Page(page)
    assert all(f" {tag} " in ELEMENTS for tag, _ in found.elements)
    names = [name for _, attributes in found.elements for name in attributes]
    assert not [name for name in names if name.startswith("on") or name in ("src", "action")]
    assert all(value.startswith("#") for _, attributes in found.elements if (value := attributes.get("href")))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {attributes["href"][1:] for tag, attributes in found.elements if tag == "a"} == set(ids)
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    labels = [attributes["aria-label"] for tag, attributes in found.elements if attributes.get("role") == "region"]
    assert len(set(labels)) == len(labels)


def test_what_strangers_wrote_is_shown_as_text(page, summary):
    assert page.encode("utf-8")
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert HOSTILE in summary.sources[0].licence
    for place in ("licence", "setting", "example", "what was found"):
        assert page.count(shown(HOSTILE)) >= 4, place


def test_a_source_is_called_by_its_name_and_that_is_escaped_once():
    name = "a<b>&amp;\"'"
    found = Page(html_of(summary_of([Document("short", name, "a"), Document("short", "web", "a")])))
    labels = [attributes.get("aria-label", "") for _, attributes in found.elements]
    assert f"Documents by language, {name}" in labels
    assert sum(name in label for label in labels) == 3
    assert found.text.count("&lt;") == 0


def test_the_same_numbers_give_the_same_page(page, summary):
    assert html_of(record_of(Summary, json_of(summary))) == page
    assert html_of(replace(summary, sources=summary.sources[::-1])) == page


def test_each_step_is_told(page, summary):
    text = " ".join(Page(page).text.split())
    assert "Of 32 pieces of input (29 documents of" in text
    assert (
        "3 pieces kept aside) from 2 sources, 14 documents (43.7 %) are in the corpus: 13 in train and 1 in validation."
        in text
    )
    assert "Kept aside−3 (9.4 %)29 left" in text
    assert "6 documents went, as each breaks one rule or more." in text
    assert "3 documents went: another one, which is kept, has the same text." in text
    assert "4 documents went. Beside each other" in text
    assert "2 documents went. " in text
    for rule in summary.filtered.rules:
        assert html.escape(rule.asks) in page
    for example in (e for rule in summary.filtered.rules for e in rule.examples):
        assert shown(example.reason) in page
        assert shown(example.text) in page.replace("<mark>", "").replace("</mark>", "")
    for hit in summary.contaminated.examples:
        assert shown(hit.passage) in page
    for pair in summary.near.examples:
        assert f"Jaccard's index {pair.jaccard:.3f}" in page


def test_near_copies_stand_side_by_side_with_their_differences_marked():
    first = Document("the of and " + " ".join(f"word{i}" for i in range(200)), "web", "a")
    found = html_of(
        summary_of([first, first._replace(text=first.text.replace("word100 ", "<other> "), name="b")], rules=())
    )
    assert "word99 <mark>word100</mark> word101" in found
    assert "word99 <mark>&lt;other&gt;</mark> word101" in found
    assert found.count("<mark>") == 3  # and the one that says what it means


def test_copies_by_weights_are_told(summary):
    web = summary.sources[1]
    twice = replace(web, after=web.after + web.after)
    train = summary.splits[0]
    more = web.after
    split = train._replace(documents=train.documents + more.documents, characters=train.characters + more.characters)
    weighed = replace(
        summary,
        sources=(summary.sources[0], twice),
        weighed=Weighed({"web": 2.0}, {}, {"web": more.documents}),
        splits=(split, *summary.splits[1:]),
    )
    found = Page(html_of(weighed)).text
    assert f"some of them more than once, which adds {more.documents:,}" in found
    assert f"+{more.documents}" in found
    assert f"web20{more.documents}" in found  # its weight, and how many were left out and taken again


def test_an_empty_corpus():
    found = Page(html_of(summary_of([]))).text
    assert "Nothing was read, so nothing is in the corpus." in found
    assert "No document breaks a rule." in found


@pytest.mark.parametrize("text", ["too short", "the of and to that is for " + " ".join(words(60))])
def test_a_corpus_of_one_document(text):
    found = Page(html_of(summary_of([Document(text, "web", "a")]))).text
    assert "1 document of" in found
    assert "from 1 source," in found
    assert ("1 document (100.0 %) is in the corpus" in found) == (len(text) > 200)


def test_a_corpus_that_nothing_is_left_of_has_no_shares():
    found = Page(html_of(summary_of([Document("short", "web", "a")]))).text
    assert "0 documents (0.0 %) are in the corpus" in found


def test_numbers_that_do_not_fit_make_no_page(summary):
    with pytest.raises(DataError, match="the numbers of the corpus do not fit"):
        html_of(replace(summary, splits=()))


def test_settings_by_name():
    assert flat({"b": {"y": 1, "x": {"z": None}}, "a": [1, "ü"], "c": {}}) == [
        ("a", '[1, "ü"]'),
        ("b.x.z", "null"),
        ("b.y", "1"),
        ("c", "{}"),
    ]
