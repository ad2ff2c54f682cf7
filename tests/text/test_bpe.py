import random
import re
import string
import sys
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minilm.text import BPETokenizer, TokenizerError
from minilm.text.bpe import (
    DEFAULT_PATTERN,
    apply_merges,
    apply_merges_naive,
    learn_merges,
    learn_merges_naive,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
words = st.dictionaries(st.text("abc", max_size=14).map(str.encode), st.integers(1, 4), max_size=12)

ENGLISH = (
    "It's the first one, isn't it? They'll say that they've 12 of 345 items... 'tis so; we're done.\n\n  Done!\t" * 3
)
trained = BPETokenizer.train(
    ENGLISH + "Zürich 東京 naïve 🙂🙂 привет привет", vocab_size=320, special_tokens=["<|end|>"]
)


def tokens_of(merges):
    return [BPETokenizer(merges).id_to_bytes(256 + rank) for rank in range(len(merges))]


# ---- learning


def test_the_worked_example_of_sennrich_et_al():
    """Section 3.2: low 5 times, lower 2, newest 6, widest 3. Counted by hand, with ties going to smaller ids:

    e+s 9 (s+t 9 too, but e < s), es+t 9, l+o 7 (o+w 7 too), lo+w 7, e+w 6 (n+e and w+est 6 too), n+ew 6 (ew+est 6 too),
    new+est 6, and then 3 each: d+est, i+dest, w+idest.
    """
    counts = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    expected = [b"es", b"est", b"lo", b"low", b"ew", b"new", b"newest", b"dest", b"idest", b"widest"]
    assert tokens_of(learn_merges(counts, 10)) == expected
    assert tokens_of(learn_merges_naive(counts, 10)) == expected


def test_the_worked_example_of_gage():
    """aaabdaaabac: aa, then ab before (aa)a because its ids are smaller, then both together."""
    merges = learn_merges({b"aaabdaaabac": 1}, 10)
    assert merges == [(97, 97), (97, 98), (256, 257)]
    assert apply_merges(b"aaabdaaabac", {pair: rank for rank, pair in enumerate(merges)}) == [258, 100, 258, 97, 99]


@given(words=words, n_merges=st.integers(0, 30), min_count=st.integers(1, 3))
@example(words={b"aaaaaaa": 1, b"aaa": 2}, n_merges=9, min_count=1)
@example(words={b"abababab": 3, b"bababa": 2}, n_merges=9, min_count=1)
def test_fast_training_equals_naive_training(words, n_merges, min_count):
    assert learn_merges(words, n_merges, min_count) == learn_merges_naive(words, n_merges, min_count)


def test_fast_training_equals_naive_training_on_prose():
    counts = Counter(piece.encode() for piece in trained.split(ENGLISH))
    merges = learn_merges(counts, 50)
    assert merges == learn_merges_naive(counts, 50)
    assert len(merges) == 50


@given(words)
def test_the_order_of_the_words_does_not_matter(words):
    backwards = dict(reversed(list(words.items())))
    assert learn_merges(words, 20) == learn_merges(backwards, 20)


@given(words)
def test_no_two_merges_make_the_same_token(words):
    tokens = tokens_of(learn_merges(words, 30, min_count=1))
    assert len(set(tokens)) == len(tokens)


def test_training_is_the_same_for_one_text_and_for_its_pieces():
    whole = BPETokenizer.train("one two three two one", vocab_size=270)
    parts = BPETokenizer.train(iter(["one", " two three", " two one"]), vocab_size=270)
    assert whole.to_dict() == parts.to_dict()


def test_vocab_size_counts_bytes_merges_and_special_tokens():
    assert trained.vocab_size == 320
    assert trained.shortfall == 0
    assert len(trained.merges) == 320 - 256 - 1
    assert trained.special_tokens == {"<|end|>": 319}
    assert BPETokenizer.train("abc", vocab_size=256).merges == []


def test_a_text_too_small_for_the_vocabulary_says_by_how_much():
    tokenizer = BPETokenizer.train("low low lower", vocab_size=1000)
    assert tokens_of(tokenizer.merges) == [b"lo", b"low", b" low"]
    assert tokenizer.shortfall == 1000 - 259
    assert BPETokenizer.train("low low lower", vocab_size=1000, min_count=1).vocab_size == 261


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocab_size": 255}, "vocab_size=255 is too small: 256 bytes and 0 special tokens need at least 256"),
        ({"vocab_size": 257, "special_tokens": ["<a>", "<b>"]}, "need at least 258"),
        ({"vocab_size": 300.0}, r"integer of at least 1, got 300\.0"),
        ({"vocab_size": True}, "got True"),
        ({"vocab_size": 300, "min_count": 0}, "min_count must be an integer of at least 1, got 0"),
        ({"vocab_size": 300, "pattern": "("}, "not a regular expression"),
        ({"vocab_size": 300, "pattern": b"a"}, "a pattern is a str, got b'a'"),
        ({"vocab_size": 300, "pattern": r"\w+"}, "matches only 2 of the text's 3 characters"),
    ],
)
def test_bad_training_arguments_are_named(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        BPETokenizer.train("a b", **arguments)


@pytest.mark.parametrize("nothing", ["", [], ["", ""]])
def test_an_empty_training_text_is_an_error(nothing):
    with pytest.raises(TokenizerError, match="the training text is empty"):
        BPETokenizer.train(nothing, vocab_size=300)


# ---- cutting into pieces


def test_pieces_of_a_sentence():
    def pieces(text):
        return BPETokenizer([]).split(text)

    assert pieces("They've 12 items, isn't it?") == ["They", "'ve", " 12", " items", ",", " isn", "'t", " it", "?"]
    assert pieces("'tis 'sup o'er") == ["'", "tis", " '", "sup", " o", "'", "er"]
    assert pieces("a  b\n\n c \n") == ["a", " ", " b", "\n\n", " c", " \n"]
    assert pieces("snake_case x_1") == ["snake", "_", "case", " x", "_", "1"]
    assert pieces("Zürich 東京の привет٣") == ["Zürich", " 東京の", " привет", "٣"]
    assert pieces("🙂🙂!? \u200d") == ["🙂🙂!?", " \u200d"]
    assert pieces("") == []


@pytest.mark.slow
def test_every_character_that_exists_falls_into_one_piece():
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    for text in (everything, " ".join(everything), everything[::-1]):
        assert "".join(BPETokenizer([]).split(text)) == text
    for character in everything[:0x3000]:
        assert re.fullmatch(DEFAULT_PATTERN, character), repr(character)


# ---- encoding


@given(texts)
@example("\r\n \t\u2028\x1c\x85\ufeff")
@example("e\u0301 नमस्ते ﷽ 👨‍👩‍👧")
def test_is_lossless_on_any_text(text):
    assert trained.decode(trained.encode(text)) == text
    np.testing.assert_array_equal(trained.encode_array(text), trained.encode(text))


@given(st.binary())
@example(bytes(range(256)))
@example("\ud800".encode("utf-8", "surrogatepass"))
def test_is_lossless_on_any_bytes(data):
    assert trained.decode_bytes(trained.encode_bytes(data)) == data


@given(texts)
def test_bytes_of_a_text_get_the_ids_of_the_text(text):
    assert trained.encode_bytes(text.encode()) == trained.encode(text)


@given(words=words, data=st.data())
def test_fast_merging_equals_naive_merging(words, data):
    rank = {pair: i for i, pair in enumerate(learn_merges(words, 30, min_count=1))}
    piece = data.draw(st.text("abcd", max_size=20)).encode()
    assert apply_merges(piece, rank) == apply_merges_naive(piece, rank)
    for word in words:
        assert apply_merges(word, rank) == apply_merges_naive(word, rank)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8, unique=True),
    st.lists(st.integers(0, 3), max_size=16),
)
def test_fast_merging_equals_naive_merging_for_merges_nobody_learned(choices, piece):
    """Draw merges among four bytes and the ids made so far, which training would never choose together."""
    made = [0, 1, 2, 3]
    rank = {}
    for left, right in choices:
        pair = (made[-1 - left], made[-1 - right])
        if pair not in rank:
            rank[pair] = len(rank)
            made.append(255 + len(rank))
    assert apply_merges(bytes(piece), rank) == apply_merges_naive(bytes(piece), rank)


