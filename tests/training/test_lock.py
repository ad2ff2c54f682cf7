"""One process at a time trains a run."""

import errno
import json
import os

import pytest

from minilm import lock
from minilm.training.checkpoint import RunError
from minilm.training.folder import LOCK, lock_of
from minilm.training.loop import Training, train
from minilm.training.recipes import open_run, resume_run
from tests.tiny import FLAGS, text_file
from tests.training import damage
from tests.training.damage import contents
from tests.training.runs import start, step_of, wait_for

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


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
    assert (folder / LOCK).exists()
    Training.resume(*resume_run(folder), "cpu")
    assert not (folder / LOCK).exists()
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
    (folder / LOCK).write_bytes(content)

    def no_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", no_locks)
    if held:
        with pytest.raises(RunError, match="if it is gone, delete .*run.lock"):
            lock_of(folder)
    else:
        lock_of(folder).release()


@pytest.mark.parametrize("holder", HOLDERS)
def test_where_a_file_system_has_locks_what_a_dead_holder_wrote_does_not_count(stopped, copy, holder):
    folder, (about, _) = copy(stopped), HOLDERS[holder]
    content = about if isinstance(about, bytes) else json.dumps({**lock._about_this_process(), **about}).encode()
    (folder / LOCK).write_bytes(content)
    lock_of(folder).release()
    assert not (folder / LOCK).exists()


def test_a_lock_that_its_holder_removes_while_another_opens_it_is_opened_anew(tmp_path, monkeypatch):
    first, take, taken = lock_of(tmp_path), lock._lock, []

    def release_first(file):
        if not taken:
            taken.append(first)
            first.release()  # its file is gone now, and ours is a file without a name
        take(file)

    monkeypatch.setattr(lock, "_lock", release_first)
    second = lock_of(tmp_path)
    with pytest.raises(RunError, match="in use by"):
        lock_of(tmp_path)
    second.release()
