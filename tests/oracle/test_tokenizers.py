"""Published tokenizers against the library `tokenizers`: the same ids, the same places, the same text back.

Both decide by Unicode's tables, each by its own version, so code points that one of the two versions does not know are left out.
"""

import json
import random
import unicodedata

import pytest

tokenizers = pytest.importorskip("tokenizers")

from tokenizers import AddedToken as TheirAdded
from tokenizers import Regex, normalizers, pre_tokenizers

from minilm.text import BPETokenizer, WordPieceTokenizer
from minilm.text.bert_input import encode_pair, lengths_kept, pad_batch
from minilm.text.huggingface import read_tokenizer_json, tokenizer_from_gguf, write_tokenizer_json
from minilm.text.splits import SPLITS, Splitter
from minilm.text.wordpiece import basic_tokenize
from tests.text.published import SAMPLE, STRANGE, TRAINED, added, bpe_json, byte_level, gguf_metadata, wordpiece_json

PIECES = [
    "a",
    "Z",
    "low",
    "est",
    " ",
    "  ",
    "\n",
    "\t",
    "1",
    "23",
    "½",
    "²",
    "é",
    "e\u0301",
    "İ",
    "ΟΔΟΣ",
    "ſ",
    "'s",
    "'LL",
    "'ſ",
    "ß",
    "京",
    "가각",
]
PIECES += [
    "ไทย",
    "नमस्ते",
    "🙂",
    "👨‍👩‍👧",
    "\u3000",
    "\x85",
    "\x00",
    "\x1c",
    "\ufffd",
    "[CLS]",
    "<|end|>",
    "<|user|>",
    "##s",
    ".",
    "?!",
    "—",
    "\ue000",
]
PIECES += ["x" * 120, "don't", "\r\n", "३", "𝟘", "ﷺ", "<tool>", "end"]


def texts(n=400, seed=0):
    """The strange ones, and mixtures of strange pieces."""
    draw = random.Random(seed)
    return STRANGE + ["".join(draw.choices(PIECES, k=draw.randint(1, 9))) for _ in range(n)]


def theirs(fields_or_path):
    text = fields_or_path.read_text("utf-8") if hasattr(fields_or_path, "read_text") else json.dumps(fields_or_path)
    found = tokenizers.Tokenizer.from_str(text)
    found.no_padding()
    found.no_truncation()
    return found


def ours(fields, folder):
    path = folder / "ours.json"
    path.write_text(json.dumps(fields), "utf-8")
    return read_tokenizer_json(path)


def assert_same(tokenizer, library, texts, offsets=True, decoded=True):
    for allowed in ("all", "none"):
        library.encode_special_tokens = allowed == "none"
        for text in texts:
            expected = library.encode(text, add_special_tokens=False)
            ids, spans = tokenizer.encode_with_offsets(text, allowed_special=allowed)
            assert ids == expected.ids == tokenizer.encode(text, allowed_special=allowed), text
            assert spans == expected.offsets or not offsets, text
            if decoded:
                assert tokenizer.decode(ids) == library.decode(ids, skip_special_tokens=False), text


# ---- how text is cut


def one_way(name):
    if SPLITS[name].published is None:
        return pre_tokenizers.Digits(individual_digits=name == "digits")
    return pre_tokenizers.Split(Regex(SPLITS[name].published), "isolated")


@pytest.mark.parametrize("name", SPLITS)
def test_a_way_of_cutting(name):
    for text in texts():
        assert list(Splitter([name])(text)) == [piece for piece, _ in one_way(name).pre_tokenize_str(text)]


