"""The numbers of the report are those that can be counted in the corpus's folder."""

import json
import shlex
from collections import Counter

import pytest

from minilm.cli import parser
from minilm.cli_corpus import SETTINGS as OPTIONS
from minilm.data.corpus.documents import Document
from minilm.data.corpus.records import record_of
from minilm.data.corpus.summary import Extent, Summary, check
from minilm.pipeline import Collection, Settings, build
from minilm.pipeline.read import records
from minilm.pipeline.summarize import command_of, summary_of
from minilm.pipeline.work import Work
from minilm.text import load_tokenizer
from tests.pipeline.collections import SETTINGS, texts_in, write_collections


def lines(corpus, kind):
    return [json.loads(line) for line in (corpus.folder / f"{kind}.jsonl").read_text().splitlines()]


def by_source(documents):
    return dict(Counter(each["source"] for each in documents))


def counted(corpus, work):
    """Everything that the summary counts, from the input and the files in the folder."""
    summary = record_of(Summary, (corpus.folder / "summary.json").read_bytes())
    check(summary)
    found = [record for pieces in work.plan.partitions for record in records(work, pieces)]
    documents = [record for record in found if isinstance(record, Document)]
    asides, removed, copies, contaminated = (
        lines(corpus, kind) for kind in ("asides", "removed", "copies", "contaminated")
    )
    splits = {name: texts_in(corpus, name) for name in ("train", "validation")}

    for source in summary.sources:
        here = [each for each in documents if each.source == source.name]
        assert source.before.documents == len(here)
        assert source.before.characters == sum(len(each.text) for each in here)
        assert source.before.lengths == Extent.of([len(each.text) for each in here], ["en"] * len(here)).lengths
        after = [each for texts in splits.values() for each in texts if each.source == source.name]
        assert (source.after.documents, source.after.characters) == (len(after), sum(len(each.text) for each in after))
        assert dict(source.aside) == dict(Counter(each["reason"] for each in asides if each["source"] == source.name))
    assert dict(summary.filtered.removed) == by_source(removed)
    for rule in summary.filtered.rules:
        broken = [each for each in removed if rule.name in each["reasons"]]
        assert dict(rule.removed) == by_source(broken)
        assert {name: count for name, count in rule.alone.items() if count} == by_source(
            each for each in broken if len(each["reasons"]) == 1
        )
    for kind, told in (("exact", summary.exact.removed), ("near", summary.near.removed)):
        assert dict(told) == by_source(each for each in copies if each["kind"] == kind)
    assert dict(summary.contaminated.removed) == by_source(contaminated)
    times = Counter(splits["train"])
    assert sum(summary.weighed.repeated.values()) == sum(count - 1 for count in times.values())
    out = {(each["source"], each["name"]) for each in (*removed, *copies, *contaminated)}
    out |= {(each.source, each.name) for texts in splits.values() for each in texts}
    assert dict(summary.weighed.left_out) == dict(
        Counter(each.source for each in documents if (each.source, each.name) not in out)
    )
    tokenizer = load_tokenizer(corpus.tokenizer)
    for split in summary.splits:
        texts = [each.text for each in splits[split.name]]
        assert (split.documents, split.characters) == (len(texts), sum(map(len, texts)))
        assert split.tokens == sum(1 + len(tokenizer.encode(text)) for text in texts)
        assert split.shards == len(list((corpus.folder / split.name).glob("*.tokens")))
    return summary


def test_each_number_is_what_can_be_counted(made, work):
    summary = counted(made, work)
    assert sum(summary.weighed.left_out.values()) > 0 < sum(summary.weighed.repeated.values())
    assert [(source.name, source.licence) for source in summary.sources] == [
        (c.source, c.licence) for c in work.plan.collections
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 7))
def test_of_any_corpus(tmp_path, seed):
    places = write_collections(tmp_path / "in", seed, count=10)
    settings = Settings(
        **{**vars(SETTINGS), "seed": seed, "weights": {"a": seed / 2, "c": 0.3}, "check": seed % 2 == 0}
    )
    collections = [Collection(name, str(path)) for name, path in places.items()]
    evaluation = [str(next(places["b"].glob("*.txt")))] if seed % 3 == 0 else []
    corpus = build(collections, tmp_path / "out", settings, size=4_000, evaluation=evaluation, keep=True)
    counted(corpus, Work(corpus.folder))


def test_the_summary_is_the_one_in_the_folder(made, work):
    assert summary_of(work) == record_of(Summary, (made.folder / "summary.json").read_bytes())


COMMANDS = [
    Settings(),
    SETTINGS,
    Settings(
        "the body",
        99,
        7,
        ("not English", "short"),
        0.6,
        True,
        {"b": 2.0, "a": 1 / 3},
        0.3,
        0.2,
        9,
        "0" * 64,
        300,
        5,
        2048,
        8,
    ),
]


@pytest.mark.parametrize("settings", COMMANDS)
def test_the_command_that_is_told_gives_these_settings(settings):
    collections = [Collection("a", "/somewhere", "x"), Collection("b", "/else", "y")]
    words = shlex.split(command_of(collections, settings, ["set", "set", "other set"]))
    options = parser().parse_args(words[1:])
    assert [name for name, _ in options.input] == ["a", "b"]
    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name) is not None}
    tokenizer = "0" * 64 if options.tokenizer else "bpe"
    again = Settings(**given, without=tuple(options.without), weights=dict(options.weight), tokenizer=tokenizer)
    assert again == settings
    assert [str(path) for path in options.evaluation] == ["SET", "OTHER SET"]
    assert dict(options.licence) == {"a": "x", "b": "y"}
