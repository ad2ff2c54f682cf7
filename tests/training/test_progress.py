"""What is shown of a training: its bar, and the speed of its updates."""

import errno
import io
import sys

import pytest

from minilm.training.loop import Training, train
from tests.tiny import OPTIONS, tiny_run

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


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


def test_a_progress_bar_that_cannot_be_shown_ends_alone(tmp_path, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")  # as /dev/full does

    run, text = tiny_run(tmp_path)
    monkeypatch.setattr(sys, "stderr", Gone())
    outcome = train(run, text, device="cpu", progress=True)
    monkeypatch.undo()
    assert outcome.reason == "finished"
