"""What every tokenizer has in common: the interface, the special tokens, the checks on text and ids.

A tokenizer maps text to a sequence of integers, its ids, and back. It knows nothing of Tensor.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from minilm.text.storage import TokenizerError, read_tokenizer, write_document

if TYPE_CHECKING:
    from typing import Self  # new in Python 3.11; only the type checker looks here

AllowedSpecial = Literal["none", "all"] | Collection[str]
Texts = str | Iterable[str]
Span = tuple[int, int]
MAX_CACHED_PIECES = 1 << 17


class IdsOfPieces(dict[str, list[int]]):
    """The ids of each piece of text, cut when it is first asked for; so many of them are kept that most texts find theirs."""

    def __init__(self, cut: Callable[[str], list[int]]) -> None:
        super().__init__()
        self.cut = cut

    def __missing__(self, piece: str) -> list[int]:
        ids = self.cut(piece)
        if len(self) < MAX_CACHED_PIECES:
            self[piece] = ids
        return ids


class Tokenizer(ABC):
    """A table between pieces of text and the ids 0 ... vocab_size - 1.

    Special tokens (an end-of-text mark, a padding mark) have ids of their own. Text never becomes a special token
    unless the caller allows it: with the default `allowed_special="none"` the characters `<|end|>` in a document are
    encoded as the ordinary characters that they are, so that nobody can end a prompt by typing its mark.
    """

    type_name: ClassVar[str]
    """What the field "type" of a saved tokenizer says."""

    def __init__(self, vocab_size: int, special_tokens: Mapping[str, int]) -> None:
        self._vocab_size = vocab_size
        self._special_tokens = dict(special_tokens)

    @property
    def vocab_size(self) -> int:
        """The number of ids, special tokens included."""
        return self._vocab_size

    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens and their ids (a copy)."""
        return dict(self._special_tokens)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    def encode(self, text: str, *, allowed_special: AllowedSpecial = "none") -> list[int]:
        """The ids of `text`.

        allowed_special: the special tokens that are recognised in the text: "none", "all", or a collection of names.
            They are matched whole; where two match at the same place, the longer one wins.

        Raises TypeError if `text` is not a str, and TokenizerError for a lone surrogate, for an unknown character
        where the vocabulary has no place for one, and for an unknown name in `allowed_special`.
        """
        ids: list[int] = self.encode_array(text, allowed_special=allowed_special).tolist()
        return ids

    def encode_array(self, text: str, *, allowed_special: AllowedSpecial = "none") -> NDArray[Any]:
        """As `encode`, but an array of shape [n_ids] of dtype `self.dtype`: for corpora, 2 or 4 bytes an id."""
        check_text(text)
        return self._encode_parts(text, allowed_special)

    def encode_with_offsets(
        self, text: str, *, allowed_special: AllowedSpecial = "none"
    ) -> tuple[list[int], list[Span]]:
        """As `encode`, and of each id the place in the text that it came from: (start, end) in characters, end exclusive."""
        check_text(text)
        ids: list[int] = []
        spans: list[Span] = []
        for start, end, special in self._split_special(text, allowed_special):
            if special is not None:
                ids.append(special)
                spans.append(self._special_span(text, start, end))
            else:
                found, places = self._ordinary_spans(text[start:end])
                ids += found
                spans += [(start + first, start + last) for first, last in places]
        return ids, spans

    def _encode_parts(self, text: str, allowed_special: AllowedSpecial) -> NDArray[Any]:
        parts = [
            self._encode_ordinary(text[start:end], start) if special is None else np.array([special], self.dtype)
            for start, end, special in self._split_special(text, allowed_special)
        ]
        return np.concatenate(parts) if parts else np.empty(0, self.dtype)

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of ids; special tokens give their name. Raises TokenizerError for an unknown id."""

    @abstractmethod
    def token_to_id(self, token: str) -> int:
        """The id of one token. Raises TokenizerError if the vocabulary does not have it."""

    @abstractmethod
    def id_to_token(self, id: int) -> str:
        """The token of one id, as text. Raises TokenizerError if the id is not in 0 ... vocab_size - 1."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything that defines the tokenizer, as JSON types, with its `type` and `version`."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The tokenizer that `to_dict` described. Trusts nothing; raises TokenizerError."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write the tokenizer as JSON, atomically: after a crash the file is the old one or the new one, never half."""
        write_document(path, self.to_dict())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what `save` wrote. Every field is checked; raises TokenizerError with the file's name and the fault."""
        return read_tokenizer(path, cls.from_dict)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size}, special_tokens={list(self._special_tokens)})"

    @abstractmethod
    def _encode_ordinary(self, text: str, offset: int) -> NDArray[Any]:
        """The ids of a text without special tokens, which starts at character `offset` of the caller's text."""

    @abstractmethod
    def _ordinary_spans(self, text: str) -> tuple[list[int], list[Span]]:
        """The ids of a text without special tokens, and the characters of it that each comes from."""

    def _special_span(self, text: str, start: int, end: int) -> Span:
        """The place of a special token that was found from `start` to `end`."""
        return start, end

    def _split_special(self, text: str, allowed: AllowedSpecial) -> Iterator[tuple[int, int, int | None]]:
        """Cut text at the allowed special tokens: (start, end, the special token's id or None), in order."""
        start = 0
        names = self._allowed_names(allowed)
        if names:
            # An alternation takes the first branch that matches, so the longest must come first.
            longest_first = sorted(names, key=len, reverse=True)
            for match in re.finditer("|".join(map(re.escape, longest_first)), text):
                if match.start() > start:
                    yield start, match.start(), None
                yield match.start(), match.end(), self._special_tokens[match.group()]
                start = match.end()
        if start < len(text):
            yield start, len(text), None

    def _allowed_names(self, allowed: AllowedSpecial) -> set[str]:
        if isinstance(allowed, str):
            if allowed not in ("none", "all"):
                raise TokenizerError(
                    f'allowed_special is "none", "all" or a set of special tokens, got {allowed!r}; '
                    f"for one special token, write {{{allowed!r}}}"
                )
            return set(self._special_tokens) if allowed == "all" else set()
        names = set(allowed)
        unknown = names - set(self._special_tokens)
        if unknown:
            raise TokenizerError(
                f"allowed_special names {sorted(map(repr, unknown))}, which this tokenizer does not have; "
                f"it has {list(self._special_tokens)}"
            )
        return names

    def _check_ids(self, ids: Iterable[int]) -> list[int]:
        """The ids as Python integers, all within the vocabulary."""
        if isinstance(ids, np.ndarray):
            if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
                raise TokenizerError(
                    f"decode takes one sequence of integers, got an array of shape {ids.shape} and dtype {ids.dtype}; "
                    "decode a batch row by row"
                )
            checked: list[int] = ids.tolist()
        else:
            checked = list(map(_index, ids))
        if checked and not (min(checked) >= 0 and max(checked) < self.vocab_size):
            position = next(i for i, id in enumerate(checked) if not 0 <= id < self.vocab_size)
            raise TokenizerError(
                f"id {checked[position]} at position {position} is not in this vocabulary, "
                f"whose ids are 0 to {self.vocab_size - 1}; decode with the tokenizer that encoded the text"
            )
        return checked