@pytest.mark.slow  # some 60,000 characters in two surroundings each
@pytest.mark.parametrize("name", SPLITS)
def test_a_way_of_cutting_beside_every_character(name):
    """All assigned characters of two planes but the inside of the long blocks of Chinese, Korean and Tangut."""
    alike = (range(0x3500, 0x9F00), range(0xAC10, 0xD790), range(0x17010, 0x18CE0))
    characters = [
        chr(i) for i in range(0x20000) if unicodedata.category(chr(i)) not in ("Cs", "Cn", "Co") and not any(i in block for block in alike)
    ]  # fmt: skip
    way, differ = one_way(name), []
    for first in range(0, len(characters), 32):
        block = characters[first : first + 32]
        for form in ("x{0}1'{0} {0}", "'l{0}'{0}l"):
            text = "\n.\n".join(map(form.format, block))
            if list(Splitter([name])(text)) != [piece for piece, _ in way.pre_tokenize_str(text)]:
                differ += [
                    one for one in map(form.format, block)
                    if list(Splitter([name])(one)) != [piece for piece, _ in way.pre_tokenize_str(one)]
                ]  # fmt: skip
    # A Python with a newer Unicode than theirs knows letters that they do not.
    new = unicodedata.unidata_version > "16"
    assert differ == [] or new, differ[:20]


@pytest.mark.parametrize(("lower_case", "strip_accents"), [(True, True), (True, False), (False, False)])
def test_words_of_bert(lower_case, strip_accents):
    """Every character of two planes, but for three kinds: what Unicode has defined or changed after version 6 (their tables are that
    old, so new marks stay and new punctuation does not part words), what it has not assigned, and 256 Chinese characters: theirs
    has a gap from U+2B820 to U+2B91F, which the program of BERT's authors has not.
    """
    normalizer = normalizers.BertNormalizer(True, True, strip_accents, lower_case)
    pre = pre_tokenizers.BertPreTokenizer()
    differ = []
    for code in [
        *range(0xD800),
        *range(0xE000, 0x12000, 3),
        *range(0x1F000, 0x20000),
        *range(0x20000, 0x30000, 97),
        0x2B820,
        0xE0001,
    ]:
        text = f"a{chr(code)}b"
        found = basic_tokenize(text, lower_case=lower_case, strip_accents=strip_accents)
        if found != [word for word, _ in pre.pre_tokenize_str(normalizer.normalize_str(text))]:
            differ.append(code)
    old = unicodedata.ucd_3_2_0  # what Unicode knew in 2002, and knows in the same way
    known = [
        code
        for code in differ
        if old.category(chr(code)) == unicodedata.category(chr(code)) != "Cn" and not 0x2B820 <= code < 0x2B920
    ]
    assert known == []
    assert len(differ) < 500


# ---- small vocabularies


def test_byte_level_bpe(tmp_path):
    assert_same(ours(bpe_json(), tmp_path), theirs(bpe_json()), texts())


def test_metadata_of_gguf():
    assert_same(tokenizer_from_gguf(gguf_metadata()), theirs(bpe_json()), texts(100))


@pytest.mark.parametrize("space", [False, True])
@pytest.mark.parametrize("trim", [False, True])
def test_spaces_before_a_text_and_around_tokens(space, trim, tmp_path):
    fields = bpe_json()
    fields["pre_tokenizer"] = byte_level(add_prefix_space=space)
    fields["post_processor"] = byte_level(add_prefix_space=space) | {"trim_offsets": trim}
    assert_same(ours(fields, tmp_path), theirs(fields), texts(100), offsets=not (space and trim), decoded=not space)


def test_normal_form(tmp_path):
    fields = bpe_json() | {"normalizer": {"type": "NFC"}}
    tokenizer, library = ours(fields, tmp_path), theirs(fields)
    for text in texts():
        assert tokenizer.encode(text, allowed_special="all") == library.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize(
    "flags", [{}, {"lstrip": True}, {"rstrip": True}, {"single_word": True}, {"normalized": True}, {"special": False}]
)
def test_flags_of_added_tokens(flags, tmp_path):
    fields = bpe_json()
    fields["added_tokens"] += [added(302, "<tool>", **flags), added(303, "end", **flags)]
    fields["model"]["vocab"] |= {"<tool>": 302, "end": 303}
    assert_same(
        ours(fields, tmp_path),
        theirs(fields),
        [*texts(), "end\u0301 Ⓐend _end end. 京end 1end\u200d", "<tool><tool> \u2003<tool>"],
    )


