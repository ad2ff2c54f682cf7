"""The loop trains what is no language model: an encoder on masked text and a classifier, with all that holds of a GPT's run."""

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minilm.optim import decay_groups
from minilm.training import loop
from minilm.training.checkpoint import CheckpointError, load_arrays
from minilm.training.language_model import LanguageModel
from minilm.training.loop import Training, train
from minilm.training.run import Run
from tests.training.damage import contents
from tests.training.runs import dying_at
from tests.training.tasks import LinesBySection, MaskedText, task_run

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device

TASKS = {task.name: task for task in (MaskedText(), LinesBySection())}
SPEED = {"masked text": "characters_per_second", "lines by section": "examples_per_second"}


@pytest.fixture(scope="module", params=TASKS)
def finished(request, tmp_path_factory):
    """A task, a run of it that nothing interrupted, with a real picture, and how it ended."""
    run, data = task_run(tmp_path_factory.mktemp("finished") / "run", TASKS[request.param])
    return run.task, run, train(run, data, device="cpu", progress=False)


def arrays_of(run, name):
    return load_arrays(run.folder / f"{name}.safetensors")[0]


def assert_same_run(a, b):
    """Equal to the bit: weights, averages, best weights, and what was logged but the speed."""
    for name in ("checkpoint", "model"):
        x, y = arrays_of(a, name), arrays_of(b, name)
        assert x.keys() == y.keys()
        for key in x:
            np.testing.assert_array_equal(x[key], y[key], err_msg=f"{name}: {key}")
    plain = [[{k: v for k, v in line.items() if k != SPEED[run.task.name]} for line in run.metrics()] for run in (a, b)]
    assert plain[0] == plain[1]
    assert set(os.listdir(a.folder)) == set(os.listdir(b.folder))


def test_a_run_of_any_task_has_what_a_run_has(finished):
    task, run, outcome = finished
    assert (outcome.reason, outcome.step) == ("finished", 20)
    assert sorted(os.listdir(run.folder)) == [
        "card.md", "checkpoint.safetensors", "config.json", "loss.png", "metrics.jsonl", "model.safetensors"]  # fmt: skip
    lines = run.metrics()
    losses = {line["step"]: line["validation_loss"] for line in lines if "validation_loss" in line}
    assert list(losses) == [0, 5, 10, 15, 20]
    assert losses[20] < 0.9 * losses[0]
    logged = [line for line in lines if "loss" in line]
    assert [line["step"] for line in logged] == [10, 20]
    assert set(logged[0]) == {"step", "loss", "learning_rate", "gradient_norm", SPEED[task.name]}
    final = {"step": 20, "final_validation_loss": outcome.validation_loss, **outcome.measures}
    assert lines[-1] == final
    assert outcome.measures.keys() == ({"accuracy"} if task.name == "lines by section" else set())
    assert outcome.measures.get("accuracy", 1.0) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 6, 13])
def test_resumed_after_a_stop_at_any_step_is_exact(finished, tmp_path, step):
    task, undisturbed, outcome = finished
    run, data = task_run(tmp_path / "run", task)
    with dying_at(step):
        train(run, data, device="cpu", progress=False)
    again = Run(run.folder, type(task))
    assert again.task == task
    resumed = train(again, task.data(), device="cpu", progress=False)
    assert (resumed.validation_loss, resumed.measures) == (outcome.validation_loss, outcome.measures)
    assert_same_run(again, undisturbed)


def test_what_is_told_is_of_the_best_weights_without_dropout(finished):
    task, run, outcome = finished
    model = run.model("cpu")
    assert not model.training
    assert task.evaluate(model, task.data(), None) == outcome.validation_loss
    assert task.measures(model, task.data(), outcome.validation_loss) == outcome.measures


def test_resuming_a_finished_run_tells_the_same(finished):
    task, run, outcome = finished
    before = contents(run.folder)
    again = train(Run(run.folder, type(task)), task.data(), device="cpu", progress=False)
    assert (again.reason, again.validation_loss, again.measures) == (
        "finished",
        outcome.validation_loss,
        outcome.measures,
    )
    assert contents(run.folder) == before


