"""Catalogs of translated messages, in the two formats of GNU gettext: .mo (binary) and .po (text).

A program looks up its messages in them. Both readers give pairs (message, translation) in the order of the file, without the
header, without messages that are not translated, and without those that the translators marked as not sure ("fuzzy"). A context
that tells two equal messages apart is left out; of a message with a plural, the plural is taken, with the last form of its
translation, which is the general one. (GNU gettext manual, "The Format of GNU MO Files" and "The Format of PO Files".)
"""

import re
import struct

from .errors import DataError

_LITTLE, _BIG = b"\xde\x12\x04\x95", b"\x95\x04\x12\xde"
_CONTEXT = "\x04"
_KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s*(".*")$')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def read_mo(content: bytes, name: str) -> list[tuple[str, str]]:
    """The pairs of a .mo file; `name` is what an error calls it.

    Raises DataError if the file is none, is cut, or is not in UTF-8.
    """
    order = {_LITTLE: "<", _BIG: ">"}.get(content[:4])
    if order is None:
        raise DataError(f"{name} is no .mo file: it does not begin with that format's mark")
    try:
        count, originals, translations = struct.unpack_from(f"{order}3I", content, 8)
        if count * 8 > len(content):
            raise DataError(f"{name} is damaged: {count:,} messages do not fit into its {len(content):,} bytes")
        pairs = []
        for number in range(count):
            source = _mo_text(content, order, originals + 8 * number)
            target = _mo_text(content, order, translations + 8 * number)
            if source and target:
                pairs.append((source.rpartition(_CONTEXT)[2].split("\0")[-1], target.split("\0")[-1]))
    except struct.error as error:
        raise DataError(f"{name} is damaged: it ends within its tables ({error})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not in UTF-8: {error.reason}") from None
    return pairs


def _mo_text(content: bytes, order: str, at: int) -> str:
    length, start = struct.unpack_from(f"{order}2I", content, at)
    if start + length > len(content):
        raise struct.error(f"a message lies at {start:,}, beyond the end")
    return content[start : start + length].decode("utf-8")


def read_po(text: str, name: str) -> list[tuple[str, str]]:
    """The pairs of a .po file; `name` is what an error calls it. Raises DataError that names the line if the file is none."""
    pairs = []
    entry: dict[str, str] = {}
    fuzzy, field = False, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        line = line.strip()
        keyword = _KEYWORD.match(line)
        if not line or (field.startswith("msgstr") and (keyword or line.startswith("#"))):
            begins = keyword is None or not keyword[1].startswith("msgstr")
            if begins:
                pairs += _pair(entry, fuzzy)
                entry, fuzzy, field = {}, False, ""
        if line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif keyword:
            field = keyword[1]
            entry[field] = _unquoted(keyword[2], name, number)
        elif line:
            if not field or not re.fullmatch('".*"', line):
                raise DataError(f"{name}, line {number}: expected msgid, msgstr or a text in quotes, got {line[:80]!r}")
            entry[field] += _unquoted(line, name, number)
    return pairs


def _pair(entry: dict[str, str], fuzzy: bool) -> list[tuple[str, str]]:
    forms = [entry[field] for field in sorted(entry) if field.startswith("msgstr")]
    source = entry.get("msgid_plural") or entry.get("msgid", "")
    return [(source, forms[-1])] if source and forms and forms[-1] and not fuzzy else []


def _unquoted(quoted: str, name: str, number: int) -> str:
    body = quoted[1:-1]
    if re.fullmatch(r'(?:[^"\\]|\\.)*', body) is None:
        raise DataError(
            f"{name}, line {number}: a quote within a text needs a backslash before it, got {quoted[:80]!r}"
        )
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), body)
