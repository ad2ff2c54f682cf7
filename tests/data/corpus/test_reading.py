"""Files to documents: nothing is lost, whatever is damaged, and however files are divided."""

import codecs
import gzip
import json
import random
import sys
import tracemalloc

import pytest

from minilm.data.corpus.documents import (
    BAD_ENCODING,
    BAD_JSON,
    DAMAGED,
    EMPTY,
    NO_FIELD,
    NO_STRING,
    NOT_READ,
    TOO_LONG,
    Aside,
    Document,
    tally,
)
from minilm.data.corpus.partitions import Piece, plan
from minilm.data.corpus.reading import read
from minilm.data.errors import DataError
from tests.data.corpus.test_unpacking import with_gzip, with_zstd

LONGEST = 200
WRONG = (
    (b'{"text": "cut', BAD_JSON),
    (b"\0\0\0\0", BAD_JSON),
    (b"no JSON", BAD_JSON),
    (b'{"text": "\xe9t\xe9"}', BAD_ENCODING),
    (b'{"text": "\\ud800"}', BAD_ENCODING),
    (b'{"body": "b"}', NO_FIELD),
    (b"[1, 2]", NO_FIELD),
    (b'{"text": null}', NO_STRING),
    (b'{"text": "' + b"x" * LONGEST + b'"}', TOO_LONG),
    (b'{"text": ""}', EMPTY),
    (b'{"text": " \\n\\u3000"}', EMPTY),
)


def any_lines(count, seed):
    """Lines, and for each what is made of it: a text, a reason, or None for a blank one."""
    rng = random.Random(seed)
    for number in range(count):
        kind = rng.random()
        if kind < 0.5:
            text = f"{number}" + "".join(rng.choices('ab \n\r"\\é中\u2028\x85\U0001f600', k=rng.choice((0, 3, 15))))
            line = json.dumps({"n": number, "text": text}, ensure_ascii=rng.random() < 0.5).encode()
            yield rng.choice((b"", b" ", codecs.BOM_UTF8)) + line + rng.choice((b"", b"\r", b"  ")), text
        elif kind < 0.9:
            yield rng.choice(WRONG)
        else:
            yield rng.choice((b"", b" \t", b"\r")), None


def expected(found, name="a.jsonl"):
    """The records, without the words."""
    offset = 0
    for line, result in found:
        if result in {reason for _, reason in WRONG}:
            yield Aside("s", name, offset, result, "")
        elif result is not None:
            yield Document(result, "s", f"{name}:{offset}")
        offset += len(line) + 1


def records(path, start=0, end=None, **options):
    found = list(read(Piece(str(path), "s", path.name, start, end), **options))
    assert all(record.found for record in found if isinstance(record, Aside))
    return found


def bare(found):
    return [record._replace(found="") if isinstance(record, Aside) else record for record in found]


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.jsonl"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_every_line_is_a_document_or_kept_aside(write, seed, end):
    found = list(any_lines(300, seed))
    path = write(b"\n".join(line for line, _ in found) + end)
    assert bare(records(path, max_bytes=LONGEST)) == list(expected(found))
    assert sum(tally(records(path, max_bytes=LONGEST)).values()) == sum(result is not None for _, result in found)


@pytest.mark.parametrize("seed", range(3))
def test_ranges_of_every_size_give_the_same(write, seed):
    content = b"\n".join(line for line, _ in any_lines(12, seed))
    path = write(content)
    whole = records(path, max_bytes=LONGEST)
    for size in range(1, len(content) + 2):
        ends = [*range(size, len(content), size), None]
        ranges = zip([0, *ends[:-1]], ends, strict=True)
        assert [record for start, end in ranges for record in records(path, start, end, max_bytes=LONGEST)] == whole


