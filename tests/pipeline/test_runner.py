"""A corpus is what the plain pipeline says, however the work is divided, stopped and gone on with."""

import errno
import io
import json
import multiprocessing
import os
import random
import shutil
import signal

import numpy as np
import pytest

from minilm import files
from minilm.data.corpus.documents import Document
from minilm.data.corpus.partitions import plan
from minilm.data.corpus.reading import read
from minilm.data.errors import DataError
from minilm.data.packed import open_corpus
from minilm.pipeline import Collection, Here, Processes, Settings, build
from minilm.pipeline.pack import END
from minilm.pipeline.plain import plain_corpus
from minilm.pipeline.stages import STAGES
from minilm.text import load_tokenizer
from tests.pipeline.collections import SETTINGS, everything_in, texts_in, write_collections


def documents_of(collections):
    pieces = (piece for name, path, _ in collections for some in plan(path, name)[0] for piece in some)
    return [record for piece in pieces for record in read(piece) if isinstance(record, Document)]


@pytest.mark.parametrize(("seed", "check"), [(0, False), (1, True), pytest.param(2, True, marks=pytest.mark.slow)])
def test_a_corpus_is_what_the_plain_pipeline_says(tmp_path, seed, check):
    places = write_collections(tmp_path / "input", seed)
    asked = tmp_path / "asked.txt"
    documents = documents_of(Collection(name, str(path)) for name, path in places.items())
    asked.write_text(documents[3].text)
    settings = Settings(**{**vars(SETTINGS), "seed": seed, "check": check})
    inputs = [Collection(name, str(path)) for name, path in places.items()]
    corpus = build(inputs, tmp_path / "out", settings, evaluation=[str(asked)], size=1 << 13)
    train, validation = plain_corpus(documents, settings, [documents[3].text])
    assert texts_in(corpus, "train") == train
    assert texts_in(corpus, "validation") == validation
    assert len({document.text for document in train}) > 15
    assert validation


def test_tokens_are_the_texts_with_an_end_behind_each(expected):
    tokenizer = load_tokenizer(expected.tokenizer)
    for split in ("train", "validation"):
        row = [
            i
            for document in texts_in(expected, split)
            for i in (*tokenizer.encode(document.text), tokenizer.special_tokens[END])
        ]
        assert expected.tokens(split)[:].tolist() == row
    assert len(expected.about["splits"]["train"]["shards"]) > 1


def test_how_the_input_is_divided_changes_nothing(expected, made):
    assert everything_in(made.folder) == everything_in(expected.folder)


@pytest.mark.slow
def test_neither_do_smallest_parts_and_another_order(inputs, expected, tmp_path):
    out = build(inputs[::-1], tmp_path / "out", SETTINGS, size=700)
    assert everything_in(out.folder) == everything_in(expected.folder)


@pytest.mark.slow
def test_how_many_processes_compute_changes_nothing(inputs, expected, tmp_path):
    executor = Processes(2)
    out = build(inputs, tmp_path / "out", SETTINGS, size=1_000, executor=executor)
    assert everything_in(out.folder) == everything_in(expected.folder)
    assert not executor._workers


def test_buckets_of_any_size_give_the_same_order(inputs, expected, tmp_path, monkeypatch):
    monkeypatch.setattr("minilm.pipeline.split.BUCKET_BYTES", 2_000)
    out = build(inputs, tmp_path / "out", SETTINGS)
    assert len(out.about["splits"]["train"]["texts"]) > 4
    assert texts_in(out, "train") == texts_in(expected, "train")
    assert out.sha256 == expected.sha256


class Stopped(Exception):
    pass


class StopsAfter(Here):
    """Ends after so many parts: in the middle of a stage, or between two."""

    def __init__(self, parts):
        self.left = parts

    def __call__(self, folder, stage, parts):
        for part in super().__call__(folder, stage, parts):
            self.left -= 1
            if self.left <= 0:
                raise Stopped
            yield part


def test_stopped_after_any_part_it_goes_on(inputs, expected, tmp_path):
    total = 0
    for _ in range(200):
        try:
            out = build(inputs, tmp_path / "out", SETTINGS, size=20_000, executor=StopsAfter(1 + total % 3))
            break
        except Stopped:
            total += 1
    assert total > 10
    assert everything_in(out.folder) == everything_in(expected.folder)
    assert not (tmp_path / "out" / "work").exists()


