"""A run loses nothing: whatever happens to its files, to its numbers, to the disk, and whoever else writes in its place."""

import errno
import json
import math
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from minilm.graph import no_grad
from minilm.text import CharTokenizer
from minilm.training.checkpoint import CheckpointError, RunError, load_arrays, save_arrays, seal
from minilm.training.folder import LOCK
from minilm.training.language_model import LanguageModel
from minilm.training.loop import Training, train
from minilm.training.recipes import open_run, resume_run
from minilm.training.run import FILES as RUN_FILES
from tests.tiny import TEXT, resealed, text_file, tiny_run
from tests.training import damage
from tests.training.damage import contents
from tests.training.runs import POSIX, arrays_of, assert_same_weights, go_on, start, step_of

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device

FILES = (*RUN_FILES, *LanguageModel.files)

# -- damaged files ------------------------------------------------------------------------------------------------------


def sealed_again(arrays, about):
    about = {name: value for name, value in about.items() if name != "sha256"}
    return {**about, "sha256": seal(arrays, about)}


def readers_of(name, kind):
    """Who is tried on a damage: whoever reads the file; where a file is gone or cut, everybody."""
    entry = next(entry for entry in FILES if entry.name == name)
    return entry.readers if kind.endswith((" removed", " another")) or " = " in kind else damage.READERS


def all_damages(stopped, other):
    names = [entry.name for entry in FILES]
    return [
        (reader, name, kind, do)
        for name, kind, do in damage.pairs(stopped, other, names, sealed_again)
        for reader in readers_of(name, kind)
    ]


def problems(stopped, other, tmp_path, cases):
    expected, undamaged = {name: read(stopped) for name, read in damage.READERS.items()}, contents(stopped)
    found = []
    for reader, name, kind, do in cases:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(stopped, folder)
        do(folder / name)
        problem = damage.check(reader, folder, expected[reader], undamaged, name, kind)
        if problem:
            found.append(f"{reader} with {name} {kind}: {problem}")
    return found


def test_the_table_names_every_file_of_a_run(stopped, finished):
    names = {entry.name for entry in FILES}
    assert set(os.listdir(stopped)) == names - {LOCK, "metrics.damaged"}
    assert set(os.listdir(finished[0])) <= names


EVERY = 41


def test_damaged_files_are_named_or_harmless(stopped, other, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minilm.training.recipes.IN_MEMORY", 1000)
    cases = all_damages(stopped, other)
    assert len(cases) > 1500
    assert problems(stopped, other, tmp_path, cases[::EVERY]) == []


@pytest.mark.slow
def test_all_damaged_files_are_named_or_harmless(stopped, other, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minilm.training.recipes.IN_MEMORY", 1000)
    cases = [case for i, case in enumerate(all_damages(stopped, other)) if i % EVERY]
    assert problems(stopped, other, tmp_path, cases) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("step", math.inf, "step should be a whole number"), ("step", -3, "step should be"), ("step", "7", "step should be"),
     ("step", True, "step should be"), ("step", 6, "its optimizer's"), ("step", 13, "13 of 12"), ("version", 99, "version 99"),
     ("best", math.nan, "best should be a number"), ("best", -1.0, "best should be"), ("bad", 1.5, "bad should be"),
     ("random", {}, "minilm.random"), ("optimizer", [], "optimizer should be an object"), ("run", "0", "another run"),
     ("best_step", 8, "best loss"), ("format", "x", "'minilm checkpoint'")],
)  # fmt: skip
def test_each_value_of_a_checkpoint_is_checked(stopped, copy, name, value, message):
    folder = copy(stopped)
    arrays, about = load_arrays(folder / "checkpoint.safetensors")
    save_arrays(folder / "checkpoint.safetensors", arrays, sealed_again(arrays, {**about, name: value}))
    before = contents(folder)
    with pytest.raises(CheckpointError, match=message):
        go_on(folder)
    assert contents(folder) == before


