"""How texts become a Bert's input, and the best span against brute force over all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.models.bert import best_spans, inputs
from minilm.text import CharTokenizer, WordPieceTokenizer

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENIZER = WordPieceTokenizer([*MARKS, "a", "b", "c", "##d"])
PAD, CLS, SEP, A, B, C, D = 0, 2, 3, 5, 6, 7, 8


def test_texts_are_framed_and_filled_up():
    ids, mask, segments = inputs(TOKENIZER, ["a b cd", "", "b"])
    np.testing.assert_array_equal(ids, [[CLS, A, B, C, D, SEP], [CLS, SEP, *[PAD] * 4], [CLS, B, SEP, *[PAD] * 3]])
    np.testing.assert_array_equal(mask, ids != PAD)
    assert mask.dtype == bool
    assert not segments.any()
    assert [x.shape for x in inputs(TOKENIZER, [])] == [(0, 1)] * 3


def test_pairs_are_two_segments():
    ids, mask, segments = inputs(TOKENIZER, ["a", "b b"], ["c", ""])
    np.testing.assert_array_equal(ids, [[CLS, A, SEP, C, SEP], [CLS, B, B, SEP, SEP]])
    np.testing.assert_array_equal(segments, [[0, 0, 0, 1, 1], [0, 0, 0, 0, 1]])
    assert mask.all()


def test_marks_in_a_text_are_text():
    """Nobody ends a text by typing a mark."""
    assert (inputs(TOKENIZER, ["[SEP]"]).ids == SEP).sum() == 1


def shortened(first, second, room):
    """The specification: one token after the other goes, from the longer text, of equal ones from the second."""
    while first + second > room:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


@pytest.mark.parametrize("room", [0, 1, 4, 5, 9])
def test_what_is_too_long_loses_tokens_of_the_longer_text(room):
    for n in range(10):
        for m in range(10):
            ids, _, segments = inputs(TOKENIZER, ["a " * n], ["b " * m], max_length=room + 3)
            assert ((ids == A).sum(), (ids == B).sum()) == shortened(n, m, room)
            assert segments.sum() == (ids == B).sum() + 1
        assert (inputs(TOKENIZER, ["a " * n], max_length=room + 2).ids == A).sum() == min(n, room)


def test_wrong_texts_are_named():
    with pytest.raises(ValueError, match="sequence of texts"):
        inputs(TOKENIZER, "a b")
    with pytest.raises(ValueError, match="pairs one of as many"):
        inputs(TOKENIZER, ["a", "b"], ["c"])
    with pytest.raises(ValueError, match="at least 3"):
        inputs(TOKENIZER, ["a"], ["b"], max_length=2)
    with pytest.raises(ValueError, match=r"no \[CLS\] and no \[SEP\] and no \[PAD\]"):
        inputs(CharTokenizer.train("abc"), ["a"])


def by_brute_force(start, end, longest, allowed):
    """All spans, the best first: of equal ones that which begins first, then the shortest."""
    spans = [
        (i, j) for i in range(len(start)) for j in range(i, min(i + longest, len(start))) if allowed[i] and allowed[j]
    ]
    return max(spans, key=lambda span: (start[span[0]] + end[span[1]], -span[0], -span[1]), default=None)


@given(st.data())
def test_the_best_span_is_that_of_brute_force(data):
    rows, length = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 8))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    start, end = (rng.integers(-3, 4, (rows, length)).astype(np.float32) for _ in range(2))  # with many ties
    longest, allowed = data.draw(st.integers(1, 10)), rng.random((rows, length)) < 0.8
    want = [by_brute_force(s, e, longest, a) for s, e, a in zip(start, end, allowed, strict=True)]
    if None in want:
        with pytest.raises(ValueError, match=f"text {want.index(None)} has no span"):
            best_spans(start, end, longest, allowed)
        return
    spans, scores = best_spans(start, ml.Tensor(end), longest, allowed)
    assert list(map(tuple, spans)) == want
    np.testing.assert_array_equal(scores, [s[i] + e[j] for s, e, (i, j) in zip(start, end, want, strict=True)])


def test_spans_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="one shape"):
        best_spans([[1.0, 2.0]], [[1.0]], 3)
    with pytest.raises(ValueError, match="max_length must be at least 1"):
        best_spans([[1.0]], [[1.0]], 0)
    for wrong in ([[np.nan, 1.0]], [[-np.inf, -np.inf]]):
        with pytest.raises(ValueError, match="text 0 has no span"):
            best_spans(wrong, [[1.0, 1.0]], 3)
    with pytest.raises(ValueError, match="text 0 has no span"):
        best_spans(np.zeros((1, 0)), np.zeros((1, 0)), 3)
