"""A summary's numbers add up, whatever the division of the work, and one whose numbers do not is refused."""

import random
from dataclasses import replace

import numpy as np
import pytest

from minilm.data import DataError
from minilm.data.corpus.documents import Document
from minilm.data.corpus.quality import RULES, Fault
from minilm.data.corpus.records import json_of, record_of
from minilm.data.corpus.summary import (
    BEFORE,
    BINS,
    EXCERPT,
    HALF,
    Copy,
    Example,
    Extent,
    NearCopies,
    Pair,
    Split,
    Summary,
    check,
    common_start,
)
from tests.data.corpus.summaries import summary_of


def test_an_extent_by_hand():
    found = Extent.of([1, 2, 3, 4, 1023, 1024], ["en", "zh", "en", "other", "en", "en"])
    assert (found.documents, found.characters) == (6, 2057)
    assert found.lengths[:11] == (1, 2, 1, 0, 0, 0, 0, 0, 0, 1, 1)
    assert found.languages == {"en": 4, "zh": 1, "other": 1}
    assert Extent.of([0, 2**40], ["en", "en"]).lengths == (1, *[0] * (BINS - 2), 1)
    assert Extent.of(np.array([3]), np.array(["en"])) == Extent.of([3], ["en"])


def test_extents_add_up_however_documents_are_divided():
    rng = random.Random(0)
    lengths, languages = rng.choices(range(5000), k=100), rng.choices(["en", "zh"], k=100)
    parts = [Extent.of(lengths[i : i + 7], languages[i : i + 7]) for i in range(0, 100, 7)]
    rng.shuffle(parts)
    assert sum(parts, Extent()) == Extent.of(lengths, languages)


def test_a_summary_goes_to_json_and_back(summary):
    content = json_of(summary)
    assert record_of(Summary, content) == summary
    check(record_of(Summary, content))


def test_what_the_small_corpus_has(summary):
    """What the other tests rely on: each step removes something of it."""
    assert all(summary.removed[name] for name in ("rules", "exact copies", "near copies", "contaminated"))
    assert summary.before.documents > summary.after.documents > 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: {"filtered": replace(s.filtered, removed={"web": 5})}, "'talk' that the steps leave: 4; those in the splits: 3"),
        (lambda s: {"exact": replace(s.exact, removed={"nowhere": 1})}, "exact copies: there is no source 'nowhere'"),
        (lambda s: {"near": replace(s.near, sizes=((9, 1),))}, "near copies: .*; clusters without the one kept of each: 8"),
        (lambda s: {"splits": s.splits[:1]}, "documents of sources in the splits"),
        (lambda s: {"splits": (Split("train", s.after.documents, 0, 0, 1),)}, "characters of sources in the splits"),
        (lambda s: {"sources": s.sources * 2}, "different names of sources"),
        (lambda s: {"weighed": replace(s.weighed, repeated={"web": 1})}, "documents of 'web' that the steps leave"),
        (lambda s: {"filtered": replace(s.filtered, rules=s.filtered.rules * 2)}, "different names of rules"),
        (
            lambda s: {"filtered": replace(s.filtered, rules=(replace(s.filtered.rules[0], alone={"web": 1}, removed={"web": 0}),))},
            "the rule 'short' has 0 documents of 'web'",
        ),
        (
            lambda s: {"sources": (replace(s.sources[0], before=replace(s.sources[0].before, languages={})), *s.sources[1:])},
            "documents of 'talk' read: .*; their languages: 0",
        ),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(summary, change, told):
    with pytest.raises(DataError, match=told):
        check(replace(summary, **change(summary)))


def test_a_pair_is_cut_around_its_first_difference():
    text = "".join(random.Random(0).choices("ab ", k=9000))
    one, other = (Document(text[:5000] + middle + text[5000:], "web", middle) for middle in ("x", "yyy"))
    found = Pair.of(one, other, 0.9)
    assert found.start == 5000 - BEFORE
    assert found.kept_text == one.text[found.start :][:HALF]
    assert found.removed_text == other.text[found.start :][:HALF]
    assert (found.kept_length, found.removed_length) == (9001, 9003)
    short = Pair.of(Document("a b c", "web", "1"), Document("a b d", "web", "2"), 1.0)
    assert (short.start, short.kept_text, short.removed_text) == (0, "a b c", "a b d")


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [("", "", 0), ("a", "b", 0), ("ab", "abc", 2), ("same", "same", 4), ("x" * 99, "x" * 50 + "y", 50)],
)
def test_the_common_start(one, other, size):
    assert common_start(one, other) == common_start(other, one) == size


def test_examples_hold_the_beginning_and_the_length():
    long = Document("a" * 5000, "web", "a")
    fault = Fault("short", 3.0, RULES[0].reason(3.0))
    example = Example.of(long, fault)
    assert (len(example.text), example.length, example.reason) == (EXCERPT, 5000, fault.reason)
    copy = Copy.of(long, long._replace(name="b"))
    assert (copy.kept.name, copy.copy.name, len(copy.text), copy.length) == ("a", "b", EXCERPT, 5000)


def test_nothing_at_all_fits():
    check(summary_of([]))
    assert NearCopies(0.8, True, 9, 13).sizes == ()
