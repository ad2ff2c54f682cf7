"""A start that fails leaves nothing, and one that was killed can be repeated."""

import os
import sys
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.training.checkpoint import RunError
from minilm.training.folder import LOCK
from minilm.training.loop import Training, train
from minilm.training.recipes import Recipe, start_run
from tests.tiny import FLAGS, OPTIONS, text_file, tiny_run
from tests.training.damage import contents
from tests.training.runs import go_on

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


@pytest.fixture
def blocked(tmp_path):
    (tmp_path / "file").write_text("a file")
    return tmp_path


FAILED_STARTS = {
    "a width that no memory holds": (["--width", "2000000"], "GB of memory to train"),
    "a batch that no memory holds": (["--batch-size", str(10**15)], "GB of memory to train"),
    "a head too many": (["--heads", "3"], "does not divide"),
    "a device that is not there": (["--device", "tpu"], "tpu"),
    "a folder under a file": (["--out", "{tmp}/file/run"], "Not a directory"),
    "a name that is too long": (["--out", "{tmp}/" + "x" * 300], "too long"),
    "a context longer than the text": (["--block-size", "100000"], "more text"),
    "a tokenizer that is none": (["--tokenizer", "{tmp}/file"], "JSON"),
}


@pytest.mark.parametrize("case", FAILED_STARTS)
def test_a_start_that_fails_leaves_nothing(blocked, capsys, case):
    arguments, message = FAILED_STARTS[case]
    data, place = text_file(blocked), blocked / "new" / "run"
    before = sorted(p.relative_to(blocked) for p in blocked.rglob("*"))
    flags = ["--data", data, "--out", place, *FLAGS, *arguments]
    assert main(["train", "--quiet", *(str(a).format(tmp=blocked) for a in flags)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(p.relative_to(blocked) for p in blocked.rglob("*")) == before


def test_a_start_that_fails_in_an_empty_folder_leaves_it_empty(tmp_path, monkeypatch):
    place = tmp_path / "run"
    place.mkdir()

    def too_small(*_):
        raise MemoryError

    monkeypatch.setattr(Training, "update", too_small)
    run, text = tiny_run(tmp_path)
    with pytest.raises(RunError, match="memory is too small: use a smaller --batch-size"):
        train(run, text, device="cpu", progress=False)
    assert os.listdir(place) == []


def test_what_was_begun_is_not_taken_for_a_failed_start(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    update = Training.update

    def too_small(self):
        if self.step == 1:
            raise MemoryError
        return update(self)

    monkeypatch.setattr(Training, "update", too_small)
    with pytest.raises(RunError, match="memory"):
        train(run, text, device="cpu", progress=False)
    assert (run.folder / "checkpoint.safetensors").exists()


def test_a_start_that_was_killed_can_be_repeated(tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    for name in (LOCK, "tokenizer.json", "train.tokens", ".config.json.0123.tmp"):
        (place / name).write_bytes(b"part")
    run, text = tiny_run(tmp_path)
    assert train(run, text, device="cpu", progress=False).reason == "finished"
    assert "train.tokens" not in os.listdir(place)


@pytest.mark.parametrize(
    "names",
    [["tokenizer.json"], [LOCK, "notes.txt"], [LOCK, "model.safetensors"], [LOCK, "config.json"]],
)
def test_what_is_no_start_that_was_killed_is_not_touched(tmp_path, names):
    place = tmp_path / "run"
    place.mkdir()
    for name in names:
        (place / name).write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="not empty"):
        tiny_run(tmp_path)
    assert contents(place) == dict.fromkeys(names, b"mine") | {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
def test_names_that_are_no_text(tmp_path):
    """A folder and a text whose names are not UTF-8: the run is made and resumed, or nothing is left."""
    source, place = os.fsencode(text_file(tmp_path)) + b"\xff", os.fsencode(tmp_path / "run") + b"\xff"
    os.rename(text_file(tmp_path), source)
    folder = Path(os.fsdecode(place))
    recipe = Recipe("tiny", data=os.fsdecode(source), tokenizer="char")
    run, text = start_run(folder, recipe, OPTIONS)
    assert train(run, text, device="cpu", progress=False).reason == "finished"
    assert go_on(folder).reason == "finished"
