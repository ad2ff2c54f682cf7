"""The plan of what is read: every file once, in an order that nothing of this machine decides."""

import gzip
import os
import pickle
import sys

import pytest

from minilm.data.corpus.documents import NOT_READ
from minilm.data.corpus.partitions import FILE_BYTES, Piece, holds_lines, plan
from minilm.data.errors import DataError


def make(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(partitions):
    return [piece.name for partition in partitions for piece in partition]


def test_a_folder_in_the_order_of_its_paths(tmp_path):
    wanted = ["B.JSONL", "a-b.txt", "a/z.txt", "a/é.jsonl.gz", "b.Txt.GZ", "c.jsonl"]
    others = [".hidden.txt", ".hidden/x.txt", "a/.git/x.jsonl", "a/e.md", "f.json", "g.jsonl.bak", "h.txt.xz", "jsonl"]
    make(tmp_path, dict.fromkeys(wanted + others, b"x"))
    (tmp_path / "folder.txt").mkdir()
    partitions, asides = plan(tmp_path)
    assert names(partitions) == wanted
    assert [aside.file for aside in asides] == ["a/e.md", "f.json", "g.jsonl.bak", "h.txt.xz", "jsonl"]
    assert {(aside.reason, aside.source, aside.offset) for aside in asides} == {(NOT_READ, tmp_path.name, 0)}
    assert pickle.loads(pickle.dumps(partitions)) == partitions


def test_a_file_by_itself_may_have_any_name(tmp_path):
    make(tmp_path, {"notes": b"x"})
    path = tmp_path / "notes"
    assert plan(path) == plan(str(path)) == ([(Piece(str(path), "notes", "notes"),)], [])
    assert plan(path, "mine")[0][0][0].source == "mine"


def test_ranges_join_to_the_file(tmp_path):
    make(tmp_path, {"a.jsonl": bytes(10_000)})
    for size in (1000, 2999, 3000, 9999, 10_000, 10_001):
        partitions, _ = plan(tmp_path, size=size)
        pieces = [piece for partition in partitions for piece in partition]
        assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
        assert pieces[-1].end is None
        assert len(pieces) == -(-10_000 // size)


def test_only_lines_that_are_not_compressed_are_divided(tmp_path):
    packed = gzip.compress(os.urandom(5000))
    make(tmp_path, {"a.txt": bytes(5000), "b.jsonl.gz": packed, "c.jsonl": packed, "d.jsonl.gz": bytes(5000)})
    assert names(plan(tmp_path, size=4000)[0]) == ["a.txt", "b.jsonl.gz", "c.jsonl", "d.jsonl.gz", "d.jsonl.gz"]


def test_small_files_go_together(tmp_path):
    make(tmp_path, {f"{i:02}.txt": bytes(i) for i in range(20)})
    partitions, _ = plan(tmp_path, size=5 * FILE_BYTES)
    assert [len(partition) for partition in partitions] == [5, 5, 5, 5]
    assert names(partitions) == sorted(names(partitions))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_and_pipes_are_told_and_not_waited_for(tmp_path):
    make(tmp_path, {"in/a.txt": b"x", "out/b.txt": b"x"})
    (tmp_path / "in" / "b.txt").symlink_to(tmp_path / "out" / "b.txt")
    (tmp_path / "in" / "broken.txt").symlink_to("nowhere")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "out")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    partitions, asides = plan(tmp_path / "in")
    assert names(partitions) == ["a.txt", "b.txt"]
    assert [(aside.file, aside.found.split(":")[0]) for aside in asides] == [
        ("broken.txt", "no regular file"),
        ("other", "a link to a folder"),
        ("pipe.txt", "no regular file"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_is_no_text_can_be_written(tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.txt")).write_bytes(b"x")
    [[piece]], _ = plan(tmp_path)
    assert piece.name == "a\\udcff.txt"
    assert os.path.exists(piece.path)


def test_nothing_to_read_is_an_error(tmp_path):
    make(tmp_path, {"a.md": b"x"})
    with pytest.raises(DataError, match=r"holds no \.txt or \.jsonl file"):
        plan(tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        plan(tmp_path / "b.txt")
    with pytest.raises(DataError, match="size = 0 must be"):
        plan(tmp_path, size=0)


def test_a_missing_package_is_asked_for_before_the_work_begins(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    make(tmp_path, {"a.jsonl": b"x", "b.jsonl.zst": b"x"})
    with pytest.raises(DataError, match=r"b\.jsonl\.zst .*pip install zstandard"):
        plan(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.JSONL.gz", "b/a.jsonl.zst"])
def test_lines_are_told_by_the_name(name):
    assert holds_lines(name)
    assert not holds_lines(name.replace("json", "x").replace("JSON", "x"))
    assert not holds_lines(name + ".txt")
