"""An application that is trained: what its run remembers, and when the test part is read. The applications are made up."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from minilm.applications import find
from minilm.applications.application import Split
from minilm.applications.trained import Trained, fingerprint
from minilm.data import DataError
from minilm.metrics import Score
from minilm.training.loop import train
from minilm.training.run import Run
from tests.applications.made_up import Color, ColorTask, Example, Length, made, place

pytestmark = pytest.mark.host  # runs name their device


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)


def trained(folder, application=None, **options):
    run, data = (application or Color()).begin(folder, options)
    return run, train(run, data, device="cpu", progress=False)


def weights(folder):
    return Run(folder, ColorTask).load_weights().arrays


def test_a_run_keeps_what_its_system_needs(tmp_path):
    run, outcome = trained(tmp_path / "run")
    assert (outcome.reason, outcome.step) == ("finished", 12)
    system = Color().open(run.folder, "cpu")
    assert system(["the old car blue"]) == [{"color": "blue"}]
    config = json.loads((run.folder / "config.json").read_text("utf-8"))
    words = (run.folder / "words.txt").read_text("utf-8").split("\n")
    assert (config["task"], config["words"], config["source"]) == ("color", len(words), "")
    assert config["examples_sha256"] == fingerprint(Color().split())


def test_a_killed_and_resumed_run_is_equal_to_the_bit(tmp_path):
    """A process that is killed while it trains, and one that was not."""
    whole, _ = trained(tmp_path / "whole")
    program = (
        "import time\nfrom pathlib import Path\nfrom minilm.parallel import DataParallel\nfrom minilm.training.loop import train\n"
        "from tests.applications.made_up import Color\nplain, count = DataParallel.backward, []\n"
        "def slow(*arguments, **options):\n    count.append(1)\n    if len(count) == 8:\n        print('here', flush=True)\n"
        "        time.sleep(60)\n    return plain(*arguments, **options)\nDataParallel.backward = slow\n"
        f"run, data = Color().begin(Path({str(tmp_path / 'killed')!r}))\ntrain(run, data, device='cpu', progress=False)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline().strip() == b"here"
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    process.stdout.close()
    run, data = Color().resume(tmp_path / "killed")
    assert 0 < run.load_checkpoint().step < 8
    train(run, data, device="cpu", progress=False)
    one, other = weights(whole.folder), weights(run.folder)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_first_look_learns_the_same_and_measures_less(tmp_path):
    run, data = Color().begin(tmp_path / "look", most=4)
    whole = Color().split()
    assert data.split.train == whole.train
    assert data.split.validation == [whole.validation[i * len(whole.validation) // 4] for i in range(4)]
    assert (len(data.split.test), len(data.validation[0])) == (4, 4)
    train(run, data, device="cpu", progress=False)
    card = (run.folder / "card.md").read_text("utf-8")
    assert "4 to validate on, 4 to test on" in card
    assert "at most 4 each are read" in card
    assert Color().resume(run.folder)[1].split == whole
    assert whole.shortened(1000).test == whole.test


def test_the_test_part_is_read_once_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(Color, "reads", 0)
    run, data = Color().begin(tmp_path / "run", {"steps": 6})
    assert Color.reads == 0
    outcome = train(run, data, device="cpu", progress=False)
    assert Color.reads == 1
    (accuracy,) = outcome.tested
    assert accuracy.name == "accuracy"
    card = (run.folder / "card.md").read_text("utf-8")
    low, high = accuracy.bounds
    assert f"| test: accuracy | {accuracy.value:.4f} | {low:.4f} to {high:.4f} |" in card
    assert "The test part was read once, after the training" in card
    assert "or the groups that they belong to, are drawn again" in card
    again, data = Color().resume(run.folder)
    assert train(again, data, device="cpu", progress=False).tested == ()
    assert Color.reads == 1
    more, data = Color().resume(run.folder, {"steps": 12})
    train(more, data, device="cpu", progress=False)
    assert "The test part was read 2 times" in (run.folder / "card.md").read_text("utf-8")


def test_another_split_is_refused(tmp_path, monkeypatch):
    run, _ = trained(tmp_path / "run", steps=2, eval_every=2)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    one, *others = Color.parts[2]
    monkeypatch.setattr(Color, "parts", (*Color.parts[:2], [*others, one]))  # the same examples in another order
    with pytest.raises(ValueError, match="are not those that .* was trained on"):
        Color().resume(run.folder)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_fingerprint_tells_parts_orders_and_fields_apart():
    a, b, c = Example("a", "red"), Example("b", "red"), Example("c", "blue")
    splits = [Split([a, b], [c], [c], ""), Split([b, a], [c], [c], ""), Split([a], [b, c], [c], ""), Split([a, b], [c], [b], ""),
              Split([Example("a", "blue"), b], [c], [c], "")]  # fmt: skip
    assert len({fingerprint(split) for split in splits}) == len(splits)
    assert fingerprint(splits[0]) == fingerprint(dataclasses.replace(splits[0], about="other words"))

    @dataclasses.dataclass(frozen=True)
    class Other:
        text: str
        color: str

    assert fingerprint(Split([Other("a", "\ud800")], [], [], "")) != fingerprint(Split([Other("a", "")], [], [], ""))


def test_settings_replace_those_of_the_task_and_the_card_says_how_to_make_it_again(tmp_path):
    run, _ = trained(tmp_path / "a run", steps=3, seed=7)
    assert (run.train_config.steps, run.train_config.batch_size) == (3, ColorTask.settings["batch_size"])
    card = (run.folder / "card.md").read_text("utf-8")
    assert "minilm task color train --steps 3 --seed 7 --device cpu" in card
    assert "Software Foundation License" in card
    assert "It knows three colors." in card
    assert run.command == f"minilm task color train --resume '{run.folder}'"


def test_an_interrupted_run_says_which_command_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("minilm.training.loop.stop_requests", lambda: _Stopped())
    run, outcome = trained(tmp_path / "run")
    assert outcome.reason == "interrupted"
    assert f"`minilm task color train --resume {run.folder}` goes on with it" in (run.folder / "card.md").read_text()


class _Stopped:
    def __enter__(self):
        return lambda: True

    def __exit__(self, *_):
        return None


def a_file(path, examples):
    path.write_text("".join(f"{each.text}\t{each.color}\n" for each in examples), "utf-8")
    return path


def test_examples_of_ones_own(tmp_path):
    path = a_file(tmp_path / "mine.tsv", made(50, 9))
    run, data = Color().begin(tmp_path / "run", {"steps": 2}, str(path))
    assert [len(part) for part in (data.split.train, data.split.validation, data.split.test)] == [40, 5, 5]
    assert run.task.source == str(path)
    train(run, data, device="cpu", progress=False)
    card = (run.folder / "card.md").read_text("utf-8")
    assert f"minilm task color train --data {path} --steps 2 --device cpu" in card
    assert "their licence is not known here" in card
    moved = path.rename(tmp_path / "moved.tsv")
    with pytest.raises(DataError, match=r"mine\.tsv cannot be read"):
        Color().resume(run.folder)
    assert Color().resume(run.folder, source=str(moved))[1].split == data.split
    a_file(moved, made(50, 10))
    with pytest.raises(ValueError, match=r"moved\.tsv are not those"):
        Color().resume(run.folder, source=str(moved))


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "mine.tsv").write_bytes(b"a car\tred\n\xff\n")
    with pytest.raises(DataError, match="no text in UTF-8: byte 0xff"):
        Color().begin(tmp_path / "run", source=str(tmp_path / "mine.tsv"))


def test_too_few_examples_of_ones_own(tmp_path):
    path = a_file(tmp_path / "few.tsv", made(2, 0))
    with pytest.raises(DataError, match="none may be empty"):
        Color().begin(tmp_path / "run", source=str(path))
    assert not (tmp_path / "run").exists()


def test_a_batch_larger_than_what_there_is_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--batch-size 81 is more than there is to learn from: 80 examples"):
        Color().begin(tmp_path / "run", {"batch_size": 81})
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        Color().begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_trained_application_needs_a_folder():
    with pytest.raises(ValueError, match="give the folder of a run"):
        Color().open(None, "cpu")


def test_wrong_answers_the_worst_first():
    examples = [Example("x", color) for color in ("red", "green", "blue")]
    answers = [{"color": color} for color in ("red", "red", "red")]
    assert Color().wrong(examples, answers) == [1, 2]
    assert Color().wrong(examples, [{"color": each.color} for each in examples]) == []
    assert Color().wrong([], []) == []
    assert Length().wrong(examples, [{"words": 4}, {"words": 5}, {"words": 9}]) == [2, 1]


def test_of_numbers_above_one_the_best_is_the_highest():
    class Points(Color):
        def measure(self, examples, answers):
            return [Score.mean("points", [answer["points"] for answer in answers])]

    answers = [{"points": 80.0}, {"points": 100.0}, {"points": 20.0}]
    assert Points().wrong(made(3, 0), answers) == [2, 0]


def test_applications_are_found_by_name(monkeypatch):
    place(monkeypatch)
    assert isinstance(find("color"), Trained)
    assert not isinstance(find("length"), Trained)
    with pytest.raises(ValueError, match="there is no task 'colour'.*Did you mean color"):
        find("colour")
