r"""How published byte-level tokenizers cut a text into pieces: a table of known patterns, each with its source.

A regular expression can be written so that it takes exponential time, so a file's own is never run: it is looked up here.

The published ones speak of Unicode's classes \p{L} and \p{N}, which Python's `re` lacks. So it is not the text that is
matched but its shadow (`shadow_of`): every character beyond ASCII is replaced by one that stands for its class, and
the pattern need only name these. The shadow has as many characters as the text, so what is cut in it is cut in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from minilm.text.storage import TokenizerError

# A class in the shadow: its ASCII characters, and what stands for those beyond. \s is Unicode's White_Space.
L, N, S = "A-Za-z", "0-9½", r" \t\n\x0b\x0c\r"


def shadow_of(text: str) -> str:
    """The text with every character beyond ASCII replaced: letters by a, decimal digits by 0, other numbers by ½, white
    space by a tab, all else by a full stop. ASCII stays as it is.
    """
    return text if text.isascii() else text.translate({ord(character): _shadow(character) for character in set(text)})


def _shadow(character: str) -> str:
    if character.isascii():
        return character
    if character == "ſ":
        return "S"  # the long s: without regard to case it equals an s, as in 's
    category = unicodedata.category(character)
    if category[0] == "L":
        return "a"
    if category[0] == "N":
        return "0" if category == "Nd" else "½"
    return "\t" if category[0] == "Z" or character == "\x85" else "."


class Split(NamedTuple):
    """One way of cutting.

    published: the regular expression as tokenizer.json has it, in the dialect of Oniguruma; None where the file says it in
        another way.
    regex: the same for the shadow of a text. Its matches follow each other without a gap.
    source: where it is from.
    """

    published: str | None
    regex: re.Pattern[str]
    source: str


def _open_ai(contraction: str, number: str) -> str:
    """The family of patterns that began with OpenAI's cl100k, for the shadow."""
    return (
        rf"{contraction}|[^\r\n{L}{N}]?[{L}]+|{number}| ?[^{S}{L}{N}]+[\r\n]*"
        rf"|[{S}]*[\r\n]+|[{S}]+(?![^{S}])|[{S}]+"
    )  # fmt: skip


_ANY_CASE = "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])"
_O = r"\x1c-\x1f"  # white space to Python's `re`, not to Unicode

SPLITS = {
    "gpt2": Split(
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        re.compile(rf"'(?:[stmd]|re|ve|ll)| ?[{L}]+| ?[{N}]+| ?[^{S}{L}{N}]+|[{S}]+(?![^{S}])|[{S}]+"),
        "OpenAI, GPT-2, src/encoder.py; in tokenizer.json ByteLevel with use_regex",
    ),
    "llama3": Split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        re.compile(_open_ai(_ANY_CASE, f"[{N}]{{1,3}}")),
        "OpenAI, tiktoken, cl100k_base; Meta, Llama 3, llama/tokenizer.py",
    ),
    "qwen2": Split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        re.compile(_open_ai(_ANY_CASE, f"[{N}]")),
        "Alibaba, Qwen, tokenization_qwen.py: cl100k_base with each digit alone",
    ),
    "digits": Split(
        None,
        re.compile(rf"[{N}]|[^{N}]+"),
        "BigCode, StarCoder, and SmolLM2, before gpt2; in tokenizer.json Digits with individual_digits",
    ),
    "numbers": Split(
        None,
        re.compile(rf"[{N}]+|[^{N}]+"),
        "in tokenizer.json Digits without individual_digits",
    ),
    "minilm": Split(
        r"'(?:[sdmt]|ll|re|ve)(?![\p{L}\p{N}_])| ?[\p{L}\p{Nl}\p{No}]+| ?\p{Nd}+| ?[^\s\x1c-\x1f\p{L}\p{N}]+"
        r"|[\s\x1c-\x1f]+(?![^\s\x1c-\x1f])|[\s\x1c-\x1f]+",
        re.compile(
            rf"'(?:[sdmt]|ll|re|ve)(?![{L}{N}_])| ?[{L}½]+| ?[0-9]+| ?[^{S}{_O}{L}{N}]+"
            rf"|[{S}{_O}]+(?![^{S}{_O}])|[{S}{_O}]+"
        ),
        "minilm.text.bpe.DEFAULT_PATTERN, for readers that have no Python",
    ),
}  # fmt: skip


class Splitter:
    """Cuts a text by the ways called `names`, each cutting the pieces of the one before it.

    Raises TokenizerError for a name that the table does not have.
    """

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in SPLITS]
        if unknown:
            raise TokenizerError(f"there is no way of cutting text called {unknown[0]!r}; there are {list(SPLITS)}")
        self.names = tuple(names)
        self._regexes = [SPLITS[name].regex for name in names]

    def __call__(self, text: str) -> Iterable[str]:
        """The pieces of `text`; joined, they are the text."""
        shadow = shadow_of(text)
        pieces: Iterable[str] = [shadow] if shadow else []
        for regex in self._regexes:
            pieces = chain.from_iterable(map(partial(_matches, regex), pieces))
        return pieces if shadow is text else _cut(text, map(len, pieces))


def _matches(regex: re.Pattern[str], text: str) -> Iterator[str]:
    return map(re.Match.group, regex.finditer(text))


def _cut(text: str, lengths: Iterable[int]) -> Iterator[str]:
    start = 0
    for length in lengths:
        yield text[start : start + length]
        start += length
