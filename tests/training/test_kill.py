"""`kill -9` at random moments, during training and while a checkpoint is written: always resumable, and exact."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minilm.training.checkpoint import load_arrays
from tests.tiny import FLAGS, text_file

pytestmark = pytest.mark.host  # runs name their device

KILLS = 30
COMMAND = [sys.executable, "-m", "minilm", "train", "--quiet"]
# A model of some size and a checkpoint at every step, so that many of the kills fall into a write.
OPTIONS = [*FLAGS, "--steps", "900", "--checkpoint-every", "1", "--eval-every", "20", "--width", "64"]


def start(*arguments):
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def step_of(folder):
    path = folder / "checkpoint.safetensors"
    return load_arrays(path)[1]["step"] if path.exists() else 0


@pytest.mark.slow
def test_thirty_kills(tmp_path):
    data = str(text_file(tmp_path))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    undisturbed = start("--data", data, "--out", str(calm), *OPTIONS)
    _, errors = undisturbed.communicate()
    assert undisturbed.returncode == 0, errors.decode()
    draw = random.Random(0)
    child, deaths, mid_write = start("--data", data, "--out", str(killed), *OPTIONS), 0, 0
    while not (killed / "config.json").exists():
        time.sleep(0.01)
    while deaths < KILLS:
        before = step_of(killed)
        deadline = time.monotonic() + 60
        while child.poll() is None and step_of(killed) == before and time.monotonic() < deadline:
            time.sleep(0.01)  # each life gets at least one step further
        time.sleep(draw.uniform(0.0, 0.06))
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.communicate()
        deaths += 1
        mid_write += any(name.endswith(".tmp") for name in os.listdir(killed))
        child = start("--resume", str(killed))
    _, errors = child.communicate()
    assert child.returncode == 0, errors.decode()
    assert deaths == KILLS
    assert mid_write > 0
    for name in ("checkpoint.safetensors", "model.safetensors"):
        (want, about), (have, about_killed) = load_arrays(calm / name), load_arrays(killed / name)
        assert about == about_killed
        for key, array in want.items():
            np.testing.assert_array_equal(have[key], array, err_msg=key)
    assert sorted(os.listdir(killed)) == sorted(os.listdir(calm))
