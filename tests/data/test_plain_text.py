import codecs
import gzip
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minilm.data import iter_text, load_text, plain_text
from minilm.data.errors import DataError
from tests.anew import anew

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)  # no text has a NUL


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@given(text=TEXTS)
@example(text="a\r\nb\rc\x85\u2028d\n\r")
def test_a_file_reads_as_python_reads_it(folder, text):
    path = folder / "file.txt"
    anew(path).write_bytes(text.encode("utf-8"))
    expected = path.read_text(encoding="utf-8-sig")
    if expected:
        assert load_text(path) == load_text(str(path)) == expected


@given(text=TEXTS, size=st.integers(1, 20))
def test_pieces_join_to_the_whole(folder, text, size):
    path = folder / "file.txt"
    anew(path).write_bytes(b"x" + text.encode("utf-8"))
    whole = load_text(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_text, "PIECE_BYTES", size)
        pieces = list(iter_text(path))
    assert "".join(pieces) == whole
    assert all(piece.endswith("\n") for piece in pieces[:-1])


def test_a_large_file_comes_in_several_pieces(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("ä line of text\n" * 200_000, encoding="utf-8")
    pieces = list(iter_text(path))
    assert len(pieces) >= 3
    assert "".join(pieces) == path.read_text(encoding="utf-8")


def test_a_byte_order_mark_is_dropped_at_the_start_only(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(codecs.BOM_UTF8 + "a\ufeffb".encode())
    assert load_text(path) == "a\ufeffb"


@given(before=st.text(st.sampled_from("aé\n漢"), max_size=30), size=st.integers(1, 9), mark=st.booleans())
def test_the_first_wrong_byte_is_named_by_its_offset(folder, before, size, mark):
    path = folder / "file.txt"
    start = (codecs.BOM_UTF8 if mark else b"") + before.encode("utf-8")
    anew(path).write_bytes(start + b"\xff after\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_text, "PIECE_BYTES", size)
        with pytest.raises(DataError, match=rf"byte 0xff at offset {len(start)} "):
            load_text(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "utf-32-be"])
def test_other_unicode_encodings_are_named(tmp_path, encoding):
    path = tmp_path / "file.txt"
    path.write_bytes("\ufeffhello".encode(encoding))
    with pytest.raises(DataError, match=f"mark of {encoding[:6].upper()}: save it as UTF-8"):
        load_text(path)


@given(texts=st.lists(TEXTS.filter(str.strip), min_size=1, max_size=5), field=st.sampled_from(["text", "body"]))
def test_json_lines_give_their_field(folder, texts, field):
    path = folder / "file.jsonl"
    lines = [json.dumps({field: text, "other": 1}, ensure_ascii=i % 2 == 0) for i, text in enumerate(texts)]
    anew(path).write_bytes("\n\n".join(lines).encode("utf-8"))
    assert load_text(path, field=field, separator="|") == "|".join(texts)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": 1', "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ('["text"]', "expected a JSON object"),
        ('{"body": "b", "n": 1}', "no field 'text'; it has 'body', 'n'"),
        ("{}", "no field 'text'; it has none"),
        ('{"text": 5}', "holds int, expected a string"),
        ('{"text": "\\ud800"}', "surrogate"),
    ],
)
def test_a_wrong_json_line_is_named(tmp_path, line, message):
    path = tmp_path / "file.jsonl"
    path.write_text(f'{{"text": "good"}}\n\n{line}\n')
    with pytest.raises(DataError, match=rf"file\.jsonl, line 3: .*{message}"):
        load_text(path)


def test_a_wrong_byte_in_json_lines_is_named_by_its_offset(tmp_path):
    (tmp_path / "file.jsonl").write_bytes(b'{"text": "good"}\n{"text": "\xe9"}\n')
    with pytest.raises(DataError, match="byte 0xe9 at offset 27 "):
        load_text(tmp_path / "file.jsonl")


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    files = {"b.txt": "B", "a/z.txt": "Z", "c.jsonl": '{"text": "C"}', "B.TXT2": "-", ".hidden/h.txt": "-", "e.md": "-"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert load_text(tmp_path, separator="+") == "Z+B+C"
    assert list(iter_text(tmp_path)) == ["Z", "\n\n", "B", "\n\n", "C"]


@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8])
def test_an_empty_file_is_an_error(tmp_path, content):
    (tmp_path / "empty.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"empty\.txt holds no text"):
        load_text(tmp_path / "empty.txt")


def test_a_folder_without_texts_is_an_error(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no \.txt or \.jsonl file"):
        load_text(tmp_path)


def test_a_cut_json_line_has_one_position(tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_text('{"text": "one"}\n{"text": "tw')
    with pytest.raises(DataError) as raised:
        load_text(path)
    assert str(raised.value) == (
        f"{path}, line 2: no valid JSON at column 10 (Unterminated string starting at); it may be cut short"
    )


@pytest.mark.parametrize("name", ["t.txt", "t.txt.gz", "t.jsonl", "t.jsonl.gz", "t", "t.JSONL.GZ"])
@pytest.mark.parametrize("packed", [False, True])
def test_gzip_is_told_by_content_and_json_lines_by_name(tmp_path, name, packed):
    content = b'{"text": "one"}\n{"text": "two"}\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    expected = "one\n\ntwo" if "jsonl" in name.lower() else content.decode()
    assert load_text(tmp_path / name) == expected
    if "." in name:
        assert load_text(tmp_path) == expected


def test_gzip_and_other_content_is_limited(tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"words\n" * 1000))
    (tmp_path / "b.txt").write_bytes(b"words\n" * 1000)
    assert len(load_text(tmp_path / "a.txt", max_bytes=6000)) == 6000
    with pytest.raises(DataError, match=r"a\.txt is unpacked to more than 5,999 bytes, the limit is max_bytes = 5,999"):
        load_text(tmp_path / "a.txt", max_bytes=5999)
    with pytest.raises(
        DataError, match="holds more than max_bytes = 11,000 bytes of text: pass a larger max_bytes, or read it"
    ):
        load_text(tmp_path, max_bytes=11_000)
    assert sum(map(len, iter_text(tmp_path, max_bytes=6000))) == 12_002  # of one file; pieces need no limit in all


def test_a_line_without_end_is_an_error_and_not_a_full_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "PIECE_BYTES", 100)
    monkeypatch.setattr(plain_text, "MAX_LINE_BYTES", 1000)
    (tmp_path / "t.txt").write_text("short\n" * 100 + "x" * 1000 + "\n")
    assert len(load_text(tmp_path / "t.txt")) == 1601
    (tmp_path / "t.txt").write_text("short\n" * 100 + "x" * 1200 + "\n")
    with pytest.raises(DataError, match=r"t\.txt has a line of more than 1,000 bytes at offset \d+: is it text\?"):
        load_text(tmp_path / "t.txt")


def test_utf16_without_a_mark_is_not_trained_on(tmp_path):
    (tmp_path / "t.txt").write_bytes("To be, or not to be\n".encode("utf-16-le") * 100)
    with pytest.raises(
        DataError, match=r"t\.txt is UTF-16 \(little-endian, without a mark\) by its pattern of NUL bytes: save it"
    ):
        load_text(tmp_path / "t.txt")
