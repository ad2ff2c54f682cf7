import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import TokenizerError, WordPieceTokenizer
from minilm.text.wordpiece import basic_tokenize, learn_pieces, learn_pieces_naive

words = st.dictionaries(st.text("abcd", min_size=1, max_size=8), st.integers(1, 6), max_size=12)

# ---- cutting into words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!\n", ["hello", ",", "world", "!"]),
        ("Who's there?", ["who", "'", "s", "there", "?"]),
        ("Café NAÏVE", ["cafe", "naive"]),
        ("a$b^c~d`e", ["a", "$", "b", "^", "c", "~", "d", "`", "e"]),
        ("我爱NLP吗", ["我", "爱", "nlp", "吗"]),
        ("ひらがな カタカナ", ["ひらかな", "カタカナ"]),
        ("a\x00b\ufffdc\u200dd", ["abcd"]),
        ("a\u00a0b\tc\u3000d\u2028e", ["a", "b", "c", "d", "e"]),
        ("x\U0002b820y", ["x", "\U0002b820", "y"]),
        ("«quoted» — ¿qué?", ["«", "quoted", "»", "—", "¿", "que", "?"]),
        ("ΟΔΟΣ ὁδός", ["οδοσ", "οδος"]),
        ("a\ue000b", ["ab"]),
        ("", []),
        (" \n", []),
    ],
)
def test_words_of_a_text(text, expected):
    assert basic_tokenize(text) == expected


def test_case_and_accents_stay_when_asked():
    assert basic_tokenize("Café", lower_case=False, strip_accents=False) == ["Café"]
    assert basic_tokenize("Café", lower_case=True, strip_accents=False) == ["café"]
    assert basic_tokenize("Café", lower_case=False, strip_accents=True) == ["Cafe"]


@given(st.text())
def test_words_are_not_empty_and_stay_words(text):
    cut = basic_tokenize(text, lower_case=False, strip_accents=False)
    assert all(cut)
    assert basic_tokenize(" ".join(cut), lower_case=False, strip_accents=False) == cut


# ---- learning


def test_a_worked_example():
    """hug 10, pug 5, pun 12, bun 4, hugs 5. Counts: h 15, p 17, b 4, ##u 36, ##g 20, ##n 16, ##s 5.

    g+s has 5 / (20 x 5) = 1/20. Every other pair has u in it and a partner that is never without u, so 1/36: g+s is
    first. Now g 15, gs 5, and every pair has 1/36; of these, u+g has the smallest ids.
    """
    counts = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    alphabet = ["##g", "##n", "##s", "##u", "b", "h", "p"]
    for learn in (learn_pieces, learn_pieces_naive):
        assert learn(counts, 9) == [*alphabet, "##gs", "##ug"]


@given(words=words, extra=st.integers(0, 25), min_count=st.integers(1, 4))
def test_fast_training_equals_naive_training(words, extra, min_count):
    fast = learn_pieces(words, extra + 4, min_count)
    assert fast == learn_pieces_naive(words, extra + 4, min_count)
    assert len(set(fast)) == len(fast)


def test_fast_training_equals_naive_training_on_prose():
    text = "the cat sat on the mat and the rat sat on the cat; that is what the fat cat and the rat did. " * 2
    counts = {}
    for word in basic_tokenize(text + "Another story of another mother and of her other brother's bother."):
        counts[word] = counts.get(word, 0) + 1
    assert learn_pieces(counts, 90, 1) == learn_pieces_naive(counts, 90, 1)


def test_vocabulary_is_special_tokens_then_alphabet_then_pieces():
    tokenizer = WordPieceTokenizer.train("hug hug hugs pug", vocab_size=13)
    tokens = [tokenizer.id_to_token(id) for id in range(tokenizer.vocab_size)]
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert tokens[5:10] == ["##g", "##s", "##u", "h", "p"]
    assert tokenizer.vocab_size == 12
    assert tokenizer.shortfall == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocab_size": 7}, "vocab_size=7 is too small: 5 special tokens and an alphabet of 3 need at least 8"),
        ({"vocab_size": 0}, "at least 1, got 0"),
        ({"vocab_size": 20, "min_count": 0}, "min_count"),
        ({"vocab_size": 20, "special_tokens": ["<pad>"]}, r"\['\[UNK\]'\] are not in the vocabulary"),
        ({"vocab_size": 20, "max_input_chars_per_word": 2}, "no words"),
    ],
)
def test_bad_training_arguments_are_named(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        WordPieceTokenizer.train("abc", **arguments)


@pytest.mark.parametrize("nothing", ["", " \n ", []])
def test_a_training_text_without_words_is_an_error(nothing):
    with pytest.raises(TokenizerError, match="no words"):
        WordPieceTokenizer.train(nothing, vocab_size=100)


# ---- encoding

BERT_LIKE = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##aff",
    "##able",
    "##a",
    "runn",
    "##ing",
    "run",
    ",",
    "pad",
    "a",
]
bert_like = WordPieceTokenizer(BERT_LIKE, special_tokens=BERT_LIKE[:4])


