"""Threads that share a run's batches: the losses of one thread up to rounding, the bits of the setting, and how it is chosen."""

import json

import numpy as np
import pytest

from minilm.backend.threads import pool
from minilm.cli import main
from minilm.parallel import Choice
from minilm.training import threads
from minilm.training.loop import Training, train
from minilm.training.recipes import open_run, resume_run
from minilm.training.settings import TrainConfig, recorded
from minilm.training.threads import settle_threads
from tests.tiny import FLAGS, text_file, tiny_run
from tests.training.runs import arrays_of, assert_same_weights, dying_at, go_on

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads, whatever the machine has."""
    before = pool.threads
    pool.threads = 2
    yield
    pool.threads = before


def test_a_run_with_threads_has_the_losses_of_one_without(tmp_path):
    """With dropout, and two batches an update."""
    for count in (1, 3):
        run, text = tiny_run(tmp_path, f"{count}", threads_per_batch=count, accumulate=2)
        train(run, text, device="cpu", progress=False)
    for key, array in arrays_of(tmp_path / "1").items():
        np.testing.assert_allclose(arrays_of(tmp_path / "3")[key], array, atol=1e-6, rtol=1e-4, err_msg=key)


def test_it_goes_on_to_the_bit_and_on_any_number_of_cores(tmp_path):
    (calm, text), (killed, _) = (tiny_run(tmp_path, name, threads_per_batch=2) for name in ("calm", "killed"))
    train(calm, text, device="cpu", progress=False)
    with dying_at(7):
        train(killed, text, device="cpu", progress=False)
    pool.threads = 1
    go_on(killed.folder)
    assert_same_weights(killed.folder, calm.folder)


def test_the_setting_is_kept_and_named_where_it_is_not_one(tmp_path):
    run, text = tiny_run(tmp_path, threads_per_batch=2, steps=1)
    train(run, text, device="cpu", progress=False)
    assert json.loads((run.folder / "config.json").read_text())["training"]["threads_per_batch"] == 2
    assert open_run(run.folder).train_config.threads_per_batch == 2
    run, text = tiny_run(tmp_path, "one", steps=1)
    train(run, text, device="cpu", progress=False)
    assert "threads_per_batch" not in (run.folder / "config.json").read_text()  # as in runs that were made before it
    assert recorded(TrainConfig(threads_per_batch=2))["threads_per_batch"] == 2


@pytest.fixture
def two_are_faster(monkeypatch):
    monkeypatch.setattr(threads, "choose_threads", lambda model, *batch, method: Choice(2, "two are faster"))


def test_auto_is_measured_told_and_recorded(tmp_path, capsys, two_are_faster):
    """The run is then the same as one that was given the number."""
    flags = ["--data", str(text_file(tmp_path)), *FLAGS, "--steps", "3", "--quiet"]
    for name, value in (("auto", "auto"), ("two", "2")):
        assert main(["train", "--out", str(tmp_path / name), *flags, "--threads-per-batch", value]) == 0
        said = capsys.readouterr().out
        assert said.count("--threads-per-batch 2 (auto): two are faster\n") == (value == "auto")
        assert said.count("on cpu, each batch on 2 threads; run folder") == (value == "2")
    one, other = (open_run(tmp_path / name) for name in ("auto", "two"))
    assert one.config == other.config
    assert "--threads-per-batch 2 " in (one.folder / "card.md").read_text()
    assert one.phases == []
    assert_same_weights(one.folder, other.folder)
    assert go_on(one.folder, {"steps": 4}).reason == "finished"


def test_auto_in_a_run_that_has_begun_is_a_new_phase(tmp_path, capsys, two_are_faster):
    flags = ["--data", str(text_file(tmp_path)), *FLAGS, "--steps", "3", "--quiet"]
    assert main(["train", "--out", str(tmp_path / "run"), *flags]) == 0
    go = [
        "train",
        "--quiet",
        "--device",
        "cpu",
        "--resume",
        str(tmp_path / "run"),
        "--threads-per-batch",
        "auto",
        "--steps",
    ]
    assert main([*go, "4"]) == 0
    assert open_run(tmp_path / "run").phases == [(3, {"steps": 4}), (3, {"threads_per_batch": 2})]
    assert main([*go, "5"]) == 0  # as before: no change
    assert open_run(tmp_path / "run").phases[2:] == [(4, {"steps": 5})]
    assert resume_run(tmp_path / "run")[0].train_config.threads_per_batch == 2


def test_auto_in_a_run_without_phases_is_a_new_one(tmp_path, two_are_faster):
    run, text = tiny_run(tmp_path, steps=3)
    train(run, text, device="cpu", progress=False)
    settle_threads(run, text, "cpu")
    assert run.phases == open_run(run.folder).phases == [(3, {"threads_per_batch": 2})]
    assert run.load_checkpoint().step == 3


def test_what_is_measured_are_the_runs_own_batches_and_leaves_no_trace(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, dropout=0.5)
    seen = []

    def choose(model, *batch, method):
        loss = getattr(model, method)(*batch)
        seen.append((loss.item(), batch[0]))
        return Choice(1, "")

    monkeypatch.setattr(threads, "choose_threads", choose)
    settle_threads(run, text, "cpu")
    training = Training(run, text, "cpu")
    loss, _ = training.update()
    assert loss.item() == seen[0][0]
    assert seen[0][1].shape == (4, 16)


def test_a_device_that_computes_by_itself_needs_no_threads(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    monkeypatch.setattr(threads, "get_device", lambda name: type("Device", (), {"asynchronous": True}))
    assert settle_threads(run, text, "cuda") == (1, "cuda computes the batch")


def test_threads_beside_processes_are_refused():
    with pytest.raises(ValueError, match="threads_per_batch must be 1 beside several processes, got 2"):
        TrainConfig(processes=2, threads_per_batch=2)
