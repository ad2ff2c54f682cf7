"""flow.jsonl and flow.png of a run: they change no number of it, and go on when it does."""

import json
import os

import pytest

from minilm.cli import main
from minilm.graph import modes
from minilm.parallel import DataParallel
from minilm.training.loop import train
from minilm.training.run import DASHBOARD
from tests.tiny import FLAGS, text_file, tiny_run
from tests.training.runs import assert_same_weights, dying_at, go_on
from tests.training.tasks import LinesBySection, task_run

pytestmark = pytest.mark.usefixtures("no_picture")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Every third step is read, and the picture is not drawn."""
    monkeypatch.setattr("minilm.training.loop.LOG_EVERY", 3)
    monkeypatch.setattr("minilm.training.dashboard.Dashboard.draw", lambda self: None)


def lines(folder):
    return [json.loads(line) for line in (folder / "flow.jsonl").read_text().splitlines()]


def test_the_runs_numbers_stay_the_same(tmp_path, finished):
    run, text = tiny_run(tmp_path)
    train(run, text, device="cpu", progress=False, dashboard=True)
    assert_same_weights(run.folder, finished[0])
    assert sorted({line["step"] for line in lines(run.folder)}) == list(range(3, run.train_config.steps + 1, 3))
    assert not (finished[0] / "flow.jsonl").exists()


def test_dropout_and_batches_stay_the_same(tmp_path):
    folders = []
    for name in ("without", "with"):
        run, data = task_run(tmp_path / name, LinesBySection())
        train(run, data, device="cpu", progress=False, dashboard=name == "with")
        folders.append(run.folder)
    assert_same_weights(*folders)


def test_a_killed_run_goes_on_with_the_same_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("minilm.training.loop.LOG_EVERY", 1)
    whole, data = task_run(tmp_path / "whole", LinesBySection())
    train(whole, data, device="cpu", progress=False, dashboard=True)
    run, data = task_run(tmp_path / "killed", LinesBySection())
    with dying_at(14):
        train(run, data, device="cpu", progress=False, dashboard=True)
    train(run, data, device="cpu", progress=False)  # it has one: it goes on with it
    assert lines(run.folder) == lines(whole.folder)
    assert_same_weights(run.folder, whole.folder)


def test_lines_that_cannot_be_read_are_dropped(tmp_path):
    run, data = task_run(tmp_path / "run", LinesBySection())
    with dying_at(10):
        train(run, data, device="cpu", progress=False, dashboard=True)
    with open(run.folder / "flow.jsonl", "a") as file:
        file.write('half a li\n{"step": 9, "layer": 3}\n{"step": 19, "layer": "up"}\n')
    train(run, data, device="cpu", progress=False)
    steps = [line["step"] for line in lines(run.folder)]
    assert steps == sorted(steps)
    assert steps.count(18) == 2


@pytest.mark.slow
def test_with_two_processes(tmp_path):
    folders = []
    for name in ("without", "with"):
        run, data = task_run(tmp_path / name, LinesBySection(), processes=2)
        train(run, data, device="cpu", progress=False, dashboard=name == "with")
        folders.append(run.folder)
    assert_same_weights(*folders)
    assert {line["layer"] for line in lines(folders[1])} == {"up", "down"}


def test_processes_share_the_batch_while_layers_are_read(tmp_path, monkeypatch):
    """An observer would make one process compute the whole batch: its sums have another order."""
    observed = []
    backward = DataParallel.backward

    def seen(self, *batch, **options):
        observed.append(modes.observers)
        return backward(self, *batch, **options)

    monkeypatch.setattr(DataParallel, "backward", seen)
    run, data = task_run(tmp_path / "run", LinesBySection())
    train(run, data, device="cpu", progress=False, dashboard=True)
    assert set(observed) == {()}


@pytest.mark.slow
def test_a_picture(tmp_path, monkeypatch):
    monkeypatch.undo()
    run, data = task_run(tmp_path / "run", LinesBySection(), steps=10, eval_every=10)
    train(run, data, device="cpu", progress=False, dashboard=True)
    assert (run.folder / "flow.png").read_bytes().startswith(b"\x89PNG")
    assert {entry.name for entry in DASHBOARD} <= set(os.listdir(run.folder))


def test_a_start_that_fails_leaves_nothing(tmp_path, monkeypatch):
    run, data = task_run(tmp_path / "run", LinesBySection())

    def fails(self, *batch):
        raise ValueError("no")

    monkeypatch.setattr("tests.training.tasks.Classifier.loss", fails)
    with pytest.raises(ValueError, match="no"):
        train(run, data, device="cpu", progress=False, dashboard=True)
    assert not run.folder.exists()


@pytest.mark.slow
def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.undo()
    arguments = ["train", "--data", str(text_file(tmp_path)), "--out", str(tmp_path / "run"), "--quiet", "--dashboard"]
    assert main([*arguments, *FLAGS]) == 0
    assert f"layers: {tmp_path / 'run' / 'flow.png'}" in capsys.readouterr().out
    assert {line["step"] for line in lines(tmp_path / "run")} == {10}


@pytest.mark.slow
def test_resumed_from_the_folder(tmp_path):
    run, text = tiny_run(tmp_path)
    with dying_at(7):
        train(run, text, device="cpu", progress=False, dashboard=True)
    go_on(run.folder)
    assert max(line["step"] for line in lines(run.folder)) == run.train_config.steps // 3 * 3
