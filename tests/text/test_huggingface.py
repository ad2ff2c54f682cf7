"""tokenizer.json read and written, and every component that is something else than what is supported."""

import copy
import json
import random

import pytest

from minilm.text import (
    BPETokenizer,
    CharTokenizer,
    PublishedBPETokenizer,
    TokenizerError,
    WordPieceTokenizer,
    load_tokenizer,
)
from minilm.text.huggingface import (
    read_tokenizer_json,
    read_vocab_and_merges,
    tokenizer_from_gguf,
    write_tokenizer_json,
)
from minilm.text.splits import SPLITS
from tests.text import published
from tests.text.published import SAMPLE, STRANGE, TRAINED, added, bpe_json, byte_level, gguf_metadata, wordpiece_json


def read(fields, folder):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(fields), "utf-8")
    return read_tokenizer_json(path)


def changed(fields, place, value):
    """The fields with another value at a place such as "model.dropout"; with Ellipsis, without the place."""
    fields = copy.deepcopy(fields)
    *path, last = [int(name) if name.isdigit() else name for name in place.split(".")]
    inner = fields
    for name in path:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return fields


# ---- byte-level BPE


def test_ids_are_those_of_the_merges_wherever_they_stand(tmp_path):
    """The vocabulary is that of TRAINED, turned around behind two special tokens: id i there is 301 - i here."""
    fields = bpe_json()
    fields["pre_tokenizer"] = byte_level()
    tokenizer = read(fields, tmp_path)
    assert isinstance(tokenizer, PublishedBPETokenizer)
    for text in ("low lower lowest, the newest wide; it's now", "Größe 🙂", ""):
        assert tokenizer.encode(text) == [301 - id for id in TRAINED.encode(text)]
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.token_to_id("<|user|>") == 1
    assert tokenizer.token_to_id(b" lo") == 301 - TRAINED.token_to_id(b" lo")
    assert tokenizer.id_to_bytes(301) == b"\x00"


def test_digits_stand_alone(tmp_path):
    tokenizer = read(bpe_json(), tmp_path)
    assert tokenizer.split("in 2024 x12") == ["in", " ", "2", "0", "2", "4", " x", "1", "2"]
    assert b"20" not in map(tokenizer.id_to_bytes, tokenizer.encode("20 20 20"))
    fields = changed(bpe_json(), "pre_tokenizer.pretokenizers.0.individual_digits", False)
    assert read(fields, tmp_path).split("in 2024") == ["in", " ", "2024"]


def test_text_becomes_a_special_token_only_where_it_may(tmp_path):
    for tokenizer in (read(bpe_json(), tmp_path), tokenizer_from_gguf(gguf_metadata())):
        text = "low<|end|>"
        assert tokenizer.encode(text, allowed_special="all")[-1] == 0
        assert tokenizer.encode(text, allowed_special={"<|end|>"})[-1] == 0
        for ids in (
            tokenizer.encode(text),
            tokenizer.encode_bytes(text.encode()),
            tokenizer.encode(text, allowed_special={"<|user|>"}),
        ):
            assert not {0, 1} & set(ids)
        assert tokenizer.special_tokens == {"<|end|>": 0, "<|user|>": 1}
        assert tokenizer.decode([0, *tokenizer.encode("low")]) == "<|end|>low"


def test_an_added_token_that_is_not_special_is_a_word_of_any_text(tmp_path):
    fields = bpe_json()
    fields["added_tokens"].append(added(302, "<tool>", special=False, lstrip=True))
    tokenizer = read(fields, tmp_path)
    assert tokenizer.special_tokens == {"<|end|>": 0, "<|user|>": 1}
    ids, spans = tokenizer.encode_with_offsets("low  <tool>x")
    assert ids == [*tokenizer.encode("low"), 302, *tokenizer.encode("x")]
    assert spans[-2:] == [(5, 11), (11, 12)]  # the spaces are its own, and trimmed
    assert tokenizer.encode_bytes(b"<tool>") == [302]
    assert tokenizer.token_to_id("<tool>") == 302
    fields["added_tokens"].append(added(303, "end", special=False))
    assert 303 not in read(fields, tmp_path).encode("<|end|>")  # ordinary text from its first character to its last