def test_a_model_of_a_later_version_is_refused(stopped, copy):
    folder = copy(stopped)
    arrays, about = load_arrays(folder / "model.safetensors")
    save_arrays(folder / "model.safetensors", arrays, sealed_again(arrays, {**about, "version": 99}))
    with pytest.raises(CheckpointError, match="version 99, this minilm reads 1 and 2"):
        open_run(folder).model("cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "checkpoint.safetensors"])
def test_a_file_of_another_run_of_equal_size_is_refused(stopped, other, copy, name):
    folder = copy(stopped)
    shutil.copy(other / name, folder / name)
    with pytest.raises(CheckpointError, match=rf"{name}.*(another run|began with)"):
        go_on(folder)
    if name != "checkpoint.safetensors":
        with pytest.raises(CheckpointError, match=name):
            damage.generate(folder)


def test_an_edited_config_is_named(stopped, copy):
    folder = copy(stopped)
    config = json.loads((folder / "config.json").read_text())
    config["model"]["n_head"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="config.json was edited or damaged"):
        open_run(folder)
    (folder / "config.json").write_text(json.dumps(resealed(config)))
    with pytest.raises(CheckpointError, match="belongs to another run"):
        open_run(folder).model("cpu")


def test_a_tokenizer_with_its_characters_reversed_is_refused(stopped, copy):
    folder = copy(stopped)
    fields = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**fields, "characters": fields["characters"][::-1]}))
    with pytest.raises(CheckpointError, match="tokenizer.json is not the tokenizer that the run began with"):
        damage.generate(folder)


def test_another_layout_of_the_tokenizer_s_file_is_the_same_tokenizer(stopped, copy):
    folder = copy(stopped)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4))
    damage.generate(folder)


def test_a_text_may_be_moved(stopped, copy, tmp_path):
    folder = copy(stopped)
    config = json.loads((folder / "config.json").read_text())
    config["text"]["source"] = str(shutil.copy(config["text"]["source"], tmp_path / "moved.txt"))
    (folder / "config.json").write_text(json.dumps(config))
    assert go_on(folder).reason == "finished"


def test_the_tokenizer_of_a_run_is_kept_with_its_hash(tmp_path):
    """Written once, and known to the run by what it says."""
    run, _ = tiny_run(tmp_path)
    assert run.task.tokenizer(run.folder).to_dict() == CharTokenizer.train(TEXT).to_dict()
    assert json.loads((run.folder / "config.json").read_text())["tokenizer_sha256"] == run.task.tokenizer_sha256


# -- runs of the version before -----------------------------------------------------------------------------------------


