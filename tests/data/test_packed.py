"""A corpus in its folder: rows of ids in several files are one row, and what is damaged is named."""

import json
import random
import shutil

import numpy as np
import pytest

from minilm.data.errors import DataError
from minilm.data.files import sha256_of
from minilm.data.packed import CORPUS, FORMAT, PackedCorpus, Shards, is_corpus, open_corpus
from minilm.data.tokens import TokenBlocks, random_blocks, write_tokens

IDS = np.random.default_rng(0).integers(0, 300, 1000).astype("<u2")


def shards(size):
    return Shards([IDS[start : start + size] for start in range(0, len(IDS), size)])


INDICES = [
    0, 999, -1, -1000, np.int64(5), np.uint16(7), slice(None), slice(10), slice(-5, None), slice(900, 2000), slice(5, 5), slice(600, 2, -7),
    slice(None, None, 13), [], [3], [3, 3, -4], np.zeros((0, 4), np.int64), np.arange(12).reshape(3, 4) * 83, np.array(9),
    np.array([[[999]], [[-1000]]]),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100, 999, 1000, 5000])
def test_parts_are_taken_as_from_one_array(size):
    row, rng = shards(size), random.Random(size)
    drawn = [np.array([rng.randrange(-1000, 1000) for _ in range(20)]).reshape(4, 5) for _ in range(3)]
    for index in [*INDICES, *drawn]:
        found, expected = row[index], IDS[np.array(index, np.int64) if isinstance(index, list) else index]
        assert np.array_equal(found, expected), index
        assert found.dtype == expected.dtype
        assert np.shape(found) == np.shape(expected)
    assert (len(row), row.ndim, row.dtype) == (1000, 1, IDS.dtype)


@pytest.mark.parametrize("index", [1000, -1001, [5, 1000], np.array([[-1001]])])
def test_a_place_behind_the_end(index):
    with pytest.raises(IndexError, match=r"place (1000|-1001) in a row of 1000 ids"):
        shards(100)[index]


@pytest.mark.parametrize("lengths", [[3, 2, 3], [3, 4], [3, 3, 2, 1]])
def test_files_of_which_one_in_the_middle_is_short_are_refused(lengths):
    with pytest.raises(DataError, match=r"the token files have \[.*\] tokens: all but the last should have as many"):
        Shards([IDS[:length] for length in lengths])


@pytest.mark.parametrize("size", [7, 100, 1000])
def test_blocks_of_several_files_are_those_of_one(size):
    for one, other in zip(
        random_blocks(shards(size), 16, 8, np.random.default_rng(3)),
        random_blocks(IDS, 16, 8, np.random.default_rng(3)),
        strict=True,
    ):
        assert np.array_equal(one, other)
    blocks, expected = TokenBlocks(shards(size), 16), TokenBlocks(IDS, 16)
    assert len(blocks) == len(expected)
    every = np.arange(len(expected))
    assert all(
        np.array_equal(one, other) for one, other in zip(blocks.gather(every), expected.gather(every), strict=True)
    )


# -- the folder ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A corpus of 250 ids in three files, and nothing to validate on."""
    place = tmp_path / "corpus"
    (place / "train").mkdir(parents=True)
    files = []
    for number, start in enumerate((0, 100, 200)):
        ids = IDS[start : min(start + 100, 250)]
        header = write_tokens(place / "train" / f"{number:05d}.tokens", [ids], 300)
        files.append({"file": f"{number:05d}.tokens", "tokens": len(ids), "sha256": header.sha256})
    train = {"documents": 3, "characters": 900, "tokens": 250, "shards": files, "texts": []}
    about = {"format": FORMAT, "version": "1", "sha256": "0" * 64, "input": "1" * 64, "settings": {"seed": 0},
             "sources": [{"name": "a", "licence": "x"}], "splits": {"train": train, "validation": {**train, "shards": []}},
             "tokenizer": {"type": "bpe", "vocab_size": 300, "sha256": "2" * 64}}  # fmt: skip
    (place / CORPUS).write_text(json.dumps(about))
    return place