@pytest.mark.parametrize("name", [name for name, split in SPLITS.items() if split.published])
def test_known_patterns(name, tmp_path):
    split = {"type": "Split", "pattern": {"Regex": SPLITS[name].published}, "behavior": "Isolated", "invert": False}
    fields = bpe_json()
    fields["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte_level(use_regex=False)]}
    assert read(fields, tmp_path).splits == (name,)
    split |= {"behavior": "Removed", "invert": True}
    assert read(fields, tmp_path).splits == (name,)
    split["invert"] = False
    with pytest.raises(TokenizerError, match="pre_tokenizer Split with Removed and invert False is not supported"):
        read(fields, tmp_path)


def test_a_token_before_each_text_is_told_and_not_added(tmp_path):
    fields = bpe_json()
    special = {"<|user|>": {"id": "<|user|>", "ids": [1], "tokens": ["<|user|>"]}}
    single = [{"SpecialToken": {"id": "<|user|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": special}
    fields["post_processor"] = {"type": "Sequence", "processors": [byte_level(), template]}
    tokenizer = read(fields, tmp_path)
    assert tokenizer.add_bos
    assert tokenizer.bos_id == 1
    assert 1 not in tokenizer.encode("low")
    write_tokenizer_json(tokenizer, tmp_path / "again.json")
    assert read_tokenizer_json(tmp_path / "again.json").to_dict() == tokenizer.to_dict()


def test_a_piece_that_is_a_token_is_taken_whole_where_merges_are_ignored(tmp_path):
    fields = changed(bpe_json(), "model.merges", published.merges()[:2])
    low = fields["model"]["vocab"]["Ġlow"]
    assert read(fields, tmp_path).encode(" low") != [low]
    assert read(changed(fields, "model.ignore_merges", True), tmp_path).encode(" low") == [low]


def test_qwen_is_normalized(tmp_path):
    tokenizer = read(changed(bpe_json(), "normalizer", {"type": "NFC"}), tmp_path)
    assert tokenizer.encode("e\u0301") == tokenizer.encode("é")
    assert tokenizer.encode_with_offsets("é")[1] == [(0, 1), (0, 1)]
    with pytest.raises(TokenizerError, match="not in Unicode's form NFC"):
        tokenizer.encode_with_offsets("e\u0301")


def test_a_byte_without_a_token_is_named(tmp_path):
    fields = bpe_json()
    del fields["model"]["vocab"][published.spelled(b"\x00")]  # the last id
    tokenizer = read(fields, tmp_path)
    with pytest.raises(TokenizerError, match="no token for the byte 0x00"):
        tokenizer.encode("a\x00b")


def test_merges_are_strings_or_pairs_and_the_first_comes_first(tmp_path):
    fields = bpe_json()
    pairs = changed(fields, "model.merges", [merge.split(" ") for merge in published.merges()])
    assert read(pairs, tmp_path).to_dict() == read(fields, tmp_path).to_dict()
    fields["model"]["vocab"] = {token: id for id, token in enumerate(["ab", "bc", "c", "b", "a"])}
    fields["added_tokens"] = []
    fields["model"]["merges"] = ["b c", "a b"]
    assert read(fields, tmp_path).encode("abc") == [4, 1]
    fields["model"]["merges"] = ["a b", "b c"]
    assert read(fields, tmp_path).encode("abc") == [0, 2]


def test_two_merges_may_make_one_token(tmp_path):
    fields = bpe_json() | {"added_tokens": []}
    fields["model"]["vocab"] = {token: id for id, token in enumerate(["a", "b", "c", "ab", "bc", "abc"])}
    fields["model"]["merges"] = ["b c", "a bc", "a b", "ab c"]
    assert read(fields, tmp_path).encode("abcab") == [5, 3]


BPE_FAULTS = [
    ("model", 5, "field 'model' must be of type dict"),
    ("model", ..., "has no field 'model'"),
    ("model.type", "Unigram", "model of type 'Unigram' is not supported"),
    ("model.dropout", 0.1, "model BPE has dropout = 0.1, which is not supported; None or 0.0 is"),
    ("model.byte_fallback", True, "byte_fallback = True"),
    ("model.end_of_word_suffix", "</w>", "end_of_word_suffix = '</w>'"),
    ("model.new_option", 1, "model BPE has the field 'new_option'"),
    ("model.vocab", [], "'vocab' of tokens and ids, got \\[\\]"),
    ("model.vocab.low", -1, "has the id -1"),
    ("model.vocab.low", True, "has the id True"),
    ("model.vocab.low", 3.0, "has the id 3.0"),
    ("model.vocab.low", 3, "the id 3 has two tokens"),
    ("model.vocab.low", 10**17, "has no token for the id"),
    ("model.vocab.京", 302, "whose character '京' stands for no byte"),
    ("model.vocab.", 302, "token 302 is empty"),
    ("model.merges", "a b", "merges must be a list"),
    ("model.merges.3", "ab", "merge 3 must be two tokens with a space between"),
    ("model.merges.3", "a b c", "merge 3 must be"),
    ("model.merges.3", ["a", "b", "c"], "merge 3 must be"),
    ("model.merges.3", ["a", 1], "merge 3 must be"),
    ("model.merges.3", "q zzz", "merge 3 names the token 'zzz', which the vocabulary has not"),
    ("model.merges.3", "q z", "merge 3 makes 'qz', which is no ordinary token"),
    ("model.merges.3", "Ġ lo", "merge 3 is .*, as merge 1 already is"),
    ("model.merges.3", "<|end|> a", "of which one is an added token"),
    ("normalizer", {"type": "NFKC"}, "normalizer 'NFKC' is not supported here; NFC is"),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}, "normalizer 'Lowercase'"),
    ("normalizer", {"type": "Sequence", "normalizers": 3}, "must have a list"),
    ("pre_tokenizer", None, "pre_tokenizer null is not supported with BPE"),
    ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer 'Whitespace' is not supported here; ByteLevel is"),
    ("pre_tokenizer", {"type": "Sequence"}, "must have a list"),
    (
        "pre_tokenizer.pretokenizers.1",
        {"type": "Digits", "individual_digits": True},
        "'Digits' is not supported here; ByteLevel is",
    ),
    ("pre_tokenizer.pretokenizers.0", {"type": "Metaspace"}, "pre_tokenizer 'Metaspace'"),
    (
        "pre_tokenizer.pretokenizers.0",
        {"type": "Split", "pattern": {"Regex": "(a+)+$"}},
        "a pattern that only a file vouches for",
    ),
    ("pre_tokenizer.pretokenizers.0", {"type": "Split", "pattern": {"String": " "}}, "is never run"),
    ("pre_tokenizer.pretokenizers.1.add_prefix_space", True, "prefix_space is for one way of cutting"),
    ("pre_tokenizer.pretokenizers.0.individual_digits", 1, "individual_digits = 1"),
    ("post_processor", {"type": "RobertaProcessing"}, "post_processor 'RobertaProcessing'"),
    (
        "post_processor",
        {"type": "TemplateProcessing", "single": [], "special_tokens": {}},
        "single = \\[\\] is not supported",
    ),
    ("decoder", {"type": "Metaspace"}, "decoder 'Metaspace' is not supported here; ByteLevel is"),
    ("added_tokens.0.id", 5, "the id 5 has two tokens"),
    ("added_tokens.0.content", "", "the id 0 has two tokens"),
    ("added_tokens.0.content", "\ud800", "the id 0 has two tokens"),
    ("added_tokens.0.special", "yes", "added token 0 must have the fields"),
    ("added_tokens.1", 3, "added token 1 must have"),
    ("added_tokens", 3, "added_tokens must be a list, got 3"),
]


@pytest.mark.parametrize(("place", "value", "message"), BPE_FAULTS, ids=lambda x: str(x)[:30])
def test_a_damaged_or_unknown_part_of_a_bpe_file_is_named(place, value, message, tmp_path):
    with pytest.raises(TokenizerError, match=message) as raised:
        read(changed(bpe_json(), place, value), tmp_path)
    assert "tokenizer.json" in str(raised.value)


# ---- WordPiece


def test_a_wordpiece_file(tmp_path):
    tokenizer = read(wordpiece_json(), tmp_path)
    assert isinstance(tokenizer, WordPieceTokenizer)
    assert [tokenizer.id_to_token(id) for id in tokenizer.encode("Lowest runing, é[SEP]")] == (
        ["low", "##est", "run", "##ing", ",", "e", "[UNK]", "[UNK]", "[UNK]"]
    )
    assert tokenizer.decode(tokenizer.encode("a low. new?")) == "a low. new?"
    assert (
        read(changed(wordpiece_json(), "decoder.cleanup", False), tmp_path).decode(tokenizer.encode("a low."))
        == "a low ."
    )
    assert tokenizer.special_tokens == {"[PAD]": 0, "[UNK]": 11, "[CLS]": 12, "[SEP]": 13, "[MASK]": 14}
    cased = read(changed(wordpiece_json(), "normalizer.lowercase", False), tmp_path)
    assert (cased.lower_case, cased.strip_accents) == (False, False)
    assert cased.encode("é") == [cased.token_to_id("é")]
    tokenizer.save(tmp_path / "own.json")
    assert load_tokenizer(tmp_path / "own.json").to_dict() == tokenizer.to_dict()


WORDPIECE_FAULTS = [
    ("model.continuing_subword_prefix", "@@", "model WordPiece has continuing_subword_prefix = '@@'"),
    ("model.unk_token", "low", "not among the special tokens"),
    ("model.unk_token", None, "field 'unk_token' must be of type str"),
    ("model.max_input_chars_per_word", "9", "max_input_chars_per_word must be an integer"),
    ("model.vocab.low", 3, "two tokens"),
    ("normalizer", None, "normalizer None is not supported here; BertNormalizer is"),
    (
        "normalizer.clean_text",
        False,
        "normalizer BertNormalizer has clean_text = False, which is not supported; True is",
    ),
    ("normalizer.handle_chinese_chars", False, "handle_chinese_chars = False"),
    ("normalizer.lowercase", 1, "lowercase = 1"),
    ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer 'Whitespace' is not supported here; BertPreTokenizer is"),
    ("post_processor.single", [], "other templates than BERT's"),
    ("post_processor.pair.4.SpecialToken.type_id", 0, "other templates than BERT's"),
    ("post_processor.special_tokens.[SEP].ids", [12], "which is not what the vocabulary has"),
    ("post_processor.special_tokens", {}, "says no ids of \\[CLS\\] and \\[SEP\\]"),
    (
        "post_processor",
        {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 12]},
        "post_processor BertProcessing has sep",
    ),
    ("decoder", {"type": "WordPiece", "prefix": "@@", "cleanup": True}, "decoder WordPiece has prefix = '@@'"),
    ("added_tokens.2.lstrip", True, r"the added token '\[CLS\]' is not supported with WordPiece"),
    ("added_tokens.2.special", False, "is not supported with WordPiece"),
]


