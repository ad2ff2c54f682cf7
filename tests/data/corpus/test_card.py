"""The data card: the fields of such cards, all licences and numbers, and nothing of a stranger's that would be markup."""

import json
import re
from dataclasses import replace

import pytest

from minilm.data import DataError
from minilm.data.corpus.card import REFERENCES, card_of
from minilm.data.corpus.documents import Document
from minilm.data.corpus.summary import NOT_STATED, Extent, Source, Split
from tests.data.corpus.summaries import HOSTILE, summary_of


def front(card):
    """The fields of the block in front."""
    block = card.split("---\n")[1]
    found, name = {}, ""
    for line in block.splitlines():
        if line.startswith("- "):
            found.setdefault(name, []).append(line[2:])
        else:
            name, _, value = line.partition(":")
            if value:
                found[name] = value.strip()
    return found


def sized(documents, licence=NOT_STATED):
    """The card of a corpus of one source with so many documents."""
    extent = Extent(documents, documents, (documents, *[0] * 31), {"en": documents})
    source = Source("web", licence, 1, extent, extent)
    return card_of(replace(summary_of([]), sources=(source,), splits=(Split("train", documents, documents, 1, 1),)))


def test_the_block_in_front(summary):
    found = front(card_of(replace(summary, name='"a": \n---\n')))
    assert json.loads(found["pretty_name"]) == '"a": \n---\n'
    assert found["license"] == "other"
    assert found["language"] == ["en", "zh"]
    assert found["size_categories"] == ["n<1K"]
    assert found["task_categories"] == ["text-generation"]


@pytest.mark.parametrize(
    ("documents", "size"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (123_456, "100K<n<1M"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")],
)
def test_sizes_as_such_cards_have_them(documents, size):
    assert front(sized(documents))["size_categories"] == [size]


def test_licences_that_nobody_stated_are_unknown():
    assert front(sized(1))["license"] == "unknown"
    assert "| web | not stated | 1 | 1 | 1 | 1 |" in sized(1)
    assert front(sized(1, "MIT"))["license"] == "other"


def test_what_strangers_wrote_is_no_markup(summary):
    card = card_of(replace(summary, command="minilm corpus build 'a```\n```b'"))
    outside = re.sub(r"(`{3,}).*?\n\1", "", card, flags=re.DOTALL)
    assert "<script" not in re.sub(r"\\.", "", outside)
    assert r"\<script\>alert\(" in outside
    assert r"\[l\]\(javascript:0\)" in outside
    assert r"\|" in outside
    assert card.encode("utf-8")
    assert "````sh\nminilm corpus build 'a```\n```b'\n````\n" in card
    for line in card.splitlines():  # as many cells as the table has
        if line.startswith("| talk"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7


def test_all_numbers_and_how_to_make_it_again(summary):
    card = card_of(summary)
    assert "14 documents with" in card
    assert "chosen from 29 documents with" in card
    assert "| kept aside: pieces of the input that are no document | 3 | 9.4 % | 29 |" in card
    assert "| bad JSON | 2 |" in card
    assert "| train | 13 | 92.9 % |" in card
    assert "```sh\nminilm corpus build texts --out corpus\n```" in card
    assert json.loads(re.search(r"```json\n(.*?)```", card, re.DOTALL)[1]) == summary.settings
    for rule in summary.filtered.rules:
        assert f"| {sum(rule.removed.values())} | {sum(rule.alone.values())} |" in card
    assert HOSTILE not in card
    for name in re.findall(
        r"[A-Z][\w ,]+ (?:et al\. )?(?:19|20)\d\d", card.split("### How it was made")[1].split("###")[0]
    ):
        assert name in REFERENCES, name
    for paper in {rule.paper for rule in summary.filtered.rules} - {"minilm"}:
        assert any(paper.startswith(name) for name in REFERENCES), paper


def test_how_many_near_copies_are_missed(summary):
    assert "40 % of those with 0.8 meet, and 93 % of those with 0.9." in card_of(summary)


def test_an_empty_corpus_and_one_document():
    assert "It is empty." in card_of(summary_of([]))
    assert "0 documents with 0 characters" in card_of(summary_of([Document("a", "web", "a")]))


def test_numbers_that_do_not_fit_make_no_card(summary):
    with pytest.raises(DataError, match="the numbers of the corpus do not fit"):
        card_of(replace(summary, splits=()))
