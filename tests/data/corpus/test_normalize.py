"""The bare text of documents, one at a time and many at once."""

import sys
import unicodedata

import numpy as np
import pytest

from minilm.data.corpus.normalize import bare_codes, bare_text, content_lengths, is_punctuation, nfc
from tests.data.corpus.texts import any_texts


def fast(texts):
    return ["".join(map(chr, row)) for row in bare_codes(texts).rows()]


def test_nfc_composes():
    assert nfc("e\u0301") == "é"
    assert nfc("한") == nfc("\u1112\u1161\u11ab")


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Hello,  World!", "hello world"),
        ("\n\t - a list\r\n - of two \n", "a list of two"),
        ("don't $1.50", "dont 150"),
        ("你好，世界。\u3000再见！", "你好世界 再见"),
        ("“Straße” — ÉTÉ", "straße été"),
        ("ΟΔΟΣ", "οδοσ"),
        ("\U00010400\ud800", "\U00010428\ud800"),
        ("?!", ""),
        (" . , ", ""),
        ("", ""),
    ],
)
def test_by_hand(text, bare):
    assert bare_text(text) == bare
    assert fast([text]) == [bare]


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_are_each_by_itself(seed):
    texts = any_texts(200, seed)
    assert fast(texts) == [bare_text(text) for text in texts]


def test_every_character_by_itself():
    assert "".join(fast(list(map(chr, range(0x3100))))) == "".join(bare_text(chr(code)) for code in range(0x3100))


def test_behind_plane_one_nothing_has_case_or_is_left_out():
    """So the table need not ask about a million characters, most of which do not exist; checked on those that do."""
    for code in range(0x20000, sys.maxunicode + 1, 7):
        character = chr(code)
        assert unicodedata.category(character)[0] not in "PZ"
        assert character.lower() == character


def test_on_plain_english_it_is_what_was_published():
    import re
    import string

    text = "  SlimPajama: 1.21 T tokens\n\nbecame 627 B (that's half, or so) -- why?\t "
    published = re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation)).strip())
    assert bare_text(text) == published
    assert all(map(is_punctuation, string.punctuation))


def test_no_document_and_empty_ones():
    assert fast([]) == []
    assert fast(["", "", " "]) == ["", "", ""]


def test_spaces_do_not_count():
    texts = ["Two words, no more.", "", "  ", "一 二", "abc"]
    assert content_lengths(bare_codes(texts)).tolist() == [14, 0, 0, 2, 3]
    assert content_lengths(bare_codes([])).shape == (0,)


def test_codes_are_unsigned_numbers_of_32_bits():
    codes = bare_codes(["ab"])
    assert codes.values.dtype == np.uint32
    assert codes.counts.dtype == np.int64


def test_bytes_are_no_text():
    with pytest.raises(TypeError, match="expected str instance, bytes found"):
        bare_codes(["a", b"b"])
