"""The record of results: what is asked of the command line, what is kept, and the table that the book quotes."""

import json

import pytest

from minilm.book.results import results, table
from tests.results import __main__ as tool


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
    state = {"run": True}
    monkeypatch.setattr(tool, "has_run", lambda application: state["run"])

    class Application(tool.Trained):
        title = "Is it spam?"

    Application.__abstractmethods__ = frozenset()
    monkeypatch.setattr(tool, "find", lambda name: Application())
    return state


def test_a_run_that_is_there_is_measured(trained, tmp_path):
    line, shown, path = CommandLine(evaluation()), [], tmp_path / "results.json"
    assert tool.main(["spam", "--json", str(path)], line, shown.append) == 0
    assert line.asked == ["task spam evaluate --baselines --json"]
    kept = json.loads(path.read_text(encoding="utf-8"))
    entry = kept["applications"]["spam"]
    assert kept["command"] == "python -m tests.results"
    assert (entry["title"], entry["examples"], entry["systems"][0]["seconds"]["learning"]) == ("Is it spam?", 300, None)
    assert "details" not in entry["systems"][0]
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert "| spam | accuracy | **minilm** | 0.9000 | 0.8900 to 0.9100 |" in shown[0]


@pytest.mark.parametrize(("run", "options"), [(False, []), (True, ["--train"])])
def test_one_is_trained_where_there_is_none_or_it_is_asked_for(trained, run, options):
    trained["run"], shown = run, []
    line = CommandLine(evaluation())
    assert tool.main(["spam", *options], line, shown.append) == 0
    assert line.asked[0] == "task spam train --quiet"
    assert " | 123 | 1.3 |" in shown[0]


def test_other_entries_stay_and_the_seconds_of_the_same_run_stay_known(trained, tmp_path):
    path = tmp_path / "results.json"
    tool.main(["topics", "--json", str(path), "--train"], CommandLine(evaluation(0.7)), print)
    tool.main(["spam", "--json", str(path)], CommandLine(evaluation()), print)
    tool.main(["topics", "--json", str(path)], CommandLine(evaluation(0.7)), print)
    kept = json.loads(path.read_text(encoding="utf-8"))["applications"]
    assert list(kept) == ["spam", "topics"]
    assert kept["topics"]["systems"][0]["seconds"]["learning"] == 123.4
    tool.main(["topics", "--json", str(path)], CommandLine(evaluation(0.75)), print)  # another run
    kept = json.loads(path.read_text(encoding="utf-8"))["applications"]
    assert kept["topics"]["systems"][0]["seconds"]["learning"] is None


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
        "command": "python -m tests.results",
        "applications": {
            "spam": {"date": "2026-11-28", "machine": "on 2 cores of X", **evaluation()},
            "topics": {"date": "2026-11-28", "machine": "on 2 cores of X", **evaluation(float("0.123456"))},
        },
    }

    def test_rows(self):
        first, second, *_ = table(self.RECORD, ["spam"]).rows
        assert first == ("spam", "accuracy", "**minilm**", "0.9000", "0.8900 to 0.9100", "", "", "1.3")
        assert second == (
            "",
            "",
            "linear SVM",
            "0.8000",
            "0.7000 to 0.8500",
            "+0.1000 (+0.0500 to +0.1500)",
            "12",
            "0.0",
        )

    def test_more_numbers_and_what_a_system_lacks(self):
        rows = table(self.RECORD, ["spam"], numbers=2).rows
        assert len(rows) == 3
        assert rows[2][:5] == ("", "BLEU", "**minilm**", "27.31", "")

    def test_it_says_when_and_where(self):
        text = repr(table(self.RECORD))
        assert text.endswith("Measured by `python -m tests.results`:\nspam, topics on 2026-11-28, on 2 cores of X.")
        assert table(self.RECORD)._repr_markdown_() == text

    def test_of_the_file(self, tmp_path):
        path = tmp_path / "r.json"
        with pytest.raises(FileNotFoundError, match=r"python -m tests\.results --json"):
            results(path=path)
        path.write_text(json.dumps(self.RECORD), encoding="utf-8")
        assert results("spam", path=path).rows == table(self.RECORD, ["spam"]).rows
        with pytest.raises(ValueError, match="no results of 'ner' on record; there are spam, topics"):
            results("ner", path=path)

    def test_numbers_that_are_none_or_round(self):
        record = json.loads(json.dumps(self.RECORD))
        numbers = record["applications"]["spam"]["systems"][0]["numbers"]
        numbers["accuracy"] = {"value": None, "interval": None}
        assert table(record, ["spam"]).rows[0][3:5] == ("none", "")
        numbers["accuracy"] = {"value": 100.0, "interval": [1.0, 0.0]}
        assert table(record, ["spam"]).rows[0][3:5] == ("100.0", "1.000 to 0.0000")
