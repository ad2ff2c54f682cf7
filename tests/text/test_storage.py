import json
import os

import pytest

from minilm.text import storage
from minilm.text.storage import TokenizerError, read_limited, read_tokenizer, write_document


def test_a_document_is_one_field_a_line_and_comes_back(tmp_path):
    path = tmp_path / "t.json"
    fields = {"a": "é\n\u2028", "b": [1, [2, 3]], "c": None}
    write_document(path, fields)
    assert read_tokenizer(path, dict) == fields
    assert len(path.read_bytes().split(b"\n")) == 6
    assert "é" in path.read_text("utf-8")


def test_writing_replaces_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "t.json"
    write_document(path, {"a": 1})
    write_document(str(path), {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert os.listdir(tmp_path) == ["t.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "t.json"
    write_document(path, {"a": 1})

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="disk full"):
        write_document(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["t.json"]


def test_the_new_file_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("replace"), replace(*names)))
    write_document(path, {"a": 1})
    assert steps[:2] == ["fsync", "replace"]


def test_files_that_are_not_files(tmp_path):
    with pytest.raises(TokenizerError, match="there is no file"):
        read_limited(tmp_path / "none")
    with pytest.raises(TokenizerError, match="is not a regular file but a folder"):
        read_limited(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "t.json"
    path.write_text("{}")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TokenizerError, match=r"t\.json cannot be read \(Permission denied\); check its permissions"):
        read_limited(path)


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "MAX_FILE_BYTES", 10)
    path = tmp_path / "t.json"
    path.write_bytes(b"1234567890")
    assert read_limited(path) == b"1234567890"
    path.write_bytes(b"12345678901")
    with pytest.raises(TokenizerError, match="is larger than"):
        read_limited(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b'{"a": 1', "is not valid JSON"),
        (b'{"a": 1} x', "is not valid JSON"),
        (b"\x80\x04\x95pickle", r"is not UTF-8 text \(byte 0\)"),
        (b'{"a": "\xff"}', r"is not UTF-8 text \(byte 7\)"),
        (b"\xef\xbb\xbf{}", "is not valid JSON"),
        (b"[1]", "holds a JSON list where an object was expected"),
        (b"null", "holds a JSON null"),
        (b'{"a": 1, "b": 2, "a": 3}', "has the field 'a' 2 times"),
        (b'{"x": {"b": 1, "b": 1}}', "has the field 'b' 2 times"),
        (b'{"a": NaN}', "has the value NaN"),
        (b'{"a": -Infinity}', "has the value -Infinity"),
        (b'{"a": ' + b"1" * 5000 + b"}", "has an integer of 5000 digits"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
    ],
    ids=range(16),
)
def test_what_is_no_json_object_is_refused(tmp_path, content, message):
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=message) as raised:
        read_tokenizer(path, dict)
    assert str(path) in str(raised.value)
    assert "save or train the tokenizer again" in str(raised.value)
