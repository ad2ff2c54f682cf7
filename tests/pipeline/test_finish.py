"""What stands in the folder at the end."""

import gzip
import hashlib
import json
import shutil

import pytest

from minilm.data.corpus.report import html_of
from minilm.data.errors import DataError
from minilm.data.files import sha256_of
from minilm.data.packed import open_corpus
from minilm.data.tokens import read_token_header
from minilm.pipeline.finish import LISTS, corpus_json
from minilm.pipeline.summarize import summary_of
from tests.pipeline.collections import texts_in

WRITTEN = ["asides.jsonl", "card.md", "contaminated.jsonl", "copies.jsonl", "corpus.json", "removed.jsonl", "report.html", "summary.json",
           "tokenizer.json", "train", "validation"]  # fmt: skip


def test_nothing_else_is_in_the_folder(expected, made):
    assert sorted(path.name for path in expected.folder.iterdir()) == WRITTEN
    assert sorted(path.name for path in made.folder.iterdir()) == [*WRITTEN, "work"]


def test_corpus_json_says_what_the_files_are(made, work):
    about = made.about
    assert about == corpus_json(work)
    assert about["input"] == work.plan.fingerprint
    assert about["sources"] == [{"name": name, "licence": f"licence of {name}"} for name in "abc"]
    assert about["tokenizer"]["sha256"] == sha256_of(made.tokenizer)
    for split, told in about["splits"].items():
        found = texts_in(made, split)
        assert (told["documents"], told["characters"]) == (len(found), sum(len(each.text) for each in found))
        assert sum(file["tokens"] for file in told["shards"]) == told["tokens"]
        for file in told["shards"]:
            assert sha256_of(made.folder / split / file["file"])  # it is there
            assert read_token_header(made.folder / split / file["file"]).sha256 == file["sha256"]


def test_the_number_of_the_whole_is_of_the_tokenizer_and_all_files(expected, made):
    about = made.about
    parts = [
        about["tokenizer"]["sha256"],
        *(file["sha256"] for split in about["splits"].values() for file in split["shards"]),
    ]
    assert made.sha256 == expected.sha256 == hashlib.sha256(" ".join(parts).encode()).hexdigest()


def test_lists_have_all_partitions_lines_in_order(made, work):
    for kind, stage in LISTS.items():
        lines = (made.folder / f"{kind}.jsonl").read_text().splitlines()
        of_parts = [
            line
            for path in work.paths(stage, len(work.plan.partitions), kind)
            for line in path.read_text().splitlines()
        ]
        assert lines[len(lines) - len(of_parts) :] == of_parts
        assert len(lines) - len(of_parts) == (len(work.plan.asides) if kind == "asides" else 0)
        assert all(json.loads(line)["source"] in "abc" for line in lines)
    assert json.loads((made.folder / "asides.jsonl").read_text().splitlines()[0])["file"] == "picture.png"


def test_texts_are_unpacked_as_they_are_told(made):
    for split, told in made.about["splits"].items():
        for file in told["texts"]:
            packed = (made.folder / split / file["file"]).read_bytes()
            assert packed[4:8] == bytes(4)  # no time: the same texts are the same file
            content = gzip.decompress(packed)
            assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_texts_are_read_in_the_order_of_their_tokens(made):
    for split in ("train", "validation"):
        assert list(made.texts(split)) == [document.text for document in texts_in(made, split)]


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-20], lambda content: content[:40] + b"x" + content[41:], gzip.decompress,
     lambda content: gzip.compress(gzip.decompress(content).replace(b"a", b"b"))],
)  # fmt: skip
def test_texts_that_are_damaged_are_named(made, damage, tmp_path):
    shutil.copytree(made.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("work"))
    path = tmp_path / "copy" / "validation" / "00000.jsonl.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"00000.jsonl.gz is not the file that was written when this corpus was made"):
        list(open_corpus(tmp_path / "copy").texts("validation"))


def test_pages_are_of_the_summary(made, work):
    assert (made.folder / "report.html").read_text() == html_of(summary_of(work))
    card = (made.folder / "card.md").read_text()
    assert "licence of a" in card
