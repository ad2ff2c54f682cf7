"""Spans: read from tags as they should be and as systems write them, written as tags again, measured as wholes."""

from itertools import pairwise

import numpy as np
import pytest

from minilm.metrics import Span, span_f1, span_precision, span_recall, spans, tags_of
from tests.metrics.draws import check_draws

TRUE = [[(0, 2, "PER"), (3, 4, "LOC")], [], [(1, 2, "LOC")]]
SAID = [[(0, 2, "PER"), (3, 5, "LOC")], [(0, 1, "PER")], [(1, 2, "PER"), (1, 2, "PER")]]


@pytest.mark.parametrize(
    ("tags", "found", "strict"),
    [
        ("B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")], {"BIO": ..., "IOB1": [(1, 2, "PER")]}),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")], {"BIO": ..., "IOB1": [(1, 2, "PER")]}),
        ("I-PER I-PER B-PER O", [(0, 2, "PER"), (2, 3, "PER")], {"BIO": [(2, 3, "PER")], "IOB1": ...}),
        ("O I-PER I-LOC", [(1, 2, "PER"), (2, 3, "LOC")], {"BIO": [], "IOB1": ...}),
        ("B-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")], {"BIO": [(0, 1, "PER")], "IOB1": [(1, 2, "LOC")]}),
        ("B-PER I-PER E-PER S-LOC", [(0, 3, "PER"), (3, 4, "LOC")], {"BIOES": ...}),
        ("B-PER I-PER O E-PER", [(0, 2, "PER"), (3, 4, "PER")], {"BIOES": []}),
        ("E-PER I-PER S-PER", [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER")], {"BIOES": [(2, 3, "PER")]}),
        ("B-PER B-PER E-PER", [(0, 1, "PER"), (1, 3, "PER")], {"BIOES": [(1, 3, "PER")]}),
        ("B I O", [(0, 2, "_")], {"BIO": ...}),
        ("B-a-b I-a-b I-a", [(0, 2, "a-b"), (2, 3, "a")], {"BIO": [(0, 2, "a-b")]}),
    ],
)
def test_from_tags(tags, found, strict):
    assert spans(tags.split()) == found
    for scheme, expected in strict.items():
        assert spans(tags.split(), scheme) == (found if expected is ... else expected)


def test_of_no_tokens_and_of_none_in_a_span():
    assert spans([]) == spans(["O", "O"]) == []


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOES"])
def test_there_and_back(scheme):
    rng = np.random.default_rng(0)
    for _ in range(200):
        edges = np.unique(rng.integers(0, 12, rng.integers(0, 7)))
        made = [Span(int(a), int(b), str(rng.choice(["PER", "LOC"]))) for a, b in pairwise(edges) if rng.random() < 0.8]
        tags = tags_of(made, 12, scheme)
        assert spans(tags, scheme) == spans(tags) == made


def test_by_hand():
    """Right: one of three said that were asked for; of three places none, of persons one."""
    assert span_precision(TRUE, SAID).value == 1 / 4
    assert span_recall(TRUE, SAID).value == 1 / 3
    assert span_f1(TRUE, SAID).value == pytest.approx(2 / 7)
    assert span_f1(TRUE, SAID, of="PER").value == pytest.approx(2 / 4)
    assert span_f1(TRUE, SAID, "macro").value == pytest.approx((0 + 1 / 2) / 2)
    assert span_f1(TRUE, SAID, "weighted").value == pytest.approx((2 * 0 + 1 * 1 / 2) / 3)
    assert [span_f1(TRUE, SAID, **o).name for o in ({}, {"of": "PER"}, {"average": "macro"})] == [
        "span F1",
        "span F1 of PER",
        "span F1 (macro)",
    ]


@pytest.mark.parametrize("options", [{}, {"average": "macro"}, {"average": "weighted"}, {"of": "PER"}])
@pytest.mark.parametrize("metric", [span_precision, span_recall, span_f1])
def test_of_a_draw_it_is_the_number_of_what_was_drawn(metric, options):
    check_draws(lambda t, s: metric(t, s, **options), TRUE, SAID)


class TestEdges:
    def test_nothing_to_find_and_nothing_said(self):
        assert np.isnan(span_f1([[]], [[]]).value)
        assert span_f1([[]], [[(0, 1, "PER")]]).value == span_f1([[(0, 1, "PER")]], [[]]).value == 0.0

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: spans(["O", "X-PER"]), "tag 1 is 'X-PER', expected O or one of B, I, E, S"),
            (lambda: spans(["PER"]), "tag 0 is 'PER'"),
            (lambda: spans([""]), "tag 0 is ''"),
            (lambda: spans(["E-PER"], "BIO"), "expected O or one of B, I with"),
            (lambda: spans(["O"], "IOE1"), "no scheme 'IOE1'; there are BIO, IOB1, BIOES"),
            (lambda: tags_of([], 1, "x"), "no scheme 'x'"),
            (lambda: tags_of([(0, 0, "a")], 2), "from 0 to 0 is none of 2 tokens"),
            (lambda: tags_of([(1, 3, "a")], 2), "from 1 to 3"),
            (lambda: tags_of([(0, 2, "a"), (1, 3, "b")], 4), "share token 1"),
            (lambda: span_f1([], []), "there is no example"),
            (lambda: span_f1(TRUE, SAID, of="ORG"), "span F1 of 'ORG': nothing is of this class"),
            (lambda: span_f1(TRUE, SAID, "mean"), "no average 'mean'"),
        ],
    )
    def test_what_cannot_be_measured_is_said(self, call, words):
        with pytest.raises(ValueError, match=words):
            call()
