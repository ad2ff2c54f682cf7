"""Small talk: what one says, and what can be answered."""

import re
import textwrap
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from minilm.data.errors import DataError
from minilm.files import shown

from .fetch import get

_TURN = re.compile(r"(?:- +-|-| {1,3}-)(?: +(.*))?$")  # deeper dashes belong to a text
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "0": "\0"}
_LANGUAGES = ("english", "chinese")


def small_talk(language: str = "english", *, topics: Collection[str] | None = None) -> list[list[str]]:
    """Conversations, each a list of what is said in turn, fetched if need be: 2,026 in English, 467 in Chinese.

    Most have two turns, a question or remark and an answer. They were written by many hands for a chat program, with jokes and
    opinions among them. Equal questions have several answers, so keep these together when you split.

    Args:
        language: "english" or "chinese".
        topics: only these, such as {"science", "trivia"}; by default all, in the order of their names.

    Raises:
        DataError: an unknown language or topic, or the data set cannot be had.
    """
    if language not in _LANGUAGES:
        raise DataError(f"language = {language!r}: small-talk has {' and '.join(map(repr, _LANGUAGES))}")
    path = get("small-talk")
    texts = _texts(path, language)
    unknown = sorted(set(topics or ()) - set(texts))
    if unknown:
        raise DataError(f"there are no topics {', '.join(unknown)} in {language}: there are {', '.join(texts)}")
    return [
        conversation
        for topic, text in texts.items()
        if topics is None or topic in topics
        for conversation in conversations(text, f"{shown(path)}: {topic}")
    ]


def _texts(archive: Path, language: str) -> dict[str, str]:
    """The files of a language by their topic."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            found = sorted(name for name in wheel.namelist() if f"/data/{language}/" in name and name.endswith(".yml"))
            return {Path(name).stem: wheel.read(name).decode("utf-8") for name in found}
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataError(f"{shown(archive)} is no wheel with texts: {error}") from None


def conversations(text: str, name: str) -> list[list[str]]:
    """The conversations of a file; `name` is what an error calls it.

    The files are YAML of one form, a list of lists of texts, and this reads no other: a text stands in one line or goes on in
    lines that are indented more, plain, in quotes, or as a block after "|". Every text is one, "yes" and "42" too. One
    conversation lacks its second dash, and is read as if it had it.
    """
    found: list[list[str]] = []
    for number, begins, lines in _scalars(text, name):
        if begins:
            found.append([])
        elif not found:
            raise DataError(f"{name}, line {number}: expected the first turn of a conversation, as '- - Hello'")
        if said := _scalar(lines, f"{name}, line {number}"):
            found[-1].append(said)
    return [conversation for conversation in found if conversation]


def _scalars(text: str, name: str) -> Iterator[tuple[int, bool, list[str]]]:
    """For each turn: its line, whether it begins a conversation, and its lines."""
    _, heading, body = ("\n" + text).partition("\nconversations:")
    if not heading:
        raise DataError(f"{name} has no 'conversations:' in it")
    first = text.count("\n") - body.count("\n") + 1
    held: tuple[int, bool, list[str]] | None = None
    for number, line in enumerate(body.split("\n"), first):
        line = line.rstrip()
        turn = _TURN.match(line)
        if turn:
            if held:
                yield held
            held = number, line.startswith("-"), [turn[1] or ""]
        elif held and (not line or line.startswith(" ")):
            held[2].append(line)
        elif line and not line.startswith("#"):
            raise DataError(f"{name}, line {number}: expected '- - ' or '  - ' and a text, got {line[:80]!r}")
    if held:
        yield held


def _scalar(lines: list[str], place: str) -> str:
    head = lines[0].strip()
    if head in ("|", "|-", "|+"):
        return textwrap.dedent("\n".join(lines[1:])).strip("\n")
    text = " ".join(filter(None, (line.strip() for line in lines)))
    if text[:1] not in ('"', "'"):
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    if len(text) < 2 or text[-1] != text[0]:
        raise DataError(f"{place}: a text that begins with {text[0]} must end with it, got {text[:80]!r}")
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
