import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import BPETokenizer, TokenizerError, WordPieceTokenizer
from minilm.text.bert_input import encode_pair, lengths_kept, pad_batch
from minilm.text.huggingface import read_tokenizer_json
from minilm.text.wordpiece import basic_tokenize, words_with_places
from tests.text.published import STRANGE, wordpiece_json


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert") / "tokenizer.json"
    path.write_text(json.dumps(wordpiece_json()), "utf-8")
    return read_tokenizer_json(path)


def tokens(tokenizer, encoding):
    return [tokenizer.id_to_token(id) for id in encoding.ids]


def test_one_text_and_two(bert):
    one = encode_pair(bert, "Lowest run!", with_offsets=True)
    assert tokens(bert, one) == ["[CLS]", "low", "##est", "run", "!", "[SEP]"]
    assert one.token_type_ids == [0] * 6
    assert one.offsets == [(0, 0), (0, 3), (3, 6), (7, 10), (10, 11), (0, 0)]
    assert one.text_index == [-1, 0, 0, 0, 0, -1]
    two = encode_pair(bert, "low", "new", with_offsets=True)
    assert tokens(bert, two) == ["[CLS]", "low", "[SEP]", "new", "[SEP]"]
    assert two.token_type_ids == [0, 0, 0, 1, 1]
    assert two.text_index == [-1, 0, -1, 1, -1]
    assert two.offsets == [(0, 0), (0, 3), (0, 0), (0, 3), (0, 0)]
    assert tokens(bert, encode_pair(bert, "", "")) == ["[CLS]", "[SEP]", "[SEP]"]


def test_a_text_cannot_end_itself(bert):
    assert encode_pair(bert, "a [SEP] b").ids.count(bert.token_to_id("[SEP]")) == 1


def test_the_longest_is_cut_first(bert):
    cut = encode_pair(bert, "a b c", "a b c e h i l o", max_length=9)
    assert tokens(bert, cut) == ["[CLS]", "a", "b", "c", "[SEP]", "a", "b", "c", "[SEP]"]
    cut = encode_pair(bert, "a b c e h i", "a", max_length=6, with_offsets=True)
    assert tokens(bert, cut) == ["[CLS]", "a", "b", "[SEP]", "a", "[SEP]"]
    assert len(cut.offsets) == len(cut.token_type_ids) == len(cut.text_index) == 6
    assert tokens(bert, encode_pair(bert, "a b c", max_length=3)) == ["[CLS]", "a", "[SEP]"]
    assert tokens(bert, encode_pair(bert, "a b c", max_length=2)) == ["[CLS]", "[SEP]"]
    assert lengths_kept([3, 3], 5) == [2, 3]
    assert lengths_kept([9, 4], 5) == [3, 2]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))
def test_cutting_one_token_after_the_other_from_the_longest(first, second, room):
    kept = lengths_kept([first, second], room)
    wanted = [first, second]
    while sum(wanted) > room:
        wanted[wanted[1] >= wanted[0]] -= 1
    assert sorted(kept) == sorted(wanted)
    assert sum(kept) == min(room, first + second)
    assert kept[0] <= first
    assert kept[1] <= second
    assert kept in (wanted, wanted[::-1])


def test_a_batch(bert):
    batch = pad_batch([encode_pair(bert, "low", "new"), encode_pair(bert, "a")], bert, length=6)
    np.testing.assert_array_equal(batch.attention_mask, [[True] * 5 + [False], [True] * 3 + [False] * 3])
    np.testing.assert_array_equal(batch.token_type_ids, [[0, 0, 0, 1, 1, 0], [0] * 6])
    assert batch.ids[1].tolist() == [12, bert.token_to_id("a"), 13, 0, 0, 0]
    assert batch.ids.dtype == np.int64
    assert batch.attention_mask.dtype == bool
    assert pad_batch([encode_pair(bert, "a")], bert).ids.shape == (1, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda bert: encode_pair(bert, "a", max_length=1), r"no room for \[CLS\] and 1 \[SEP\]"),
        (lambda bert: encode_pair(bert, "a", "b", max_length=2), r"no room for \[CLS\] and 2 \[SEP\]"),
        (lambda bert: encode_pair(bert, "a", max_length=0), "at least 1"),
        (lambda bert: pad_batch([], bert), "at least one input"),
        (lambda bert: pad_batch([encode_pair(bert, "a")], bert, length=2), "has 3 tokens, more than length=2"),
        (
            lambda bert: encode_pair(WordPieceTokenizer(["[UNK]", "a"], special_tokens=["[UNK]"]), "a"),
            r"special token \[CLS\]",
        ),
    ],
)
def test_what_cannot_be(call, message, bert):
    with pytest.raises(TokenizerError, match=message):
        call(bert)


texts = st.text() | st.text("aA é\u0301\u0327İΣσ가京.\x00\u200d") | st.sampled_from(STRANGE)


@given(texts, st.booleans(), st.booleans())
def test_words_with_places_are_the_words(text, lower_case, strip_accents):
    found = words_with_places(text, lower_case=lower_case, strip_accents=strip_accents)
    assert [word for word, _ in found] == basic_tokenize(text, lower_case=lower_case, strip_accents=strip_accents)
    for word, places in found:
        assert len(word) == len(places)
        for one, place in zip(word, places, strict=True):
            assert one in basic_tokenize(text[place], lower_case=lower_case, strip_accents=strip_accents)[0]


@given(texts)
def test_offsets_do_not_change_the_ids(text):
    trained = BPETokenizer([(32, 97), (256, 98)])
    ids, spans = trained.encode_with_offsets(text)
    assert ids == trained.encode(text)
    assert len(spans) == len(ids)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    for id, (start, end) in zip(ids, spans, strict=True):
        assert trained.id_to_bytes(id) in text[start:end].encode()
