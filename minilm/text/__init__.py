"""Tokenizers: text to ids and back, by characters, by byte-pair encoding, by WordPiece."""

from minilm.text.base import Tokenizer
from minilm.text.bpe import BPETokenizer
from minilm.text.char import CharTokenizer
from minilm.text.load import load_tokenizer
from minilm.text.published_bpe import PublishedBPETokenizer
from minilm.text.storage import TokenizerError
from minilm.text.stream import TextStream
from minilm.text.wordpiece import WordPieceTokenizer

__all__ = [
    "BPETokenizer",
    "CharTokenizer",
    "PublishedBPETokenizer",
    "TextStream",
    "Tokenizer",
    "TokenizerError",
    "WordPieceTokenizer",
    "load_tokenizer",
]
