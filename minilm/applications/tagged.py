"""Text whose names are marked: read from a CoNLL-format file, or made of the tagged words of the People's Daily.

The unit of a text is what a tag belongs to: a word, or in Chinese, which does not write where a word ends, a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from minilm.data import DataError
from minilm.metrics.spans import Span, spans

CHARACTERS, WORDS = "characters", "words"
COMPOUND = frozenset(
    ["欧阳", "诸葛", "司马", "司徒", "南宫", "令狐", "上官", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "端木"]
)
"""Chinese surnames of two characters; all others have one."""
SENTENCE_END = frozenset("。！？；")
TEXT_END = frozenset("。！？；：…，、”’）》")
PAUSE = frozenset("，、：,;:")
BLOCK = 20  # paragraphs of the news in a group, at least
TOGETHER = 10  # sentences of a file in a group, where it does not say which are of one document
GAP = re.compile(r"[ \t]+")  # and no other white space: in Japanese and Chinese a wide space can be a token
WORD = re.compile(r"[^\W_]+(?:[-'’.&][^\W_]+)*|\S")


class Tagged(NamedTuple):
    """A text and the names in it.

    Attributes:
        tokens: its characters or words.
        spans: which of them are a name, and of what type.
        unit: "characters" or "words".
        group: a number that texts have in common which belong together, such as those of one article.
        others: what else is known of each token, such as its part of speech; empty: nothing.
    """

    tokens: tuple[str, ...]
    spans: tuple[Span, ...]
    unit: str
    group: int
    others: tuple[str, ...] = ()


class Line(NamedTuple):
    """A text to find names in.

    Attributes:
        text: as it was given.
        tokens: its characters or words.
        starts: where in the text each of them begins.
    """

    text: str
    tokens: tuple[str, ...]
    starts: tuple[int, ...]


def line_of(tokens: Sequence[str], unit: str) -> Line:
    """Tokens as a line: words with a space between them, characters without."""
    gap = len(" " if unit == WORDS else "")
    starts, at = [], 0
    for token in tokens:
        starts.append(at)
        at += len(token) + gap
    return Line((" " * gap).join(tokens), tuple(tokens), tuple(starts))


def tokenized(text: str, unit: str) -> Line:
    """A line cut into its characters, without white space, or into words: letters and digits in a row, and each mark by itself."""
    found = list(WORD.finditer(text)) if unit == WORDS else list(re.finditer(r"\S", text))
    return Line(text, tuple(match[0] for match in found), tuple(match.start() for match in found))


def pieces(tokens: Sequence[str], unit: str, most: int) -> list[tuple[int, int]]:
    """Where a text is cut for a model: characters behind each end of a sentence, and all that is longer than `most` at a pause.

    A piece that has no pause in its second half is cut where it is full.
    """
    found, start = [], 0
    ends = [i + 1 for i, token in enumerate(tokens) if unit == CHARACTERS and token in SENTENCE_END]
    for end in [*ends, len(tokens)]:
        while end - start > most:
            cut = next((i for i in range(start + most, start + most // 2, -1) if tokens[i - 1] in PAUSE), start + most)
            found.append((start, cut))
            start = cut
        if end > start:
            found.append((start, end))
        start = max(start, end)
    return found


# -- the People's Daily ---------------------------------------------------------------------------------------------------


def news(paragraphs: Iterable[Sequence[tuple[str, str]]]) -> Iterator[Tagged]:
    """Paragraphs of words with their parts of speech, as characters with the persons and places among them.

    A person's name is tagged nr, its surname and its given name by themselves: 江/nr 泽民/nr is one person. A surname has one character
    or is one of `COMPOUND`; two surnames before a given name are one name (陈/nr 方/nr 安生/nr, a married woman's). A place is ns.

    Which paragraphs are one article is not told. So a group has at least `BLOCK` of them, and ends before a headline: a paragraph that does
    not end with a mark, behind one that does.

    What else is known of a character is the part of speech of its word, and whether the word begins with it: "B-ns", "I-ns".
    """
    group = held = 0
    ended = False
    for words in paragraphs:
        ends = words[-1][0][-1] in TEXT_END
        if held >= BLOCK and ended and not ends:
            group, held = group + 1, 0
        held, ended = held + 1, ends
        found: list[Span] = []
        run: list[str] = []
        at = 0
        for word, part in [*words, ("", "")]:
            if part == "nr":
                run.append(word)
            else:
                start = at - sum(map(len, run))
                for name in _persons(run):
                    found.append(Span(start, start + len(name), "PER"))
                    start += len(name)
                run = []
            if part == "ns":
                found.append(Span(at, at + len(word), "LOC"))
            at += len(word)
        others = [f"{letter}-{part}" for word, part in words for letter in "B" + "I" * (len(word) - 1)]
        yield Tagged(tuple("".join(word for word, _ in words)), tuple(found), CHARACTERS, group, tuple(others))


def _persons(run: Sequence[str]) -> Iterator[str]:
    """The names in words tagged nr that stand in a row."""
    if [len(word) for word in run] == [1, 1, 2]:
        yield "".join(run)
        return
    i = 0
    while i < len(run):
        words = 2 if (len(run[i]) == 1 or run[i] in COMPOUND) and i + 1 < len(run) else 1
        yield "".join(run[i : i + words])
        i += words


# -- CoNLL's format -------------------------------------------------------------------------------------------------------


def read_conll(path: Path) -> list[Tagged]:
    """The sentences of a file in the format of CoNLL's shared tasks.

    A line has a token first and its tag last, with spaces or tabs between the columns; an empty line ends a sentence. Lines that begin
    with "-DOCSTART-" or are a comment ("# " at the beginning of a sentence, as in WNUT and CoNLL-U) are passed over. Tags may be of
    IOB1, BIO, BIOES or BILOU (`minilm.metrics.spans`): B, I, E or L, S or U, or O, before a type. Tokens that are mostly single characters
    that are no letters of an alphabet are read as characters. A group is a document, or `TOGETHER` sentences where none is marked.
    The column behind the token, its part of speech in CoNLL-2003, is what else is known of it.

    Raises:
        DataError: the file cannot be read, is no UTF-8, has a line without a tag or with a tag of another kind, or no sentence.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    sentences: list[tuple[list[tuple[str, str, str]], int]] = []
    rows: list[tuple[str, str, str]] = []  # token, tag, what else is known
    document = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        columns = GAP.split(stripped) if (stripped := line.strip(" \t\r")) else []
        if not columns or columns[0] == "-DOCSTART-":
            if rows:
                sentences.append((rows, document))
            rows = []
            document += bool(columns)
        elif rows or not line.startswith("# "):
            rows.append((columns[0], _tag(columns, path, number), columns[1] if len(columns) > 2 else ""))
    if not sentences:
        raise DataError(f"{path} has no sentence: expected lines of a token, a space and a tag such as B-PER or O.")
    unit = _unit(token for rows, _ in sentences for token, _, _ in rows)
    found = []
    for i, (rows, at) in enumerate(sentences):
        tokens, tags, others = zip(*rows, strict=True)
        group = at if document else i // TOGETHER
        found.append(Tagged(tokens, tuple(spans(tags)), unit, group, others if all(others) else ()))
    return found


def _tag(columns: list[str], path: Path, number: int) -> str:
    tag = columns[-1]
    if len(columns) == 1:
        raise DataError(f"{path}, line {number}: {tag[:40]!r} stands alone, expected a token, a space and its tag.")
    letter, _, kind = tag.partition("-")
    letter = {"L": "E", "U": "S"}.get(letter, letter)
    if tag == "O":
        return tag
    if letter not in ("B", "I", "E", "S") or not kind:
        raise DataError(
            f"{path}, line {number}: the last column is {tag[:40]!r}, expected O, or B, I, E or S with a type, as in B-PER."
        )
    return f"{letter}-{kind}"


def _unit(tokens: Iterable[str]) -> str:
    """Characters, where most tokens with letters are one letter of a script that has no upper and lower case."""
    letters = [token for token in tokens if token[0].isalpha()]
    single = sum(len(token) == 1 and token.lower() == token.upper() for token in letters)
    return CHARACTERS if 2 * single > len(letters) else WORDS


__all__ = ["CHARACTERS", "WORDS", "Line", "Tagged", "line_of", "news", "pieces", "read_conll", "tokenized"]
