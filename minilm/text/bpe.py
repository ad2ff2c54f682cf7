"""Byte-pair encoding on bytes: a vocabulary of 256 bytes that grows by merging the most frequent pair.

The method is from Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016),
section 3.2. Starting from bytes, and cutting the text into pieces that no merge crosses, is from Radford et al.,
"Language Models are Unsupervised Multitask Learners" (GPT-2, 2019), section 2.2. Because every byte is a token, every
text can be encoded: there is no unknown token.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import chain, islice, pairwise
from operator import itemgetter
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilm.text.base import (
    IdsOfPieces,
    Span,
    Texts,
    Tokenizer,
    check_positive,
    check_special_tokens,
    check_vocab_size,
    each_text,
)
from minilm.text.pairs import NONE, Pair, PairIndex, merge_pair
from minilm.text.storage import VERSION, TokenizerError, check_header, field, read_tokenizer, string_list

if TYPE_CHECKING:
    from typing import Self  # new in Python 3.11; only the type checker looks here

# GPT-2's pattern, said with the standard library's `re`. A piece is one of: an English contraction; letters, digits or
# other signs, each with at most one space before; white space, which leaves its last space to the word after it.
# [^\W\d_] is a letter of any script: \w without \d and _. (?!\w) keeps the 't of 'tis from being a contraction.
# As in GPT-2, combining marks are no letters, so scripts that write vowels as marks (Devanagari) are cut at them.
DEFAULT_PATTERN = r"'(?:[sdmt]|ll|re|ve)(?!\w)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"

N_BYTES = 256
ONE_AFTER_THE_OTHER: Sequence[int] = range(N_BYTES, 1 << 31)  # number k makes the id 256 + k
MAX_VOCABULARY_BYTES = 64 * 1024 * 1024
PIECES_AT_A_TIME = 1 << 10


def learn_merges_naive(words: Mapping[bytes, int], n_merges: int, min_count: int = 2) -> list[Pair]:
    """The specification of `learn_merges`: count all pairs, merge the best one everywhere, begin again."""
    segmented = {word: list(word) for word in words}
    merges: list[Pair] = []
    while len(merges) < n_merges:
        counts: Counter[Pair] = Counter()
        for word, symbols in segmented.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < min_count:
            break
        new = N_BYTES + len(merges)
        segmented = {word: merge_pair(symbols, best, new) for word, symbols in segmented.items()}
        merges.append(best)
    return merges


def learn_merges(words: Mapping[bytes, int], n_merges: int, min_count: int = 2) -> list[Pair]:
    """The first `n_merges` merges of byte-pair encoding on `words` (word -> count), as pairs of ids.

    Merge number k makes the id 256 + k. Each merge takes the pair with the highest count; of pairs with the same count,
    the smallest (left id, right id). Neighbours are counted wherever they stand, so "aaa" counts "aa" twice, as in
    Sennrich et al. Stops early when no pair is left that occurs `min_count` times.

    Equal to `learn_merges_naive`; the time goes from O(merges x corpus) to O(corpus log corpus).
    """
    index = PairIndex(words.items())
    heap = [(-count, pair) for pair, count in index.counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        claimed, pair = heappop(heap)
        count = index.counts[pair]
        if count < min_count:
            continue
        if count != -claimed:
            # A count only falls once its pair is in the heap, so the true place of this pair is further down.
            heappush(heap, (-count, pair))
            continue
        new = N_BYTES + len(merges)
        for changed in index.merge(pair, new):
            if new in changed:
                heappush(heap, (-index.counts[changed], changed))
        merges.append(pair)
    return merges


class ByteLevelTokenizer(Tokenizer):
    """What every byte-level BPE has in common, whoever learned it: a token is some bytes, and merges join neighbors.

    tokens: the bytes of each id; those of a special or added token are its name in UTF-8.
    named: the special and added tokens, which no merge makes. The rest are ordinary.
    special_tokens: those of `named` that text becomes only where the caller allows it.
    rank: which pairs of ids are merged, and in which order.
    made: the id that the merge of each rank makes.
    """

    def __init__(
        self,
        tokens: list[bytes],
        named: Collection[int],
        special_tokens: Mapping[str, int],
        rank: dict[Pair, int],
        made: Sequence[int],
    ) -> None:
        super().__init__(len(tokens), special_tokens)
        self._bytes, self._rank, self._made = tokens, rank, made
        self._id_of_bytes = {token: id for id, token in enumerate(tokens) if id not in named}
        self._id_of_byte = {token[0]: id for token, id in self._id_of_bytes.items() if len(token) == 1}
        self._ids_of = IdsOfPieces(self._cut)

    @abstractmethod
    def _pieces(self, text: str) -> Iterable[str]:
        """The pieces of a text that no merge crosses; joined, they are the text."""

    def split(self, text: str) -> list[str]:
        """The pieces of `text`, in order; joined, they are the text."""
        return list(self._pieces(text))

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes. Bytes that are valid UTF-8 get the ids that `encode` gives to their text."""
        # surrogateescape stands an invalid byte for one lone surrogate, so that the pattern can run over all of it.
        ids: list[int] = self._encode_parts(data.decode("utf-8", "surrogateescape"), "none").tolist()
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of a sequence of ids. Raises TokenizerError for an unknown id."""
        return b"".join(map(self._bytes.__getitem__, self._check_ids(ids)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of ids.

        A model may stop in the middle of a character, or write bytes that are not UTF-8: each such fragment becomes
        U+FFFD, the replacement character. `decode_bytes` has the bytes themselves.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def token_to_id(self, token: str | bytes) -> int:
        """The id of a special token (str) or of an ordinary one (str, or its bytes).

        A str that is both is the special token. Raises TokenizerError if the vocabulary does not have it.
        """
        if isinstance(token, str):
            if token in self._special_tokens:
                return self._special_tokens[token]
            found = self._id_of_bytes.get(token.encode("utf-8", "replace"))
        else:
            found = self._id_of_bytes.get(token)
        if found is None:
            raise TokenizerError(f"the vocabulary has no token {token!r}; encode() gives the ids of any text")
        return found

    def id_to_token(self, id: int) -> str:
        r"""The token as text for people: a byte that is no UTF-8 by itself is shown as \xNN. `id_to_bytes` is exact."""
        return self.id_to_bytes(id).decode("utf-8", "backslashreplace")

    def id_to_bytes(self, id: int) -> bytes:
        """The bytes of one token. Raises TokenizerError if the id is not in 0 ... vocab_size - 1."""
        return self._bytes[self._check_ids([id])[0]]

    def _encode_ordinary(self, text: str, offset: int) -> NDArray[Any]:
        return np.fromiter(chain.from_iterable(map(self._ids_of.__getitem__, self._pieces(text))), self.dtype)

    def _cut(self, piece: str) -> list[int]:
        return self._merge(piece.encode("utf-8", "surrogateescape"))

    def _merge(self, piece: bytes) -> list[int]:
        try:
            return apply_merges([self._id_of_byte[byte] for byte in piece], self._rank, self._made)
        except KeyError as error:
            raise self._no_token(error.args[0]) from None

    def _no_token(self, byte: int) -> TokenizerError:
        return TokenizerError(
            f"the vocabulary has no token for the byte 0x{byte:02X}, which the text has in UTF-8; "
            "remove what it belongs to: tokenizers that drop it in silence give another text"
        )

    def _ordinary_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids: list[int] = []
        spans: list[Span] = []
        start = 0
        for piece in self._pieces(text):
            new = self._ids_of[piece]
            ids += new
            spans += [(start + first, start + last) for first, last in self._spans_in(piece, new)]
            start += len(piece)
        return ids, spans

    def _spans_in(self, piece: str, ids: Sequence[int]) -> Iterator[Span]:
        """Of each id the characters of the piece that it has bytes of."""
        of_byte = [i for i, character in enumerate(piece) for _ in character.encode("utf-8", "surrogateescape")]
        end = 0
        for id in ids:
            start, end = end, end + len(self._bytes[id])
            yield of_byte[start], of_byte[end - 1] + 1


class BPETokenizer(ByteLevelTokenizer):
    r"""Byte-level BPE. Ids: 0 ... 255 are the bytes, then one id per merge, then the special tokens.

    ``decode(encode(text)) == text`` for every text that UTF-8 can hold; a lone surrogate raises TokenizerError.
    ``decode_bytes(encode_bytes(data)) == data`` for all bytes whatever.

    Args:
        merges: pairs of ids; number k makes the id 256 + k, so it may only use ids below that.
        special_tokens: names of further tokens, in the order of their ids.
        pattern: a regular expression of the standard library's `re`, whose matches are the pieces that no merge crosses.
            They must cover every character of a text, or encoding raises. DEFAULT_PATTERN does: each character is white
            space (``\s``), a word character (``\w``: a letter, a digit or _) or neither, and each of these has its branch. Which
            characters are letters is decided by the Unicode version of the Python in use.

    Raises:
        TokenizerError: merges name unknown ids, repeat, make the same token twice, or make tokens of more than
            MAX_VOCABULARY_BYTES in all; special tokens are empty or repeat; the pattern is not a regular expression.
    """

    type_name = "bpe"

    def __init__(
        self, merges: Iterable[Pair], *, special_tokens: Sequence[str] = (), pattern: str = DEFAULT_PATTERN
    ) -> None:
        self._merges = [(left, right) for left, right in merges]
        tokens = _token_bytes(self._merges)
        names = check_special_tokens(special_tokens)
        ids = {name: id for id, name in enumerate(names, start=len(tokens))}
        rank = {pair: rank for rank, pair in enumerate(self._merges)}
        tokens.extend(name.encode("utf-8") for name in names)
        super().__init__(tokens, set(ids.values()), ids, rank, ONE_AFTER_THE_OTHER)
        self._pattern = _compile(pattern)
        self.shortfall = 0
        """How many tokens `train` was asked for and did not find in the text; 0 for a tokenizer made in another way."""

    @classmethod
    def train(
        cls,
        texts: Texts,
        *,
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        pattern: str = DEFAULT_PATTERN,
        min_count: int = 2,
    ) -> Self:
        """Learn vocab_size - 256 - len(special_tokens) merges from `texts`, a str or an iterable of str.

        Deterministic: `learn_merges` states the order. A pair that occurs less than `min_count` times is not merged,
        so a small text may give a smaller vocabulary than asked for: the attribute `shortfall` then says by how many
        tokens.

        Raises TokenizerError if vocab_size is less than 256 + len(special_tokens), or if the text is empty.
        """
        names = check_special_tokens(special_tokens)
        check_vocab_size(vocab_size, N_BYTES + len(names), f"{N_BYTES} bytes and {len(names)} special tokens")
        check_positive("min_count", min_count)
        regex = _compile(pattern)
        pieces: Counter[str] = Counter()
        for text in each_text(texts):
            pieces.update(_split(regex, text))
        if not pieces:
            raise TokenizerError("the training text is empty, so there is nothing to learn; give some text")
        words = {piece.encode("utf-8"): count for piece, count in pieces.items()}
        merges = learn_merges(words, vocab_size - N_BYTES - len(names), min_count)
        tokenizer = cls(merges, special_tokens=names, pattern=pattern)
        tokenizer.shortfall = vocab_size - tokenizer.vocab_size
        return tokenizer

    @property
    def merges(self) -> list[Pair]:
        """The merges in the order in which they were learned (a copy)."""
        return list(self._merges)

    @property
    def pattern(self) -> str:
        """The regular expression that cuts text into pieces."""
        return self._pattern.pattern

    def _pieces(self, text: str) -> Iterator[str]:
        return _split(self._pattern, text)

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": self.type_name,
            "version": VERSION,
            "pattern": self.pattern,
            "special_tokens": list(self._special_tokens),
            "merges": [list(pair) for pair in self._merges],
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, pattern: str | None = None) -> Self:
        """The tokenizer that `to_dict` described; `pattern` as in `load`."""
        check_header(fields, cls.type_name, {"pattern", "special_tokens", "merges"})
        stored = field(fields, "pattern", str)
        if stored != (DEFAULT_PATTERN if pattern is None else pattern):
            raise TokenizerError(
                f"cuts text with the regular expression {stored[:200]!r}, not with {pattern or 'the default one'}; "
                "if you trust it, pass it yourself: BPETokenizer.load(path, pattern=...)"
            )
        merges = field(fields, "merges", list)
        for rank, pair in enumerate(merges):
            if type(pair) is not list or [type(id) for id in pair] != [int, int]:
                raise TokenizerError(f"merge {rank} must be a list of two integers")
        return cls(merges, special_tokens=string_list(fields, "special_tokens"), pattern=stored)

    @classmethod
    def load(cls, path: str | PathLike[str], *, pattern: str | None = None) -> Self:
        """Read what `save` wrote, checking every field.

        pattern: the file's regular expression, where it is not DEFAULT_PATTERN. A regular expression can be written
            so that it takes exponential time, so one that only the file vouches for is refused.
        """
        return read_tokenizer(path, partial(cls.from_dict, pattern=pattern))


def apply_merges_naive(
    piece: Sequence[int], rank: Mapping[Pair, int], made: Sequence[int] = ONE_AFTER_THE_OTHER
) -> list[int]:
    """The specification of `apply_merges`: of all neighbors join the pair of lowest rank, the leftmost first; begin again."""
    symbols = list(piece)
    while present := [(rank[pair], place) for place, pair in enumerate(pairwise(symbols)) if pair in rank]:
        lowest, place = min(present)
        symbols[place : place + 2] = [made[lowest]]
    return symbols


def apply_merges(
    piece: Sequence[int], rank: Mapping[Pair, int], made: Sequence[int] = ONE_AFTER_THE_OTHER
) -> list[int]:
    """The ids of one piece: merge neighbors, the pair of lowest rank first and from left to right, until none is left.

    piece: the ids of its bytes; where ids 0 ... 255 are the bytes, the bytes themselves.
    made: the id that the merge of each rank makes.

    A heap of (rank, position) holds every pair that a merge is for, so the lowest is at hand: O(n log n) for a piece of n
    bytes, however long. Equal to `apply_merges_naive`.
    """
    symbols = list(piece)
    before = list(range(-1, len(symbols) - 1))
    after = [*range(1, len(symbols)), NONE]
    heap = [(rank[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in rank]
    heapify(heap)
    while heap:
        wanted, place = heappop(heap)
        follower = after[place]
        if follower == NONE or rank.get((symbols[place], symbols[follower])) != wanted:
            continue  # one of the two was merged with its other neighbor in the meantime
        beyond = after[follower]
        symbols[place], symbols[follower], after[place] = made[wanted], NONE, beyond
        if beyond != NONE:
            before[beyond] = place
        for left, right in ((before[place], place), (place, beyond)):
            if left != NONE and right != NONE and (symbols[left], symbols[right]) in rank:
                heappush(heap, (rank[symbols[left], symbols[right]], left))
    return [symbol for symbol in symbols if symbol != NONE]


def _compile(pattern: str) -> re.Pattern[str]:
    if not isinstance(pattern, str):
        raise TokenizerError(f"a pattern is a str, got {pattern!r}; see DEFAULT_PATTERN")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise TokenizerError(f"the pattern {pattern!r} is not a regular expression: {error}") from None


def _split(regex: re.Pattern[str], text: str) -> Iterator[str]:
    """The matches of `regex`; raises TokenizerError at the end if they left out a character."""
    return chain.from_iterable(_blocks(regex, text))


def _blocks(regex: re.Pattern[str], text: str) -> Iterator[Iterable[str]]:
    """`_split`, some matches at a time: a loop of Python's for each of them would take as long as to find it."""
    matches, covered = map(itemgetter(0), regex.finditer(text)), 0
    while block := list(islice(matches, PIECES_AT_A_TIME)):
        covered += sum(map(len, block))
        yield filter(None, block)
    if covered != len(text):
        raise TokenizerError(
            f"the pattern {regex.pattern!r} matches only {covered} of the text's {len(text)} characters; "
            r"add an alternative for the rest, for example |[\s\S]"
        )


