"""Phases: which settings may change on the way, and what is recorded of them."""

import dataclasses
import shutil

import pytest

from minilm.cli import main, parser
from minilm.models import GPTConfig
from minilm.training.checkpoint import CheckpointError, load_arrays
from minilm.training.language_model import LanguageModel
from minilm.training.loop import Training, train
from minilm.training.recipes import open_run, resume_run
from minilm.training.settings import FIXED as FIXED_IN_TRAINING
from minilm.training.settings import MAY_CHANGE, SCHEDULE, TrainConfig
from tests.tiny import rate_at, tiny_run
from tests.training.damage import contents
from tests.training.runs import assert_same_weights, dying_at, go_on

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device

FIXED = {**FIXED_IN_TRAINING, **LanguageModel.fixed}


def fields_of(cls):
    return {field.name for field in dataclasses.fields(cls)}


def test_every_setting_is_fixed_or_may_change():
    settings = {*fields_of(TrainConfig), *fields_of(GPTConfig)}
    options = vars(parser().parse_args(["train"])).keys() - {
        "command",
        "recipe",
        "out",
        "resume",
        "device",
        "quiet",
        "dashboard",
    }
    assert set(MAY_CHANGE) | set(FIXED) >= settings | options
    assert not set(MAY_CHANGE) & set(FIXED)
    assert set(SCHEDULE) <= set(MAY_CHANGE) <= fields_of(TrainConfig)


VALUES = {"steps": 20, "learning_rate": 5e-4, "min_learning_rate": 5e-5, "warmup": 4, "batch_size": 3, "accumulate": 2, "weight_decay": 0.3,
          "clip": 0.5, "eval_every": 3, "patience": 5, "checkpoint_every": 2, "processes": 2, "threads_per_batch": 2}  # fmt: skip


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
        assert training.parallel.members.count == run.train_config.processes
        assert training.parallel.threads == run.train_config.threads_per_batch
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
def test_resuming_within_a_phase_is_exact(stopped, copy, step):
    changes = {"learning_rate": 3e-3, "steps": 12, "batch_size": 3, "weight_decay": 0.5, "warmup": 3, "clip": 0.3}
    calm, killed = copy(stopped, "calm"), copy(stopped, "killed")
    go_on(calm, changes)
    with dying_at(step):
        go_on(killed, changes)
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
