"""A run loses nothing: whatever happens to its files, to the disk, to the process, and whoever else wants to train it."""

import dataclasses
import errno
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minilm.cli import main, parser
from minilm.graph import no_grad
from minilm.models import GPTConfig
from minilm.text import CharTokenizer
from minilm.training import lock
from minilm.training.checkpoint import CheckpointError, RunError, load_arrays, save_arrays, seal
from minilm.training.language_model import LanguageModel
from minilm.training.loop import Training, train
from minilm.training.recipes import Recipe, open_run, resume_run, start_run
from minilm.training.run import FILES as RUN_FILES
from minilm.training.settings import FIXED as FIXED_IN_TRAINING
from minilm.training.settings import MAY_CHANGE, SCHEDULE, TrainConfig
from tests.tiny import FLAGS, OPTIONS, TEXT, rate_at, resealed, text_file, tiny_run
from tests.training import damage
from tests.training.damage import contents

pytestmark = pytest.mark.host  # runs name their device

FILES = (*RUN_FILES, *LanguageModel.files)
FIXED = {**FIXED_IN_TRAINING, **LanguageModel.fixed}
POSIX = os.name == "posix"
COMMAND = [sys.executable, "-m", "minilm", "train", "--quiet"]


@pytest.fixture(autouse=True)
def _no_picture(monkeypatch):
    """Drawing takes longer than a tiny run; the runs that are shared by tests have real pictures."""
    monkeypatch.setattr(
        "minilm.training.loop.plot_losses", lambda run: (run.folder / "loss.png").write_bytes(b"\x89PNG")
    )


def stop_at(monkeypatch, step, number=signal.SIGINT):
    """Sends a signal to this process while the update after `step` is computed."""
    update = Training.update

    def stopped(self):
        if self.step == step:
            os.kill(os.getpid(), number)
        return update(self)

    monkeypatch.setattr(Training, "update", stopped)


def arrays_of(folder, name="checkpoint"):
    return load_arrays(folder / f"{name}.safetensors")[0]


def assert_same_weights(a, b):
    for name in ("checkpoint", "model"):
        x, y = arrays_of(a, name), arrays_of(b, name)
        assert x.keys() == y.keys()
        for key in x:
            np.testing.assert_array_equal(x[key], y[key], err_msg=f"{name}: {key}")


