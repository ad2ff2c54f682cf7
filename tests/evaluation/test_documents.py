"""What a document is."""

import json

import pytest

from minilm.data import DataError, iter_documents
from minilm.evaluation import read_documents


def test_a_file_a_line_and_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(
        "\n".join(json.dumps({"text": t}) for t in ("three", "", "four\n\nfive")), encoding="utf-8"
    )
    assert list(read_documents(tmp_path / "a.txt")) == ["one\n\ntwo\n"]
    assert list(read_documents(tmp_path / "b.jsonl")) == ["three", "", "four\n\nfive"]
    assert list(read_documents(tmp_path)) == ["one\n\ntwo\n", "three", "", "four\n\nfive"]
    assert list(read_documents(str(tmp_path), "paragraphs")) == ["one", "two", "three", "four", "five"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb\n\n\n c\n", ["a\nb", " c"]), ("\n\n a \n \t \n\nb\n\n", [" a ", "b"]), ("\n \n", []), ("", []), ("a\r\n\r\nb", ["a", "b"])],
)  # fmt: skip
def test_paragraphs_end_at_blank_lines(tmp_path, text, expected):
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert list(read_documents(tmp_path / "a.txt", "paragraphs")) == expected


def test_a_file_of_many_pieces_is_one_document(tmp_path):
    text = "a line of text\n" * 150_000
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert list(iter_documents(tmp_path / "a.txt")) == [text]


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        list(read_documents(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match="files or paragraphs, not by 'lines'"):
        list(read_documents(tmp_path, "lines"))
