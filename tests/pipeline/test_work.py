"""The folder of the work: what is planned, what is done, and the documents in it."""

import json
import os
import shutil

import numpy as np
import pytest

from minilm.data.corpus.documents import Document
from minilm.data.corpus.partitions import plan
from minilm.data.corpus.reading import read
from minilm.data.errors import DataError
from minilm.pipeline import Collection, Settings
from minilm.pipeline.work import PLAN, WORK, Work, begin, json_bytes, load_json, make_plan, save_json


def planned(collections, settings=None, **options):
    wanted = {"evaluation": [], "tokenizer": None, "size": 1 << 20, **options}
    return make_plan(collections, settings or Settings(), **wanted)


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    return path


# -- parts and their results ---------------------------------------------------------------------------------------------


@pytest.fixture
def part(tmp_path):
    """A part that is done: two files and a result."""
    work = Work(tmp_path)
    for kind, content in (("rows", b"12345"), ("documents", b"")):
        with work.writing("read", 7, kind) as file:
            file.write(content)
    work.done("read", 7, {"a": 1})
    return work


def test_a_part_is_done_when_its_result_stands_there(part):
    assert part.is_done("read", 7)
    assert part.result("read", 7) == {"a": 1}
    assert not part.is_done("read", 6)
    assert not part.is_done("held", 7)


@pytest.mark.parametrize("kind", ["rows", "documents"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"123"), lambda path: path.rename(f"{path}s")]
)
def test_a_part_whose_files_are_not_whole_is_not_done(part, kind, damage):
    damage(part.path("read", 7, kind))
    assert not part.is_done("read", 7)


@pytest.mark.parametrize("content", [b"", b"{", b'{"files": {"documents": 0, "rows": 5}', b"\0" * 40, b"[]", b"{}"])
def test_a_part_whose_result_is_cut_is_not_done(part, content):
    part.path("read", 7, "json").write_bytes(content)
    assert not part.is_done("read", 7)


def test_what_a_killed_writer_left_is_none_of_a_part_s_files(part):
    (part.folder / "read" / ".000007.rows.0123abcd.tmp").write_bytes(b"half")
    assert part.is_done("read", 7)


def test_a_file_that_failed_is_not_there(part):
    with pytest.raises(KeyError), part.writing("read", 7, "rows") as file:
        file.write(b"half")
        raise KeyError
    assert part.path("read", 7, "rows").read_bytes() == b"12345"
    assert len(list((part.folder / "read").iterdir())) == 3


# -- documents -----------------------------------------------------------------------------------------------------------


def test_a_document_by_its_number_is_the_one_of_its_row(work):
    parts = len(work.plan.partitions)
    found = [work.document(number) for number in range(work.bounds[-1])]
    by_part = [list(work.documents(part, np.arange(len(work.rows(part))))) for part in range(parts)]
    assert [document for some in by_part for document in some] == found
    assert work.column("characters").tolist() == [len(document.text) for document in found]
    assert [work.sources[number] for number in work.column("source")] == [document.source for document in found]
    assert min(map(len, by_part)) == 0  # a partition of which nothing stays has a place, too


def test_one_band_of_the_keys(work):
    bands = work.settings.bands[0]
    assert np.array_equal(np.stack([work.column("keys", band) for band in range(bands)], 1), work.column("keys"))


# -- the plan ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_made(lines, tmp_path):
    wanted = planned([Collection("a", str(lines), "own")], evaluation=[str(lines)], size=5)
    assert begin(tmp_path / "out", wanted).plan == wanted == Work(tmp_path / "out").plan
    assert len(wanted.partitions) > 1


def test_the_fingerprint_is_of_what_is_read_not_of_where_and_when(lines, tmp_path):
    first = planned([Collection("a", str(lines))])
    other = tmp_path / "elsewhere" / "a.jsonl"
    other.parent.mkdir()
    shutil.copy(lines, other)
    os.utime(other, (5, 5))
    assert planned([Collection("a", str(other))], size=3).fingerprint == first.fingerprint
    changed = [
        planned([Collection("b", str(lines))]),
        planned([Collection("a", str(lines))], evaluation=[str(lines)]),
    ]
    lines.write_text('{"text": "one"}\n')
    changed.append(planned([Collection("a", str(lines))]))
    assert len({first.fingerprint, *(plan.fingerprint for plan in changed)}) == 4


def test_the_order_in_which_inputs_are_named_is_no_part_of_a_plan(lines):
    both = [Collection("a", str(lines)), Collection("b", str(lines))]
    assert planned(both) == planned(both[::-1])