def stopped_run(folder, name, text, seed=1337, step=6, **options):
    """A run that was stopped in its middle, with token files, so that it has every file that a run can have."""
    source = folder / f"{name}.txt"
    source.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.training.recipes.IN_MEMORY", 1000)
        stop_at(patch, step)
        recipe = Recipe("tiny", data=str(source), tokenizer="char")
        run, ids = start_run(folder / name, recipe, {**OPTIONS, "n_embd": 8, "seed": seed, **options})
        assert train(run, ids, device="cpu", progress=False).reason == "interrupted"
    return run.folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return stopped_run(tmp_path_factory.mktemp("stopped"), "run", TEXT)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another run of equal size: other characters, other weights."""
    other_text = TEXT.translate(str.maketrans("plus", "qmvt"))
    return stopped_run(tmp_path_factory.mktemp("other"), "other", other_text, seed=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run, text = tiny_run(tmp_path_factory.mktemp("finished"))
    return run.folder, train(run, text, device="cpu", progress=False)


@pytest.fixture
def copy(tmp_path):
    def copied(folder, name="copy"):
        return Path(shutil.copytree(folder, tmp_path / name))

    return copied


def go_on(folder, changes=None):
    return train(*resume_run(folder, changes), device="cpu", progress=False)


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
    assert set(os.listdir(stopped)) == names - {lock.LOCK, "metrics.damaged"}
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


# -- one process at a time ----------------------------------------------------------------------------------------------


def start(*arguments, **options):
    command, pipe = [*COMMAND, *map(str, arguments)], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


def step_of(folder):
    path = folder / "checkpoint.safetensors"
    return load_arrays(path)[1]["step"] if path.exists() else 0


@pytest.mark.slow
def test_a_run_is_trained_by_one_process_and_a_killed_one_s_lock_is_free(tmp_path):
    folder = tmp_path / "run"
    first = start(
        "--data", text_file(tmp_path), "--out", folder, *FLAGS, "--steps", "100000", "--checkpoint-every", "50"
    )
    try:
        wait_for(lambda: step_of(folder) >= 50)
        second = start("--resume", folder)
        _, errors = second.communicate()
        assert second.returncode == 1
        assert f"is in use by process {first.pid}, since 20" in errors
        assert errors.count("\n") == 1
    finally:
        first.kill()
        first.communicate()
    assert (folder / lock.LOCK).exists()
    Training.resume(*resume_run(folder), "cpu")
    assert not (folder / lock.LOCK).exists()
    steps = [line["step"] for line in open_run(folder).metrics() if "loss" in line]
    assert steps == sorted(set(steps))


def test_two_objects_of_one_process_do_not_train_the_same_run(stopped, copy):
    folder = copy(stopped)
    first, (second, text) = open_run(folder), resume_run(folder)
    with first.locked(), first.locked():
        before = contents(folder)
        with pytest.raises(RunError, match=rf"in use by process {os.getpid()} \(this one\), since"):
            train(second, text, device="cpu", progress=False)
        with pytest.raises(RunError, match="in use by"):
            resume_run(folder, {"steps": 20})
        assert contents(folder) == before
    assert train(second, text, device="cpu", progress=False).reason == "finished"


def test_a_run_that_is_trained_can_be_read(stopped, copy):
    folder = copy(stopped)
    with open_run(folder).locked():
        damage.generate(folder)


HOLDERS = {
    "no number": (b"nonsense", False),
    "a number that no process has": ({"pid": 2**22 + 5}, False),
    "a number that another process got": ({"pid": os.getpid(), "started": "before"}, False),
    "this process": ({"pid": os.getpid()}, True),
    "another machine's": ({"host": "elsewhere", "pid": 1}, True),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_where_a_file_system_has_no_locks_the_holder_is_looked_for(stopped, copy, monkeypatch, holder):
    folder, (about, held) = copy(stopped), HOLDERS[holder]
    content = about if isinstance(about, bytes) else json.dumps({**lock._about_this_process(), **about}).encode()
    (folder / lock.LOCK).write_bytes(content)

    def no_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", no_locks)
    if held:
        with pytest.raises(RunError, match="if it is gone, delete .*run.lock"):
            lock.FolderLock(folder)
    else:
        lock.FolderLock(folder).release()


@pytest.mark.parametrize("holder", HOLDERS)
def test_where_a_file_system_has_locks_what_a_dead_holder_wrote_does_not_count(stopped, copy, holder):
    folder, (about, _) = copy(stopped), HOLDERS[holder]
    content = about if isinstance(about, bytes) else json.dumps({**lock._about_this_process(), **about}).encode()
    (folder / lock.LOCK).write_bytes(content)
    lock.FolderLock(folder).release()
    assert not (folder / lock.LOCK).exists()


def test_a_lock_that_its_holder_removes_while_another_opens_it_is_opened_anew(tmp_path, monkeypatch):
    first, take, taken = lock.FolderLock(tmp_path), lock._lock, []

    def release_first(file):
        if not taken:
            taken.append(first)
            first.release()  # its file is gone now, and ours is a file without a name
        take(file)

    monkeypatch.setattr(lock, "_lock", release_first)
    second = lock.FolderLock(tmp_path)
    with pytest.raises(RunError, match="in use by"):
        lock.FolderLock(tmp_path)
    second.release()


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
            assert not any(name.endswith(".tmp") or name == lock.LOCK for name in os.listdir(folder)), n
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


def test_a_line_that_the_disk_cut_is_taken_back(tmp_path, monkeypatch):
    from minilm.training import journal

    path = tmp_path / "metrics.jsonl"
    journal.append_line(path, {"step": 1})

    class Full(io.FileIO):
        def write(self, content):
            super().write(content[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "open", lambda path, mode, buffering: Full(path, mode), raising=False)
    with pytest.raises(OSError, match="No space left.*metrics.jsonl"):
        journal.append_line(path, {"step": 2})
    assert path.read_bytes() == b'{"step": 1}\n'


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


def test_a_worker_that_is_killed_costs_the_steps_since_the_checkpoint(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, processes=2)
    update = Training.update

    def kills(self):
        if self.step == 7:
            process = self.parallel._workers[0].process
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


# -- a start that fails -------------------------------------------------------------------------------------------------


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
    for name in (lock.LOCK, "tokenizer.json", "train.tokens", ".config.json.0123.tmp"):
        (place / name).write_bytes(b"part")
    run, text = tiny_run(tmp_path)
    assert train(run, text, device="cpu", progress=False).reason == "finished"
    assert "train.tokens" not in os.listdir(place)


@pytest.mark.parametrize(
    "names",
    [["tokenizer.json"], [lock.LOCK, "notes.txt"], [lock.LOCK, "model.safetensors"], [lock.LOCK, "config.json"]],
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


# -- metrics ------------------------------------------------------------------------------------------------------------

BAD_LINES = [b"\xff\xfe", b"[1]", b'{"step": "a"}', b'{"step": 1, "loss": "x"}', b'{"step": -1}', b'{"loss": 1.0}', b'{"step": 1, "lo',
             b"[" * 100_000, b'{"step": true}', b"null"]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: bad[:20].decode("latin-1"))
def test_lines_that_cannot_be_read_are_kept_aside(stopped, copy, capsys, bad):
    folder = copy(stopped)
    path = folder / "metrics.jsonl"
    good = path.read_bytes()
    path.write_bytes(good + bad + b"\n" + good[:0] + bad)
    assert open_run(folder).metrics() == open_run(stopped).metrics()
    go_on(folder)
    assert (folder / "metrics.damaged").read_bytes() == bad + b"\n" + bad + b"\n"
    assert path.read_bytes().startswith(good)
    assert f"2 lines of {path} could not be read; moved to {folder / 'metrics.damaged'}" in capsys.readouterr().err
    assert [line["step"] for line in open_run(folder).metrics() if "validation_loss" in line] == [0, 4, 8, 12]


def test_numbers_that_are_not_finite_are_logged_as_null(stopped, copy):
    run = open_run(copy(stopped))
    run.log(step=7, gradient_norm=math.inf, loss=1.0)
    assert run.metrics()[-1] == {"step": 7, "gradient_norm": None, "loss": 1.0}
    assert "Infinity" not in (run.folder / "metrics.jsonl").read_text()


# -- signals ------------------------------------------------------------------------------------------------------------

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_saves_and_ends_with_a_word(tmp_path, monkeypatch, capsys, number, finished):
    run, text = tiny_run(tmp_path)
    stop_at(monkeypatch, 7, number)
    outcome = train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert (outcome.reason, outcome.step, step_of(run.folder)) == ("interrupted", 8, 8)
    assert "Stopping after this step" in capsys.readouterr().err
    go_on(run.folder)
    assert_same_weights(run.folder, finished[0])


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_what_the_process_was_told_to_ignore_stays_ignored(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        run, text = tiny_run(tmp_path)
        stop_at(monkeypatch, 7, signal.SIGHUP)
        assert train(run, text, device="cpu", progress=False).reason == "finished"
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.skipif(not POSIX, reason="Windows has no pseudo-terminals")
def test_a_terminal_that_is_closed_loses_no_step(tmp_path):
    """The whole of it: SIGHUP, and an error's stream and a progress bar with nowhere to write to."""
    import pty

    master, slave = pty.openpty()
    folder = tmp_path / "run"
    command = [*COMMAND[:-1], "--data", str(text_file(tmp_path)), "--out", str(folder), *FLAGS, "--steps", "1000000",
               "--checkpoint-every", "100000", "--eval-every", "100000"]  # fmt: skip
    program = "import fcntl, os, runpy, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); sys.argv[:2] = []; sys.argv[0] = 'minilm'; "
    program += "runpy.run_module('minilm', run_name='__main__')"
    child = subprocess.Popen([sys.executable, "-c", program, *command[:1], *command[2:]], stdin=slave, stdout=slave, stderr=slave,
                             start_new_session=True)  # fmt: skip
    os.close(slave)
    wait_for(
        lambda: (
            any("loss" in line for line in open_run(folder).metrics()) if (folder / "metrics.jsonl").exists() else False
        )
    )
    os.close(master)
    child.wait(60)
    logged = open_run(folder).metrics()[-1]["step"]
    assert step_of(folder) >= logged > 0