def test_a_full_disk_is_told_and_the_work_goes_on_afterwards(inputs, expected, tmp_path, monkeypatch):
    rng = random.Random(1)

    class Disk(io.FileIO):
        def write(self, content):
            if rng.random() < 0.05:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    monkeypatch.setattr(files, "open", lambda path, mode: io.BufferedWriter(Disk(path, mode)), raising=False)
    failures = 0
    for _ in range(100):
        try:
            out = build(inputs, tmp_path / "out", SETTINGS)
            break
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert error.filename.startswith(str(tmp_path / "out"))
            failures += 1
    assert failures > 3
    assert everything_in(out.folder) == everything_in(expected.folder)


@pytest.mark.slow
def test_a_process_that_is_killed_is_named_and_the_work_goes_on(inputs, expected, tmp_path):
    executor = Processes(2)

    def kill(stage, done, parts):
        if stage.name == "scatter" and done == 1 and executor._workers:
            os.kill(executor._workers[0].pid, signal.SIGKILL)

    with pytest.raises(DataError, match=r"process \d+ is gone \(exit status -9\).*goes on where it was"):
        build(inputs, tmp_path / "out", SETTINGS, size=4_000, executor=executor, progress=kill)
    out = build(inputs, tmp_path / "out", SETTINGS, size=4_000)
    assert everything_in(out.folder) == everything_in(expected.folder)


@pytest.mark.slow
def test_what_fails_in_another_process_comes_here(inputs, tmp_path):
    shutil.copytree(inputs[0].path, tmp_path / "a")
    executor = Processes(2)

    def damage(stage, done, parts):
        if stage.name == "scatter" and done == 0:
            for path in (tmp_path / "out" / "work" / "read").glob("*.documents"):
                path.write_bytes(b"nothing")

    with pytest.raises(DataError, match="part .* of the stage scatter failed|the line"):
        build([Collection("a", str(tmp_path / "a"))], tmp_path / "out", Settings(least=100, without=SETTINGS.without), size=4_000,
              executor=executor, progress=damage)  # fmt: skip


def make(inputs, out, count):
    """What a process does that may be killed."""
    build(inputs, out, SETTINGS, size=1_000, executor=Processes(count) if count > 1 else Here())


@pytest.mark.slow
def test_killed_twenty_times_at_random_it_gives_the_same(inputs, expected, tmp_path):
    rng, out = random.Random(7), tmp_path / "out"
    server = multiprocessing.get_context("forkserver")  # each process begins with everything imported
    server.set_forkserver_preload([__name__])
    killed = 0
    for _ in range(100):
        count = 2 if killed % 4 == 3 else 1
        process = server.Process(target=make, args=(inputs, out, count))
        process.start()
        process.join(rng.uniform(0.02, 0.15) + 0.7 * (count - 1))
        if process.exitcode is None:
            process.kill()
            killed += 1
        process.join()
        if killed == 20:
            break
        if process.exitcode == 0:
            shutil.rmtree(out)  # it was faster than we: from the beginning again
    assert killed == 20
    make(inputs, out, 1)
    assert everything_in(out) == everything_in(expected.folder)


