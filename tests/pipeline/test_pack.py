"""Tokens of all buckets are one row, however it is cut into files."""

import dataclasses
import random

import numpy as np
import pytest

from minilm.data.corpus.packing import laid_in_a_row
from minilm.data.errors import DataError
from minilm.data.tokens import open_tokens
from minilm.pipeline import Collection, Settings, build, pack
from minilm.pipeline.work import Work
from minilm.text import BPETokenizer, CharTokenizer, load_tokenizer
from tests.data.corpus.texts import words
from tests.pipeline.collections import SETTINGS, everything_in, texts_in


@pytest.fixture(scope="module")
def many(inputs, tmp_path_factory):
    """A corpus whose buckets are small, and so are its token files: their edges lie anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.pipeline.split.BUCKET_BYTES", 1_500)
        settings = Settings(**{**vars(SETTINGS), "shard": 999})
        return build(inputs, tmp_path_factory.mktemp("many"), settings, size=1 << 20, keep=True)


def test_files_of_any_length_are_the_row_of_all_texts(many):
    tokenizer, work = load_tokenizer(many.tokenizer), Work(many.folder)
    assert len(pack.buckets_of(work)) > 10
    for split in ("train", "validation"):
        texts = [document.text for document in texts_in(many, split)]
        row = np.concatenate(list(laid_in_a_row(map(tokenizer.encode_array, texts), pack.end_of(tokenizer))))
        files = [open_tokens(many.folder / split / each["file"]) for each in many.about["splits"][split]["shards"]]
        assert np.array_equal(np.concatenate(files), row)
        assert [len(file) for file in files[:-1]] == [999] * (len(files) - 1)
        assert 0 < len(files[-1]) <= 999
        assert many.about["splits"][split]["tokens"] == len(row)


def test_ids_between_any_two_places(many):
    work, rng = Work(many.folder), random.Random(0)
    row = many.tokens("train")[:]
    edges = pack._tokens(work, "train")
    assert edges[-1] == len(row)
    places = [
        0,
        1,
        len(row),
        len(row) + 5,
        *edges[1:4],
        *(edge - 1 for edge in edges[1:4]),
        *rng.choices(range(len(row)), k=10),
    ]
    for start, end in zip(places, rng.sample(places, len(places)), strict=True):
        pieces = [np.empty(0, row.dtype), *pack._ids_between(work, "train", start, max(start, end))]
        assert np.array_equal(np.concatenate(pieces), row[start : max(start, end)])


def test_a_row_that_fills_its_files_has_no_empty_one_behind(many, monkeypatch):
    work = Work(many.folder)
    total = pack._tokens(work, "train")[-1]
    for shard, files in ((total, 1), (total + 1, 1), (total - 1, 2), (-(-total // 3), 3)):
        monkeypatch.setitem(
            work.__dict__, "plan", work.plan._replace(settings=dataclasses.replace(work.settings, shard=shard))
        )
        assert [name for name, _ in pack.shards_of(work)].count("train") == files


def test_the_tokenizer_is_made_from_the_first_texts_of_the_training_part(many):
    work, texts = Work(many.folder), [document.text for document in texts_in(many, "train")]
    first = list(pack._first_texts(work, 1_000))
    assert first == texts[: len(first)]
    assert sum(map(len, first[:-1])) < 1_000 <= sum(map(len, first))
    made = BPETokenizer.train(iter(texts), vocab_size=300, special_tokens=[pack.END])
    assert load_tokenizer(many.tokenizer).to_dict() == made.to_dict()


def test_the_tokenizer_has_not_seen_what_is_held_out(made):
    texts = [document.text for document in texts_in(made, "train")]
    own = BPETokenizer.train(iter(texts), vocab_size=300, special_tokens=[pack.END])
    assert load_tokenizer(made.tokenizer).to_dict() == own.to_dict()


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(" ".join(words(60, 3)))
    return [Collection("a", str(path))]


LOOSE = Settings(least=10, without=SETTINGS.without, held_out=0.0, vocab_size=257)


def test_a_tokenizer_that_is_given_is_used_and_what_it_says_is_kept(lines, tmp_path):
    given = BPETokenizer.train(["a b a b"], vocab_size=260, special_tokens=["<pad>", pack.END])
    given.save(tmp_path / "given.json")
    corpus = build(lines, tmp_path / "out", LOOSE, tokenizer=str(tmp_path / "given.json"))
    assert load_tokenizer(corpus.tokenizer).to_dict() == given.to_dict()
    assert corpus.tokens("train")[-1] == given.special_tokens[pack.END]
    assert corpus.about["tokenizer"]["vocab_size"] == given.vocab_size


def test_a_tokenizer_without_an_end_is_refused_before_anything_is_done(lines, tmp_path):
    CharTokenizer.train(["abc"]).save(tmp_path / "given.json")
    with pytest.raises(DataError, match=r"has no special token '<\|endoftext\|>' .*: train one with special_tokens"):
        build(lines, tmp_path / "out", LOOSE, tokenizer=str(tmp_path / "given.json"))
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_changes_meanwhile_is_refused(lines, tmp_path):
    path = tmp_path / "given.json"
    BPETokenizer.train(["a b a b"], vocab_size=258, special_tokens=[pack.END]).save(path)

    def change(stage, done, parts):
        if stage.name == "scatter":
            BPETokenizer.train(["b a"], vocab_size=259, special_tokens=[pack.END]).save(path)

    with pytest.raises(DataError, match=r"given.json has changed since the work began: put it back"):
        build(lines, tmp_path / "out", LOOSE, tokenizer=str(path), progress=change)


NOTHING = {
    "short": ({"least": 5_000}, {}, r"Of 1 that were read, 1 break a rule \(--without, --least\)\."),
    "weight": ({"weights": {"a": 0.0}}, {}, r"1 are taken no time \(--weight\)"),
    "held out": ({"held_out": 1 - 1e-9}, {}, r"1 are held out \(--held-out\)"),
    "asked": ({}, {"evaluation": ["a.txt"]}, r"1 hold what is held out or asked \(--evaluation,"),
    "too long": (
        {"max_bytes": 5},
        {},
        r"Of 0 that were read, none stays. 1 pieces of the input are no documents \(--field, --max-bytes\)",
    ),
}


@pytest.mark.parametrize("case", NOTHING)
def test_nothing_left_is_told_step_by_step(lines, tmp_path, case, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, options, message = NOTHING[case]
    with pytest.raises(DataError, match=f"no document is left for training. .*{message}"):
        build(lines, tmp_path / "out", dataclasses.replace(LOOSE, **settings), **options)


def test_texts_are_packed_the_same_whenever_it_is(expected, made):
    assert {name: content for name, content in everything_in(made.folder).items() if name.endswith(".gz")} == {
        name: content for name, content in everything_in(expected.folder).items() if name.endswith(".gz")
    }