def test_every_token_encodes_to_itself():
    rank = {pair: i for i, pair in enumerate(trained.merges)}
    for id in range(trained.vocab_size - 1):
        assert apply_merges(trained.id_to_bytes(id), rank) == [id]


def test_merges_do_not_cross_pieces():
    tokenizer = BPETokenizer.train("a b " * 50, vocab_size=300)
    assert set(tokens_of(tokenizer.merges)) == {b" a", b" b"}


def test_a_second_encoding_is_the_same_as_the_first():
    fresh = BPETokenizer(trained.merges, special_tokens=["<|end|>"])
    assert fresh.encode(ENGLISH) == fresh.encode(ENGLISH) == trained.encode(ENGLISH)


def test_undecodable_bytes_do_not_smuggle_a_surrogate_past_the_check():
    tokenizer = BPETokenizer([])
    assert tokenizer.encode_bytes(b"\xff") == [255]
    with pytest.raises(TokenizerError, match=r"lone surrogate U\+DCFF at position 0"):
        tokenizer.encode("\udcff")


def test_half_a_character_decodes_to_the_replacement_character():
    snowman = list("☃".encode())
    tokenizer = BPETokenizer([])
    assert tokenizer.decode(snowman) == "☃"
    assert tokenizer.decode(snowman[:2]) == "\ufffd"
    assert tokenizer.decode_bytes(snowman[:2]) == b"\xe2\x98"
    assert tokenizer.id_to_token(255) == "\\xff"
    assert tokenizer.id_to_token(97) == "a"