REFUSED = {
    "another seed": ({"seed": 3}, "holds another corpus.*seed was 0, is 3"),
    "another weight": ({"weights": {"a": 2.0}}, "weights was"),
    "no such rule": ({"without": ("not Englisch",)}, "there is no rule 'not Englisch'.*Did you mean not English?"),
    "a share of 2": ({"held_out": 2.0}, "held_out = 2.0: expected a number from 0 on, below 1"),
    "a threshold of 1": ({"threshold": 1.0}, "threshold = 1.0: expected a number between 0 and 1"),
    "a weight below 0": ({"weights": {"a": -1.0}}, "the weight of a is -1.0"),
    "a weight of nothing": ({"weights": {"d": 1.0}}, "there is a weight for 'd', but the inputs are a, b, c"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(inputs, expected, tmp_path, case, finished):
    changes, message = REFUSED[case]
    if finished:
        out = expected.folder
    else:
        out = tmp_path / "out"
        with pytest.raises(Stopped):
            build(inputs, out, SETTINGS, executor=StopsAfter(3))
    before = everything_in(out)
    with pytest.raises(DataError, match=message):
        build(inputs, out, Settings(**{**vars(SETTINGS), **changes}))
    assert everything_in(out) == before


def test_input_that_changes_meanwhile_is_refused(tmp_path):
    places = write_collections(tmp_path / "input")
    inputs = [Collection(name, str(path)) for name, path in places.items()]
    with pytest.raises(Stopped):
        build(inputs, tmp_path / "out", SETTINGS, executor=StopsAfter(2))
    with (places["a"] / "one.jsonl").open("a") as file:
        file.write('\n{"text": "one more"}')
    with pytest.raises(DataError, match=r"one.jsonl has changed since the work on .* began"):
        build(inputs, tmp_path / "out", SETTINGS)


def test_a_finished_corpus_is_opened_and_nothing_is_computed(inputs, expected):
    before = {path: path.stat().st_mtime_ns for path in expected.folder.rglob("*")}
    assert build(inputs, expected.folder, SETTINGS).sha256 == expected.sha256
    assert {path: path.stat().st_mtime_ns for path in expected.folder.rglob("*")} == before


def test_a_finished_corpus_that_kept_its_work_is_asked_too(inputs, made):
    before = everything_in(made.folder)
    with pytest.raises(DataError, match="holds another corpus: seed was 0, is 3"):
        build(inputs, made.folder, Settings(**{**vars(SETTINGS), "seed": 3}), keep=True)
    assert everything_in(made.folder) == before


def test_a_folder_with_something_else_and_a_file_are_refused(inputs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    for path in (tmp_path / "out", tmp_path / "out" / "notes.txt"):
        with pytest.raises(DataError, match="holds something else already"):
            build(inputs, path, SETTINGS)


def test_two_at_once_in_a_folder_are_refused(inputs, tmp_path):
    def second(stage, done, parts):
        with pytest.raises(DataError, match="in use by process"):
            build(inputs, tmp_path / "out", SETTINGS)
        raise Stopped

    with pytest.raises(Stopped):
        build(inputs, tmp_path / "out", SETTINGS, progress=second)


def test_nothing_left_is_told(inputs, tmp_path):
    with pytest.raises(DataError, match="no document is left for training"):
        build(inputs, tmp_path / "out", Settings(least=10**6))


def test_everything_read_is_somewhere(inputs, expected):
    """Each document is in a part, or in a list of what was left out; each aside is there, too."""
    lists = {
        kind: [json.loads(line) for line in (expected.folder / f"{kind}.jsonl").read_text().splitlines()]
        for kind in ("asides", "removed", "copies", "contaminated")
    }
    out = {(each["source"], each["name"]) for kind in ("removed", "copies", "contaminated") for each in lists[kind]}
    kept = {(each.source, each.name) for split in ("train", "validation") for each in texts_in(expected, split)}
    read_ones = {(each.source, each.name) for each in documents_of(inputs)}
    left_out_by_weight = {name for name in read_ones - out - kept if name[0] == "c"}
    assert out | kept | left_out_by_weight == read_ones
    assert not out & kept
    assert sorted(each["reason"] for each in lists["asides"]) == [
        "bad JSON", "empty", "file that is not read", "text that is no string",
    ]  # fmt: skip


def test_the_stages_are_named_once_and_begin_with_reading():
    assert STAGES[0].name == "read"
    assert len({stage.name for stage in STAGES}) == len(STAGES)


def test_it_can_be_learned_from(expected):
    corpus = open_corpus(expected.folder)
    tokens = corpus.tokens("train")
    assert len(tokens) == corpus.about["splits"]["train"]["tokens"]
    assert tokens[np.array([[0, 1], [4_999, 5_000]])].shape == (2, 2)


def test_leftovers_of_a_killed_writer_are_removed(inputs, expected, tmp_path):
    with pytest.raises(Stopped):
        build(inputs, tmp_path / "out", SETTINGS, executor=StopsAfter(2))
    (tmp_path / "out" / "work" / "read" / ".000001.rows.0123abcd.tmp").write_bytes(b"half")
    out = build(inputs, tmp_path / "out", SETTINGS, keep=True)
    assert not list(out.folder.rglob(".*.tmp"))
    assert everything_in(out.folder) == everything_in(expected.folder)
