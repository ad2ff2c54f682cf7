"""What is held out, what must not stand in the rest, and how often each document is taken."""

import json

import numpy as np
import pytest

from minilm.data.corpus import decontaminate
from minilm.data.corpus.documents import Document, json_line
from minilm.data.corpus.draws import copies_plain, held_out_plain
from minilm.data.corpus.duplicates import digest
from minilm.data.corpus.shuffle import read_bucket
from minilm.pipeline import Collection, Settings, build, split
from minilm.pipeline.counts import added
from minilm.pipeline.work import Work
from tests.data.corpus.texts import words
from tests.pipeline.collections import SETTINGS, texts_in


def digest_of(document):
    return digest(document.text, f"{document.source}:{document.name}")


@pytest.fixture
def kept(work):
    """The documents that are no copies."""
    numbers = np.unique(np.load(work.path("groups", 0, "kept")))
    return [work.document(number) for number in numbers]


def test_held_out_are_those_drawn_of_what_is_kept_once_each(kept, made):
    held = held_out_plain(map(digest_of, kept), SETTINGS.held_out, SETTINGS.seed)
    expected = [document for document, out in zip(kept, held, strict=True) if out]
    assert sorted(texts_in(made, "validation")) == sorted(expected)
    assert {document.source for document in expected} >= {"b"}  # whose weight is 1.5: none of them comes twice


def test_each_document_is_taken_as_often_as_its_source_weighs(kept, made):
    validation, train = texts_in(made, "validation"), texts_in(made, "train")
    out = {(each["source"], each["name"]) for each in lines(made, "contaminated")}
    for document in kept:
        if document in validation or (document.source, document.name) in out:
            assert document not in train
        else:
            assert train.count(document) == copies_plain(
                digest_of(document), SETTINGS.weights.get(document.source, 1.0), 0
            )
    assert max(map(train.count, train)) == 2


def lines(corpus, kind):
    return [json.loads(line) for line in (corpus.folder / f"{kind}.jsonl").read_text().splitlines()]


def test_no_document_that_goes_holds_less_than_one_that_stays(kept, made):
    """Of the training part, measured by sets of words: what is above the bounds is in the list, and nothing else is."""
    validation = [document.text for document in texts_in(made, "validation")]
    gone = {(each["source"], each["name"]): (each["share"], each["runs"]) for each in lines(made, "contaminated")}
    assert gone
    for document in [each for each in kept if (each.source, each.name) in gone] + kept[::3]:
        if document.text in validation:
            continue
        share, runs, _ = decontaminate.overlap_plain(document.text, validation)
        above = share > SETTINGS.most_share or runs > SETTINGS.most_runs
        assert ((document.source, document.name) in gone) == above
        if above:
            assert gone[document.source, document.name] == (round(share, 4), runs)


def test_copies_are_told_with_their_kind_and_what_is_kept(work, made):
    exact, kept = (np.load(work.path(stage, 0, "kept")) for stage in ("exact", "groups"))
    told = lines(made, "copies")
    removed = np.flatnonzero(kept != np.arange(len(kept)))
    assert len(told) == len(removed)
    for each, number in zip(told, removed, strict=True):
        document, first = work.document(number), work.document(kept[number])
        assert (each["source"], each["name"], each["of"]) == (
            document.source,
            document.name,
            f"{first.source}/{first.name}",
        )
        assert (each["kind"] == "exact") == (exact[number] != number)
    assert {each["kind"] for each in told} == {"exact", "near"}


def test_bytes_of_what_is_scattered_decide_how_many_buckets(work, monkeypatch):
    parts = len(work.plan.partitions)
    sizes = added(result["bytes"] for result in work.results("held", parts))
    bits = work.result("known")["bits"]
    before_decontamination = {
        name: sum(
            len(line) for b in range(2 ** bits[name]) for line in read_bucket(work.paths("scatter", parts, name), b)
        )
        for name in split.SPLITS
    }
    assert sizes["validation"] == before_decontamination["validation"]
    assert sizes["train"] >= before_decontamination["train"]
    assert bits == {"train": 0, "validation": 0}
    for room, expected in ((sizes["train"], 0), (sizes["train"] - 1, 1), (-(-sizes["train"] // 4), 2)):
        monkeypatch.setattr(split, "BUCKET_BYTES", room)
        assert split.known_part(work, 0)["bits"]["train"] == expected


@pytest.mark.parametrize("size", [1 << 20, pytest.param(300, marks=pytest.mark.slow)])
def test_of_evaluation_sets_nothing_stays_and_each_is_told(tmp_path, size):
    texts = [" ".join(words(40, seed)) for seed in range(10)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    sets = {"one.txt": [texts[0]], "two.jsonl": [texts[1], texts[2], "something else " * 9]}
    for name, some in sets.items():
        content = some[0] if name == "one.txt" else "".join(json.dumps({"text": text}) + "\n" for text in some)
        (tmp_path / name).write_text(content)
    settings = Settings(least=10, without=SETTINGS.without, held_out=0.0, vocab_size=257)
    corpus = build([Collection("a", str(tmp_path / "in.jsonl"))], tmp_path / "out", settings,
                   evaluation=[str(tmp_path / name) for name in sets], size=size, keep=True)  # fmt: skip
    assert sorted(document.text for document in texts_in(corpus, "train")) == sorted(texts[3:])
    assert texts_in(corpus, "validation") == []
    told = Work(corpus.folder).result("known")["sets"]
    assert {name: about["documents"] for name, about in told.items()} == {"one.txt": 1, "two.jsonl": 3}
    assert len({about["sha256"] for about in told.values()}) == 2
    passages = {each["passage"] for each in lines(corpus, "contaminated")}
    assert passages == {" ".join(text.split()[:13]) for text in texts[:3]}


def test_batches_are_all_documents_in_order(monkeypatch):
    monkeypatch.setattr(split, "BATCH", 10)
    found = [Document("x" * n, "a", str(n)) for n in (3, 20, 0, 5, 6, 1)]
    batches = list(split._batched(iter(found)))
    assert [document for batch in batches for document in batch] == found
    assert len(batches) == 3
    assert list(split._batched(iter([]))) == []


def test_scattered_lines_are_the_documents_themselves(work, made):
    parts = len(work.plan.partitions)
    found = read_bucket(work.paths("scatter", parts, "train"), 0)
    assert found == [json_line(document) for document in texts_in(made, "train")]
