r"""Byte-level BPE as others published it: ids in any order, their patterns, their special tokens.

`BPETokenizer` learns its merges, so its ids follow from them: bytes, merges, special tokens. A published vocabulary has
its ids where its makers put them, some of its bytes may be missing, and several merges may make one token. Files write the
bytes of a token as a str in the alphabet of GPT-2 (Radford et al., 2019; src/encoder.py, `bytes_to_unicode`), in which
every byte has a character that can be seen: " the" is "Ġthe".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from minilm.text.added import WHITE_SPACE, AddedToken, AddedTokens
from minilm.text.base import AllowedSpecial, Span, check_special_tokens
from minilm.text.bpe import N_BYTES, ByteLevelTokenizer
from minilm.text.pairs import Pair
from minilm.text.splits import Splitter
from minilm.text.storage import VERSION, TokenizerError, check_header, field, string_list

if TYPE_CHECKING:
    from typing import Self  # new in Python 3.11; only the type checker looks here


def _alphabet() -> list[str]:
    """GPT-2's character for each byte: Latin-1's own where it can be seen, and from U+0100 on where it cannot."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unseen = iter(range(0x100, 0x100 + N_BYTES))
    return [chr(byte if byte in seen else next(unseen)) for byte in range(N_BYTES)]


ALPHABET = _alphabet()
_BYTE = {character: byte for byte, character in enumerate(ALPHABET)}
ROLES = ("bos", "eos", "unk", "pad")


def spelled(token: bytes) -> str:
    """The bytes in GPT-2's alphabet."""
    return "".join(map(ALPHABET.__getitem__, token))


def bytes_of(token: str, where: str) -> bytes:
    """What `spelled` was given. Raises TokenizerError, beginning with `where`, for a character that stands for no byte."""
    if not token:
        raise TokenizerError(f"{where} is empty, and a token has at least one byte")
    try:
        return bytes(map(_BYTE.__getitem__, token))
    except KeyError as error:
        raise TokenizerError(
            f"{where} is {token[:40]!r}, whose character {error.args[0]!r} stands for no byte; "
            "only byte-level vocabularies in GPT-2's alphabet can be read"
        ) from None


