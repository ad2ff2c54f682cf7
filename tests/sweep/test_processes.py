"""The processes of a sweep: which are begun with which words, how many at once, what becomes of each end. They are made up here."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from minilm.cli import main
from minilm.sweep import processes, read
from minilm.training.checkpoint import CheckpointError, save_sealed
from minilm.training.run import WEIGHTS
from tests.tiny import FLAGS, text_file

COMMAND = ["train", "--steps", "5", "--device", "cpu"]


def write_run(folder, loss):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").touch()
    lines = [{"step": 0, "validation_loss": loss + 1}, {"step": 5, "loss": loss + 0.2}, {"step": 5, "validation_loss": loss},
             {"step": 5, "final_validation_loss": loss, "accuracy": 0.5, "note": "x"}]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    save_sealed(
        folder / "model.safetensors",
        {"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float32)},
        {"format": WEIGHTS},
    )


class Process:
    """A process that ends when it is looked at for the second time."""

    def __init__(self, house, words, log):
        self.house, self.words, self.log, self.looks, self.returncode, self.sent = house, words, log, 0, None, []
        house.running += 1
        house.most = max(house.most, house.running)

    def poll(self):
        self.looks += 1
        if self.sent and self.looks > 4 and self.returncode is None:
            self.end(130)  # it has saved
        if self.looks == 2 and self.returncode is None and (status := self.house.status(self)) is not None:
            self.end(status)
        return self.returncode

    def end(self, status):
        self.returncode = status
        self.house.running -= 1

    def terminate(self):
        self.sent.append("terminate")

    def kill(self):
        self.sent.append("kill")

    def wait(self):
        return self.returncode


class House:
    """Where `isolated.start` is."""

    def __init__(self):
        self.running = self.most = 0
        self.begun = []
        self.status = self.finish

    def start(self, module, path, words, log):
        assert module == "minilm.cli"
        self.begun.append(process := Process(self, words, os.dup(log.fileno())))
        return process

    def finish(self, process):
        place = next(word.partition("=")[2] for word in process.words if word.startswith("--out="))
        rate = next(float(word.partition("=")[2]) for word in process.words if word.startswith("--learning-rate="))
        write_run(Path(place), rate)
        return 0


@pytest.fixture
def house(monkeypatch):
    made = House()
    monkeypatch.setattr(processes.isolated, "start", made.start)
    monkeypatch.setattr(processes, "LOOK_EVERY", 0)
    return made


def run(tmp_path, *more, table=("learning-rate=0.1,0.2",), command=COMMAND, seeds="2"):
    return main(["sweep", "--out", str(tmp_path / "s"), "--seeds", seeds, *more, *table, "--", *command])


def test_each_combination_gets_a_process_with_its_options(tmp_path, house):
    assert run(tmp_path, "--processes", "3", table=("learning-rate=0.1,2e-1", "batch-size=8")) == 0
    names = [f"learning-rate={rate},batch-size=8,seed={seed}" for seed in (0, 1) for rate in (0.1, 0.2)]
    assert [process.words[-1] for process in house.begun] == ["--quiet"] * 4
    assert [process.words[-2] for process in house.begun] == [
        f"--out={tmp_path / 's' / 'runs' / name}" for name in names
    ]
    assert [process.words[-3] for process in house.begun] == ["--seed=0", "--seed=0", "--seed=1", "--seed=1"]
    assert house.begun[1].words[:-2] == [*COMMAND, "--learning-rate=2e-1", "--batch-size=8", "--seed=0"]
    assert house.most == 3
    found = read(tmp_path / "s")
    assert (len(found), dict(found.best())) == (4, {"learning-rate": 0.1, "batch-size": 8})
    losses = {"final_validation_loss": 0.1, "best_validation_loss": 0.1, "last_validation_loss": 0.1}
    numbers = {"accuracy": 0.5, "training_loss": pytest.approx(0.3), "steps": 5, "parameters": 10}
    assert found.rows[0].numbers == {**losses, **numbers}
    assert (tmp_path / "s" / "sweep.png").exists()


def test_what_is_there_is_not_run_again(tmp_path, house, capsys):
    run(tmp_path)
    assert run(tmp_path, table=("learning-rate=0.2,0.4",), seeds="3") == 0
    assert "6 runs, 2 of them there already" in capsys.readouterr().out
    assert len(house.begun) == 4 + 4
    assert len(read(tmp_path / "s")) == 8


def test_a_failure_is_a_line_and_tried_again_only_when_asked(tmp_path, house, capsys):
    def fail(process):
        if "--learning-rate=0.1" in process.words:
            return house.finish(process)
        os.write(process.log, b"python-docs: text\nminilm: the training diverged:\nthe loss became nan\n")
        return 1

    house.status = fail
    assert run(tmp_path, seeds="1") == 0
    assert read(tmp_path / "s").failures()[0].reason == "the training diverged: the loss became nan"
    assert "failed: learning-rate=0.2 seed=0: the training diverged" in capsys.readouterr().out
    house.status = house.finish
    run(tmp_path, seeds="1")
    assert len(house.begun) == 2
    run(tmp_path, "--again", seeds="1")
    assert (len(house.begun), len(read(tmp_path / "s").failures())) == (3, 0)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(-signal.SIGKILL, "killed by SIGKILL"), (1, "it ended without a word"), (0, "the run has not ended")],
)
def test_how_a_run_can_end(tmp_path, house, status, reason):
    house.status = lambda process: status
    assert run(tmp_path, table=("learning-rate=0.1",), seeds="1") == 0
    assert reason in read(tmp_path / "s").failures()[0].reason


def test_a_run_that_was_begun_goes_on(tmp_path, house):
    """Of a task, too; the device is given again, as a run does not remember it."""
    for number, command in enumerate([COMMAND, ["task", "spam", "train", "--brief", "--device=cpu"]]):
        place = tmp_path / str(number) / "s" / "runs" / "learning-rate=0.1,seed=0"
        house.status = lambda process, place=place: write_run(place, 0.1) or 0
        run(tmp_path / str(number), table=("learning-rate=0.1",), seeds="1", command=command)
        (tmp_path / str(number) / "s" / "results.jsonl").unlink()
        run(tmp_path / str(number), table=("learning-rate=0.1",), seeds="1", command=command)
        verb, device = (
            (["train"], ["--device", "cpu"]) if number == 0 else (["task", "spam", "train"], ["--device=cpu"])
        )
        assert house.begun[-1].words[:-1] == [*verb, "--resume", str(place), *device]


def test_ctrl_c_stops_all_once_and_keeps_what_ended(tmp_path, house, capsys):
    def press(process):
        if process is not house.begun[0]:
            return None  # it computes
        status = house.finish(process)
        signal.raise_signal(signal.SIGINT)
        return status

    house.status = press
    assert run(tmp_path, "--processes", "2", table=("learning-rate=0.1,0.2,0.4",)) == 130
    assert [process.sent for process in house.begun] == [[], ["terminate"]]
    assert [row.settings["learning-rate"] for row in read(tmp_path / "s").rows] == [0.1]
    assert "The same command goes on" in capsys.readouterr().out
    house.status = house.finish
    assert run(tmp_path, table=("learning-rate=0.1,0.2,0.4",)) == 0
    assert len(read(tmp_path / "s")) == 6


def test_a_second_ctrl_c_ends_them_at_once(tmp_path, house, monkeypatch):
    def press(process):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    house.status = press
    assert run(tmp_path, "--processes", "2") == 130
    assert [process.sent for process in house.begun] == [["kill"], ["kill"]]
    assert len(read(tmp_path / "s")) == 0


def test_a_command_line_that_is_not_understood_ends_the_sweep(tmp_path, house, capsys):
    def refuse(process):
        os.write(process.log, b"minilm: there is no data set.\n")
        return 2

    house.status = refuse
    assert run(tmp_path) == 1
    assert "the command cannot be run: there is no data set." in capsys.readouterr().err
    assert len(read(tmp_path / "s")) == 0


def test_names_of_folders_are_files_names_everywhere():
    (asked,) = processes.asked_of({"data": ["../texts/a b.txt"]}, 1)
    assert asked.name == "data=..%2ftexts%2fa%20b.txt,seed=0"


def test_numbers_of_a_run_that_has_not_ended(tmp_path):
    with pytest.raises(CheckpointError, match="has not ended"):
        processes.numbers_of(tmp_path)


def test_a_folder_of_its_own(tmp_path, house, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["sweep", "learning-rate=0.1", "--seeds", "1", "--", *COMMAND]) == 0
    assert len(read(tmp_path / "runs" / "sweep-2")) == 1
    assert main(["sweep"]) == 2
    assert "what is to be run stands behind --" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["learning-rate=0.1"], "what is to be run stands behind --"),
        (["learning-rate=0.1", "--", "trian"], "got 'trian'"),
        (["learning-rate=0.1", "--", "task", "spam", "evaluate"], "nothing else can be swept"),
        (["--", "train"], "nothing to sweep"),
        (["learning-rate=0.1,x", "--", "train"], "--learning-rate: expected a number above 0, got 'x'"),
        (["lerning-rate=0.1", "--", "train"], "Did you mean --learning-rate?"),
        (["learning-rate=0.1", "--", "train", "--step", "x"], "--step"),
        (["learning-rate=0.1", "--", "train", "--learning-rate=1"], "stands behind --, too"),
        (["learning-rate=0.1", "--", "train", "--seed", "1"], "--seeds N gives each run its own"),
        (["learning-rate=0.1", "--", "train", "--out", "x"], "there is no --out in a sweep"),
        (["learning-rate=0.1", "--", "train", "--resume", "x"], "there is no --resume"),
        (["seed=1,2", "--", "train"], "seed is not to be swept"),
        (["learning-rate=0.1", "--number", "f1"], "what is to be run stands behind"),
        ([], "holds no sweep"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_runs(tmp_path, house, capsys, arguments, said):
    assert main(["sweep", "--out", str(tmp_path / "s"), *arguments]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not house.begun
    assert not (tmp_path / "s").exists()


def test_another_command_in_the_folder_is_refused(tmp_path, house, capsys):
    run(tmp_path)
    assert run(tmp_path, command=["train", "--steps", "6"]) == 1
    assert "holds a sweep of something else" in capsys.readouterr().err


def test_what_it_found_so_far(tmp_path, house, capsys):
    run(tmp_path, seeds="1")
    assert "One seed says nothing" in capsys.readouterr().out
    assert main(["sweep", "--out", str(tmp_path / "s"), "--number", "accuracy", "--highest"]) == 0
    assert "accuracy (95 % interval)" in capsys.readouterr().out
    assert main(["sweep", "--out", str(tmp_path / "s"), "--number", "f1"]) == 1
    assert "no run has 'f1'" in capsys.readouterr().err


@pytest.mark.slow
def test_real_processes_and_a_run_that_is_there_already_goes_on(tmp_path):
    """A run that was killed after its last checkpoint, before its last line, ends with the same numbers as one that was not."""
    text, place = text_file(tmp_path), tmp_path / "s" / "runs" / "learning-rate=0.02,seed=1"
    arguments = ["sweep", "--out", str(tmp_path / "s"), "--seeds", "2", "learning-rate=0.01,0.02",
                 "--", "train", "--data", str(text), *FLAGS]  # fmt: skip
    assert main(arguments) == 0
    (before,) = (row for row in read(tmp_path / "s").rows if (row.settings["learning-rate"], row.seed) == (0.02, 1))
    for path in (place / "metrics.jsonl", tmp_path / "s" / "results.jsonl"):
        path.write_text("".join(path.read_text().splitlines(True)[:-1]))
    assert main(arguments) == 0
    rows = read(tmp_path / "s").rows
    assert len(rows) == 4
    assert [row.numbers for row in rows if row.key == before.key] == [before.numbers]


@pytest.mark.slow
def test_a_run_that_diverges_is_kept_with_its_reason(tmp_path):
    assert main(["sweep", "--out", str(tmp_path / "s"), "--seeds", "1", "learning-rate=0.01,1e30",
                 "--", "train", "--data", str(text_file(tmp_path)), *FLAGS, "--clip", "0"]) == 0  # fmt: skip
    (failed,) = read(tmp_path / "s").failures()
    assert (failed.settings["learning-rate"], "diverged" in failed.reason) == (1e30, True)
