"""The first stage: what is read, judged and hashed, however it is batched."""

import json
import random

import numpy as np
import pytest

from minilm.data.corpus.documents import Aside, Document
from minilm.data.corpus.draws import draws
from minilm.data.corpus.duplicates import digest
from minilm.data.corpus.quality import judge_plain
from minilm.data.errors import DataError
from minilm.pipeline import Collection, Settings, build
from minilm.pipeline import read as stage
from minilm.pipeline.work import Work, begin, make_plan
from tests.data.corpus.texts import any_texts
from tests.pipeline.collections import SETTINGS


def everything_read(work):
    return [record for pieces in work.plan.partitions for record in stage.records(work, pieces)]


@pytest.mark.parametrize("characters", [1, 50, 10**6])
def test_batches_are_all_records_in_order_and_no_larger_than_asked(characters):
    rng = random.Random(0)
    found = [
        Document(text, "a", str(i)) if rng.random() < 0.7 else Aside("a", "f", i, "empty", text)
        for i, text in enumerate(any_texts(60))
    ]
    batches = list(stage.batched(iter(found), characters))
    assert [record for batch in batches for record in batch] == found
    for batch in batches:
        lengths = [len(record.text if isinstance(record, Document) else record.found) for record in batch]
        assert len(batch) == 1 or sum(lengths) <= characters
    assert list(stage.batched([], 5)) == []


def test_documents_that_stay_break_no_rule_and_the_others_are_in_the_list(work, made):
    found = [record for record in everything_read(work) if isinstance(record, Document)][::2]
    reasons = {(document.source, document.name): judge_plain(document.text, SETTINGS.rules) for document in found}
    removed = [json.loads(line) for line in (made.folder / "removed.jsonl").read_text().splitlines()]
    told = {(each["source"], each["name"]): list(each["reasons"]) for each in removed}
    assert {name: rules for name, rules in told.items() if name in reasons} == {
        name: rules for name, rules in reasons.items() if rules
    }
    stay = [work.document(number) for number in range(work.bounds[-1])]
    names = {(document.source, document.name) for document in stay}
    assert names & reasons.keys() == {name for name, rules in reasons.items() if not rules}
    assert not names & told.keys()
    assert work.column("digest").tolist() == [digest(text, f"{source}:{name}") for text, source, name in stay]


def test_how_documents_are_batched_changes_nothing(work, monkeypatch):
    monkeypatch.setattr(stage, "BATCH", 3_000)
    for part in range(len(work.plan.partitions)):
        before = {path.name: path.read_bytes() for path in (work.folder / "read").glob(f"{part:06d}.*")}
        result = stage.read_part(work, part)
        assert json.loads(json.dumps(result)) == work.result("read", part)
        assert {name: (work.folder / "read" / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(("size", "batch"), [(1 << 20, 1 << 20), (300, 1 << 20), (1 << 20, 90)])
def test_examples_are_those_with_the_smallest_draws(tmp_path, monkeypatch, size, batch):
    """Of many that one could show, however they are divided."""
    monkeypatch.setattr(stage, "BATCH", batch)
    texts = [f"number {k} is short" for k in range(40)]
    lines = [json.dumps({"text": text}) for text in texts] + ["no JSON"] * 30
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    plan = make_plan(
        [Collection("a", str(tmp_path / "a.jsonl"))], Settings(seed=3), evaluation=[], tokenizer=None, size=size
    )
    work = begin(tmp_path / "out", plan)
    whole = stage.joined(stage.read_part(work, part) for part in range(len(plan.partitions)))
    found = [record for pieces in plan.partitions for record in stage.records(work, pieces)]
    for kind, records, name_of in (
        ("rule_examples", [each for each in found if isinstance(each, Document)], lambda each: each[0][1]),
        ("aside_examples", [each for each in found if isinstance(each, Aside)], lambda each: each.offset),
    ):
        digests = [
            digest(each.text, f"a:{each.name}")
            if kind == "rule_examples"
            else digest(each.found, f"a:{each.file}:{each.offset}")
            for each in records
        ]
        numbers = draws(np.array(digests, np.uint64), 3, "example").tolist()
        names = [each.name if kind == "rule_examples" else each.offset for each in records]
        expected = [name for _, name in sorted(zip(numbers, names, strict=True))][: stage.EXAMPLES]
        (examples,) = [some for name, some in whole[kind].items() if name in ("short", "bad JSON")]
        assert [name_of(each) for _, each in examples] == expected


def test_a_file_that_grows_while_the_work_is_on_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n')

    def grow(found, done, parts):
        with path.open("a") as file:
            file.write('{"text": "two"}\n')

    with pytest.raises(
        DataError, match=r"a.jsonl has changed since the work began: put it back, or begin anew in another folder"
    ):
        build([Collection("a", str(path))], tmp_path / "out", progress=grow)


def test_reports_of_nothing():
    assert stage.joined([]) == {}
    assert stage.joined([{}, {"asides": {"a": {"empty": 1}}, "aside_examples": {}}]) == {
        "asides": {"a": {"empty": 1}}, "aside_examples": {},
    }  # fmt: skip


def test_lines_lie_where_their_rows_say(work):
    for part in range(len(work.plan.partitions)):
        rows = work.rows(part)
        assert b"".join(work.lines(part, np.arange(len(rows)))) == work.path("read", part, "documents").read_bytes()
    assert Work(work.out).row_type == work.rows(0).dtype
