import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import CharTokenizer, TokenizerError

# Everything that UTF-8 can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts)
def test_is_lossless_on_the_text_it_was_trained_on(text):
    tokenizer = CharTokenizer.train(text + "x")
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert len(ids) == len(text)
    np.testing.assert_array_equal(tokenizer.encode_array(text), ids)


def test_ids_are_the_ranks_of_the_sorted_characters():
    tokenizer = CharTokenizer.train("hello world")
    assert tokenizer.encode(" dehlorw") == list(range(8))
    assert tokenizer.vocab_size == 8
    assert tokenizer.token_to_id("l") == 4
    assert tokenizer.id_to_token(4) == "l"


def test_an_iterable_of_texts_trains_like_their_union():
    assert CharTokenizer.train(["ab", "", "bc"]).to_dict() == CharTokenizer.train("abc").to_dict()


@pytest.mark.parametrize(
    ("character", "message"),
    [
        ("Z", r"'Z' \(U\+005A\) at position 3"),
        ("a", r"'a' \(U\+0061\) at position 3"),
        ("🙂", r"\(U\+1F642\) at position 3"),
    ],
)
def test_an_unknown_character_is_named_with_its_place(character, message):
    tokenizer = CharTokenizer.train("bcdefg")
    with pytest.raises(TokenizerError, match=message):
        tokenizer.encode("bcd" + character + "e" + character)


def test_the_place_of_an_unknown_character_counts_the_special_tokens_before_it():
    tokenizer = CharTokenizer.train("ab", special_tokens=["<end>"])
    with pytest.raises(TokenizerError, match="position 7"):
        tokenizer.encode("ab<end>?", allowed_special="all")


def test_unk_token_stands_for_unknown_characters():
    tokenizer = CharTokenizer.train("abc", unk_token="<unk>")
    assert tokenizer.encode("a🙂c\x00") == [0, 3, 2, 3]
    assert tokenizer.decode([0, 3]) == "a<unk>"
    assert tokenizer.special_tokens == {"<unk>": 3}
    assert CharTokenizer.train("abc", special_tokens=["<unk>", "<end>"], unk_token="<unk>").vocab_size == 5


def test_special_tokens_are_text_unless_allowed():
    tokenizer = CharTokenizer.train("<end> ab", special_tokens=["<end>"])
    assert tokenizer.decode(tokenizer.encode("a<end>b")) == "a<end>b"
    assert len(tokenizer.encode("a<end>b")) == 7
    assert tokenizer.encode("a<end>b", allowed_special="all") == [
        tokenizer.token_to_id("a"),
        tokenizer.vocab_size - 1,
        tokenizer.token_to_id("b"),
    ]


def test_arrays_are_as_small_as_the_vocabulary_allows():
    assert CharTokenizer.train("ab").encode_array("ab").dtype == np.uint16
    characters = [chr(code) for code in range(0x10000, 0x10000 + 65536)]
    full = CharTokenizer(characters)
    assert full.encode_array(characters[-1]).dtype == np.uint16
    assert full.encode(characters[-1]) == [65535]
    beyond = CharTokenizer(characters, special_tokens=["<end>"])
    assert beyond.encode_array("<end>", allowed_special="all").dtype == np.uint32
    assert beyond.encode("<end>", allowed_special="all") == [65536]


def test_empty_text():
    tokenizer = CharTokenizer.train("a")
    assert tokenizer.encode("") == []
    assert tokenizer.encode_array("").dtype == np.uint16
    assert tokenizer.decode([]) == ""
    assert CharTokenizer([], unk_token="?").encode("ab") == [0, 0]
    with pytest.raises(TokenizerError, match="the training text is empty"):
        CharTokenizer.train("")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"characters": ["ab"]}, "length 1, got 'ab'"),
        ({"characters": [""]}, "length 1"),
        ({"characters": [1]}, "length 1, got 1"),
        ({"characters": "aba"}, "'a' is given twice"),
        ({"characters": "\ud800"}, "lone surrogate"),
        ({"characters": "ab", "special_tokens": ["a"]}, "'a' is already a character"),
        ({"characters": "ab", "unk_token": "b"}, "'b' is already a character"),
        ({"characters": "ab", "unk_token": ""}, "non-empty string"),
    ],
)
def test_bad_vocabularies_are_refused(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        CharTokenizer(**arguments)
