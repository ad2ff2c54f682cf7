"""What characters are: the table against the function, in all planes."""

import sys
import unicodedata

import numpy as np

from minilm.data.corpus.characters import HAN, LETTER, SPACE, UNSPACED, WRITTEN, kind, kinds


def test_by_hand():
    assert kind("a") == kind("é") == kind("한") == LETTER | WRITTEN
    assert kind("7") == WRITTEN
    assert kind("中") == kind("𠀀") == LETTER | WRITTEN | UNSPACED | HAN
    assert kind("か") == kind("ก") == LETTER | WRITTEN | UNSPACED
    assert kind("〇") == WRITTEN | UNSPACED | HAN
    assert kind("\u0e31") == UNSPACED  # a vowel sign of Thai
    assert kind("\u3000") == kind("\n") == SPACE
    assert kind("，") == kind("・") == kind("…") == kind("\ud800") == kind("\U000e0041") == 0


def test_the_table_is_the_function():
    codes = np.concatenate([np.arange(0x20000, step=11), np.arange(0x20000, 0x110000, 997)]).astype(np.uint32)
    assert kinds(codes).tolist() == [kind(chr(code)) for code in codes]


def test_behind_plane_one_all_letters_are_chinese_and_nothing_is_white_space():
    """So the function need not ask about a million characters; checked on those that do exist."""
    for code in range(0x20000, sys.maxunicode + 1, 31):
        character = chr(code)
        assert not character.isspace()
        assert not character.isalpha() or unicodedata.name(character).startswith("CJK")
