"""Writes tokenizer.json of Hugging Face, so that `tokenizers` and all that is built on it give the same ids."""

from __future__ import annotations

from os import PathLike
from typing import Any

from minilm.text.added import AddedToken
from minilm.text.base import Tokenizer
from minilm.text.bpe import DEFAULT_PATTERN, BPETokenizer
from minilm.text.huggingface_parts import BERT_PAIR, BERT_SINGLE, SEQUENCE_A, Fields, special_piece
from minilm.text.published_bpe import PublishedBPETokenizer, spelled
from minilm.text.splits import SPLITS
from minilm.text.storage import TokenizerError, write_document
from minilm.text.wordpiece import CONTINUATION, WordPieceTokenizer


def write_tokenizer_json(tokenizer: Tokenizer, path: str | PathLike[str]) -> None:
    """Write a WordPieceTokenizer, PublishedBPETokenizer or BPETokenizer as tokenizer.json, atomically.

    Special tokens stand in the model's vocabulary, too, so that they keep their ids wherever these are. Which tokens end or
    pad a text has no place in the file: Hugging Face has that in config.json and tokenizer_config.json.

    Raises:
        TokenizerError: there is no such file for this kind of tokenizer, for a pattern of one's own, or for a special token
            that has the name of an ordinary one.
    """
    write_document(path, json_from_tokenizer(tokenizer))


def json_from_tokenizer(tokenizer: Tokenizer) -> Fields:
    """The fields of the tokenizer's tokenizer.json. Raises TokenizerError."""
    if isinstance(tokenizer, WordPieceTokenizer):
        parts = _wordpiece(tokenizer)
    elif isinstance(tokenizer, PublishedBPETokenizer):
        parts = _published(tokenizer)
    elif isinstance(tokenizer, BPETokenizer):
        parts = _published(_as_published(tokenizer))
    else:
        raise TokenizerError(
            f"tokenizer.json has no model for a {type(tokenizer).__name__}; save() writes a file of minilm's own"
        )
    return {"version": "1.0", "truncation": None, "padding": None, **parts}


def _wordpiece(tokenizer: WordPieceTokenizer) -> Fields:
    special = tokenizer.special_tokens
    both = {"[CLS]", "[SEP]"} <= set(special)
    return {
        "added_tokens": [
            _added(AddedToken(name, id)) for name, id in sorted(special.items(), key=lambda item: item[1])
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(BERT_SINGLE, BERT_PAIR, ["[CLS]", "[SEP]"], special) if both else None,
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": tokenizer.clean_up},
        "model": {
            "type": "WordPiece",
            "unk_token": tokenizer.unk_token,
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": tokenizer.max_input_chars_per_word,
            "vocab": {tokenizer.id_to_token(id): id for id in range(tokenizer.vocab_size)},
        },
    }


def _as_published(tokenizer: BPETokenizer) -> PublishedBPETokenizer:
    """The same ids from the published kind. Raises TokenizerError where there is none."""
    if tokenizer.pattern != DEFAULT_PATTERN:
        raise TokenizerError(
            f"tokenizer.json cannot say the pattern {tokenizer.pattern[:200]!r} so that every reader cuts the same; "
            "DEFAULT_PATTERN can be said"
        )
    special = tokenizer.special_tokens
    ordinary = range(tokenizer.vocab_size - len(special))
    return PublishedBPETokenizer(
        [*(spelled(tokenizer.id_to_bytes(id)) for id in ordinary), *special],
        tokenizer.merges,
        added_tokens=[AddedToken(name, id) for name, id in special.items()],
        splits=["minilm"],
    )


def _published(tokenizer: PublishedBPETokenizer) -> Fields:
    tokens = tokenizer.tokens
    vocab = {token: id for id, token in enumerate(tokens)}
    if len(vocab) != len(tokens):
        twice = next(token for id, token in enumerate(tokens) if vocab[token] != id)
        raise TokenizerError(
            f"tokenizer.json has one id for a token, and {twice[:40]!r} is both special and ordinary here"
        )
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": tokenizer.prefix_space,
        "trim_offsets": tokenizer.trim_offsets,
    }
    *before, last = tokenizer.splits or (None,)
    steps = [_split(name) for name in (before if last == "gpt2" else tokenizer.splits)]
    steps.append(byte_level | {"use_regex": last == "gpt2"})
    trimming = byte_level | {"use_regex": True}
    post_processor = trimming
    if tokenizer.add_bos:
        bos = next(token.name for token in tokenizer.added_tokens if token.id == tokenizer.bos_id)
        one = [special_piece(bos, 0), SEQUENCE_A]
        two = [*one, special_piece(bos, 1), {"Sequence": {"id": "B", "type_id": 1}}]
        processors = [trimming, _template(one, two, [bos], tokenizer.special_tokens)]
        post_processor = {"type": "Sequence", "processors": processors}
    return {
        "added_tokens": [_added(token) for token in sorted(tokenizer.added_tokens, key=lambda token: token.id)],
        "normalizer": {"type": "NFC"} if tokenizer.normalize else None,
        "pre_tokenizer": steps[0] if len(steps) == 1 else {"type": "Sequence", "pretokenizers": steps},
        "post_processor": post_processor,
        "decoder": byte_level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": tokenizer.ignore_merges,
            "vocab": vocab,
            "merges": [[tokens[left], tokens[right]] for left, right in tokenizer.merges],
        },
    }


def _split(name: str) -> Fields:
    pattern = SPLITS[name].published
    if pattern is None:
        return {"type": "Digits", "individual_digits": name == "digits"}
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _added(token: AddedToken) -> Fields:
    fields = token._asdict()
    return {"id": fields.pop("id"), "content": fields.pop("name"), **fields}


def _template(single: list[Any], pair: list[Any], names: list[str], ids: dict[str, int]) -> Fields:
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in names},
    }
