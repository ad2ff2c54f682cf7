"""Every tokenizer saved and loaded, and every way in which a file can be wrong."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minilm.text import BPETokenizer, CharTokenizer, TokenizerError, WordPieceTokenizer, load_tokenizer
from minilm.text.load import tokenizer_from_dict
from tests.anew import anew

TEXT = "low lower lowest; the slow ☃ snow\n" * 4

char = CharTokenizer.train(TEXT, special_tokens=["<|end|>"], unk_token="<unk>")
bpe = BPETokenizer.train(TEXT, vocab_size=280, special_tokens=["<|end|>", "<|päd|>"])
wordpiece = WordPieceTokenizer.train(TEXT, vocab_size=50, lower_case=False, max_input_chars_per_word=30)
TOKENIZERS = [char, bpe, wordpiece]
every_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.type_name)


@every_tokenizer
def test_a_saved_tokenizer_comes_back_the_same(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    for again in (load_tokenizer(path), load_tokenizer(str(path)), type(tokenizer).load(path)):
        assert type(again) is type(tokenizer)
        assert again.to_dict() == tokenizer.to_dict()
        assert again.special_tokens == tokenizer.special_tokens
        assert again.encode(TEXT + "<|end|>!", allowed_special=set()) == tokenizer.encode(TEXT + "<|end|>!")
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@every_tokenizer
def test_a_file_of_another_type_is_named(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    for other in {CharTokenizer, BPETokenizer, WordPieceTokenizer} - {type(tokenizer)}:
        with pytest.raises(TokenizerError, match=f"type '{tokenizer.type_name}', not '{other.type_name}'"):
            other.load(path)


@every_tokenizer
def test_any_cut_of_a_file_is_noticed(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    content = path.read_bytes()
    for end in range(len(content) - 2):
        anew(path).write_bytes(content[:end])
        with pytest.raises(TokenizerError) as raised:
            load_tokenizer(path)
        assert str(path) in str(raised.value)


@every_tokenizer
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "sentencepiece"}, "type 'sentencepiece'; this minilm knows"),
        ({"type": 3}, "field 'type' must be of type str, got 3"),
        ({"type": ["bpe"]}, "field 'type' must be of type str"),
        ({"version": 99}, "format version 99, this minilm reads version 1; update minilm"),
        ({"version": 2}, "format version 2, this minilm reads version 1; update minilm"),
        ({"version": True}, "field 'version' must be of type int, got True"),
        ({"version": 1.0}, "field 'version' must be of type int"),
        ({"__reduce__": "os.system"}, r"unexpected: \['__reduce__'\]"),
        ({"special_tokens": "abc"}, "field 'special_tokens' must be of type list"),
        ({"special_tokens": {"<|end|>": -1}}, "field 'special_tokens' must be of type list"),
        ({"special_tokens": [None]}, "field 'special_tokens' must hold strings, got None at position 0"),
        ({"special_tokens": ["[UNK]", "[UNK]", "<unk>"]}, "is given 2 times"),
        ({"special_tokens": ["", "<unk>"]}, "non-empty string"),
        ({"special_tokens": ["\ud800", "<unk>"]}, "lone surrogate"),
    ],
)
def test_bad_fields_that_all_tokenizers_have(tokenizer, change, message):
    with pytest.raises(TokenizerError, match=message):
        tokenizer_from_dict(tokenizer.to_dict() | change)


@every_tokenizer
def test_a_missing_field_is_named(tokenizer):
    for name in tokenizer.to_dict():
        fields = tokenizer.to_dict()
        del fields[name]
        with pytest.raises(TokenizerError, match=name):
            tokenizer_from_dict(fields)


@pytest.mark.parametrize(
    ("tokenizer", "change", "message"),
    [
        (char, {"characters": "abc"}, "field 'characters' must be of type list"),
        (char, {"characters": ["a", "bc"]}, "length 1, got 'bc'"),
        (char, {"characters": ["a", "a"]}, "'a' is given twice"),
        (char, {"characters": ["a", 1]}, "must hold strings, got 1 at position 1"),
        (char, {"unk_token": "<no>"}, "'<no>' is not among the special_tokens"),
        (char, {"unk_token": 0}, "field 'unk_token' must be of type str"),
        (bpe, {"merges": {}}, "field 'merges' must be of type list"),
        (bpe, {"merges": [[1, 2, 3]]}, "merge 0 must be a list of two integers"),
        (bpe, {"merges": [[1, 2], "ab"]}, "merge 1 must be a list of two integers"),
        (bpe, {"merges": [[1, 2.0]]}, "merge 0 must be a list of two integers"),
        (bpe, {"merges": [[True, 2]]}, "merge 0 must be a list of two integers"),
        (bpe, {"merges": [[-1, 2]]}, "only the ids 0 to 255 exist before it"),
        (bpe, {"merges": [[1, 256]]}, "only the ids 0 to 255 exist before it"),
        (bpe, {"merges": [[1, 257], [1, 256]]}, "merge 0"),
        (bpe, {"merges": [[1, 2], [1, 2]]}, "which an earlier merge already makes"),
        (bpe, {"merges": [[1, 1]] + [[i, i] for i in range(256, 400)]}, "bytes in all"),
        (bpe, {"pattern": "(a+)+$"}, "if you trust it, pass it yourself"),
        (bpe, {"pattern": None}, "field 'pattern' must be of type str"),
        (wordpiece, {"tokens": ["[UNK]"]}, "are not in the vocabulary"),
        (wordpiece, {"tokens": [*wordpiece.to_dict()["tokens"], "l"]}, "'l' has two ids"),
        (wordpiece, {"tokens": [*wordpiece.to_dict()["tokens"], ""]}, "non-empty string"),
        (wordpiece, {"tokens": [*wordpiece.to_dict()["tokens"], "\udfff"]}, "lone surrogate"),
        (wordpiece, {"unk_token": "l"}, "not among the special tokens"),
        (wordpiece, {"lower_case": 1}, "field 'lower_case' must be of type bool, got 1"),
        (wordpiece, {"strip_accents": "no"}, "field 'strip_accents' must be of type bool"),
        (wordpiece, {"max_input_chars_per_word": 0}, "at least 1"),
        (wordpiece, {"max_input_chars_per_word": True}, "must be of type int"),
    ],
)
def test_bad_fields_of_one_tokenizer(tokenizer, change, message, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tokenizer.to_dict() | change), "utf-8")
    with pytest.raises(TokenizerError, match=message) as raised:
        load_tokenizer(path)
    assert str(path) in str(raised.value)


WRONG = [
    None,
    True,
    5,
    1.5,
    "x",
    [],
    {},
    [5],
    [None],
    [[]],
    [{}],
    [True],
    ["a", 5],
    -1,
    "",
    ["a", "a"],
    [[1, 2], [1, 2]],
    [[5, 9999]],
]


@every_tokenizer
def test_any_field_with_a_value_of_another_type_is_named(tokenizer, tmp_path):
    path, fields = tmp_path / "tokenizer.json", tokenizer.to_dict()
    taken = {"unk_token": [None], "special_tokens": [[]], "merges": [[]]}
    tried = 0
    for name in fields:
        for value in WRONG:
            if type(value) is type(fields[name]) and name in (
                "max_input_chars_per_word",
                "lower_case",
                "strip_accents",
            ):
                continue
            anew(path).write_text(json.dumps(fields | {name: value}), "utf-8")
            try:
                load_tokenizer(path)
            except TokenizerError as error:
                words = str(error).replace("_", " ")
                # "merge 0", "token 3", "a special token": the place says more than the field
                assert name.replace("_", " ").removesuffix("s") in words or "vocabulary" in words, (name, value, words)
                assert str(path) in str(error)
                assert words.count("tokenizer file") == 1
            else:
                assert value in taken.get(name, []) or type(value) is type(fields[name]), (name, value)
            tried += 1
    assert tried > 80


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-300, 300) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(tokenizer=st.sampled_from(TOKENIZERS), data=st.data())
def test_any_value_in_any_field_loads_or_is_refused(tokenizer, data):
    fields = tokenizer.to_dict()
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(json_values)
    try:
        loaded = tokenizer_from_dict(fields)
    except TokenizerError:
        return
    loaded.decode(loaded.encode("", allowed_special="all"))
    assert loaded.to_dict() == fields


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tokenizer=st.sampled_from(TOKENIZERS), place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_any_changed_byte_loads_or_is_refused(tokenizer, place, byte, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    anew(path).write_bytes(content)
    try:
        loaded = load_tokenizer(path)
    except TokenizerError:
        return
    assert loaded.vocab_size == len({loaded.token_to_id(token) for token in all_tokens(loaded)})


def all_tokens(tokenizer):
    if isinstance(tokenizer, BPETokenizer):
        ordinary = tokenizer.vocab_size - len(tokenizer.special_tokens)
        return [*map(tokenizer.id_to_bytes, range(ordinary)), *tokenizer.special_tokens]
    return [tokenizer.id_to_token(id) for id in range(tokenizer.vocab_size)]


def test_a_file_that_is_not_there(tmp_path):
    for load in (load_tokenizer, CharTokenizer.load, BPETokenizer.load, WordPieceTokenizer.load):
        with pytest.raises(TokenizerError, match=r"there is no file .*none\.json"):
            load(tmp_path / "none.json")
