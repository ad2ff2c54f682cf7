"""The folder of a sweep: whole lines survive whatever cut the last one, one process writes, and nothing is mixed."""

import json

import pytest

from minilm.sweep import SweepError, read
from minilm.sweep.record import Record, Row, read_rows, recording

ROWS = [Row({"x": 1}, 0, {"loss": 0.5}, 1.0), Row({"x": 2}, 0, {}, 2.0, "diverged")]


def kept(folder, rows=ROWS):
    with recording(folder, ["f"], ["x"]) as record:
        for row in rows:
            record.append(row)
    return folder


def test_rows_come_back(tmp_path):
    assert read_rows(kept(tmp_path / "new" / "sweep")) == ROWS
    assert not (tmp_path / "new" / "sweep" / "sweep.lock").exists()


def test_the_last_line_of_a_run_holds(tmp_path):
    second = Row({"x": 2.0}, 0, {"loss": 0.4}, 3.0)
    assert read_rows(kept(tmp_path, [*ROWS, second])) == [ROWS[0], second]


def test_a_line_that_was_cut_is_passed_over_and_the_next_one_is_whole(tmp_path):
    path = kept(tmp_path) / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert read_rows(tmp_path) == ROWS[:1]
    kept(tmp_path, ROWS[1:])
    assert read_rows(tmp_path) == ROWS


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{}",
        '{"settings": {"x": [1]}, "seed": 0, "numbers": {}, "seconds": 1, "reason": null}',
        '{"settings": {"x": 1}, "seed": true, "numbers": {}, "seconds": 1, "reason": null}',
        '{"settings": {"x": 1}, "seed": 0, "numbers": {"loss": "low"}, "seconds": 1, "reason": null}',
        '{"settings": {"x": 1}, "seed": 0, "numbers": {"loss": NaN}, "seconds": 1, "reason": null}',
        '{"settings": {"x": 1}, "seed": 0, "numbers": {}, "seconds": null, "reason": null}',
        '{"settings": {"x": 1}, "seed": 0, "numbers": {}, "seconds": 1, "reason": 3}',
        '{"settings": {"x": 1}, "seed": 0, "numbers": {}, "seconds": 1, "why": null}',
    ],
)
def test_a_line_that_is_no_row_is_passed_over(tmp_path, line):
    with open(kept(tmp_path) / "results.jsonl", "a") as file:
        file.write(line + "\n")
    assert read_rows(tmp_path) == ROWS


def test_two_sweeps_in_one_folder_are_refused(tmp_path):
    with recording(tmp_path, ["f"], ["x"]), pytest.raises(SweepError, match="is in use by process"):
        Record(tmp_path, ["f"], ["x"])
    Record(tmp_path, ["f"], ["x"]).release()


def test_a_sweep_of_something_else_is_refused(tmp_path):
    kept(tmp_path)
    with pytest.raises(SweepError, match="holds a sweep of something else, `f`, not of `g`"):
        Record(tmp_path, ["g"], ["x"])
    with pytest.raises(SweepError, match="varies x, this one x, y"):
        Record(tmp_path, ["f"], ["y", "x"])
    assert not (tmp_path / "sweep.lock").exists()


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(SweepError, match="is not empty and holds no sweep"):
        Record(tmp_path, ["f"], ["x"])
    with pytest.raises(SweepError, match="cannot be made"):
        Record(tmp_path / "thesis.txt", ["f"], ["x"])


def test_a_folder_that_was_moved_gets_no_row(tmp_path):
    with recording(tmp_path / "a", ["f"], ["x"]) as record:
        (tmp_path / "a").rename(tmp_path / "b")
        with pytest.raises(SweepError, match="renamed, deleted or replaced"):
            record.append(ROWS[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not valid JSON"), ('{"format": "minilm run"}', "not that of a sweep"),
     ('{"format": "minilm sweep", "version": 2, "what": [], "options": []}', "later version"),
     ('{"format": "minilm sweep", "version": 1, "what": [3], "options": []}', "not that of a sweep")],
)  # fmt: skip
def test_a_damaged_sweep_is_named(tmp_path, content, said):
    (kept(tmp_path) / "sweep.json").write_text(content)
    with pytest.raises(SweepError, match=said):
        read(tmp_path)


def test_what_is_no_sweep_is_named(tmp_path):
    with pytest.raises(SweepError, match="holds no sweep"):
        read(tmp_path)
    (kept(tmp_path) / "results.jsonl").unlink()
    assert len(read(tmp_path)) == 0
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(SweepError, match="not a regular file"):
        read(tmp_path)


def test_a_row_with_a_number_that_json_has_not_is_not_written(tmp_path):
    with recording(tmp_path, ["f"], ["x"]) as record, pytest.raises(ValueError, match="JSON"):
        record.append(Row({"x": 1}, 0, {"loss": float("nan")}, 1.0))
    assert read_rows(tmp_path) == []


def test_reading_needs_no_lock(tmp_path):
    with recording(tmp_path, ["f"], ["x"]) as record:
        record.append(ROWS[0])
        assert len(read(tmp_path)) == 1
    assert json.loads((tmp_path / "sweep.json").read_text())["what"] == ["f"]