class PublishedBPETokenizer(ByteLevelTokenizer):
    """Byte-level BPE with ids in any order.

    Args:
        tokens: the token of each id: in GPT-2's alphabet, or for an added token its name.
        merges: pairs of ids, the first merged first. What a pair makes is the token of its two parts' bytes.
        added_tokens: special tokens, and words that are found before the text is cut.
        splits: the ways of cutting, from the table in `minilm.text.splits`, each on the pieces of the one before.
        normalize: whether text is brought into Unicode's form NFC first, as for Qwen. Decoding then gives that form.
        prefix_space: whether a text, and what follows an added token, gets a space before it if it has none.
        ignore_merges: whether a piece that is a token is taken whole, even if no merges lead to it (Llama 3).
        trim_offsets: whether `encode_with_offsets` leaves out the spaces at both ends of a token.
        roles: the ids of the tokens that begin a text ("bos"), end it ("eos"), pad it ("pad"), stand for what is unknown
            ("unk"): attributes bos_id, eos_id, pad_id, unk_id, None where there is none.
        add_bos: whether the model was trained with bos_id before each text. `encode` never adds it.

    A byte that has no token is an error when a text is encoded, as no published reader has a use for it but to drop it.

    Raises TokenizerError for tokens and ids that repeat or are missing, for merges of unknown ids or into unknown tokens,
    and for merges into a special token, which text could then become.
    """

    type_name = "published-bpe"

    def __init__(
        self,
        tokens: Sequence[str],
        merges: Iterable[Pair],
        *,
        added_tokens: Sequence[AddedToken] = (),
        splits: Sequence[str] = ("gpt2",),
        normalize: bool = False,
        prefix_space: bool = False,
        ignore_merges: bool = False,
        trim_offsets: bool = False,
        roles: Mapping[str, int] | None = None,
        add_bos: bool = False,
    ) -> None:
        _check_added(added_tokens, tokens, normalize)
        if prefix_space and len(splits) > 1:
            raise TokenizerError(f"prefix_space is for one way of cutting, not for {list(splits)}")
        named = {token.id for token in added_tokens}
        as_bytes = [
            token.encode("utf-8") if id in named else bytes_of(token, f"token {id}") for id, token in enumerate(tokens)
        ]
        self._merges = [(left, right) for left, right in merges]
        self._tokens = list(tokens)
        self.added_tokens = tuple(added_tokens)
        self._added = {token.name: token for token in added_tokens}
        rank, made = _ranks(self._merges, as_bytes, self._tokens, named)
        special = {token.name: token.id for token in added_tokens if token.special}
        super().__init__(as_bytes, named, special, rank, made)
        self._splitter, self._cutter = Splitter(splits), AddedTokens(added_tokens)
        self.normalize, self.prefix_space, self.ignore_merges = normalize, prefix_space, ignore_merges
        self.trim_offsets, self.add_bos = trim_offsets, add_bos
        roles = dict(roles or {})
        for role, id in roles.items():
            if role not in ROLES or type(id) is not int or not 0 <= id < len(tokens):
                raise TokenizerError(
                    f"the role {role!r} has the id {id!r}; roles are {list(ROLES)}, ids 0 to {len(tokens) - 1}"
                )
        self.bos_id, self.eos_id, self.unk_id, self.pad_id = map(roles.get, ROLES)
        if add_bos and self.bos_id is None:
            raise TokenizerError("add_bos asks for a token before each text, and no role 'bos' says which")

    @property
    def splits(self) -> tuple[str, ...]:
        """The ways of cutting text into pieces."""
        return self._splitter.names

    @property
    def merges(self) -> list[Pair]:
        """The merges, the first merged first (a copy)."""
        return list(self._merges)

    @property
    def tokens(self) -> list[str]:
        """The token of each id as files write it: in GPT-2's alphabet, or for an added token its name (a copy)."""
        return list(self._tokens)

    @property
    def roles(self) -> dict[str, int]:
        """The ids of the tokens that begin, end, pad, or stand for what is unknown, by "bos", "eos", "pad", "unk"."""
        ids = dict(zip(ROLES, (self.bos_id, self.eos_id, self.unk_id, self.pad_id), strict=True))
        return {role: id for role, id in ids.items() if id is not None}

    def token_to_id(self, token: str | bytes) -> int:
        if isinstance(token, str) and token in self._added:
            return self._added[token].id
        return super().token_to_id(token)

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": self.type_name,
            "version": VERSION,
            "splits": list(self.splits),
            "options": {name: getattr(self, name) for name in OPTIONS},
            "roles": self.roles,
            "added_tokens": [token._asdict() for token in self.added_tokens],
            "tokens": self.tokens,
            "merges": [list(pair) for pair in self._merges],
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_header(fields, cls.type_name, {"splits", "options", "roles", "added_tokens", "tokens", "merges"})
        options = field(fields, "options", dict)
        if set(options) != set(OPTIONS) or any(type(value) is not bool for value in options.values()):
            raise TokenizerError(f"field 'options' must say true or false of each of {sorted(OPTIONS)}")
        return cls(
            string_list(fields, "tokens"),
            pairs_of_ids(field(fields, "merges", list)),
            added_tokens=[_added_token(entry, i) for i, entry in enumerate(field(fields, "added_tokens", list))],
            splits=string_list(fields, "splits"),
            roles=field(fields, "roles", dict),
            **options,
        )

    def _split_special(self, text: str, allowed: AllowedSpecial) -> Iterator[tuple[int, int, int | None]]:
        return self._cutter.cut(text, self._allowed_names(allowed))

    def _special_span(self, text: str, start: int, end: int) -> Span:
        if self.trim_offsets:
            found = text[start:end]
            start += len(found) - len(found.lstrip(WHITE_SPACE))
            end = max(start, end - len(found) + len(found.rstrip(WHITE_SPACE)))
        return start, end

    def _pieces(self, text: str) -> Iterable[str]:
        if self.normalize:
            text = unicodedata.normalize("NFC", text)
        if self.prefix_space and text and not text.startswith(" "):
            text = " " + text
        return self._splitter(text)

    def _merge(self, piece: bytes) -> list[int]:
        if self.ignore_merges and (whole := self._id_of_bytes.get(piece)) is not None:
            return [whole]
        return super()._merge(piece)

    def _ordinary_spans(self, text: str) -> tuple[list[int], list[Span]]:
        if self.normalize and not unicodedata.is_normalized("NFC", text):
            raise TokenizerError(
                "the text is not in Unicode's form NFC, into which this tokenizer brings it, so its tokens have no places in it; "
                "encode unicodedata.normalize('NFC', text)"
            )
        ids, spans = super()._ordinary_spans(text)
        if self.prefix_space and text and not text.startswith(" "):
            # The space before the text has no place in it: it goes with the first character.
            spans = [(max(0, start - 1), max(1, end - 1)) for start, end in spans]
        return ids, list(map(self._trimmed, ids, spans)) if self.trim_offsets else spans

    def _trimmed(self, id: int, span: Span) -> Span:
        token, (start, end) = self._bytes[id], span
        start = min(start + len(token) - len(token.lstrip(b" ")), end)
        return start, max(end - len(token) + len(token.rstrip(b" ")), start)