def _token_bytes(merges: Sequence[Pair]) -> list[bytes]:
    """The bytes of the 256 + len(merges) ordinary tokens, after checking the merges."""
    lengths, total = [1] * N_BYTES, N_BYTES
    for rank, pair in enumerate(merges):
        # An id may only use earlier ids, so no merge can be part of itself.
        if not all(0 <= id < N_BYTES + rank for id in pair):
            raise TokenizerError(f"merge {rank} is {pair}, but only the ids 0 to {N_BYTES + rank - 1} exist before it")
        lengths.append(lengths[pair[0]] + lengths[pair[1]])
        total += lengths[-1]
        # Forty merges that each double the last token would ask for 2**40 bytes: add up before building.
        if total > MAX_VOCABULARY_BYTES:
            raise TokenizerError(
                f"the first {rank + 1} merges make tokens of more than {MAX_VOCABULARY_BYTES} bytes in all"
            )
    tokens = [bytes([byte]) for byte in range(N_BYTES)]
    seen = set(tokens)
    for rank, (left, right) in enumerate(merges):
        token = tokens[left] + tokens[right]
        if token in seen:
            raise TokenizerError(f"merge {rank} makes the token {token[:40]!r}, which an earlier merge already makes")
        tokens.append(token)
        seen.add(token)
    return tokens