@pytest.mark.parametrize(("place", "value", "message"), WORDPIECE_FAULTS, ids=lambda x: str(x)[:30])
def test_a_damaged_or_unknown_part_of_a_wordpiece_file_is_named(place, value, message, tmp_path):
    with pytest.raises(TokenizerError, match=message):
        read(changed(wordpiece_json(), place, value), tmp_path)


def test_berts_own_post_processor(tmp_path):
    fields = wordpiece_json()
    fields["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 13], "cls": ["[CLS]", 12]}
    assert read(fields, tmp_path).to_dict() == read(wordpiece_json(), tmp_path).to_dict()


# ---- written


def test_what_is_written_is_read_the_same(tmp_path):
    path = tmp_path / "t.json"
    ours = WordPieceTokenizer.train(SAMPLE, vocab_size=80, lower_case=False)
    for tokenizer in (
        read(bpe_json(), tmp_path),
        read(wordpiece_json(), tmp_path),
        tokenizer_from_gguf(gguf_metadata()),
        ours,
    ):
        write_tokenizer_json(tokenizer, path)
        again = read_tokenizer_json(path)
        for text in STRANGE:
            for allowed in ("none", "all"):
                assert again.encode(text, allowed_special=allowed) == tokenizer.encode(text, allowed_special=allowed)
        assert again.special_tokens == tokenizer.special_tokens


def test_a_trained_bpe_is_written_for_readers_without_python(tmp_path):
    path = tmp_path / "t.json"
    trained = BPETokenizer(TRAINED.merges, special_tokens=["<|end|>"])
    write_tokenizer_json(trained, path)
    again = read_tokenizer_json(path)
    assert again.splits == ("minilm",)
    for text in STRANGE:
        assert again.encode(text, allowed_special="all") == trained.encode(text, allowed_special="all")


def test_what_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "t.json"
    with pytest.raises(TokenizerError, match="no model for a CharTokenizer"):
        write_tokenizer_json(CharTokenizer.train("abc"), path)
    with pytest.raises(TokenizerError, match="cannot say the pattern"):
        write_tokenizer_json(BPETokenizer([], pattern=r"[\s\S]"), path)
    with pytest.raises(TokenizerError, match="'ab' is both special and ordinary"):
        write_tokenizer_json(BPETokenizer([(97, 98)], special_tokens=["ab"]), path)
    assert not path.exists()


# ---- the older files, and damage at random


def test_gpt2s_two_files(tmp_path):
    vocab, merges = published.gpt2_files()
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    (tmp_path / "merges.txt").write_text(merges, "utf-8")
    tokenizer = read_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert tokenizer.encode("low lower 2024") == [299 - id for id in TRAINED.encode("low lower 2024")]
    assert tokenizer.special_tokens == {"<|endoftext|>": 300}
    assert tokenizer.eos_id == 300
    (tmp_path / "merges.txt").write_text(merges + "q zzz\n", "utf-8")
    with pytest.raises(TokenizerError, match="vocab.json: merge 44 names the token 'zzz'"):
        read_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "merges.txt")
    (tmp_path / "merges.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TokenizerError, match="merges.txt: begins with the mark of UTF-16"):
        read_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "merges.txt")


@pytest.mark.parametrize("make", [bpe_json, wordpiece_json], ids=["bpe", "wordpiece"])
def test_any_value_anywhere_is_read_or_refused(make, tmp_path):
    draw = random.Random(0)
    values = [None, True, -1, 0, 7, 10**15, 1.5, "", "low", "\ud800", [], {}, [[]], {"type": "Sequence"}, ["low", 3]]

    def damaged(value):
        if isinstance(value, (dict, list)) and value and draw.random() < 0.9:
            value = copy.copy(value)
            key = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
            value[key] = damaged(value[key])
            return value
        return draw.choice(values)

    refused = 0
    for _ in range(150):
        try:
            tokenizer = read(damaged(make()), tmp_path)
        except TokenizerError as error:
            refused += 1
            assert "tokenizer.json" in str(error)
        else:
            tokenizer.decode(tokenizer.encode("low <|end|>[SEP]", allowed_special="all"))
    assert refused > 50
