"""Words, lines and paragraphs: all documents at once against one at a time."""

import numpy as np
import pytest

from minilm.data.corpus.normalize import bare_codes, bare_text
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.shingles import text_hash
from minilm.data.corpus.words import (
    ended,
    lines,
    lines_plain,
    paragraphs,
    paragraphs_plain,
    ratio,
    raw_codes,
    span_hashes,
    words,
    words_plain,
)
from tests.data.corpus.texts import any_texts

LAID_OUT = [
    "",
    "\n",
    "a",
    " a \n\n b\nc ",
    "a\n \t\nb",
    "\n\n\na\n\n",
    "中，国\n\n\n…",
    "a\r\nb\r\n\r\nc",
    "a\x0bb\x85c",
]


def parts(find, codes):
    found = find(codes)
    whole = ["".join(map(chr, codes.values[a:b])) for a, b in zip(found.starts, found.ends, strict=True)]
    return [[whole[i] for i in row] for row in Ragged(np.arange(len(whole)), found.counts).rows()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Python 是一种语言。", ["Python", *"是一种语言"]),
        ("don't stop -- now!", ["don't", "stop", "--", "now!"]),
        ("“中国”，2023年……a中", [*"中国", "”，2023", "年", "……a", "中"]),
        ("日本のカメラ", [*"日本のカメラ"]),
        ("， ！", ["，", "！"]),
        ("", []),
    ],
)
def test_words_by_hand(text, expected):
    assert words_plain(text) == expected
    assert parts(words, raw_codes([text])) == [expected]


@pytest.mark.parametrize(
    ("find", "plain"), [(words, words_plain), (lines, lines_plain), (paragraphs, paragraphs_plain)]
)
def test_many_at_once_are_each_by_itself(find, plain):
    texts = [*any_texts(150), *LAID_OUT]
    assert parts(find, raw_codes(texts)) == [plain(text) for text in texts]
    assert parts(find, raw_codes([])) == []


def test_words_of_bare_texts():
    texts = any_texts(100, 1)
    assert parts(words, ended(bare_codes(texts))) == [words_plain(bare_text(text)) for text in texts]


def test_lines_and_paragraphs_by_hand():
    text = "one\n two \n\n \t\nthree\n"
    assert lines_plain(text) == ["one", "two", "three"]
    assert paragraphs_plain(text) == ["one\n two", "three"]


def test_hashes_are_those_of_the_text():
    codes = raw_codes(["to be or", "", "中 be"])
    assert span_hashes(codes, words(codes)).tolist() == [text_hash(word) for word in ("to", "be", "or", "中", "be")]
    assert span_hashes(codes, words(codes)._replace(starts=np.empty(0, int))).shape == (0,)


def test_of_nothing_nothing_can_be_said():
    assert ratio(np.array([1, 0]), np.array([4, 0])).tolist() == pytest.approx([0.25, float("nan")], nan_ok=True)


def test_bytes_are_no_text():
    with pytest.raises(TypeError, match="expected str instance, bytes found"):
        raw_codes(["a", b"b"])
