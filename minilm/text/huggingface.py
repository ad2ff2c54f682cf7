"""Hugging Face's tokenizer.json and the other files in which vocabularies are published: read, and written.

`read_tokenizer_json` takes the two kinds that most models have: WordPiece as in BERT, and byte-level BPE as in GPT-2 and
those after it. The format is that of the library `tokenizers` (tokenizer.json, version 1.0): a normalizer, a pre_tokenizer, a
model, a post_processor and a decoder, each an object with its `type`. A component that would do something else than what
is written here is an error that names it; nothing is guessed. The fields `truncation` and `padding` say how a caller wants
his batches, not what the tokens of a text are: `minilm.text.bert_input` asks the caller.

As everywhere here, the special tokens of a file are recognized in a text only where `allowed_special` says so. `tokenizers`
always recognizes them, unless its `encode_special_tokens` is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from minilm.strict_json import short
from minilm.text.added import AddedToken
from minilm.text.base import Tokenizer
from minilm.text.huggingface_parts import (
    ANYTHING,
    BERT_PAIR,
    BERT_SINGLE,
    BYTE_LEVEL,
    SEQUENCE_A,
    Fields,
    added_tokens_of,
    in_order,
    in_sequence,
    merges_of,
    options_of,
    special_piece,
    template_ids,
)
from minilm.text.huggingface_write import write_tokenizer_json
from minilm.text.published_bpe import PublishedBPETokenizer
from minilm.text.splits import SPLITS
from minilm.text.storage import TokenizerError, field, read_tokenizer
from minilm.text.vocabularies import read_vocab_and_merges, tokenizer_from_gguf
from minilm.text.wordpiece import CONTINUATION, WordPieceTokenizer

__all__ = ["read_tokenizer_json", "read_vocab_and_merges", "tokenizer_from_gguf", "write_tokenizer_json"]


def read_tokenizer_json(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer in a tokenizer.json of Hugging Face: a WordPieceTokenizer or a PublishedBPETokenizer.

    Raises:
        TokenizerError: the file cannot be read, or has a component that is not supported; it names both.
    """
    return read_tokenizer(path, tokenizer_from_json)


def tokenizer_from_json(fields: Fields) -> Tokenizer:
    """The tokenizer that the fields of a tokenizer.json describe. Raises TokenizerError."""
    model = field(fields, "model", dict)
    # Files from before 2021 do not say the model's type.
    kind = model.get("type", "BPE" if "merges" in model else "WordPiece")
    if kind == "BPE":
        return _bpe(fields, model)
    if kind == "WordPiece":
        return _wordpiece(fields, model)
    raise TokenizerError(f"model of type {short(kind)} is not supported; WordPiece and byte-level BPE are")


# ---- byte-level BPE


def _bpe(fields: Fields, model: Fields) -> PublishedBPETokenizer:
    options = options_of(
        model,
        "model",
        "BPE",
        vocab=ANYTHING,
        merges=ANYTHING,
        unk_token=ANYTHING,
        fuse_unk=(False, True),
        dropout=(None, 0.0),
        continuing_subword_prefix=(None, ""),
        end_of_word_suffix=(None, ""),
        byte_fallback=(False,),
        ignore_merges=(False, True),
    )
    added = added_tokens_of(fields)
    tokens = in_order(options["vocab"], added)
    normalizers = in_sequence(fields.get("normalizer"), "normalizer", "normalizers")
    for normalizer in normalizers:
        options_of(normalizer, "normalizer", "NFC")
    splits, prefix_space = _pre_tokenizer(fields.get("pre_tokenizer"))
    trim_offsets, bos = _post_processor(fields.get("post_processor"), tokens, prefix_space)
    if fields.get("decoder") is not None:
        options_of(fields["decoder"], "decoder", "ByteLevel", **BYTE_LEVEL)
    roles = {} if bos is None else {"bos": bos}
    if type(options["unk_token"]) is str and options["unk_token"] in tokens:
        roles["unk"] = tokens.index(options["unk_token"])
    return PublishedBPETokenizer(
        tokens,
        merges_of(options["merges"], tokens),
        added_tokens=added,
        splits=splits,
        normalize=bool(normalizers),
        prefix_space=prefix_space,
        ignore_merges=options["ignore_merges"],
        trim_offsets=trim_offsets,
        roles=roles,
        add_bos=bos is not None,
    )


def _pre_tokenizer(component: Any) -> tuple[list[str], bool]:
    """The ways of cutting, and whether a space goes before the text."""
    steps = in_sequence(component, "pre_tokenizer", "pretokenizers")
    if not steps:
        raise TokenizerError("pre_tokenizer null is not supported with BPE; ByteLevel is, which makes it byte-level")
    *before, last = steps
    splits = [_split(step) for step in before]
    options = options_of(last, "pre_tokenizer", "ByteLevel", **BYTE_LEVEL)
    if options["use_regex"]:
        splits.append("gpt2")
    return splits, options["add_prefix_space"]


