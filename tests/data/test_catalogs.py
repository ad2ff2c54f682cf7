import gettext
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.catalogs import read_mo, read_po
from minilm.data.errors import DataError

HEADER = ("", "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n")
TEXTS = st.text(st.sampled_from('ab %s"\\\n\t中，'), min_size=1, max_size=12)


def mo(pairs, order="<"):
    """A .mo file as msgfmt writes it, its tables and then the texts, each with a NUL behind it."""
    entries = [(source.encode(), target.encode()) for source, target in pairs]
    at, tables, texts = 28 + 16 * len(entries), [], b""
    for column in (0, 1):
        for entry in entries:
            tables.append(struct.pack(f"{order}2I", len(entry[column]), at + len(texts)))
            texts += entry[column] + b"\0"
    head = struct.pack(f"{order}7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, at)
    return head + b"".join(tables) + texts


def po(pairs):
    def quoted(text):
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
            text = text.replace(plain, escaped)
        return f'"{text}"'

    return "\n".join(f"#: place\nmsgid {quoted(source)}\nmsgstr {quoted(target)}\n" for source, target in pairs)


@given(st.dictionaries(TEXTS, TEXTS, max_size=5), st.sampled_from("<>"))
def test_what_was_written_is_read(messages, order):
    pairs = sorted(messages.items())
    content = mo([HEADER, *pairs], order)
    assert read_mo(content, "x.mo") == pairs
    assert read_po(po([HEADER, *pairs]), "x.po") == pairs
    assert {k: v for k, v in gettext.GNUTranslations(io.BytesIO(content))._catalog.items() if k} == messages


def test_contexts_are_left_out_and_plurals_are_the_general_form():
    pairs = [
        ("menu\x04Open", "打开"),
        ("%d file\0%d files", "%d 个文件"),
        ("a\0b", "one\0many"),
        ("not translated", ""),
    ]
    assert read_mo(mo(pairs), "x.mo") == [("Open", "打开"), ("%d files", "%d 个文件"), ("b", "many")]


def test_the_parts_of_a_po_file():
    text = '''# a comment
msgid ""
msgstr "Language: zh\\n"

#, python-format
msgctxt "menu"
msgid "Op"
"en"
msgstr ""
"打"
"开"
#, fuzzy
msgid "maybe"
msgstr "也许"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d 个\\"文件\\"\\t"

msgid "none"
msgstr ""

#~ msgid "old"
#~ msgstr "旧"
msgid "last"
msgstr "最后"'''
    assert read_po(text, "x.po") == [("Open", "打开"), ("%d files", '%d 个"文件"\t'), ("last", "最后")]
    assert read_po(text.replace("\n", "\r\n"), "x.po") == read_po(text, "x.po")


def test_a_catalog_can_be_empty():
    assert read_mo(mo([]), "x") == read_po("", "x") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.mo is no .mo file"),
        (b"\xde\x12\x04\x95", "it ends within its tables"),
        (mo([HEADER])[:-20], "beyond the end"),
        (struct.pack("<7I", 0x950412DE, 0, 1 << 31, 28, 28, 0, 28), "2,147,483,648 messages do not fit"),
        (mo([("a", "b")]).replace(b"b\0", b"\xff\0"), "x.mo is not in UTF-8"),
    ],
)
def test_a_mo_file_that_is_none_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_mo(content, "x.mo")


@pytest.mark.parametrize("line", ["hello", 'msgid "a', 'msgid "a"b"', 'msgid a"', '"', '"first"', "<html>"])
def test_a_po_file_that_is_none_is_refused(line):
    with pytest.raises(DataError, match=r"x\.po, line 2: "):
        read_po(f"\n{line}\n", "x.po")
