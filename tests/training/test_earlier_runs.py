"""Runs that earlier versions began go on here to the weights that those versions would have reached.

The folders were written by the code of their time: `version1`, stopped after step 7 of 12; `version2`, stopped after step 5 of 12, gone
on with in a phase with a schedule of its own, and stopped again after step 9 of 16. `finished.safetensors` has the weights with which
that code ended each run on the machine on which they were made: another machine's differ by rounding, so here they are compared up to
that; and to the bit with `plainly`, the version before as the fewest lines that do the same.
"""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from minilm import random
from minilm.data import random_blocks
from minilm.models import GPT, GPTConfig
from minilm.optim import AdamW, clip_grad_norm_
from minilm.training.checkpoint import load_arrays
from minilm.training.loop import train
from minilm.training.recipes import open_run, resume_run
from minilm.training.settings import TrainConfig
from tests.tiny import rate_at, text_file

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device

FOLDERS = {version: Path(__file__).parent / f"version{version}" for version in (1, 2)}
NOISE = ("blocks.0.attn.c_attn.bias",)  # the keys' part has no gradient but rounding, of which Adam makes whole steps


@pytest.fixture
def begun(tmp_path):
    """A copy of an earlier version's run, with its text."""

    def copied(version):
        folder = shutil.copytree(FOLDERS[version], tmp_path / "run", ignore=shutil.ignore_patterns("finished*"))
        config = json.loads((folder / "config.json").read_text())
        config["text"]["source"] = str(text_file(tmp_path))
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return copied


def rate(step, settings, began):
    """The learning rate as the versions before computed it."""
    step, steps = step - began, settings["steps"] - began
    if step < settings["warmup"]:
        return settings["learning_rate"] * (step + 1) / (settings["warmup"] + 1)
    progress = (step - settings["warmup"]) / max(1, steps - settings["warmup"])
    return settings["min_learning_rate"] + 0.5 * (settings["learning_rate"] - settings["min_learning_rate"]) * (
        1 + math.cos(math.pi * min(progress, 1.0))
    )


def plainly(folder, ids):
    """Trains an unfinished run to its end: no phases to come, no files, no evaluations."""
    config = json.loads((folder / "config.json").read_text())
    settings, phases = config["training"], config.get("phases", [])
    began = phases[-1]["began"] if phases else 0
    for phase in phases:
        settings = {**settings, **phase["changes"]}
    arrays, about = load_arrays(folder / "checkpoint.safetensors")

    def part(prefix):
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    model = GPT(GPTConfig(**config["model"]))
    model.load_state_dict(part("model."))
    optimizer = AdamW(model.decay_groups(settings["weight_decay"]), betas=(settings["beta1"], settings["beta2"]))
    optimizer.load_state_dict({"options": about["optimizer"], "arrays": part("optimizer.")})
    random.set_state(about["random"])
    for step in range(about["step"], settings["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, settings, began)
        optimizer.zero_grad()
        for i in range(settings["accumulate"]):
            rng = np.random.default_rng([settings["seed"], step, i])
            x, y = random_blocks(ids, model.config.block_size, settings["batch_size"], rng)
            (model.loss(x, y) * (1.0 / settings["accumulate"])).backward()
        clip_grad_norm_(model.parameters(), settings["clip"])
        optimizer.step()
    return {name: array.numpy() for name, array in model.state_dict().items()}


@pytest.mark.parametrize("version", FOLDERS)
def test_an_earlier_run_goes_on_exactly(begun, version):
    folder = begun(version)
    assert json.loads((folder / "config.json").read_text())["version"] == version
    run, text = resume_run(folder)
    expected = plainly(folder, text.train)
    before = (folder / "config.json").read_bytes()
    outcome = train(run, text, device="cpu", progress=False)
    assert (outcome.reason, outcome.step) == ("finished", run.train_config.steps)
    assert (folder / "config.json").read_bytes() == before
    arrays, _ = load_arrays(folder / "checkpoint.safetensors")
    ended, _ = load_arrays(FOLDERS[version] / "finished.safetensors")
    assert {f"model.{name}" for name in ended} == {name for name in arrays if name.startswith("model.")}
    for name, array in ended.items():
        np.testing.assert_array_equal(arrays[f"model.{name}"], expected[name], err_msg=name)
        if name not in NOISE:
            np.testing.assert_allclose(expected[name], array, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("version", FOLDERS)
def test_a_new_phase_writes_the_present_version_and_the_old_files_stay_the_run_s(begun, version):
    folder = begun(version)
    phases = [phase._asdict() for phase in open_run(folder).phases]
    run, text = resume_run(folder, {"weight_decay": 0.2})
    config = json.loads((folder / "config.json").read_text())
    assert (config["version"], config["task"], config["unsigned"]) == (3, "language model", version == 1)
    step = load_arrays(folder / "checkpoint.safetensors")[1]["step"]
    assert config["phases"] == [*phases, {"began": step, "changes": {"weight_decay": 0.2}}]
    assert train(run, text, device="cpu", progress=False).reason == "finished"
    open_run(folder).model("cpu")


def test_the_schedule_is_that_of_the_versions_before_to_the_last_bit():
    """`WarmupCosineLR` in place of the formula: warm-ups longer than the run, a lowest rate that is no multiple, phases."""
    draw = np.random.default_rng(0)
    for _ in range(60):
        began, steps, warmup = (int(n) for n in draw.integers((0, 1, 0), (50, 60, 40)))
        highest, lowest = (float(x) for x in draw.uniform(1e-6, 1e-2, 2))
        config = TrainConfig(steps=began + steps, warmup=warmup, learning_rate=highest, min_learning_rate=lowest)
        settings = dataclasses.asdict(config)
        for step in range(began, began + steps + 1):
            assert rate_at(step, config, began) == rate(step, settings, began), (step, config)


def test_the_rates_of_a_phase_are_those_of_the_version_before(begun):
    folder = begun(2)
    train(*resume_run(folder), device="cpu", progress=False)
    run = open_run(folder)
    rates = {line["step"]: line["learning_rate"] for line in run.metrics() if "loss" in line}
    assert rates == {step: rate(step - 1, dataclasses.asdict(run.train_config), 5) for step in (10, 16)}
    assert rates == pytest.approx({10: 0.002889625322141366, 16: 0.00021037467785863423}, rel=1e-12)
