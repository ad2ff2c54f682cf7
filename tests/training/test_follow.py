"""Training on ranks of MPI: the numbers of one process, files and words of rank 0 alone, and what follows if a rank is stopped or lost."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from minilm.cli import main
from tests.parallel import mpi
from tests.tiny import FLAGS, text_file
from tests.training.runs import arrays_of, step_of, wait_for

pytestmark = [pytest.mark.host, pytest.mark.slow]  # runs name their device
TRAIN = ("-m", "minilm", "train", "--quiet")
ENDLESS = ["--steps", "1000000", "--eval-every", "1000000", "--checkpoint-every", "5"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return str(text_file(tmp_path_factory.mktemp("text")))


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_near(folder, expected):
    """Equal, but for the last digits of float32, which depend on where a sum is cut."""
    for name in ("checkpoint", "model"):
        found, wanted = arrays_of(folder, name), arrays_of(expected, name)
        assert found.keys() == wanted.keys()
        for key in wanted:
            np.testing.assert_allclose(found[key], wanted[key], atol=1e-6, rtol=1e-4, err_msg=key)
    for found, wanted in zip(lines_of(folder), lines_of(expected), strict=True):
        assert found.keys() == wanted.keys()
        for key in wanted.keys() - {"tokens_per_second"}:
            assert found[key] == pytest.approx(wanted[key], rel=2e-6), key


def test_two_ranks_train_as_one_process_and_bit_for_bit_as_two(tmp_path, text, capfd):
    """With dropout, three batches an update, and evaluations. Rank 0 alone writes and speaks."""
    options = ["--data", text, *FLAGS, "--accumulate", "3"]
    one, two, ranks = (tmp_path / name for name in ("one", "two", "ranks"))
    assert main([*TRAIN[2:], "--out", str(one), *options]) == 0
    said = capfd.readouterr().out
    assert main([*TRAIN[2:], "--out", str(two), *options, "--processes", "2"]) == 0
    status, out, errors = mpi.run(2, *TRAIN, "--out", ranks, *options)
    assert (status, errors) == (0, "")
    assert_near(ranks, one)
    for name in ("checkpoint", "model"):
        for key, array in arrays_of(two, name).items():
            np.testing.assert_array_equal(arrays_of(ranks, name)[key], array, err_msg=key)
    assert sorted(os.listdir(ranks)) == sorted(os.listdir(one))
    timeless = [
        re.sub(r"\d+ s$", "", text, flags=re.MULTILINE)
        for text in (said.replace(str(one), "RUN"), out.replace(str(ranks), "RUN"))
    ]
    assert len(timeless[0].splitlines()) == len(timeless[1].splitlines())
    assert timeless[0].split("\nA sample:")[0] == timeless[1].split("\nA sample:")[0]


def test_a_run_goes_on_with_another_number_of_members(tmp_path, text):
    """Two ranks, one process, two processes, three ranks, beside one process all along."""
    changing, alone = tmp_path / "changing", tmp_path / "alone"
    first = ["--data", text, *FLAGS, "--steps", "3"]
    assert mpi.run(2, *TRAIN, "--out", changing, *first)[0] == 0
    assert main([*TRAIN[2:], "--out", str(alone), *first]) == 0
    for steps in ("6", "9", "12"):
        assert main([*TRAIN[2:], "--resume", str(alone), "--steps", steps]) == 0
        more = ["--resume", str(changing), "--steps", steps]
        if steps == "12":  # the two processes that the run has in its settings give way to the ranks
            assert mpi.run(3, *TRAIN, *more)[0] == 0
        else:
            assert main([*TRAIN[2:], *more, *(["--processes", "2"] if steps == "9" else [])]) == 0
        assert step_of(changing) == int(steps)
    for key, array in arrays_of(alone).items():
        np.testing.assert_allclose(arrays_of(changing)[key], array, atol=1e-6, rtol=1e-4, err_msg=key)


@pytest.fixture
def running(tmp_path, text):
    """A training on two ranks that has saved some steps: the launcher, and the run's folder."""
    begun = []

    def begin(**environment):
        child = mpi.start(2, *TRAIN, "--data", text, "--out", tmp_path / "run", *FLAGS, *ENDLESS, **environment)
        begun.append(child)
        wait_for(lambda: step_of(tmp_path / "run") >= 5)
        return child, tmp_path / "run"

    yield begin
    for child in begun:
        if child.poll() is None:
            child.kill()
        child.communicate()


def assert_goes_on(folder):
    step = step_of(folder)
    assert main([*TRAIN[2:], "--resume", str(folder), "--steps", str(step + 2)]) == 0
    assert step_of(folder) == step + 2


@mpi.LINUX
@pytest.mark.parametrize(("number", "whom"), [(signal.SIGTERM, 1), (signal.SIGTERM, 0), (signal.SIGINT, "launcher")])
def test_a_signal_to_one_rank_stops_all_after_the_same_step(running, number, whom):
    child, folder = running()
    os.kill(child.pid if whom == "launcher" else mpi.pid_of(whom, child.pid), number)
    out, errors = child.communicate(timeout=30)
    (step,) = re.findall(r"Stopped after step (\d+) of 1000000; nothing is lost", out)
    assert child.returncode == 130
    assert step_of(folder) == int(step)
    assert errors.count("Stopping after this step") == (whom != 1)
    assert "Traceback" not in errors
    assert_goes_on(folder)


@mpi.LINUX
@pytest.mark.parametrize("rank", [1, 0])
def test_a_rank_that_is_killed_ends_the_run_with_a_word_and_a_checkpoint(running, rank):
    child, folder = running()
    os.kill(mpi.pid_of(rank, child.pid), signal.SIGKILL)
    _, errors = child.communicate(timeout=30)
    assert child.returncode != 0
    assert re.search(
        rf"(was killed|is gone).*The checkpoint of step \d+ stands: go on with minilm train --resume {folder}", errors
    ), errors
    assert_goes_on(folder)


@mpi.LINUX
def test_a_rank_that_is_stopped_is_named(running):
    child, folder = running(MINILM_TIMEOUT="1")
    pid = mpi.pid_of(1, child.pid)
    os.kill(pid, signal.SIGSTOP)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 1
    assert re.search(
        rf"minilm: rank 1 \(process {pid} on .*\) did not answer for 1 seconds.*The checkpoint of step \d+ stands",
        errors,
    ), errors
    assert_goes_on(folder)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--stepps", "3"], 2, "there is no option --stepps"),
        (["--processes", "2"], 1, "--processes: the ranks that mpiexec started share each batch"),
        (["--batch-size", "1"], 1, "mpiexec started 2 ranks, more than --batch-size 1: each needs an example"),
        (["--data", "nowhere"], 1, "there is no file, folder or data set 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said_once_and_nothing_is_made(tmp_path, options, status, message):
    found, out, errors = mpi.run(2, *TRAIN, "--out", tmp_path / "run", *options)
    assert (found, out) == (status, "")
    assert errors.count(message) == 1, errors
    assert errors.count("minilm:") == 1, errors
    assert os.listdir(tmp_path) == []


def test_a_launcher_of_another_mpi_is_told_from_ours():
    mpi.mpiexec()
    found = subprocess.run(
        [sys.executable, *TRAIN], env={**os.environ, "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 1
    assert re.search(r"the launcher started 2 processes, but .* sees 1: it is another MPI's launcher", found.stderr), (
        found.stderr
    )