@pytest.fixture
def version_1(tmp_path):
    """A run that the version before began, and stopped after step 7 of 12: no fingerprints, no SHA-256."""
    folder = shutil.copytree(Path(__file__).parent / "version1", tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    config["text"]["source"] = str(text_file(tmp_path))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_run_of_version_1_is_read_and_goes_on(version_1):
    assert damage.generate(version_1)["ids"].size
    before = arrays_of(version_1)
    training = Training.resume(*resume_run(version_1), "cpu")
    assert (training.step, training.bad) == (7, 0)
    for name, array in damage.weights_of(training.model).items():
        np.testing.assert_array_equal(array, before[f"model.{name}"])
    outcome = go_on(version_1)
    assert (outcome.reason, outcome.step) == ("finished", 12)
    assert [line["step"] for line in open_run(version_1).metrics() if "validation_loss" in line] == [0, 4, 8, 12]
    assert load_arrays(version_1 / "checkpoint.safetensors")[1]["version"] == 2
    damage.generate(version_1)
    assert go_on(version_1, {"steps": 14}).step == 14
    assert open_run(version_1).phases == [(12, {"steps": 14})]
    damage.generate(version_1)


def test_a_new_phase_of_a_run_of_version_1_reads_its_old_files(version_1):
    assert go_on(version_1, {"learning_rate": 5e-4}).step == 12
    assert open_run(version_1).phases == [(7, {"learning_rate": 5e-4})]


def test_a_file_of_version_1_in_a_run_of_this_version_is_refused(version_1, stopped, copy):
    folder = copy(stopped)
    shutil.copy(version_1 / "model.safetensors", folder)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        damage.generate(folder)


# -- nothing is lost ----------------------------------------------------------------------------------------------------


def test_a_run_without_its_checkpoint_does_not_begin_anew(finished, copy):
    folder = copy(finished[0])
    (folder / "checkpoint.safetensors").unlink()
    for kept in (("model.safetensors", "metrics.jsonl"), ("model.safetensors",), ("metrics.jsonl",)):
        part = copy(folder, "-".join(kept))
        for name in {"model.safetensors", "metrics.jsonl"} - set(kept):
            (part / name).unlink()
        before = contents(part)
        with pytest.raises(CheckpointError, match=f"checkpoint.safetensors does not exist, but {kept[0]}"):
            go_on(part)
        assert contents(part) == before


def test_a_model_that_is_gone_is_made_again(stopped, copy, capsys):
    folder = copy(stopped)
    (folder / "model.safetensors").unlink()
    assert go_on(folder).reason == "finished"
    assert "model.safetensors is gone; the run goes on" in capsys.readouterr().err
    damage.generate(folder)


def test_a_model_newer_than_the_checkpoint_is_not_overwritten(stopped, copy, monkeypatch):
    folder = copy(stopped)
    old = (folder / "checkpoint.safetensors").read_bytes()
    go_on(folder)
    (folder / "checkpoint.safetensors").write_bytes(old)
    before = contents(folder)
    with pytest.raises(CheckpointError, match="newer than the checkpoint"):
        go_on(folder)
    assert contents(folder) == before


def test_a_kill_between_the_checkpoint_and_the_best_weights_loses_neither(tmp_path, monkeypatch, finished):
    run, text = tiny_run(tmp_path)
    save, calls = Training.save_best, []

    def dies(self):
        calls.append(self.step)
        if self.step == 8:
            raise KeyboardInterrupt
        save(self)

    monkeypatch.setattr(Training, "save_best", dies)
    with pytest.raises(KeyboardInterrupt):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert load_arrays(run.folder / "model.safetensors")[1]["step"] == 4
    Training.resume(run, text, "cpu")
    assert load_arrays(run.folder / "model.safetensors")[1]["step"] == 8
    go_on(run.folder)
    assert_same_weights(run.folder, finished[0])


def test_resuming_a_finished_run_changes_nothing(finished, copy):
    folder = copy(finished[0])
    before, times = contents(folder), {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    outcome = go_on(folder)
    assert (outcome.reason, outcome.step, outcome.validation_loss) == ("finished", 12, finished[1].validation_loss)
    assert contents(folder) == before
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == times


# -- numbers that are not finite ----------------------------------------------------------------------------------------


DIVERGES = {"learning_rate": 1e30, "clip": 0.0, "warmup": 0, "checkpoint_every": 5, "steps": 100, "eval_every": 100}


def assert_finite(folder):
    for name in ("checkpoint", "model"):
        assert all(np.isfinite(array).all() for array in arrays_of(folder, name).values())


def test_a_checkpoint_that_is_not_finite_never_takes_a_finite_one_s_place(tmp_path):
    run, text = tiny_run(tmp_path, **DIVERGES)
    with pytest.raises(FloatingPointError, match="diverged: .* by step 5.*--learning-rate") as error:
        train(run, text, device="cpu", progress=False)
    assert "\n" not in str(error.value)
    assert_finite(run.folder)
    with pytest.raises(FloatingPointError):
        go_on(run.folder)
    assert_finite(run.folder)
    assert go_on(run.folder, {"learning_rate": 1e-3, "steps": 10}).reason == "finished"


def spoiled(monkeypatch, step, spoil, number=None):
    """Makes something not finite after a step, and sends a signal."""
    update = Training.update

    def bad(self):
        result = update(self)
        if self.step == step:
            spoil(self)
            if number is not None:
                os.kill(os.getpid(), number)
        return result

    monkeypatch.setattr(Training, "update", bad)


SPOILS = {
    "a weight": lambda t: t.model.wte.weight.data.__setitem__((0, 0), np.nan),
    "an average": lambda t: t.optimizer.state[t.model.wte.weight]["exp_avg_sq"].__setitem__((0, 0), np.inf),
    "the loss": lambda t: np.copyto(t.model.wte.weight.data, np.sign(t.model.wte.weight.data) * np.float32(3e38)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("what", "number"), [*((what, None) for what in SPOILS), ("a weight", signal.SIGINT)])
def test_after_a_bad_step_the_checkpoint_before_stands(tmp_path, monkeypatch, what, number):
    run, text = tiny_run(tmp_path)
    spoiled(monkeypatch, 5, SPOILS[what], number)
    with pytest.raises(FloatingPointError, match="Step 4 stands as the last good checkpoint"):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert load_arrays(run.folder / "checkpoint.safetensors")[1]["step"] == 4
    assert_finite(run.folder)
    assert go_on(run.folder).reason == "finished"


def test_finite_weights_without_a_finite_loss_are_not_saved(tmp_path):
    run, text = tiny_run(tmp_path)
    with run.locked():
        training = Training(run, text, device="cpu")
        training.save()
        before = (run.folder / "checkpoint.safetensors").read_bytes()
        with no_grad():
            for p in training.model.parameters():
                p.fill_(3e38)
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="the loss became"):
            training.save()
    assert (run.folder / "checkpoint.safetensors").read_bytes() == before


def test_a_validation_loss_that_is_not_finite_is_no_evaluation(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    losses = iter([3.0, math.nan])
    monkeypatch.setattr(Training, "evaluate", lambda self, most=None: next(losses))
    with pytest.raises(FloatingPointError, match="the validation loss became nan by step 4.*Step 3 stands"):
        train(run, text, device="cpu", progress=False)


# -- the disk -----------------------------------------------------------------------------------------------------------


class FailingDisk:
    """Fails the n-th of the operations on files that writing a run takes; n = 0: none."""

    def __init__(self, monkeypatch, n):
        self.n, self.count = n, 0
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self.counting(getattr(os, name)))
        for module in ("files", "training.journal"):
            monkeypatch.setattr(f"minilm.{module}.open", self.counting(open), raising=False)

    def counting(self, function):
        def counted(*arguments, **options):
            self.count += 1
            if self.count == self.n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*arguments, **options)

        return counted


SHORT = {"steps": 4, "eval_every": 2, "checkpoint_every": 1, "n_embd": 8, "warmup": 1}


def disk_fails(tmp_path, monkeypatch, n):
    """Trains a run on a disk whose n-th operation fails. Returns the run's folder, the error, and how many operations there were."""
    with monkeypatch.context() as patch:
        disk = FailingDisk(patch, n)
        try:
            run, text = tiny_run(tmp_path, **SHORT)
            train(run, text, device="cpu", progress=False)
            error = None
        except RunError as caught:
            error = caught
    return tmp_path / "run", error, disk.count


def check_a_failing_disk(tmp_path, monkeypatch, numbers):
    (tmp_path / "calm").mkdir()
    calm, error, total = disk_fails(tmp_path / "calm", monkeypatch, 0)
    assert error is None
    assert total > 50
    for n in numbers(total):
        place = tmp_path / str(n)
        place.mkdir()
        folder, error, _ = disk_fails(place, monkeypatch, n)
        assert "No space left on device" in str(error), n
        assert "\n" not in str(error)
        if folder.exists():
            assert not any(name.endswith(".tmp") or name == LOCK for name in os.listdir(folder)), n
            assert "minilm train --resume" in str(error), n
            damage.resume(folder)
            go_on(folder)
        else:
            tiny_run(place, **SHORT)
            go_on(folder)
        assert_same_weights(folder, calm)
        strip = [
            [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in open_run(f).metrics()]
            for f in (folder, calm)
        ]
        assert strip[0] == strip[1], n


def test_a_disk_that_fails_leaves_the_last_good_files(tmp_path, monkeypatch):
    check_a_failing_disk(tmp_path, monkeypatch, lambda total: range(3, total + 1, 24))


@pytest.mark.slow
def test_a_disk_that_fails_at_any_operation_leaves_the_last_good_files(tmp_path, monkeypatch):
    check_a_failing_disk(tmp_path, monkeypatch, lambda total: range(1, total + 1))


def limited(size):
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
@pytest.mark.skipif(not POSIX, reason="a limit on the size of files is POSIX's")
def test_files_that_may_not_grow(tmp_path, stopped, copy):
    """The system's own refusal, in the middle of a write: the files are the old ones, and the error is one line."""
    folder = copy(stopped)
    size = (folder / "checkpoint.safetensors").stat().st_size - 5000
    child = start("--resume", folder, "--device", "cpu", preexec_fn=limited(size))
    _, errors = child.communicate()
    assert child.returncode == 1
    assert errors.count("\n") == 1, errors
    assert "checkpoint.safetensors: File too large" in errors
    assert f"minilm train --resume {folder}" in errors
    assert step_of(folder) == 7
    assert (folder / "checkpoint.safetensors").read_bytes() == (stopped / "checkpoint.safetensors").read_bytes()
    assert go_on(folder).reason == "finished"


def test_a_run_that_may_not_be_written_can_be_read(stopped, copy, monkeypatch):
    folder, system_open = copy(stopped), os.open

    def read_only(path, flags, *mode):
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, "Read-only file system")
        return system_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    damage.generate(folder)
    with pytest.raises(RunError, match=r"cannot be written \(Read-only file system\)"):
        go_on(folder)
    assert contents(folder) == contents(stopped)


