"""Signs by hand; against counting they are compared with all other measures, in test_quality."""

import pytest

from minilm.data.corpus.normalize import bare_codes
from minilm.data.corpus.symbols import symbol_shares, word_shapes
from minilm.data.corpus.words import ended, lines, raw_codes, words


def signs(*texts):
    codes = raw_codes(texts)
    return {name: values.tolist() for name, values in symbol_shares(codes, words(codes), lines(codes)).items()}


def shapes(*texts):
    codes = ended(bare_codes(texts))
    return {name: values.tolist() for name, values in word_shapes(codes, words(codes)).items()}


def test_words_with_a_letter():
    assert signs("a 1 b2 --", "中国1年")["words_with_a_letter"] == [0.5, 0.75]


def test_a_bullet_is_no_word_without_a_letter():
    assert signs("* a\n - b 1\n-c *", "-\n-", "-中")["words_with_a_letter"] == pytest.approx(
        [3 / 5, float("nan"), 1], nan_ok=True
    )


def test_a_run_is_one_ellipsis():
    assert signs("a..... b.. c… d……", "...", ".. ..")["ellipses_per_word"] == [3 / 4, 1, 0]


def test_an_ellipsis_does_not_reach_from_one_document_into_the_next():
    assert signs("a..", ".b", "…", "…")["ellipses_per_word"] == [0, 0, 1, 1]


def test_hashes():
    assert signs("#a ##b c d")["hashes_per_word"] == [0.75]


def test_lines():
    found = signs("* a\n - b...\nc…\n*\n\nd . . .", "")
    assert found["bullet_lines"] == pytest.approx([3 / 5, float("nan")], nan_ok=True)
    assert found["ellipsis_lines"] == pytest.approx([2 / 5, float("nan")], nan_ok=True)


def test_the_length_of_words_does_not_ask_for_punctuation_or_chinese():
    found = shapes("(two), three!", "GPU 是快的。", "中国")
    assert found["unspaced_words"] == [0, 0.75, 1]
    assert found["word_length"] == pytest.approx([4, 3, float("nan")], nan_ok=True)