@pytest.mark.parametrize("seed", range(3))
def test_ranges_of_random_sizes_and_blocks_give_the_same(write, monkeypatch, seed):
    rng = random.Random(seed)
    content = b"\n".join(line for line, _ in any_lines(100, seed))
    path = write(content)
    whole = records(path, max_bytes=LONGEST)
    for _ in range(20):
        monkeypatch.setattr("minilm.data.corpus.lines.BLOCK_BYTES", rng.randint(1, 300))
        cuts = sorted(rng.choices(range(len(content) + 5), k=rng.randint(1, 9)))
        ranges = zip([0, *cuts], [*cuts, None], strict=True)
        assert [record for start, end in ranges for record in records(path, start, end, max_bytes=LONGEST)] == whole


@pytest.mark.parametrize(
    ("name", "pack"), [("a.jsonl.gz", with_gzip), ("a.jsonl.zst", with_zstd), ("a.jsonl", with_gzip)]
)
def test_compressed_or_not_is_the_same(write, name, pack):
    found = list(any_lines(100, 0))
    path = write(pack(b"\n".join(line for line, _ in found)), name)
    assert bare(records(path, max_bytes=LONGEST)) == list(expected(found, name))
    assert records(path, 5, None) == []  # it is not divided: all of it belongs to the first byte
    assert records(path, 0, 0) == []


@pytest.mark.parametrize(("name", "pack"), [("a.jsonl.gz", with_gzip), ("a.jsonl.zst", with_zstd)])
def test_of_a_file_that_is_cut_the_lines_before_are_used(write, name, pack):
    found = [(json.dumps({"text": random.Random(i).randbytes(60).hex()}).encode(), i) for i in range(40)]
    packed = pack(b"\n".join(line for line, _ in found))
    whole, before = records(write(packed, name)), 0
    assert len(whole) == 40
    for end in range(4, len(packed), 37):
        *documents, aside = records(write(packed[:end], name))
        assert documents == whole[: len(documents)]
        assert aside == Aside(
            "s", name, len(documents) * 133, DAMAGED, "the file ends before its compressed content does"
        )
        assert len(documents) >= before
        before = len(documents)
    assert before > 30


def test_a_wrong_bit_in_a_compressed_file_is_never_unseen(write):
    packed, rng = with_gzip(b"\n".join(line for line, _ in any_lines(60, 0))), random.Random(0)
    for _ in range(60):
        wrong = bytearray(packed)
        wrong[rng.randrange(20, len(packed))] ^= 1 << rng.randrange(8)
        assert records(write(bytes(wrong), "a.jsonl.gz"))[-1].reason == DAMAGED


def test_random_damage_to_bytes_touches_only_its_line(write):
    rng = random.Random(0)
    content = b"".join(json.dumps({"text": f"number {i}"}).encode() + b"\n" for i in range(20))
    whole = records(write(content))
    for _ in range(200):
        wrong, place = bytearray(content), rng.randrange(4, len(content))
        if content[place] == ord("\n"):
            continue
        wrong[place] = rng.choice([byte for byte in range(256) if byte != ord("\n")])
        number = content.count(b"\n", 0, place)
        found = records(write(bytes(wrong)))
        assert len(found) == 20
        assert found[:number] + found[number + 1 :] == whole[:number] + whole[number + 1 :]


def test_the_byte_is_named(write):
    path = write(b'{"text": "good"}\n{"text": "\xe9"}\n')
    assert records(path)[1].found == "byte 0xe9 at offset 27 is not UTF-8 (invalid continuation byte)"
    path = write(codecs.BOM_UTF8 + b"abc\xff", "a.txt")
    assert "byte 0xff at offset 6 " in records(path)[0].found


def test_accents_are_composed(write):
    assert records(write(b'{"text": "e\\u0301"}'))[0].text == "é"
    assert records(write("e\u0301".encode(), "a.txt"))[0].text == "é"


def test_the_field_is_an_option(write):
    path = write(b'{"text": "a", "body": "b"}')
    assert records(path, field="body") == [Document("b", "s", "a.jsonl:0")]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst", "notes"])
