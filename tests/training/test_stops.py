"""A signal saves and ends with a word."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minilm.training.loop import Training, train
from minilm.training.recipes import open_run
from tests.tiny import FLAGS, text_file, tiny_run
from tests.training.runs import COMMAND, POSIX, assert_same_weights, go_on, step_of, stop_at, wait_for

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


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