def test_merges_in_any_order(tmp_path):
    """Merges that nobody learned: later ones make what earlier ones need, several make one token."""
    draw = random.Random(0)
    for _ in range(60):
        vocab = ["a", "b", "c"]
        merges = []
        for _ in range(8):
            pair = draw.choice(vocab), draw.choice(vocab)
            if list(pair) not in merges:
                merges.append(list(pair))
                vocab += [] if "".join(pair) in vocab else ["".join(pair)]
        draw.shuffle(merges)
        draw.shuffle(vocab)
        fields = bpe_json() | {"added_tokens": []}
        fields["model"] |= {"vocab": {token: id for id, token in enumerate(vocab)}, "merges": merges}
        fields["model"]["ignore_merges"] = draw.random() < 0.3
        assert_same(
            ours(fields, tmp_path),
            theirs(fields),
            ["".join(draw.choices("abc", k=draw.randint(1, 14))) for _ in range(20)],
        )


# The places of two marks that stand in another order in form NFD are their own in `tokenizers`; none of the texts has such.
def test_wordpiece(tmp_path):
    assert_same(ours(wordpiece_json(), tmp_path), theirs(wordpiece_json()), texts())
    cased = wordpiece_json()
    cased["normalizer"] |= {"lowercase": False}
    cased["decoder"] |= {"cleanup": False}
    assert_same(ours(cased, tmp_path), theirs(cased), texts(100))


def test_inputs_of_bert(tmp_path):
    tokenizer, library = ours(wordpiece_json(), tmp_path), theirs(wordpiece_json())
    library.encode_special_tokens = True
    draw = random.Random(1)
    some = texts(60)
    for _ in range(200):
        first, second, most = draw.choice(some), draw.choice([None, *some]), draw.randint(3, 24)
        library.enable_truncation(most, strategy="longest_first")
        expected = library.encode(first, second)
        found = encode_pair(tokenizer, first, second, max_length=most, with_offsets=True)
        assert found.ids == expected.ids
        assert found.token_type_ids == expected.type_ids
        assert found.offsets == expected.offsets
        assert found.text_index == [-1 if text is None else text for text in expected.sequence_ids]
    library.no_truncation()
    library.enable_padding(pad_id=0)
    batch = pad_batch([encode_pair(tokenizer, text) for text in some], tokenizer)
    expected = library.encode_batch(some)
    assert batch.ids.tolist() == [one.ids for one in expected]
    assert batch.attention_mask.tolist() == [list(map(bool, one.attention_mask)) for one in expected]
    assert lengths_kept([5, 5], 5) == [2, 3]


# ---- written by us, read by them


def test_what_we_write_they_read(tmp_path):
    path = tmp_path / "written.json"
    wordpiece = WordPieceTokenizer.train(SAMPLE, vocab_size=80)
    cased = WordPieceTokenizer.train(SAMPLE, vocab_size=90, lower_case=False, strip_accents=False)
    trained = BPETokenizer(TRAINED.merges, special_tokens=["<|end|>", "<|user|>"])
    read = ours(bpe_json(), tmp_path), ours(wordpiece_json(), tmp_path)
    for tokenizer in (wordpiece, cased, trained, *read):
        write_tokenizer_json(tokenizer, path)
        assert_same(tokenizer, theirs(path), texts(150))


def test_our_bpe_learned_by_them_is_read(tmp_path):
    """Their trainer's file, special tokens first."""
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>", TheirAdded("<|user|>", lstrip=True)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    library.train_from_iterator([SAMPLE], trainer)
    library.save(str(tmp_path / "theirs.json"))
    assert_same(read_tokenizer_json(tmp_path / "theirs.json"), library, texts(100))