OPTIONS = ("normalize", "prefix_space", "ignore_merges", "trim_offsets", "add_bos")


def pairs_of_ids(merges: list[Any]) -> list[Pair]:
    """A file's list of merges as pairs of integers. Raises TokenizerError."""
    for rank, pair in enumerate(merges):
        if type(pair) is not list or [type(id) for id in pair] != [int, int]:
            raise TokenizerError(f"merge {rank} must be a list of two integers")
    return [(left, right) for left, right in merges]


def _added_token(entry: Any, position: int) -> AddedToken:
    expected = {"name": str, "id": int} | dict.fromkeys(
        ("special", "lstrip", "rstrip", "single_word", "normalized"), bool
    )
    if type(entry) is not dict or {name: type(value) for name, value in entry.items()} != expected:
        raise TokenizerError(
            f"added token {position} must have the fields {list(expected)}, of types str, int and bool"
        )
    return AddedToken(**entry)


def _check_added(added: Sequence[AddedToken], tokens: Sequence[str], normalize: bool) -> None:
    check_special_tokens([token.name for token in added])
    for token in added:
        if not 0 <= token.id < len(tokens) or tokens[token.id] != token.name:
            raise TokenizerError(
                f"the added token {token.name[:40]!r} has the id {token.id}, where the vocabulary has it not"
            )
        if token.normalized and normalize and not token.name.isascii():
            raise TokenizerError(
                f"the added token {token.name[:40]!r} is looked for in normalized text: only ASCII can be"
            )


def _ranks(
    merges: Sequence[Pair], as_bytes: Sequence[bytes], tokens: Sequence[str], named: Set[int]
) -> tuple[dict[Pair, int], list[int]]:
    """The rank of each pair of ids, and the id that each rank makes; no merge knows the `named` ids."""
    ids: dict[bytes, int] = {}
    for id, token in enumerate(as_bytes):
        if id in named:
            continue
        if token in ids:
            raise TokenizerError(
                f"the token {tokens[id][:40]!r} has two ids, {ids[token]} and {id}; each token has one"
            )
        ids[token] = id
    rank: dict[Pair, int] = {}
    made: list[int] = []
    for pair in merges:
        if not all(0 <= id < len(tokens) for id in pair):
            raise TokenizerError(f"merge {len(made)} is {pair}, but the ids are 0 to {len(tokens) - 1}")
        if not named.isdisjoint(pair):
            raise TokenizerError(f"merge {len(made)} is {pair}, of which one is an added token")
        if pair in rank:
            raise TokenizerError(f"merge {len(made)} is {pair}, as merge {rank[pair]} already is")
        whole = as_bytes[pair[0]] + as_bytes[pair[1]]
        if whole not in ids:
            raise TokenizerError(
                f"merge {len(made)} makes {spelled(whole)[:40]!r}, which is no ordinary token of the vocabulary"
            )
        rank[pair] = len(made)
        made.append(ids[whole])
    return rank, made