def test_how_it_was_divided_goes_on(lines, tmp_path):
    begin(tmp_path / "out", planned([Collection("a", str(lines))], size=5))
    again = begin(tmp_path / "out", planned([Collection("a", str(lines))], size=1 << 20))
    assert len(again.plan.partitions) > 1


def test_the_same_path_in_other_words_is_the_same(lines, tmp_path, monkeypatch):
    begin(tmp_path / "out", planned([Collection("a", str(lines))]))
    monkeypatch.chdir(tmp_path)
    assert begin(tmp_path / "out", planned([Collection("a", "./a.jsonl")])).sources == ("a",)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda c: planned([c], Settings(seed=1)), "holds another corpus, which is not finished: seed was 0, is 1"),
        (lambda c: planned([c._replace(licence="x")]), r"the inputs were a \(own\), are a \(x\)"),
        (lambda c: planned([c, c._replace(source="b")]), r"the inputs were a \(own\), are a \(own\), b \(own\)"),
    ],
)
def test_another_corpus_is_refused(lines, tmp_path, other, message):
    collection = Collection("a", str(lines), "own")
    begin(tmp_path / "out", planned([collection]))
    with pytest.raises(DataError, match=message):
        begin(tmp_path / "out", other(collection))


def test_files_that_come_go_and_change_are_named(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.txt").write_text(name)
    begin(tmp_path / "out", planned([Collection("x", str(folder))]))
    for change, message in [
        (lambda: (folder / "c.txt").touch(), "c.txt has come into the input since the work on .*out began"),
        (lambda: (folder / "c.txt").rename(folder / ".c"), None),
        (lambda: (folder / "b.txt").rename(folder / ".b"), "b.txt is no part of the input any more, since"),
        (lambda: (folder / ".b").rename(folder / "b.txt"), None),
        (lambda: os.utime(folder / "a.txt", (5, 5)), "a.txt has changed since"),
    ]:
        change()
        if message is None:
            begin(tmp_path / "out", planned([Collection("x", str(folder))]))
        else:
            with pytest.raises(DataError, match=message):
                begin(tmp_path / "out", planned([Collection("x", str(folder))]))


def test_a_name_that_is_no_text_is_written_and_read(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        (tmp_path / name).write_text("coffee")
    except OSError:
        pytest.skip("this file system wants text")
    wanted = planned([Collection(name, str(tmp_path / name))])
    again = begin(tmp_path / "out", wanted).plan
    assert again == wanted
    assert [record for piece in again.partitions[0] for record in read(piece)] == [
        Document("coffee", "caf\\udce9.txt", "caf\\udce9.txt")
    ]


REFUSED = [
    ([], {}, "no input: give a file"),
    (["a", "a"], {}, "two inputs are called a: give them names, as in first=a second="),
    (["a\x1b[31m", "a\x1b[31m"], {}, r"two inputs are called a\\x1b\[31m"),
    (["a"], {"settings": Settings(weights={"b": 1.0})}, "there is a weight for 'b', but the inputs are a"),
]


@pytest.mark.parametrize(("names", "options", "message"), REFUSED)
def test_inputs_that_cannot_be_planned(lines, names, options, message):
    with pytest.raises(DataError, match=message):
        planned([Collection(name, str(lines)) for name in names], **options)


# -- JSON ----------------------------------------------------------------------------------------------------------------


def test_json_is_a_line_and_half_a_pair_comes_back(tmp_path):
    value = {"name": "caf\udce9 中\n", "path": "\ud800"}
    save_json(tmp_path / "deep" / "x.json", value)
    content = (tmp_path / "deep" / "x.json").read_bytes()
    assert content.count(b"\n") == 1
    assert "中".encode() in content
    assert load_json(tmp_path / "deep" / "x.json") == json.loads(content) == value
    with pytest.raises(ValueError, match="JSON compliant"):
        json_bytes(float("nan"))


def test_a_plan_that_is_damaged_is_named(lines, tmp_path):
    begin(tmp_path / "out", planned([Collection("a", str(lines))]))
    (tmp_path / "out" / WORK / PLAN).write_bytes(b"{")
    with pytest.raises(DataError, match=r"plan.json is not valid JSON .*: delete it, and go on"):
        begin(tmp_path / "out", planned([Collection("a", str(lines))]))


def test_pieces_are_those_of_the_collections(lines):
    pieces = [piece for some in planned([Collection("a", str(lines))], size=5).partitions for piece in some]
    assert pieces == [piece for some in plan(str(lines), "a", size=5)[0] for piece in some]
