"""One id per character: the simplest tokenizer, and the one for a first language model.

It makes the longest sequences and the smallest vocabulary: Tiny Shakespeare has 65 characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilm.text.base import Span, Texts, Tokenizer, check_special_tokens, check_text, each_text
from minilm.text.storage import VERSION, TokenizerError, check_header, field, string_list

if TYPE_CHECKING:
    from typing import Self  # new in Python 3.11; only the type checker looks here

UNKNOWN = -1


class CharTokenizer(Tokenizer):
    """Characters 0 ... n - 1 in the order given, then the special tokens.

    Args:
        characters: the vocabulary, each a single character, each once.
        special_tokens: names of further tokens, in the order of their ids.
        unk_token: the special token that stands for characters outside the vocabulary; it is added to the special tokens
            if it is not among them. Without one, an unknown character is an error, and ``decode(encode(text)) == text`` for
            every text that can be encoded.

    Raises:
        TokenizerError: a character is not one character, or appears twice, or is also a special token.
    """

    type_name = "char"

    def __init__(
        self, characters: Sequence[str], *, special_tokens: Sequence[str] = (), unk_token: str | None = None
    ) -> None:
        self._characters = _check_characters(characters)
        names = check_special_tokens(special_tokens)
        if unk_token is not None and unk_token not in names:
            names = check_special_tokens([*names, unk_token])
        self._tokens = [*self._characters, *names]
        self._ids = {token: id for id, token in enumerate(self._tokens)}
        if len(self._ids) < len(self._tokens):
            clash = min(set(names) & set(self._characters))
            raise TokenizerError(f"the special token {clash!r} is already a character; give it a longer name")
        super().__init__(len(self._tokens), {name: self._ids[name] for name in names})
        self.unk_token = unk_token
        self._id_of_code_point = self._lookup_table()

    @classmethod
    def train(cls, texts: Texts, *, special_tokens: Sequence[str] = (), unk_token: str | None = None) -> Self:
        """The vocabulary of all characters of `texts` (a str or an iterable of str), sorted by code point.

        Raises TokenizerError if there is no character at all.
        """
        characters: set[str] = set()
        for text in each_text(texts):
            characters.update(text)
        if not characters:
            raise TokenizerError("the training text is empty, so there is no vocabulary to make; give some text")
        return cls(sorted(characters), special_tokens=special_tokens, unk_token=unk_token)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(map(self._tokens.__getitem__, self._check_ids(ids)))

    def token_to_id(self, token: str) -> int:
        if token not in self._ids:
            raise TokenizerError(f"the vocabulary has no token {token!r}")
        return self._ids[token]

    def id_to_token(self, id: int) -> str:
        return self._tokens[self._check_ids([id])[0]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": self.type_name,
            "version": VERSION,
            "characters": list(self._characters),
            "special_tokens": list(self._special_tokens),
            "unk_token": self.unk_token,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_header(fields, cls.type_name, {"characters", "special_tokens", "unk_token"})
        unk_token = None if fields["unk_token"] is None else field(fields, "unk_token", str)
        special_tokens = string_list(fields, "special_tokens")
        if unk_token is not None and unk_token not in special_tokens:
            raise TokenizerError(f"the unk_token {unk_token!r} is not among the special_tokens {special_tokens}")
        return cls(string_list(fields, "characters"), special_tokens=special_tokens, unk_token=unk_token)

    def _lookup_table(self) -> NDArray[np.int32]:
        """Code point -> id, or UNKNOWN; the last entry stands for every code point beyond the vocabulary's largest."""
        code_points = np.array([ord(character) for character in self._characters], np.int64)
        table = np.full(code_points.max(initial=-1) + 2, UNKNOWN, np.int32)
        table[code_points] = np.arange(len(code_points))
        return table

    def _encode_ordinary(self, text: str, offset: int) -> NDArray[Any]:
        code_points = np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
        ids = self._id_of_code_point[np.minimum(code_points, len(self._id_of_code_point) - 1)]
        unknown = np.flatnonzero(ids == UNKNOWN)
        if unknown.size:
            if self.unk_token is None:
                raise self._unknown_character(text[unknown[0]], offset + int(unknown[0]))
            ids[unknown] = self._ids[self.unk_token]
        return ids.astype(self.dtype)

    def _ordinary_spans(self, text: str) -> tuple[list[int], list[Span]]:
        return self._encode_ordinary(text, 0).tolist(), [(i, i + 1) for i in range(len(text))]

    def _unknown_character(self, character: str, position: int) -> TokenizerError:
        return TokenizerError(
            f"the character {character!r} (U+{ord(character):04X}) at position {position} is not among the "
            f"{len(self._characters)} characters that this tokenizer was trained on; remove it from the text, train "
            "on text that has it, or give CharTokenizer an unk_token"
        )


def _check_characters(characters: Sequence[str]) -> list[str]:
    checked = list(characters)
    seen: set[str] = set()
    for character in checked:
        if not isinstance(character, str) or len(character) != 1:
            raise TokenizerError(f"a CharTokenizer's characters are strings of length 1, got {character!r}")
        if character in seen:
            raise TokenizerError(f"the character {character!r} is given twice; each character has one id")
        seen.add(character)
    check_text("".join(checked))
    return checked