def test_a_corpus_is_opened(folder):
    corpus = open_corpus(folder)
    assert is_corpus(folder)
    assert (corpus.sha256, corpus.documents("train"), corpus.characters("train")) == ("0" * 64, 3, 900)
    assert corpus.tokens("train")[:].tolist() == IDS[:250].tolist()


def test_a_tokenizer_that_is_not_the_corpus_s_is_named(folder):
    with pytest.raises(DataError, match=r"there is no file .*tokenizer.json"):
        _ = open_corpus(folder).tokenizer
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="tokenizer.json is not the file that was written when this corpus was made"):
        _ = open_corpus(folder).tokenizer
    edited(folder, lambda about: about["tokenizer"].update(sha256=sha256_of(folder / "tokenizer.json")))
    assert open_corpus(folder).tokenizer == folder / "tokenizer.json"


def test_it_may_be_moved(folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    assert len(open_corpus(tmp_path / "elsewhere").tokens("train")) == 250
    assert not is_corpus(folder)


def edited(folder, change):
    about = json.loads((folder / CORPUS).read_text())
    change(about)
    (folder / CORPUS).write_text(json.dumps(about))


DAMAGED = {
    "cut": (lambda f: (f / CORPUS).write_bytes((f / CORPUS).read_bytes()[:50]), r"corpus.json is not valid JSON .*: make the corpus again"),
    "no object": (lambda f: (f / CORPUS).write_text("[]"), "corpus.json holds a JSON list"),
    "none": (lambda f: (f / CORPUS).unlink(), r"there is no corpus .*corpus.json: it does not exist in the folder"),
    "a folder": (lambda f: ((f / CORPUS).unlink(), (f / CORPUS).mkdir()), "not a regular file but a folder"),
    "another format": (lambda f: edited(f, lambda a: a.update(format="minilm corpus 2")), "format 'minilm corpus 2'; this minilm knows"),
    "no parts": (lambda f: edited(f, lambda a: a.pop("splits")), "is damaged: .* too many: splits; make the corpus again"),
    "no number": (lambda f: edited(f, lambda a: a["tokenizer"].update(vocab_size="x")), "vocab_size must be a whole number, found 'x'"),
    "no sum": (lambda f: edited(f, lambda a: a["splits"]["train"]["shards"][1].pop("sha256")), r"train.shards\[1\] must have the fields"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_description_that_is_damaged_is_named(folder, case):
    damage, message = DAMAGED[case]
    damage(folder)
    with pytest.raises(DataError, match=message):
        PackedCorpus(folder)


FILES = {
    "missing": (lambda path: path.unlink(), r"there is no token file .*00001.tokens"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-2]), r"00001.tokens is damaged: its header promises"),
    "another corpus's": (
        lambda path: write_tokens(path, [IDS[5:105]], 300),
        r"00001.tokens is not the file that was written when this corpus",
    ),
    "shorter": (lambda path: write_tokens(path, [IDS[100:199]], 300), r"00001.tokens is not the file that was written"),
    "of a larger vocabulary": (
        lambda path: write_tokens(path, [IDS[100:200]], 301),
        "was made with a vocabulary of 301 tokens",
    ),
    "text": (lambda path: path.write_text("x" * 300), r"00001.tokens is no token file"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_token_file_that_is_not_the_corpus_s_is_named(folder, case):
    damage, message = FILES[case]
    damage(folder / "train" / "00001.tokens")
    with pytest.raises(DataError, match=message):
        open_corpus(folder).tokens("train")


def test_a_part_that_is_empty_or_not_there(folder):
    corpus = open_corpus(folder)
    with pytest.raises(
        DataError, match=r"nothing is in the part 'validation': make the corpus again, with a larger --held-out"
    ):
        corpus.tokens("validation")
    with pytest.raises(DataError, match="has the parts train, validation, and none called 'test'"):
        corpus.tokens("test")


def test_a_name_that_leads_out_of_the_folder_is_refused(folder, tmp_path):
    write_tokens(tmp_path / "mine.tokens", [IDS[:100]], 300)
    edited(folder, lambda about: about["splits"]["train"]["shards"][0].update(file="../../mine.tokens"))
    with pytest.raises(DataError, match="'../../mine.tokens' is no name of a file in it"):
        open_corpus(folder).tokens("train")