def encoded(text, **options):
    return [bert_like.id_to_token(id) for id in bert_like.encode(text, **options)]


def test_longest_match_first():
    assert encoded("unaffable, Running") == ["un", "##aff", "##able", ",", "runn", "##ing"]
    assert encoded("UNA") == ["un", "##a"]


def test_a_word_without_a_way_through_is_unknown_as_a_whole():
    assert encoded("unaffablex running") == ["[UNK]", "runn", "##ing"]
    # Greedy: "runa" begins with "run" and ends with "##a", but "runni" takes "runn" and is stuck.
    assert encoded("runa runni") == ["run", "##a", "[UNK]"]


def test_a_word_that_is_too_long_is_unknown():
    assert encoded("un" + "a" * 98)[:2] == ["un", "##a"]
    assert encoded("un" + "a" * 99) == ["[UNK]"]


def test_special_tokens_in_text_are_ordinary_words_unless_allowed():
    assert encoded("[CLS] a") == ["[UNK]", "[UNK]", "[UNK]", "a"]
    assert encoded("[CLS]a[SEP]", allowed_special="all") == ["[CLS]", "a", "[SEP]"]
    words_as_special = WordPieceTokenizer(["[UNK]", "end", "a"], special_tokens=["[UNK]", "end"])
    assert words_as_special.encode("end a") == [0, 2]
    assert words_as_special.encode("end a", allowed_special={"end"}) == [1, 2]


def test_decoding_joins_the_pieces_of_words():
    assert bert_like.decode(bert_like.encode("Unaffable,  running")) == "unaffable , running"
    assert bert_like.decode([2, 10, 3]) == "[CLS] run [SEP]"
    assert bert_like.decode([]) == ""
    assert bert_like.encode("") == []


@given(st.lists(st.text("abcABC", min_size=1, max_size=6), max_size=8).map(" ".join))
def test_only_case_is_lost_on_words_of_the_alphabet(text):
    tokenizer = WordPieceTokenizer.train("abc bca cab aabbcc bcacb acbac", vocab_size=25)
    assert tokenizer.decode(tokenizer.encode(text)) == text.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": ["[UNK]", "a", "a"]}, "'a' has two ids, 1 and 2"),
        ({"tokens": ["[UNK]", ""]}, "token 1 must be a non-empty string"),
        ({"tokens": ["[UNK]", 5]}, "token 1 must be a non-empty string, got 5"),
        ({"tokens": ["a"]}, "are not in the vocabulary"),
        ({"tokens": ["[UNK]", "a"], "unk_token": "a"}, "not among the special tokens"),
        ({"tokens": ["[UNK]"], "max_input_chars_per_word": 0}, "at least 1"),
    ],
)
def test_bad_vocabularies_are_refused(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        WordPieceTokenizer(**{"special_tokens": ["[UNK]"], **arguments})


# ---- vocab.txt


def test_a_vocabulary_file_of_bert(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*BERT_LIKE, "\u2028", "é"]).encode() + b"\n")
    tokenizer = WordPieceTokenizer.from_vocab_file(path)
    assert tokenizer.vocab_size == len(BERT_LIKE) + 2
    assert tokenizer.special_tokens == {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    assert tokenizer.encode("unaffable, running") == bert_like.encode("unaffable, running")
    path.write_bytes("\r\n".join(["[UNK]", "É"]).encode())
    assert WordPieceTokenizer.from_vocab_file(path, lower_case=False, strip_accents=False).encode("É é") == [1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "token 0 must be a non-empty string"),
        (b"[UNK]\n\na\n", "token 1 must be a non-empty string"),
        (b"a\nb\n", r"\[UNK\]"),
        (b"[UNK]\na\na\n", "'a' has two ids"),
        (b"[UNK]\n\xff\n", r"not UTF-8 text \(byte 6\)"),
    ],
)
def test_bad_vocabulary_files_are_named(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=message) as raised:
        WordPieceTokenizer.from_vocab_file(path)
    assert str(path) in str(raised.value)


def test_a_vocabulary_file_that_is_not_there(tmp_path):
    with pytest.raises(TokenizerError, match=r"there is no file .*vocab\.txt"):
        WordPieceTokenizer.from_vocab_file(tmp_path / "vocab.txt")


# ---- speed


@pytest.mark.slow
def test_a_megabyte_trains_to_4096_pieces_in_seconds():
    from pydoc_data.topics import topics

    text = "\n".join(topics.values())
    start = time.perf_counter()
    tokenizer = WordPieceTokenizer.train(text, vocab_size=4096)
    assert time.perf_counter() - start < 30
    assert tokenizer.shortfall == 0
    assert tokenizer.token_to_id("[UNK]") not in tokenizer.encode(text)