def _split(step: Any) -> str:
    if type(step) is dict and step.get("type") == "Digits":
        alone = options_of(step, "pre_tokenizer", "Digits", individual_digits=(False, True))["individual_digits"]
        return "digits" if alone else "numbers"
    options = options_of(
        step, "pre_tokenizer", "Split", pattern=ANYTHING, behavior=("Isolated", "Removed"), invert=(False, True)
    )
    # What the pattern matches is kept: as pieces of their own, or because what is removed is the rest, of which there is none.
    if (options["behavior"], options["invert"]) not in (("Isolated", False), ("Removed", True)):
        raise TokenizerError(
            f"pre_tokenizer Split with {options['behavior']} and invert {options['invert']} is not supported"
        )
    pattern = options["pattern"]
    for name, split in SPLITS.items():
        if split.published is not None and pattern == {"Regex": split.published}:
            return name
    raise TokenizerError(
        f"pre_tokenizer Split with the pattern {short(pattern)} is not supported: a pattern that only a file vouches for "
        f"is never run; the known ones are {[name for name, split in SPLITS.items() if split.published]}"
    )


def _post_processor(component: Any, tokens: Sequence[str], prefix_space: bool) -> tuple[bool, int | None]:
    """Whether offsets are trimmed, and the id of the token that begins each text."""
    trim, bos = False, None
    for step in in_sequence(component, "post_processor", "processors"):
        if type(step) is dict and step.get("type") == "ByteLevel":
            trim = options_of(step, "post_processor", "ByteLevel", **BYTE_LEVEL)["trim_offsets"]
            continue
        template = options_of(
            step, "post_processor", "TemplateProcessing", single=ANYTHING, pair=ANYTHING, special_tokens=ANYTHING
        )
        single = template["single"]
        if single == [SEQUENCE_A]:
            continue
        ids = template_ids(template["special_tokens"], tokens)
        names = [name for name in ids if single == [special_piece(name, 0), SEQUENCE_A]]
        if not names:
            raise TokenizerError(
                f"post_processor TemplateProcessing with single = {short(single)} is not supported; "
                "one special token before the text is"
            )
        bos = ids[names[0]]
    return trim, bos


# ---- WordPiece


def _wordpiece(fields: Fields, model: Fields) -> WordPieceTokenizer:
    options = options_of(
        model,
        "model",
        "WordPiece",
        vocab=ANYTHING,
        unk_token=ANYTHING,
        continuing_subword_prefix=(CONTINUATION,),
        max_input_chars_per_word=ANYTHING,
    )
    added = added_tokens_of(fields)
    for token in added:
        if token != AddedToken(token.name, token.id):
            raise TokenizerError(
                f"the added token {short(token.name)} is not supported with WordPiece: it must be special, and lstrip, "
                "rstrip, single_word and normalized must be false"
            )
    tokens = in_order(options["vocab"], added)
    normalizer = options_of(
        fields.get("normalizer"),
        "normalizer",
        "BertNormalizer",
        clean_text=(True,),
        handle_chinese_chars=(True,),
        strip_accents=(None, True, False),
        lowercase=(True, False),
    )
    options_of(fields.get("pre_tokenizer"), "pre_tokenizer", "BertPreTokenizer")
    _check_bert_template(fields.get("post_processor"), tokens)
    decoder = fields.get("decoder")
    clean_up = decoder is not None and options_of(
        decoder, "decoder", "WordPiece", prefix=(CONTINUATION,), cleanup=(True, False)
    )["cleanup"]  # fmt: skip
    lower_case, strip_accents = normalizer["lowercase"], normalizer["strip_accents"]
    return WordPieceTokenizer(
        tokens,
        special_tokens=[token.name for token in added],
        unk_token=field(options, "unk_token", str),
        lower_case=lower_case,
        strip_accents=lower_case if strip_accents is None else strip_accents,
        max_input_chars_per_word=options["max_input_chars_per_word"],
        clean_up=clean_up,
    )


def _check_bert_template(component: Any, tokens: Sequence[str]) -> None:
    """Raise unless a text becomes [CLS] text [SEP], and a pair [CLS] a [SEP] b [SEP] with the segments 0 0 0 1 1."""
    if component is None:
        return
    name = "post_processor"
    if type(component) is dict and component.get("type") == "BertProcessing":
        places = {token: id for id, token in enumerate(tokens)}
        options_of(
            component, name, "BertProcessing",
            sep=(["[SEP]", places.get("[SEP]")],), cls=(["[CLS]", places.get("[CLS]")],),
        )  # fmt: skip
        return
    template = options_of(
        component, name, "TemplateProcessing", single=ANYTHING, pair=ANYTHING, special_tokens=ANYTHING
    )
    if template["single"] != BERT_SINGLE or template["pair"] != BERT_PAIR:
        raise TokenizerError(
            "post_processor TemplateProcessing is not supported with other templates than BERT's: [CLS] A [SEP], and "
            "[CLS] A [SEP] B:1 [SEP]:1"
        )
    ids = template_ids(template["special_tokens"], tokens)
    if not {"[CLS]", "[SEP]"} <= set(ids):
        raise TokenizerError("post_processor TemplateProcessing says no ids of [CLS] and [SEP]")
