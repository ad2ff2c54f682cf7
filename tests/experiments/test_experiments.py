"""The record of longer experiments: each that is kept can be measured again, and shows as a table."""

import json

import pytest

from minilm.book import experiment
from minilm.book.experiments import EXPERIMENTS, Experiment, cell
from minilm.metrics import Interval, Score
from tests.experiments.__main__ import NAMES, main, measured
from tests.experiments._cells import between, less, of_mean, of_score, over_seeds

FOUND = {
    "experiment": "two",
    "date": "2026-01-02",
    "machine": "on 2 cores",
    "seconds": 130.0,
    "rows": [{"system": "a < b", "loss": [1.5, 1.25, 1.75], "n": 1200}, {"system": "c", "loss": None, "n": 3}],
}


def test_each_kept_experiment_can_be_measured_again():
    for path in EXPERIMENTS.glob("*.json"):
        assert path.stem in NAMES
        found = experiment(path.stem)
        assert found.name == path.stem
        assert found.rows
        assert found.seconds > 0


def test_as_a_table():
    assert repr(Experiment(FOUND)).splitlines() == [
        "| system | loss | n |",
        "| --- | --- | --- |",
        "| a < b | 1.5 (1.25 to 1.75) | 1,200 |",
        "| c | none | 3 |",
        "",
        "Measured by python -m tests.experiments two in 2 minutes of processor time, 2026-01-02, on 2 cores.",
    ]
    page = Experiment(FOUND, ["n", "system"])._repr_html_()
    assert "<td>1,200</td><td>a &lt; b</td>" in page
    assert "1.75" not in page


def test_cells():
    assert [cell(v) for v in (0.0, -0.5, 12.345, 1234.5, 1e-7, True, "x")] == [
        "0.000", "-0.500", "12.3", "1,234", "1e-07", "True", "x",
    ]  # fmt: skip


def test_one_that_is_not_on_record(tmp_path):
    (tmp_path / "two.json").write_text(json.dumps(FOUND))
    assert experiment("two", folder=tmp_path).columns == ("system", "loss", "n")
    with pytest.raises(
        FileNotFoundError, match=r"no experiment 'three' on record \(two\).*tests.experiments three --keep"
    ):
        experiment("three", folder=tmp_path)


def test_what_is_measured_has_its_date_and_seconds():
    found = measured("two", lambda: iter(FOUND["rows"]))
    assert found["rows"] == FOUND["rows"]
    assert found["seconds"] >= 0
    assert len(found["date"]) == 10


def test_a_name_that_does_not_exist(capsys):
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


def test_a_value_with_its_interval():
    first, second = (Score.mean("", [1.0, 0.0, 1.0, k]) for k in (1.0, 0.0))
    low, high, _ = first.interval()
    assert of_score(first) == of_mean([1.0, 0.0, 1.0, 1.0]) == [0.75, low, high]
    assert less(first, second)[0] == 0.25
    assert over_seeds([1.0, 2.0, 3.0], 3) == [2.0, -0.484, 4.484]  # 2 and 4.303 / sqrt(3) to either side
    assert str(between(-0.0001, Interval(-1.0, 1.0, 0.95), 3)) == "[0.0, -1.0, 1.0]"
    with pytest.raises(AssertionError):
        of_mean([1.0])
