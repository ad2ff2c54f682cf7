"""The record of results: what is asked of the command line, what is kept, and the table that the book quotes."""

import json
import os
from types import SimpleNamespace

import pytest

from minilm.book.results import recorded, results, table
from minilm.training.loop import train
from tests.results import __main__ as tool
from tests.tiny import tiny_run


def evaluation(value=0.9, other=0.8):
    """What ``minilm task NAME evaluate --baselines --json`` writes."""
    numbers = {
        "accuracy": {"value": value, "interval": [value - 0.01, value + 0.01]},
        "BLEU": {"value": 27.31, "interval": None},
    }
    theirs = {"accuracy": {"value": other, "interval": [0.7, 0.85]}}
    systems = [
        {"system": "minilm", "numbers": numbers, "seconds": {"learning": None, "answering": 1.26}, "details": {}},
        {"system": "linear SVM", "numbers": theirs, "seconds": {"learning": 12.4, "answering": 0.04}},
    ]
    less = {"system": "linear SVM", "number": "accuracy", "difference": value - other, "interval": [0.05, 0.15]}
    return {"task": "spam", "run": "runs/spam-1", "examples": 300, "about": "300 examples of the test part", "confidence": 0.95,
            "systems": systems, "ours_less": [less], "errors": []}  # fmt: skip


class CommandLine:
    """In place of ``minilm``: what was asked of it, and what it answers."""

    def __init__(self, *answers):
        self.asked, self.answers = [], list(answers)

    def __call__(self, *arguments):
        self.asked.append(" ".join(arguments))
        if "train" in arguments:
            return "", "", 123.4
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer), "", 5.0


@pytest.fixture
def trained(monkeypatch):
    """Whether an application has a run that has ended."""
    state = {"run": "runs/spam-1", "of": None}
    monkeypatch.setattr(tool, "last_run", lambda name: state["run"])

    class Application(tool.Trained):
        title = "Is it spam?"

        def __init__(self, trained):
            self.task = SimpleNamespace(name=trained)

    Application.__abstractmethods__ = frozenset()
    monkeypatch.setattr(tool, "find", lambda name: Application(state["of"] or name))
    return state


def test_a_run_that_is_there_is_measured(trained, tmp_path):
    line, shown, path = CommandLine(evaluation()), [], tmp_path / "results" / "spam.json"
    assert tool.main(["spam", "--json", str(path.parent)], line, shown.append) == 0
    assert line.asked == ["task spam evaluate --baselines --json"]
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert (entry["title"], entry["examples"], entry["systems"][0]["seconds"]["learning"]) == ("Is it spam?", 300, None)
    assert "details" not in entry["systems"][0]
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert "| spam: accuracy | minilm | 0.900 (0.890 to 0.910) |  | ? / 1.3 |" in shown[0]


@pytest.mark.parametrize(("run", "options"), [(None, []), ("runs/spam-1", ["--train"])])
def test_one_is_trained_where_there_is_none_or_it_is_asked_for(trained, run, options):
    trained["run"], shown = run, []
    line = CommandLine(evaluation())
    assert tool.main(["spam", *options], line, shown.append) == 0
    assert line.asked[0] == "task spam train --quiet"
    assert " | 123 / 1.3 |" in shown[0]


@pytest.mark.parametrize(("run", "options"), [(None, []), ("runs/topics-1", ["--train"])])
def test_what_asks_the_run_of_another_application_trains_that_one_at_most(trained, run, options):
    trained |= {"run": run, "of": "topics"}
    line = CommandLine(evaluation())
    assert tool.main(["spam", *options], line, [].append) == 0
    train = [] if run else ["task topics train --quiet"]
    assert line.asked == [*train, f"task spam evaluate --baselines --json --run {run or ''}"]


def test_what_is_not_trained_takes_no_time_to_learn(monkeypatch):
    monkeypatch.setattr(tool, "find", lambda name: SimpleNamespace(title="Is it so?", opens_runs=False))
    line, shown = CommandLine(evaluation()), []
    assert tool.main(["similarity", "--train"], line, shown.append) == 0
    assert line.asked == ["task similarity evaluate --baselines --json"]
    assert " | 0.0 / 1.3 |" in shown[0]


@pytest.mark.parametrize(("run", "options"), [(None, []), ("runs/default-1", []), ("runs/default-1", ["--train"])])
def test_what_opens_the_run_of_a_recipe_is_measured_with_its_last_one(trained, monkeypatch, run, options):
    trained["run"] = run
    monkeypatch.setattr(tool, "find", lambda name: SimpleNamespace(title="It goes on", opens_runs=True))
    line = CommandLine(evaluation())
    assert tool.main(["generation", *options], line, [].append) == 0
    train = [] if run and not options else ["train --quiet"]
    assert line.asked == [*train, f"task generation evaluate --baselines --json --run {run or ''}"]


def test_the_last_run_of_the_recipe_is_a_language_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tool.last_run("default") is None
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    run, data = tiny_run(tmp_path, "runs/default-3")
    train(run, data, device="cpu", progress=False)
    assert tool.last_run("default").replace(os.sep, "/") == "runs/default-3"


def test_the_seconds_of_the_same_run_stay_known(trained, tmp_path):
    def learning():
        entry = json.loads((tmp_path / "topics.json").read_text(encoding="utf-8"))
        return entry["systems"][0]["seconds"]["learning"]

    keep = ["topics", "--json", str(tmp_path)]
    tool.main([*keep, "--train"], CommandLine(evaluation(0.7)), print)
    tool.main(["spam", "--json", str(tmp_path)], CommandLine(evaluation()), print)
    tool.main(keep, CommandLine(evaluation(0.7)), print)
    assert learning() == 123.4
    tool.main(keep, CommandLine(evaluation(0.75)), print)  # another run
    assert learning() is None
    assert {path.name for path in tmp_path.iterdir()} == {"spam.json", "topics.json"}


