"""WordPiece: whole words where they are frequent, pieces of words where they are not; BERT's tokenizer.

Training is from Schuster and Nakajima, "Japanese and Korean Voice Search" (2012), which merges the pair that raises the
likelihood of the corpus most. Google's program was never published, so `learn_pieces` is what is commonly described.
Encoding, the cutting of text into words and the file vocab.txt are those of BERT (Devlin et al., "BERT: Pre-training of
Deep Bidirectional Transformers for Language Understanding", 2018, section 3, and the program published with it).

Unlike byte-level BPE it is not lossless: white space, and by default capitals and accents, are gone after encoding.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, groupby, pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilm.files import no_text, shown
from minilm.text.base import (
    IdsOfPieces,
    Span,
    Texts,
    Tokenizer,
    check_positive,
    check_special_tokens,
    check_text,
    check_vocab_size,
    each_text,
)
from minilm.text.pairs import Pair, PairIndex, merge_pair
from minilm.text.storage import VERSION, TokenizerError, check_header, field, read_limited, string_list

if TYPE_CHECKING:
    from typing import Self  # new in Python 3.11; only the type checker looks here

CONTINUATION = "##"
BERT_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# What decoders of Hugging Face with "cleanup" replace in the text of one token.
CLEAN_UP = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip

# The blocks of Chinese characters, also used in Japanese and Korean; kana and Hangul are written in words or runs.
CJK_BLOCKS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def basic_tokenize(text: str, *, lower_case: bool = True, strip_accents: bool = True) -> list[str]:
    """The words of a text, as BERT cuts them: at white space, every punctuation sign and every Chinese character alone.

    lower_case: turn capitals into small letters.
    strip_accents: take letters and their accents apart (Unicode form NFD) and drop the accents. The same form takes
        Korean syllables apart into their letters.
    Control characters, those for private use, and U+FFFD are dropped.
    """
    if lower_case:
        text = text.replace("Σ", "σ").lower()  # character by character: lower() alone ends a word with ς
    if strip_accents:
        text = unicodedata.normalize("NFD", text)
    return text.translate(_replacements(strip_accents)).split()


def words_with_places(text: str, *, lower_case: bool, strip_accents: bool) -> list[tuple[str, list[int]]]:
    """The words of `basic_tokenize`, each with the places in the text that its characters came from.

    Character by character, so slower; a test holds both against each other.
    """
    origins = [(part, place) for place, one in enumerate(text) for part in (one.lower() if lower_case else one)]
    if strip_accents:
        parts = [(part, place) for one, place in origins for part in unicodedata.normalize("NFD", one)]
        origins = []
        # In form NFD, marks that follow each other stand in the order of their combining class.
        for _, run in groupby(parts, key=lambda part: unicodedata.combining(part[0]) > 0):
            origins += sorted(run, key=lambda part: unicodedata.combining(part[0]))
    words: list[tuple[str, list[int]]] = []
    parted = True
    for one, place in origins:
        replacement = _replacement(one, strip_accents)
        if not replacement:
            continue
        alone = replacement.isspace() or len(replacement) > 1
        if not one.isspace():
            if parted or alone:
                words.append(("", []))
            words[-1] = (words[-1][0] + one, [*words[-1][1], place])
        parted = alone or one.isspace()
    return words


class _Replacements(dict[int, str]):
    """For `str.translate`: what stands for each character, which is classified when it is first met."""

    def __init__(self, strip_accents: bool) -> None:
        super().__init__()
        self.strip_accents = strip_accents

    def __missing__(self, code: int) -> str:
        self[code] = found = _replacement(chr(code), self.strip_accents)
        return found


_replacements = cache(_Replacements)


def _replacement(character: str, strip_accents: bool) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if category in ("Cc", "Cf", "Co") or character == "\ufffd" or (strip_accents and category == "Mn"):
        return ""
    if _is_punctuation(character, category) or _is_cjk(character):
        return f" {character} "
    return character


def _is_punctuation(character: str, category: str) -> bool:
    """Unicode's punctuation, and all of ASCII's signs: $ + < = > ^ ` | ~ are symbols to Unicode."""
    return category.startswith("P") or ("!" <= character <= "~" and not character.isalnum())


def _is_cjk(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in CJK_BLOCKS)


def learn_pieces_naive(words: Mapping[str, int], n_pieces: int, min_count: int = 2) -> list[str]:
    """The specification of `learn_pieces`: score all pairs, merge the best one everywhere, begin again."""
    pieces, segmented = _alphabet(words)
    while len(pieces) < n_pieces:
        counts: Counter[Pair] = Counter()
        symbol_counts: Counter[int] = Counter()
        for word, symbols in segmented.items():
            for symbol in symbols:
                symbol_counts[symbol] += words[word]
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        scores = {
            (left, right): count / (symbol_counts[left] * symbol_counts[right])
            for (left, right), count in counts.items()
            if count >= min_count
        }
        best = min(scores, key=lambda pair: (-scores[pair], pair), default=None)
        if best is None:
            break
        segmented = {word: merge_pair(symbols, best, len(pieces)) for word, symbols in segmented.items()}
        pieces.append(_joined(pieces, best))
    return pieces


def learn_pieces(words: Mapping[str, int], n_pieces: int, min_count: int = 2) -> list[str]:
    """A WordPiece vocabulary of `n_pieces` learned from `words` (word -> count): the alphabet, then the merged pieces.

    The alphabet is every character that begins a word, and "##" before every character that continues one, sorted. Each
    step joins the pair (a, b) of neighbours with the highest score

        score(a, b) = count(ab) / (count(a) count(b)),

    of equal scores the pair with the smallest ids. Of all pairs it is the one that most exceeds what independent pieces
    would give, so two rare pieces that chance brought together beat a frequent pair of frequent pieces. `min_count`,
    the least count(ab) that is considered, keeps chance out: on Tiny Shakespeare with 4,096 tokens, min_count 2, 10 and
    15 give 1.90, 2.68 and 3.36 characters a token. Stops early when no pair is left.

    Equal to `learn_pieces_naive`. A merge raises the scores of all pairs that share a symbol with it, so no heap stays
    in order; instead the pairs stand in arrays, and each step is one pass of NumPy over them.
    """
    pieces, segmented = _alphabet(words)
    index = PairIndex((segmented[word], count) for word, count in words.items())
    symbol_counts = np.ones(max(n_pieces, len(pieces)), np.float64)
    for symbol, count in index.symbol_counts.items():
        symbol_counts[symbol] = count
    table = _PairTable(index.counts)
    while len(pieces) < n_pieces:
        best = table.best(symbol_counts, min_count)
        if best is None:
            break
        new = len(pieces)
        pieces.append(_joined(pieces, best))
        for pair in index.merge(best, new):
            table.set(pair, index.counts[pair])
        table.set(best, 0)
        for symbol in (*best, new):
            # A symbol that is used up takes part in no pair; the 1 only spares a division by zero.
            symbol_counts[symbol] = index.symbol_counts[symbol] or 1
    return pieces


class _PairTable:
    """Pairs and their counts as columns of arrays, with room to grow; rows of dead pairs are used again."""

    def __init__(self, counts: Mapping[Pair, int]) -> None:
        self._row = {pair: row for row, pair in enumerate(counts)}
        self._free: list[int] = []
        self._pairs = np.array(list(counts), np.int64).reshape(-1, 2)
        self._counts = np.array(list(counts.values()), np.float64)

    def set(self, pair: Pair, count: int) -> None:
        row = self._row.get(pair)
        if row is None:
            if count == 0:
                return
            row = self._row[pair] = self._new_row()
            self._pairs[row] = pair
        self._counts[row] = count
        if count == 0:
            self._free.append(self._row.pop(pair))

    def _new_row(self) -> int:
        if not self._free:
            used = len(self._counts)
            grown = max(64, 2 * used)
            self._pairs = np.concatenate([self._pairs, np.zeros((grown - used, 2), np.int64)])
            self._counts = np.concatenate([self._counts, np.zeros(grown - used)])
            self._free.extend(range(used, grown))
        return self._free.pop()

    def best(self, symbol_counts: NDArray[np.float64], min_count: int) -> Pair | None:
        """The pair with the highest score among those with at least `min_count`, or None."""
        scores = self._counts / (symbol_counts[self._pairs[:, 0]] * symbol_counts[self._pairs[:, 1]])
        scores[self._counts < min_count] = 0
        highest = scores.max(initial=0)
        if highest == 0:
            return None
        left, right = min(self._pairs[scores == highest].tolist())
        return left, right


def _alphabet(words: Mapping[str, int]) -> tuple[list[str], dict[str, list[int]]]:
    """The sorted alphabet of `words`, and each word as a list of indices into it."""
    spelled = {word: [word[0], *(CONTINUATION + character for character in word[1:])] for word in words}
    pieces = sorted(set(chain.from_iterable(spelled.values())))
    number = {piece: i for i, piece in enumerate(pieces)}
    return pieces, {word: [number[piece] for piece in spelling] for word, spelling in spelled.items()}


def _joined(pieces: Sequence[str], pair: Pair) -> str:
    return pieces[pair[0]] + pieces[pair[1]].removeprefix(CONTINUATION)


class WordPieceTokenizer(Tokenizer):
    """WordPiece as in BERT: the longest piece that begins the word, then the longest that continues it, and so on.

    Args:
        tokens: the vocabulary in the order of its ids, special tokens included. "##" begins a piece that continues a word.
        special_tokens: those of `tokens` that ordinary text never becomes, `unk_token` excepted, which must be among them:
            a word that cannot be put together from pieces, or that has more than `max_input_chars_per_word` characters,
            becomes unk_token as a whole.
        clean_up: whether `decode` leaves out the space before . ? ! and , as files of Hugging Face often ask.
        lower_case, strip_accents: as in `basic_tokenize`; True for BERT's "uncased" vocabularies, False for "cased".

    Raises:
        TokenizerError: a token is empty or appears twice, or a special token is not among the tokens.
    """

    type_name = "wordpiece"

    def __init__(
        self,
        tokens: Sequence[str],
        *,
        special_tokens: Sequence[str] = BERT_SPECIAL_TOKENS,
        unk_token: str = "[UNK]",
        lower_case: bool = True,
        strip_accents: bool = True,
        max_input_chars_per_word: int = 100,
        clean_up: bool = False,
    ) -> None:
        self._tokens = list(tokens)
        self._ids = _number(self._tokens)
        names = check_special_tokens(special_tokens)
        absent = sorted({*names, unk_token} - set(self._ids))
        if absent:
            raise TokenizerError(f"the special tokens {absent} are not in the vocabulary; add them, or leave them out")
        if unk_token not in names:
            raise TokenizerError(f"the unk_token {unk_token!r} is not among the special tokens {names}; add it to them")
        check_positive("max_input_chars_per_word", max_input_chars_per_word)
        super().__init__(len(self._tokens), {name: self._ids[name] for name in names})
        self.unk_token = unk_token
        self.lower_case = lower_case
        self.strip_accents = strip_accents
        self.max_input_chars_per_word = max_input_chars_per_word
        self.clean_up = clean_up
        self._pieces = {token: id for token, id in self._ids.items() if token not in self._special_tokens}
        self._longest = max(map(len, self._pieces), default=0)
        self._ids_of = IdsOfPieces(self._cut)
        self.shortfall = 0
        """How many tokens `train` was asked for and did not find in the text; 0 for a tokenizer made in another way."""

    @classmethod
    def train(
        cls,
        texts: Texts,
        *,
        vocab_size: int,
        special_tokens: Sequence[str] = BERT_SPECIAL_TOKENS,
        unk_token: str = "[UNK]",
        lower_case: bool = True,
        strip_accents: bool = True,
        max_input_chars_per_word: int = 100,
        min_count: int = 2,
    ) -> Self:
        """Learn a vocabulary from `texts`, a str or an iterable of str: special tokens, alphabet, merged pieces.

        `learn_pieces` states the order. Where it stops early, the attribute `shortfall` says by how many tokens.

        Raises TokenizerError if vocab_size has no room for the special tokens and the alphabet, or if there is no word.
        """
        names = check_special_tokens(special_tokens)
        check_positive("min_count", min_count)
        words: Counter[str] = Counter()
        for text in each_text(texts):
            words.update(basic_tokenize(text, lower_case=lower_case, strip_accents=strip_accents))
        for word in [word for word in words if len(word) > max_input_chars_per_word]:
            del words[word]
        if not words:
            raise TokenizerError("the training text has no words, so there is nothing to learn; give some text")
        n_alphabet = len(_alphabet(words)[0])
        contents = f"{len(names)} special tokens and an alphabet of {n_alphabet}"
        check_vocab_size(vocab_size, len(names) + n_alphabet, contents)
        tokenizer = cls(
            [*names, *learn_pieces(words, vocab_size - len(names), min_count)],
            special_tokens=names,
            unk_token=unk_token,
            lower_case=lower_case,
            strip_accents=strip_accents,
            max_input_chars_per_word=max_input_chars_per_word,
        )
        tokenizer.shortfall = vocab_size - tokenizer.vocab_size
        return tokenizer

    @classmethod
    def from_vocab_file(cls, path: str | PathLike[str], *, lower_case: bool = True, strip_accents: bool = True) -> Self:
        """Read a vocab.txt of BERT's form: UTF-8, one token a line, the line's number from 0 is the id.

        The special tokens are those of BERT_SPECIAL_TOKENS that the file has; [UNK] must be one of them.
        Raises TokenizerError, naming the file, if it cannot be read, has an empty line, or has a token twice.
        """
        content = read_limited(path).removeprefix(b"\xef\xbb\xbf")
        try:
            if (reason := no_text(content)) is not None:
                raise TokenizerError(reason)
            lines = content.decode("utf-8").removesuffix("\n").split("\n")
            tokens = [line.removesuffix("\r") for line in lines]
            special_tokens = [name for name in BERT_SPECIAL_TOKENS if name in tokens]
            return cls(tokens, special_tokens=special_tokens, lower_case=lower_case, strip_accents=strip_accents)
        except UnicodeDecodeError as error:
            raise TokenizerError(f"vocabulary file {shown(path)}: is not UTF-8 text (byte {error.start})") from None
        except TokenizerError as error:
            raise TokenizerError(f"vocabulary file {shown(path)}: {error}") from None

    def decode(self, ids: Iterable[int]) -> str:
        """The words of a sequence of ids, with one space between them; pieces with "##" join the word before.

        What encoding drops stays dropped: decode(encode("Who's there?")) is "who ' s there ?".
        """
        words = map(self._tokens.__getitem__, self._check_ids(ids))
        if self.clean_up:
            return "".join(_cleaned(word, begins=place == 0) for place, word in enumerate(words))
        return " ".join(words).replace(" " + CONTINUATION, "")

    def token_to_id(self, token: str) -> int:
        if token not in self._ids:
            raise TokenizerError(f"the vocabulary has no token {token!r}; encode() cuts words into tokens that it has")
        return self._ids[token]

    def id_to_token(self, id: int) -> str:
        return self._tokens[self._check_ids([id])[0]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": self.type_name,
            "version": VERSION,
            "lower_case": self.lower_case,
            "strip_accents": self.strip_accents,
            "max_input_chars_per_word": self.max_input_chars_per_word,
            **({"clean_up": True} if self.clean_up else {}),
            "unk_token": self.unk_token,
            "special_tokens": list(self._special_tokens),
            "tokens": list(self._tokens),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        options = {"unk_token", "lower_case", "strip_accents", "max_input_chars_per_word"}
        fields = {"clean_up": False} | fields  # files from before it was an option do not say it
        check_header(fields, cls.type_name, {"special_tokens", "tokens", "clean_up"} | options)
        return cls(
            string_list(fields, "tokens"),
            special_tokens=string_list(fields, "special_tokens"),
            unk_token=field(fields, "unk_token", str),
            lower_case=field(fields, "lower_case", bool),
            strip_accents=field(fields, "strip_accents", bool),
            max_input_chars_per_word=field(fields, "max_input_chars_per_word", int),
            clean_up=field(fields, "clean_up", bool),
        )

    def _encode_ordinary(self, text: str, offset: int) -> NDArray[Any]:
        words = basic_tokenize(text, lower_case=self.lower_case, strip_accents=self.strip_accents)
        return np.fromiter(chain.from_iterable(map(self._ids_of.__getitem__, words)), self.dtype)

    def _ordinary_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids: list[int] = []
        spans: list[Span] = []
        for word, places in words_with_places(text, lower_case=self.lower_case, strip_accents=self.strip_accents):
            new = self._ids_of[word]
            if new == [self._ids[self.unk_token]]:
                lengths = [len(word)]
            else:
                lengths = [len(self._tokens[id]) - (len(CONTINUATION) if i else 0) for i, id in enumerate(new)]
            end = 0
            for length in lengths:
                start, end = end, end + length
                spans.append((places[start], places[end - 1] + 1))
            ids += new
        return ids, spans

    def _cut(self, word: str) -> list[int]:
        """The ids of the pieces of a word, longest match first; the unknown token's if at some place no piece matches."""
        ids: list[int] = []
        start, length = 0, len(word)
        unknown = [self._ids[self.unk_token]]
        if length > self.max_input_chars_per_word:
            return unknown
        while start < length:
            prefix = CONTINUATION if start else ""
            for end in range(min(length, start + self._longest), start, -1):
                id = self._pieces.get(prefix + word[start:end])
                if id is not None:
                    ids.append(id)
                    start = end
                    break
            else:
                return unknown
        return ids


def _cleaned(token: str, begins: bool) -> str:
    """What the token adds to a text, without the blank before it where people write none."""
    if not begins:
        token = token.removeprefix(CONTINUATION) if token.startswith(CONTINUATION) else " " + token
    for blank, without in CLEAN_UP:
        token = token.replace(blank, without)
    return token


def _number(tokens: Sequence[str]) -> dict[str, int]:
    """Token -> id, after checking the tokens."""
    ids: dict[str, int] = {}
    for id, token in enumerate(tokens):
        if not isinstance(token, str) or not token:
            raise TokenizerError(f"token {id} must be a non-empty string, got {token!r}")
        check_text(token)
        if token in ids:
            raise TokenizerError(f"the token {token!r} has two ids, {ids[token]} and {id}; each token has one")
        ids[token] = id
    return ids
