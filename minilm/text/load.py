"""Open a tokenizer file without knowing which tokenizer it holds."""

from __future__ import annotations

from os import PathLike
from typing import Any

from minilm.text.base import Tokenizer
from minilm.text.bpe import BPETokenizer
from minilm.text.char import CharTokenizer
from minilm.text.published_bpe import PublishedBPETokenizer
from minilm.text.storage import TokenizerError, field, read_tokenizer
from minilm.text.wordpiece import WordPieceTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    cls.type_name: cls for cls in (CharTokenizer, BPETokenizer, PublishedBPETokenizer, WordPieceTokenizer)
}


def load_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer that `save` wrote to `path`, of whatever type.

    Every field is checked and nothing in the file is executed. Raises TokenizerError with the file's name, what was
    wrong with it, and what to do.
    """
    return read_tokenizer(path, tokenizer_from_dict)


def tokenizer_from_dict(fields: dict[str, Any]) -> Tokenizer:
    """The tokenizer that some tokenizer's `to_dict` described. Raises TokenizerError."""
    name = field(fields, "type", str)
    if name not in TOKENIZERS:
        raise TokenizerError(f"holds a tokenizer of type {name[:60]!r}; this minilm knows {sorted(TOKENIZERS)}")
    return TOKENIZERS[name].from_dict(fields)