def test_what_fails_is_said_and_the_others_are_measured(trained, capsys):
    line, shown = CommandLine(tool.Failed("no data"), evaluation()), []
    assert tool.main(["spam", "topics"], line, shown.append) == 1
    assert "not measured: spam: no data" in capsys.readouterr().err
    assert "topics" in shown[0]
    assert tool.main(["spam"], CommandLine(tool.Failed("no data")), shown.append) == 1


def test_a_name_that_is_none(capsys):
    with pytest.raises(SystemExit):
        tool.main(["sapm"])
    assert "there is no application 'sapm'; there are spam, topics" in capsys.readouterr().err


def test_a_command_that_fails_is_told_by_what_it_said_last():
    with pytest.raises(tool.Failed, match="minilm task sapm evaluate: .*sapm"):
        tool.minilm("task", "sapm", "evaluate")


class TestTable:
    RECORD = {
        "spam": {"order": 0, "date": "2026-11-28", "machine": "on 2 cores of X", **evaluation()},
        "topics": {"order": 1, "date": "2026-11-28", "machine": "on 2 cores of X", **evaluation(0.123456)},
    }
    SPAM = {"spam": RECORD["spam"]}

    def test_rows(self):
        first, second = table(self.SPAM).rows
        assert first == ("spam: accuracy", "minilm", "0.900 (0.890 to 0.910)", "", "? / 1.3")
        assert second == ("", "linear SVM", "0.800 (0.700 to 0.850)", "+0.100 (+0.050 to +0.150)", "12 / 0.0")

    def test_more_numbers_and_what_a_system_lacks(self):
        rows = table(self.SPAM, numbers=2).rows
        assert len(rows) == 3
        assert rows[2] == ("spam: BLEU", "minilm", "27.3", "", "")

    def test_numbers_by_their_names(self):
        record = {**self.RECORD, "topics": {**self.RECORD["topics"]}}
        record["topics"]["systems"] = [{**system, "numbers": {"F1": {"value": 0.5, "interval": None}}}
                                       for system in record["topics"]["systems"]]  # fmt: skip
        rows = table(record, numbers=("BLEU", "F1")).rows
        assert [row[0] for row in rows if row[0]] == ["spam: BLEU", "topics: F1"]
        assert rows[0][4] == "? / 1.3"

    def test_it_says_when_and_where(self):
        text = repr(table(self.RECORD))
        assert text.endswith("Measured by python -m tests.results:\nspam, topics on 2026-11-28, on 2 cores of X.")

    def test_a_notebook_shows_a_table(self):
        record = json.loads(json.dumps(self.SPAM))
        record["spam"]["systems"][1]["system"] = "words < 3"
        page = table(record)._repr_html_()
        assert page.count("<tr>") == 4
        assert '<th scope="colgroup" colspan="4">spam: accuracy</th>' in page
        assert "<td>words &lt; 3</td>" in page
        assert page.endswith("<p>spam on 2026-11-28, on 2 cores of X.</p>")

    def test_of_the_files(self, tmp_path):
        for name, entry in reversed(self.RECORD.items()):
            (tmp_path / f"{name}.json").write_text(json.dumps(entry), encoding="utf-8")
        assert results(folder=tmp_path).rows == table(self.RECORD).rows
        assert results("spam", folder=tmp_path).rows == table(self.SPAM).rows
        assert recorded("spam", folder=tmp_path) == self.SPAM
        assert [row[0] for row in results("topics", "spam", folder=tmp_path).rows][::2] == [
            "topics: accuracy",
            "spam: accuracy",
        ]
        with pytest.raises(FileNotFoundError, match=r"'ner' on record \(spam, topics\): .*tests\.results ner --json"):
            results("ner", folder=tmp_path)

    def test_what_is_on_record_beside_them_is_none_of_them(self, tmp_path):
        (tmp_path / "live.json").write_text(json.dumps({"date": "2026-11-29", "cells": []}), encoding="utf-8")
        assert recorded(folder=tmp_path) == {}
        with pytest.raises(FileNotFoundError, match="no results of 'live' on record"):
            recorded("live", folder=tmp_path)

    def test_without_any(self, tmp_path):
        assert results(folder=tmp_path).rows == []
        assert "No application is on record yet" in repr(results(folder=tmp_path))

    def test_numbers_that_are_none_or_round(self):
        record = json.loads(json.dumps(self.SPAM))
        numbers = record["spam"]["systems"][0]["numbers"]
        numbers["accuracy"] = {"value": None, "interval": None}
        assert table(record).rows[0][2] == "none"
        numbers["accuracy"] = {"value": 100.0, "interval": [1.0, 0.0]}
        assert table(record).rows[0][2] == "100.0 (1.0 to 0.0)"  # all numbers of a measure have as many digits

    def test_a_small_difference_of_large_numbers_has_their_digits(self):
        record = json.loads(json.dumps(self.SPAM))
        record["spam"]["systems"][0]["numbers"]["accuracy"] = {"value": 44.8, "interval": [42.61, 47.08]}
        record["spam"]["ours_less"][0].update(difference=0.205, interval=[-0.362, 0.956])
        assert next(row[3] for row in table(record).rows if row[3]) == "+0.2 (-0.4 to +1.0)"