def test_a_run_that_is_renamed_while_it_is_trained_is_left_alone(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    update, place = Training.update, tmp_path / "renamed"

    def renames(self):
        if self.step == 7:
            run.folder.rename(place)
        return update(self)

    monkeypatch.setattr(Training, "update", renames)
    with pytest.raises(RunError, match="renamed, deleted or replaced"):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert not run.folder.exists()
    assert step_of(place) == 6
    assert go_on(place).reason == "finished"


def test_a_run_in_the_place_of_another_is_not_written_by_its_process(tmp_path, monkeypatch, other):
    run, text = tiny_run(tmp_path)
    update = Training.update

    def replaces(self):
        if self.step == 7:
            run.folder.rename(tmp_path / "renamed")
            shutil.copytree(other, run.folder)
        return update(self)

    monkeypatch.setattr(Training, "update", replaces)
    with pytest.raises(RunError, match="renamed, deleted or replaced"):
        train(run, text, device="cpu", progress=False)
    assert contents(run.folder) == contents(other)


def test_a_start_that_fails_in_the_place_of_another_run_removes_nothing(tmp_path, monkeypatch, other):
    run, text = tiny_run(tmp_path)

    def replaces(self):
        run.folder.rename(tmp_path / "renamed")
        shutil.copytree(other, run.folder)
        raise MemoryError

    monkeypatch.setattr(Training, "update", replaces)
    with pytest.raises(RunError, match="memory"):
        train(run, text, device="cpu", progress=False)
    assert contents(run.folder) == contents(other)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_the_steps_since_the_checkpoint(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, processes=2)
    update = Training.update

    def kills(self):
        if self.step == 7:
            process = self.parallel.members.workers[0].process
            process.kill()
            process.wait()
        return update(self)

    monkeypatch.setattr(Training, "update", kills)
    with pytest.raises(
        RunError, match="process 1 is gone.*The checkpoint of step 6 stands: go on with minilm train --resume"
    ):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert go_on(run.folder).reason == "finished"