def test_another_file_is_one_document(write, name):
    content = codecs.BOM_UTF8 + b"one\r\ntwo\rthree\n"
    if name.endswith("gz"):
        content = with_gzip(content)
    if name.endswith("zst"):
        content = with_zstd(content)
    assert records(write(content, name)) == [Document("one\ntwo\nthree\n", "s", name)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", EMPTY),
        (codecs.BOM_UTF8 + b" \r\n", EMPTY),
        (b"\xff\xfeh\0i\0", BAD_ENCODING),
        (b"caf\xe9", BAD_ENCODING),
        (b"a\0b", BAD_ENCODING),
        (b"x" * (LONGEST + 1), TOO_LONG),
        (with_gzip(b"x" * (LONGEST + 1)), TOO_LONG),
        (with_gzip(b"some words")[:-9], DAMAGED),
        (b"\xfd7zXZ\0 and so on", NOT_READ),
        (b"PK\x03\x04 and so on", NOT_READ),
    ],
)
def test_a_text_file_that_is_no_document(write, content, reason):
    assert bare(records(write(content, "a.txt"), max_bytes=LONGEST)) == [Aside("s", "a.txt", 0, reason, "")]


def test_the_longest_is_used(write):
    assert len(records(write(b"x" * LONGEST, "a.txt"), max_bytes=LONGEST)[0].text) == LONGEST
    line = b'{"text": "a"}'
    assert isinstance(records(write(line), max_bytes=len(line))[0], Document)
    assert records(write(line), max_bytes=len(line) - 1)[0].reason == TOO_LONG


@pytest.mark.parametrize(
    "content", [b"\xff\xfe" + '{"text": "a"}\n'.encode("utf-16-le") * 20, b"\xfd7zXZ\0" + b"\n" * 99]
)
def test_a_file_of_another_kind_is_kept_aside_once(write, content):
    path = write(content)
    ends = [*range(10, len(content), 10), None]
    found = [record for start, end in zip([0, *ends[:-1]], ends, strict=True) for record in records(path, start, end)]
    assert len(found) == 1
    assert found[0].reason in (BAD_ENCODING, NOT_READ)


@pytest.mark.parametrize("pack", [bytes, with_gzip])
def test_a_line_of_any_length_does_not_fill_the_memory(write, pack):
    path = write(pack(b'{"text": "a"}\n{"text": "' + b"x" * (30 << 20) + b'"}\n{"text": "b"}\n'))
    tracemalloc.start()
    try:
        found = records(path, max_bytes=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert [record.text if isinstance(record, Document) else record.reason for record in found] == ["a", TOO_LONG, "b"]


def test_a_plan_of_any_size_gives_the_same(tmp_path):
    for number in range(6):
        content = b"\n".join(line for line, _ in any_lines(30, number))
        (tmp_path / f"{number}.jsonl").write_bytes(content)
        (tmp_path / f"{number}.txt").write_bytes(content)
        (tmp_path / f"{number}.jsonl.gz").write_bytes(gzip.compress(content))
    found = []
    for size in (37, 1000, 20_000, 1 << 26):
        partitions, _ = plan(tmp_path, "s", size=size)
        found.append([record for pieces in partitions for piece in pieces for record in read(piece, max_bytes=LONGEST)])
    assert found[0] == found[1] == found[2] == found[3]
    assert len({record.name for record in found[0] if isinstance(record, Document)}) > 100


def test_what_depends_on_the_machine_is_an_error(write, monkeypatch, tmp_path):
    path = write(b"\x28\xb5\x2f\xfd", "a.jsonl.zst")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DataError, match="pip install zstandard"):
        records(path)
    with pytest.raises(DataError, match="there is no file"):
        records(tmp_path / "b.jsonl")
    with pytest.raises(DataError, match="max_bytes = 0 must be"):
        read(Piece("", "", ""), max_bytes=0)


def test_a_file_that_changes_meanwhile_is_an_error(write):
    path = write(b'{"text": "a"}\n' * 3)
    found = read(Piece(str(path), "s", "a.jsonl"))
    next(found)
    write(b'{"text": "b"}\n')
    with pytest.raises(DataError, match="was changed while it was read"):
        list(found)