def test_a_special_token_is_found_before_an_ordinary_one_of_the_same_name():
    tokenizer = BPETokenizer([(97, 98)], special_tokens=["ab"])
    assert tokenizer.encode("ab") == [256]
    assert tokenizer.encode("ab", allowed_special="all") == [257]
    assert tokenizer.token_to_id("ab") == 257
    assert tokenizer.token_to_id(b"ab") == 256
    assert tokenizer.id_to_bytes(257) == b"ab"


def test_a_custom_pattern_is_used_and_must_cover_the_text():
    characters = BPETokenizer.train("abab", vocab_size=300, pattern=r"[\s\S]")
    assert characters.merges == []
    letters = BPETokenizer([], pattern="[a-z]*")
    assert letters.encode("abc") == [97, 98, 99]
    with pytest.raises(TokenizerError, match="matches only 2 of the text's 3 characters"):
        letters.encode("a1b")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pieces_are_taken_some_at_a_time(monkeypatch, size):
    """However many at a time: those that match nothing are none, and a character that is left out at the end is missed."""
    monkeypatch.setattr("minilm.text.bpe.PIECES_AT_A_TIME", size)
    letters = BPETokenizer([(97, 98)], pattern="[a-c ]?")
    assert letters.split("ab c") == ["a", "b", " ", "c"]
    with pytest.raises(TokenizerError, match="matches only 4 of the text's 5 characters"):
        letters.encode("ab c1")


@pytest.mark.slow
def test_one_endless_piece_takes_no_endless_time():
    letters = random.Random(0).choices(string.ascii_lowercase, k=50_000)
    text = "".join(letters) + "a" * 50_000
    start = time.perf_counter()
    tokenizer = BPETokenizer.train(text, vocab_size=500)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert time.perf_counter() - start < 20  # quadratic code takes many minutes


# ---- merges that no training makes


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(97, 256)], r"merge 0 is \(97, 256\), but only the ids 0 to 255 exist before it"),
        ([(97, 98), (257, 97)], "merge 1"),
        ([(-1, 97)], "merge 0"),
        ([(97, 98), (97, 98)], "merge 1 makes the token b'ab', which an earlier merge already makes"),
        ([(97, 98), (98, 99), (97, 257), (256, 99)], "merge 3 makes the token b'abc'"),
        ([(97, 97), *((256 + i, 256 + i) for i in range(60))], "more than 67108864 bytes"),
    ],
)
def test_impossible_merges_are_refused(merges, message):
    with pytest.raises(TokenizerError, match=message):
        BPETokenizer(merges)


# ---- files


@given(words=words, special=st.lists(st.text(min_size=1, max_size=4).filter(str.isprintable), max_size=3, unique=True))
def test_to_dict_and_back(words, special):
    tokenizer = BPETokenizer(learn_merges(words, 20), special_tokens=special)
    again = BPETokenizer.from_dict(tokenizer.to_dict())
    assert again.to_dict() == tokenizer.to_dict()
    assert again.encode("abcabcaabbcc") == tokenizer.encode("abcabcaabbcc")


def test_a_pattern_from_a_file_must_be_vouched_for(tmp_path):
    path = tmp_path / "tokenizer.json"
    BPETokenizer([], pattern=r"[\s\S]").save(path)
    with pytest.raises(TokenizerError, match=r"if you trust it.*pattern="):
        BPETokenizer.load(path)
    with pytest.raises(TokenizerError, match="cuts text with the regular expression"):
        BPETokenizer.load(path, pattern="x")
    assert BPETokenizer.load(path, pattern=r"[\s\S]").pattern == r"[\s\S]"


# ---- speed


@pytest.mark.slow
def test_a_megabyte_trains_to_4096_merges_in_seconds():
    from pydoc_data.topics import topics

    text = "\n".join(topics.values())
    start = time.perf_counter()
    tokenizer = BPETokenizer.train(text, vocab_size=256 + 4096)
    trained_in = time.perf_counter() - start
    assert tokenizer.decode(tokenizer.encode_array(text)) == text
    assert tokenizer.shortfall == 0
    assert trained_in < 15
