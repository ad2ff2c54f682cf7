"""Chinese and English beside each other: a dictionary, and the Universal Declaration of Human Rights."""

import html
import re
from pathlib import Path

from minilm.data.errors import DataError
from minilm.data.files import MAX_BYTES
from minilm.files import read_regular, shown

from .fetch import get, get_files
from .lines import fault, text_of

_ENTRY = re.compile(r"(\S+) (\S+) \[([^\]]*)\] /(.+?)/?$", re.DOTALL)


def chinese_lexicon() -> list[tuple[str, str, str, list[str]]]:
    """118,840 entries of CC-CEDICT: traditional, simplified, pinyin ("ni3 hao3") and glosses in English, fetched if need be.

    A word with several pronunciations has several entries. Raises DataError if they cannot be had.
    """
    path = get("chinese-lexicon")
    content = read_regular(path, DataError, max_bytes=MAX_BYTES, remedy="no data set is that large", what="data file")
    entries = []
    for number, line in enumerate(pickled_strings(content, path), 1):
        found = _ENTRY.match(line)
        if found is None:
            raise fault(path, number, "an entry, as 你好 你好 [ni3 hao3] /hello/", line)
        entries.append((found[1], found[2], found[3], found[4].split("/")))
    return entries


def pickled_strings(content: bytes, path: Path) -> list[str]:
    """The strings of a pickled list that has nothing but strings in it.

    To unpickle a file is to run it as a program, which may do anything. This reads the bytes of such a list and knows no other
    instruction of that language: begin, a string, remember it, append what was read, end (`pickletools` lists them).

    Raises DataError at the first other instruction.
    """
    strings = []
    at = 0
    skipped = {
        0x80: 2,
        0x5D: 1,
        0x28: 1,
        0x65: 1,
        0x71: 2,
        0x72: 5,
    }  # PROTO, EMPTY_LIST, MARK, APPENDS, BINPUT, LONG_BINPUT
    while content[at : at + 1] != b".":  # STOP
        if content[at : at + 1] == b"X":  # BINUNICODE: its length in four bytes, and UTF-8
            start = at + 5
            at = start + int.from_bytes(content[at + 1 : start], "little")
            try:
                strings.append(content[start:at].decode("utf-8"))
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{shown(path)} is no text in UTF-8: {error.reason} in the string at byte {start}"
                ) from None
        else:
            step = skipped.get(content[at]) if at < len(content) else None
            if step is None:
                what = f"instruction {content[at : at + 1]!r} at byte {at}" if at < len(content) else "it ends too soon"
                raise DataError(f"{shown(path)} is not what it should be, a pickled list of strings: {what}")
            at += step
    return strings


def human_rights() -> list[tuple[str, str]]:
    """The paragraphs of the Universal Declaration of Human Rights, articles 1 to 30: English, simplified Chinese; fetched if need be.

    Where the two languages divide an article differently, it is one pair. Raises DataError if it cannot be had.
    """
    english, chinese = (_articles(path) for path in get_files("human-rights"))
    pairs: list[tuple[str, str]] = []
    for number in sorted(set(english) & set(chinese)):
        ours, theirs = english[number], chinese[number]
        pairs += zip(ours, theirs, strict=True) if len(ours) == len(theirs) else [("\n".join(ours), "\n".join(theirs))]
    return pairs


def _articles(path: Path) -> dict[int, list[str]]:
    """The paragraphs of each article by its number."""
    found = re.findall(r'<article data-number="(\d{1,3})">(.*?)</article>', text_of(path), re.DOTALL)
    if not found:
        raise DataError(f"{shown(path)} has no articles in it")
    return {
        int(number): [html.unescape(p) for p in re.findall(r"<p>(.*?)</p>", body, re.DOTALL)] for number, body in found
    }