def test_a_progress_bar_that_cannot_be_shown_ends_alone(tmp_path, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")  # as /dev/full does

    run, text = tiny_run(tmp_path)
    monkeypatch.setattr(sys, "stderr", Gone())
    outcome = train(run, text, device="cpu", progress=True)
    monkeypatch.undo()
    assert outcome.reason == "finished"


def test_a_second_signal_while_the_checkpoint_is_written_damages_nothing(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    stop_at(monkeypatch, 7)
    fsync = os.fsync

    def again(file):
        if step_of(run.folder) == 6 and not Path(f"/proc/self/fd/{file}").is_dir():
            os.kill(os.getpid(), signal.SIGINT)
        return fsync(file)

    monkeypatch.setattr(os, "fsync", lambda file: fsync(file) if not stopping else again(file))
    stopping = []
    save = Training.save

    def saving(self):
        if self.step == 8:
            stopping.append(1)
        return save(self)

    monkeypatch.setattr(Training, "save", saving)
    with pytest.raises(KeyboardInterrupt):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert step_of(run.folder) == 6
    assert not any(name.endswith(".tmp") for name in os.listdir(run.folder))
    assert go_on(run.folder).reason == "finished"


# -- tokens a second ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "eval_every", "checkpoint_every"), [(25, 25, 5), (45, 25, 100), (30, 7, 3)])
def test_tokens_a_second_are_those_of_the_updates(tmp_path, monkeypatch, steps, eval_every, checkpoint_every):
    """With a clock that an update moves by 1 s, an evaluation by 100 s and a checkpoint by 10 s."""
    run, text = tiny_run(tmp_path, steps=steps, eval_every=eval_every, checkpoint_every=checkpoint_every)
    now = [0.0]

    def taking(name, seconds):
        method = getattr(Training, name)

        def timed(self, *arguments):
            now[0] += seconds
            return method(self, *arguments)

        monkeypatch.setattr(Training, name, timed)

    for name, seconds in (("update", 1.0), ("evaluate", 100.0), ("save", 10.0)):
        taking(name, seconds)
    monkeypatch.setattr("minilm.training.progress.time.perf_counter", lambda: now[0])
    train(run, text, device="cpu", progress=False)
    speeds = [line["tokens_per_second"] for line in run.metrics() if "loss" in line]
    assert speeds == [OPTIONS["batch_size"] * OPTIONS["block_size"]] * len(range(0, steps, 10))


# -- phases -------------------------------------------------------------------------------------------------------------


def fields_of(cls):
    return {field.name for field in dataclasses.fields(cls)}


def test_every_setting_is_fixed_or_may_change():
    settings = {*fields_of(TrainConfig), *fields_of(GPTConfig)}
    options = vars(parser().parse_args(["train"])).keys() - {"command", "recipe", "out", "resume", "device", "quiet"}
    assert set(MAY_CHANGE) | set(FIXED) >= settings | options
    assert not set(MAY_CHANGE) & set(FIXED)
    assert set(SCHEDULE) <= set(MAY_CHANGE) <= fields_of(TrainConfig)


VALUES = {"steps": 20, "learning_rate": 5e-4, "min_learning_rate": 5e-5, "warmup": 4, "batch_size": 3, "accumulate": 2, "weight_decay": 0.3,
          "clip": 0.5, "eval_every": 3, "patience": 5, "checkpoint_every": 2, "processes": 2}  # fmt: skip


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_each_setting_that_may_change_does(stopped, copy, name):
    run, text = resume_run(copy(stopped), {name: VALUES[name]})
    assert getattr(run.train_config, name) == VALUES[name] != getattr(open_run(stopped).train_config, name)
    assert run.phases == [(7, {name: VALUES[name]})]
    assert run.schedule_began == (7 if name in SCHEDULE else 0)
    assert open_run(run.folder).train_config == run.train_config
    training = Training.resume(run, text, "cpu")
    with training.parallel:
        assert training.step == 7
        assert training.parallel.processes == run.train_config.processes
    assert training.optimizer.param_groups[0]["weight_decay"] == run.train_config.weight_decay
    assert training.optimizer.param_groups[1]["weight_decay"] == 0.0


@pytest.mark.parametrize("name", FIXED)
def test_each_setting_that_is_fixed_is_refused_by_name(stopped, copy, name):
    folder = copy(stopped)
    before = contents(folder)
    with pytest.raises(ValueError, match=rf"does not take --.*: {FIXED[name]}\. It takes --steps"):
        resume_run(folder, {name: 1})
    assert contents(folder) == before


def test_a_finished_run_goes_on_with_another_rate_and_more_steps(finished, copy, capsys):
    folder = copy(finished[0])
    before = load_arrays(folder / "model.safetensors")[1]["validation_loss"]
    assert main(["train", "--resume", str(folder), "--quiet", "--learning-rate", "0.002", "--steps", "20"]) == 0
    assert "phase 2, begun after step 12: steps 20, learning rate 0.002" in capsys.readouterr().out
    run = open_run(folder)
    assert run.phases == [(12, {"learning_rate": 0.002, "steps": 20})]
    rates = {line["step"]: line["learning_rate"] for line in run.metrics() if "loss" in line}
    assert rates[20] == rate_at(19, run.train_config, 12)
    assert [line["step"] for line in run.metrics() if "final_validation_loss" in line] == [12, 20]
    assert load_arrays(folder / "model.safetensors")[1]["validation_loss"] <= before


def test_the_schedule_of_a_phase_begins_where_the_phase_does():
    config = TrainConfig(steps=150, warmup=10, learning_rate=1.0, min_learning_rate=0.1)
    alone = TrainConfig(steps=100, warmup=10, learning_rate=1.0, min_learning_rate=0.1)
    assert [rate_at(50 + s, config, 50) for s in range(101)] == [rate_at(s, alone) for s in range(101)]


@pytest.mark.parametrize("step", [7, 10])
def test_resuming_within_a_phase_is_exact(stopped, copy, monkeypatch, step):
    changes = {"learning_rate": 3e-3, "steps": 12, "batch_size": 3, "weight_decay": 0.5, "warmup": 3, "clip": 0.3}
    calm, killed = copy(stopped, "calm"), copy(stopped, "killed")
    go_on(calm, changes)
    update = Training.update

    def dies(self):
        if self.step == step:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(Training, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        go_on(killed, changes)
    monkeypatch.undo()
    go_on(killed)
    assert_same_weights(killed, calm)


def test_what_a_phase_does_not_change_is_as_if_it_were_not(stopped, copy):
    """A phase that only evaluates more often, and one that only saves more often, leave the weights as they were."""
    plain, phased = copy(stopped, "plain"), copy(stopped, "phased")
    go_on(plain)
    go_on(phased, {"checkpoint_every": 1})
    assert_same_weights(plain, phased)


def test_patience_counts_anew_in_a_phase(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, steps=40, eval_every=2, patience=2)
    losses = iter([3.0, 2.0, 2.5, 2.6, 2.0, *[2.2] * 9])
    monkeypatch.setattr(Training, "evaluate", lambda self, most=None: next(losses))
    outcome = train(run, text, device="cpu", progress=False)
    assert (outcome.reason, outcome.step) == ("early stop", 6)
    outcome = go_on(run.folder, {"patience": 3})
    assert (outcome.reason, outcome.step) == ("early stop", 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--steps", "7"], "give --steps more than 7"), (["--learning-rate", "-1"], "--learning-rate"), (["--layers", "3"], "--layers"),
     (["--learning-rate", "1e-6"], "--min-learning-rate"), (["--seed", "3"], "--seed: the weights were drawn"), (["--out", "x"], "--out"),
     (["--recipe", "bpe"], "--recipe"), (["--heads", "4"], "--heads"), (["--dropout", "0.2"], "--dropout")],
)  # fmt: skip
def test_a_phase_that_cannot_be_is_refused_and_changes_nothing(stopped, copy, capsys, arguments, message):
    folder = copy(stopped)
    before = contents(folder)
    assert main(["train", "--resume", str(folder), *arguments]) == (
        2 if "-1" in arguments else 1
    )  # a value that is never right
    assert message in capsys.readouterr().err
    assert contents(folder) == before


def test_a_phase_keeps_what_the_phase_before_it_changed(stopped, copy):
    folder = copy(stopped)
    for changes in ({"weight_decay": 0.5}, {"steps": 20}, {"patience": 3, "steps": 30}):
        resume_run(folder, changes)
    now = open_run(folder).train_config
    assert (now.weight_decay, now.steps, now.patience) == (0.5, 30, 3)


def test_settings_that_are_as_before_make_no_phase(stopped, copy):
    folder = copy(stopped)
    before = contents(folder)
    run, _ = resume_run(folder, {"steps": 12, "learning_rate": 1e-3})
    assert run.phases == []
    assert contents(folder) == before


def test_a_checkpoint_from_before_the_last_phase_is_named(stopped, copy):
    folder = copy(stopped)
    old = contents(folder)
    go_on(folder)
    go_on(folder, {"steps": 14})
    for name in ("checkpoint.safetensors", "model.safetensors"):
        (folder / name).write_bytes(old[name])
    with pytest.raises(CheckpointError, match="of step 7, but the run's last phase began at step 12"):
        go_on(folder)


def test_a_checkpoint_of_another_run_s_phase_is_refused(stopped, copy):
    one, two = copy(stopped, "one"), copy(stopped, "two")
    go_on(one, {"steps": 14})
    go_on(two, {"steps": 14, "learning_rate": 2e-3})
    shutil.copy(one / "checkpoint.safetensors", two)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        go_on(two)


def test_the_tokenizer_of_a_run_is_kept_with_its_hash(tmp_path):
    """Written once, and known to the run by what it says."""
    run, _ = tiny_run(tmp_path)
    assert run.task.tokenizer(run.folder).to_dict() == CharTokenizer.train(TEXT).to_dict()
    assert json.loads((run.folder / "config.json").read_text())["tokenizer_sha256"] == run.task.tokenizer_sha256
