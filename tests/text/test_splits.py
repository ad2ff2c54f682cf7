"""The shadow is exact for the Unicode of this Python, on every code point; and what the known patterns cut."""

import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import BPETokenizer, TokenizerError
from minilm.text.splits import SPLITS, L, N, S, Splitter, shadow_of

ALL = "".join(map(chr, range(sys.maxunicode + 1)))


# Behind U+323AF only a few characters are assigned; all together take seconds.
@pytest.mark.parametrize("last", [0x323AF, pytest.param(sys.maxunicode, marks=pytest.mark.slow)])
def test_the_shadow_has_exactly_the_classes_of_unicode(last):
    text = ALL[: last + 1]
    shadow, categories = shadow_of(text), list(map(unicodedata.category, text))
    assert len(shadow) == len(text)

    def stands_in(classes):
        members = {c for c in set(shadow) if re.fullmatch(f"[{classes}]", c)}
        return [c in members for c in shadow]

    assert stands_in(L) == [category[0] == "L" for category in categories]
    assert stands_in(N) == [category[0] == "N" for category in categories]
    assert stands_in("0-9") == [category == "Nd" for category in categories]
    # White_Space: separators, and six control characters; to Python, four more.
    assert stands_in(S) == [c.isspace() and not "\x1c" <= c <= "\x1f" for c in text]
    # What means itself in a pattern stands only for itself.
    assert shadow[:128] == text[:128]
    assert set(shadow[128:]) == {"a", "S", "0", "½", "\t", "."}
    assert text[shadow.index("S", 128)] == "ſ"
    assert shadow.count("S") == 2


def test_our_own_pattern_cuts_as_it_does_without_the_shadow():
    text = ALL[:0xD800] + ALL[0xE000:0x20000]
    assert list(Splitter(["minilm"])(text)) == BPETokenizer([]).split(text)


@pytest.mark.slow  # every code point beside spaces and apostrophes takes seconds
def test_our_own_pattern_cuts_as_it_does_without_the_shadow_beside_other_characters():
    text = ALL[:0xD800] + ALL[0xE000:]
    for between in (" ", "'s", "' ", "1"):
        assert list(Splitter(["minilm"])(between.join(text))) == BPETokenizer([]).split(between.join(text))


@given(st.text())
def test_our_own_pattern_cuts_any_text_as_without_the_shadow(text):
    assert list(Splitter(["minilm"])(text)) == BPETokenizer([]).split(text)


@given(st.text(), st.lists(st.sampled_from(sorted(SPLITS)), max_size=3))
def test_the_pieces_are_the_text(text, names):
    pieces = list(Splitter(names)(text))
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("names", "pieces"),
    [
        (["gpt2"], ["It", "'s", "  ", " 2024", " o", "'", "clock", "²", "\n\n", " X", "'", "S", "!!", " "]),
        (["digits", "gpt2"], ["It", "'s", "   ", *"2024", " o", "'", "clock", "²", "\n\n", " X", "'", "S", "!!", " "]),
        (["numbers", "gpt2"], ["It", "'s", "   ", "2024", " o", "'", "clock", "²", "\n\n", " X", "'", "S", "!!", " "]),
        (["llama3"], ["It", "'s", "  ", " ", "202", "4", " o", "'clock", "²", "\n\n", " X", "'S", "!!", " "]),
        (["qwen2"], ["It", "'s", "  ", " ", *"2024", " o", "'clock", "²", "\n\n", " X", "'S", "!!", " "]),
        (["minilm"], ["It", "'s", "  ", " 2024", " o", "'", "clock²", "\n\n", " X", "'", "S", "!!", " "]),
        ([], ["It's   2024 o'clock²\n\n X'S!! "]),
    ],
)
def test_pieces_of_a_sentence(names, pieces):
    assert list(Splitter(names)("It's   2024 o'clock²\n\n X'S!! ")) == pieces
    assert list(Splitter(names)("")) == []


def test_an_unknown_way_is_named():
    with pytest.raises(TokenizerError, match="no way of cutting text called 'gpt5'"):
        Splitter(["gpt2", "gpt5"])


@pytest.mark.parametrize("name", SPLITS)
def test_a_long_run_takes_no_endless_time(name):
    start = time.process_time()
    for text in (
        " " * 100_000 + "x",
        "\n \t" * 50_000,
        "'" * 100_000,
        "a" * 100_000,
        "½" * 100_000,
        "\u3000" * 100_000,
    ):
        assert "".join(Splitter([name])(text)) == text
    assert time.process_time() - start < 5  # quadratic cutting takes minutes
