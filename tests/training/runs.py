"""Runs that were stopped, killed or gone on with, as the tests of a run need them."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minilm.training.checkpoint import load_arrays
from minilm.training.loop import Training, train
from minilm.training.recipes import Recipe, resume_run, start_run
from tests.tiny import OPTIONS

POSIX = os.name == "posix"
COMMAND = [sys.executable, "-m", "minilm", "train", "--quiet"]


def stop_at(monkeypatch, step, number=signal.SIGINT):
    """Sends a signal to this process while the update after `step` is computed."""
    update = Training.update

    def stopped(self):
        if self.step == step:
            os.kill(os.getpid(), number)
        return update(self)

    monkeypatch.setattr(Training, "update", stopped)


@contextlib.contextmanager
def dying_at(step):
    """Within it, a training ends with KeyboardInterrupt before the update after `step`, as if it were killed there."""
    update = Training.update

    def dies(self):
        if self.step == step:
            raise KeyboardInterrupt
        return update(self)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Training, "update", dies)
        yield


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


def go_on(folder, changes=None):
    return train(*resume_run(folder, changes), device="cpu", progress=False)


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