def _index(id: Any) -> int:
    try:
        return int(id.__index__())
    except (AttributeError, TypeError):
        raise TokenizerError(f"an id is an integer, got {id!r} of type {type(id).__name__}") from None


def check_text(text: str) -> None:
    """Raise unless `text` is a str that UTF-8 can hold.

    A lone surrogate (U+D800 to U+DFFF) is half of a UTF-16 pair: it is not a character and no UTF-8 stands for it.
    It gets an error rather than a silent replacement, because it is the sign of text decoded with the wrong codec.
    """
    if not isinstance(text, str):
        raise TypeError(f"a tokenizer takes text as str, got {type(text).__name__}; decode bytes with .decode('utf-8')")
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"the text has a lone surrogate U+{ord(text[error.start]):04X} at position {error.start}, "
            "which is not a character; repair the text, for example with text.encode('utf-8', 'replace').decode()"
        ) from None


def each_text(texts: Texts) -> Iterator[str]:
    """The checked texts of a training set, which is one str or an iterable of them."""
    for text in [texts] if isinstance(texts, str) else texts:
        check_text(text)
        yield text


def check_special_tokens(names: Sequence[str]) -> list[str]:
    """The names of special tokens as a list: non-empty strings, each once."""
    if isinstance(names, str):
        raise TokenizerError(f"special_tokens is a sequence of strings, got the string {names!r}; write [{names!r}]")
    checked = list(names)
    for name in checked:
        if not isinstance(name, str) or not name:
            raise TokenizerError(f"a special token is a non-empty string, got {name!r}")
        check_text(name)
    name, times = Counter(checked).most_common(1)[0] if checked else ("", 1)
    if times > 1:
        raise TokenizerError(f"special tokens must differ from each other, {name!r} is given {times} times")
    return checked


def check_positive(name: str, value: int) -> None:
    """Raise unless the argument called `name` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TokenizerError(f"{name} must be an integer of at least 1, got {value!r}")


def check_vocab_size(vocab_size: int, smallest: int, what_it_holds: str) -> None:
    """Raise unless `vocab_size` is an integer of at least `smallest`, the sum that `what_it_holds` spells out."""
    check_positive("vocab_size", vocab_size)
    if vocab_size < smallest:
        raise TokenizerError(f"vocab_size={vocab_size} is too small: {what_it_holds} need at least {smallest}")