PROGRAM = """
import os, signal, sys
from pathlib import Path
from minilm.training.loop import Training, train
from tests.training.tasks import *
update = Training.update
def dies(self):
    if self.step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self)
Training.update = dies
train(*task_run(Path(sys.argv[1]), {"masked text": MaskedText, "lines by section": LinesBySection}[sys.argv[2]]()),
      device="cpu", progress=False)
"""


@pytest.mark.slow
def test_resumed_after_kill_9_is_exact(finished, tmp_path):
    task, undisturbed, _ = finished
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "run"), task.name]
    child = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    run = Run(tmp_path / "run", type(task))
    assert load_arrays(run.folder / "checkpoint.safetensors")[1]["step"] == 8
    train(run, task.data(), device="cpu", progress=False)
    assert_same_run(run, undisturbed)


def test_the_best_weights_are_kept_and_patience_ends_the_run(finished, tmp_path, monkeypatch):
    """Few data and a large rate: the validation loss falls, and then rises."""
    task, _, _ = finished
    run, data = task_run(tmp_path / "run", task, steps=400, eval_every=4, patience=3, learning_rate=0.1, warmup=0)
    monkeypatch.setattr(type(task), "glance", None)
    outcome = train(run, data._replace(train=data.train[:40]), device="cpu", progress=False)
    losses = {line["step"]: line["validation_loss"] for line in run.metrics() if "validation_loss" in line}
    best = min(losses, key=losses.get)
    assert (outcome.reason, outcome.step) == ("early stop", best + 12)
    assert outcome.validation_loss == losses[best]
    about = load_arrays(run.folder / "model.safetensors")[1]
    assert (about["step"], about["validation_loss"]) == (best, losses[best])


def test_two_processes_train_to_the_same_losses(tmp_path):
    found = []
    for processes in (1, 2):
        run, data = task_run(tmp_path / str(processes), MaskedText(), processes=processes)
        training = Training(run, data, "cpu")
        training.model.eval()  # each process drops others
        with training.parallel:
            found.append([training.update()[0].item() for _ in range(4)])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_a_phase_has_settings_of_its_own(finished, tmp_path):
    task, _, _ = finished
    run, data = task_run(tmp_path / "run", task, steps=4)
    train(run, data, device="cpu", progress=False)
    phased = run.with_phase({"steps": 8, "learning_rate": 5e-3})
    assert train(phased, data, device="cpu", progress=False).step == 8
    assert Run(run.folder, type(task)).phases == [(4, {"steps": 8, "learning_rate": 5e-3})]


def test_a_run_of_another_task_is_refused(finished):
    task, run, _ = finished
    before = contents(run.folder)
    for kind in {LanguageModel, *map(type, TASKS.values())} - {type(task)}:
        with pytest.raises(CheckpointError, match=f"whose task is '{task.name}', expected '{kind.name}'"):
            Run(run.folder, kind)
    assert contents(run.folder) == before


def test_the_task_validates_what_the_run_keeps_of_it(finished, tmp_path):
    task, run, _ = finished
    config = json.loads((run.folder / "config.json").read_text())
    (name, value), *_ = task.to_json().items()
    cases = {"a string": "should be of type int", "removed": "missing fields", "another": "was edited or damaged"}
    for damage, message in cases.items():
        changed = {**config, name: value + 1 if damage == "another" else damage}
        if damage == "removed":
            del changed[name]
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=message):
            Run(tmp_path, type(task))
    (tmp_path / "config.json").write_text(json.dumps({**config, "extra": 1}))
    with pytest.raises(CheckpointError, match="unknown fields"):
        Run(tmp_path, type(task))


def test_decay_is_for_matrices():
    model = LinesBySection().make_model()
    decay, rest = decay_groups(model.parameters(), 0.1)
    assert (decay["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in decay["params"]} == {2}
    assert {p.ndim for p in rest["params"]} == {1}
    assert len(decay_groups([model.up.weight], 0.1)) == 1


def test_the_loop_knows_no_task():
    """Nothing that trains any task imports a model, a text or data."""
    folder = Path(loop.__file__).parent
    for name in ("loop", "task", "run", "resume", "progress", "stops", "settings", "checkpoint", "journal"):
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        found = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        allowed = "minilm.training.language_model", "minilm.training.recipes"
        for module in found:
            assert not module.startswith(("minilm.models", "minilm.text", "minilm.data")), (name, module)
            assert module not in allowed, (name, module)
