"""The model card of a run: its numbers are those of the run, its command makes the run again, and its words follow from the facts."""

import re
import shlex

import numpy as np
import pytest

import minilm as ml
from minilm.cli import NO_SETTINGS, parser
from minilm.metrics.interval import ratio_interval
from minilm.training.card import CARD, blocks_of, card_of, examples_of, write_card
from minilm.training.loop import Training, train
from minilm.training.recipes import RECIPES, find_recipe, open_run, resume_run, start_run
from minilm.training.task import Parts
from tests.tiny import OPTIONS, text_file, tiny_run
from tests.training.runs import go_on, stop_at
from tests.training.tasks import LinesBySection, MaskedText, task_run

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device
TINY = {name: value for name, value in OPTIONS.items() if name != "dropout"}


def trained(folder, **options):
    run, text = tiny_run(folder, **options)
    train(run, text, device="cpu", progress=False)
    return run, text


def text_of(run):
    return (run.folder / CARD).read_text(encoding="utf-8")


def table_of(card):
    """{measure: (value, interval)}"""
    rows = re.findall(r"^\| ([a-z].*) \| +([\d.]+) \| (.*?) +\|$", card, re.MULTILINE)
    return {name: (value, interval) for name, value, interval in rows}


def numbers(run, name):
    return [line[name] for line in run.metrics() if line.get(name) is not None]


def test_its_numbers_are_those_of_metrics_jsonl(tmp_path):
    run, text = trained(tmp_path)
    found = table_of(text_of(run))
    [loss], [bits] = numbers(run, "final_validation_loss"), numbers(run, "bits_per_character")
    assert found["validation loss, nats per token"][0] == f"{loss:.4f}"
    assert found["bits per character"][0] == f"{bits:.4f}"
    evaluated = [line for line in run.metrics() if "validation_loss" in line]
    best = min(evaluated, key=lambda line: line["validation_loss"])
    assert found[f"lowest on the way, after step {best['step']}"][0] == f"{best['validation_loss']:.4f}"
    assert found["training loss, one batch, at step 12"][0] == f"{numbers(run, 'loss')[-1]:.4f}"
    assert len({value for value, _ in found.values()}) == 3  # the lowest is of the same weights, and of the same text


def test_the_interval_is_that_of_blocks_of_the_validation_text(tmp_path):
    run, text = trained(tmp_path)
    model = run.model("cpu")
    with ml.no_grad():
        loss, parts = run.task.evaluate_parts(model, text)
    low, high, _ = ratio_interval(*blocks_of(parts))
    assert low < loss < high
    found = table_of(text_of(run))
    assert found["validation loss, nats per token"][1] == f"{low:.4f} to {high:.4f}"
    assert found["bits per character"][1] == (
        f"{text.bits_per_character(low):.4f} to {text.bits_per_character(high):.4f}"
    )


def test_parts_make_the_whole(tmp_path):
    run, text = tiny_run(tmp_path)
    training = Training(run, text, "cpu")
    loss, parts = training.evaluate_parts()
    assert loss == training.evaluate()
    assert parts.sums.sum() / parts.counts.sum() == pytest.approx(loss, rel=1e-6)
    assert len(parts.sums) == (len(text.validation) - 1) // 16
    assert (parts.counts == 16).all()


def test_blocks_are_neighbors_and_lose_nothing():
    parts = Parts(np.arange(1.0, 251.0), np.full(250, 2))
    blocks = blocks_of(parts)
    assert len(blocks.sums) == 100
    assert set(blocks.counts.tolist()) == {4, 6}
    assert blocks.sums.sum() == parts.sums.sum()
    assert blocks.counts.sum() == 500
    assert blocks.sums[:2].tolist() == [1.0 + 2.0, 3.0 + 4.0 + 5.0]
    assert blocks_of(Parts(np.ones(3), np.ones(3))).sums.tolist() == [1, 1, 1]


def settings_in(command):
    """The folder-independent settings of a ``minilm train``, as the command line understands them."""
    options = parser().parse_args(shlex.split(command)[1:])
    assert options.device == "cpu"
    return options.recipe, {k: v for k, v in vars(options).items() if v is not None and k not in NO_SETTINGS}


def command_in(card):
    return re.search(r"```\n(minilm train .*)\n", card)[1]


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("default", {}),
        ("default", {"learning_rate": 0.1, "clip": 0.0, "seed": 7, "dropout": 0.25}),
        ("nanogpt-cpu", {"steps": 1600}),
        ("nanogpt-gpu", {"n_head": 3, "n_embd": 30, "block_size": 16}),
        ("bpe", {"vocab_size": 300}),
        ("masked", {"vocab_size": 100, "n_layer": 1}),
    ],
)
def test_its_command_makes_the_same_run(tmp_path, recipe, options):
    """Of a run that has not begun: the settings are all there, and the fingerprint is that of all that shapes the numbers."""
    data = str(text_file(tmp_path))
    small = {"block_size": 16} if recipe == "masked" or "block_size" not in options else {}
    run, text = start_run(tmp_path / "a b", find_recipe(recipe), {"data": data, **small, **options})
    card = card_of(run, text, Training(run, text, "cpu").model, 0, "interrupted", None)
    name, given = settings_in(command_in(card))
    again, _ = start_run(tmp_path / "again", find_recipe(name), given)
    assert again.config.fingerprints() == run.config.fingerprints()
    assert ("--tokenizer" in command_in(card)) == (recipe in ("bpe", "masked"))


def test_its_command_is_short_where_a_recipe_says_all(tmp_path):
    for name in ("default", "nanogpt-cpu", "nanogpt-gpu"):
        recipe = RECIPES[name]
        run, text = start_run(tmp_path / name, recipe, {})
        model = ml.nn.Linear(1, 1).to("cpu")  # its weights are not looked at, and those of the recipe are many
        card = card_of(run, text, model, 0, "interrupted", None)
        assert command_in(card) == "minilm train" + (f" --recipe {name}" if name != "default" else "") + " --device cpu"
        assert "- licence: Python Software Foundation License 2" in card
        assert "Under which licence the text stands is not known" not in card


def test_a_run_that_no_command_makes_says_so(tmp_path):
    run, _ = trained(tmp_path)  # its recipe is none of the table: it has biases
    assert "There is no command that makes it" in text_of(run)


def test_a_text_of_ones_own_has_no_known_licence(tmp_path):
    run, text = trained(tmp_path)
    card = text_of(run)
    assert "- licence: not known" in card
    assert "Under which licence the text stands is not known here" in card
    assert f"{len(text.train):,} tokens to learn from, {len(text.validation):,} to validate on" in card
    assert run.task.text.sha256 in card
    passes = 12 * 4 * 16 / len(text.train)
    assert passes < 1
    assert "word for word" not in card


def test_that_it_saw_its_text_often_is_a_limit(tmp_path):
    run, text = tiny_run(tmp_path)
    facts = run.task.facts(text, run.folder, 10 * len(text.train) // 16)
    assert any("seen its training text 10.0 times" in limit for limit in facts.limits)


def test_a_stopped_run_has_a_card_and_going_on_rewrites_it(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    with monkeypatch.context() as patch:
        stop_at(patch, 6)
        assert train(run, text, device="cpu", progress=False).reason == "interrupted"
    card = text_of(run)
    assert "The training was stopped after 7 of 12 updates" in card
    assert f"minilm train --resume {run.folder}" in card
    assert "validation loss, nats per token" not in card
    assert "lowest on the way, after step 4" in card
    assert "told when the training ends" in card
    go_on(run.folder)
    assert "The training finished after 12 updates." in text_of(run)
    assert "The training was stopped" not in text_of(run)


def test_a_run_killed_before_its_card_was_written_gets_it(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("minilm.training.loop.write_card", killed)
        train(run, text, device="cpu", progress=False)
    assert not (run.folder / CARD).exists()
    go_on(run.folder)
    assert "The training finished after 12 updates." in text_of(run)


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    run, text = trained(tmp_path)
    before = text_of(run)
    model = run.model("cpu")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("minilm.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        write_card(run, text, model, 12, "finished", None)
    assert text_of(run) == before
    assert not list(run.folder.glob(".*.tmp"))


def test_phases_are_told_with_what_they_changed(tmp_path):
    run, _ = trained(tmp_path)
    train(*resume_run(run.folder, {"steps": 20, "batch_size": 6}), device="cpu", progress=False)
    run = open_run(run.folder)
    assert examples_of(run, 20) == 12 * 4 + 8 * 6
    assert examples_of(run, 12) == 12 * 4
    assert examples_of(run, 5) == 5 * 4
    card = text_of(run)
    assert "- phase 2: after step 12: steps 20, batch_size 6" in card
    assert f"- learned from: {(12 * 4 + 8 * 6) * 16:,} tokens" in card
    assert "The training finished after 20 updates." in card


def test_the_commands_of_phases_say_where_the_one_before_was_stopped(tmp_path, monkeypatch):
    run, text = start_run(tmp_path / "run", find_recipe("default"), {**TINY, "data": str(text_file(tmp_path))})
    with monkeypatch.context() as patch:
        stop_at(patch, 6)
        train(run, text, device="cpu", progress=False)
    train(*resume_run(run.folder, {"learning_rate": 0.5}), device="cpu", progress=False)
    block = re.search(r"```\n(.*?)```", text_of(run).partition("How to make it again")[2], re.DOTALL)[1].splitlines()
    assert block[1:] == [
        "# stopped with Ctrl-C after step 7", "minilm train --resume RUN --learning-rate 0.5 --device cpu"]  # fmt: skip


@pytest.mark.parametrize("task", [LinesBySection(), MaskedText()], ids=lambda task: task.name)
def test_every_task_gets_a_card(tmp_path, task):
    run, data = task_run(tmp_path / "run", task)
    outcome = train(run, data, device="cpu", progress=False)
    card, found = text_of(run), table_of(text_of(run))
    assert f"- task: {task.name}" in card
    assert found[f"validation loss, {task.unit}"] == (f"{outcome.validation_loss:.4f}", "")
    for name, value in outcome.measures.items():
        assert found[name] == (f"{value:.4f}", "")
    for name, value in vars(task).items():
        assert f"- {name}: `{value}`" in card
    assert "On which data it was trained this task does not record." in card
    assert "There is no command that makes it" in card


def test_of_a_masked_language_model_too(tmp_path):
    options = {
        "data": str(text_file(tmp_path)),
        "vocab_size": 100,
        "n_layer": 1,
        "n_embd": 16,
        "block_size": 16,
        "steps": 4,
    }
    run, text = start_run(tmp_path / "run", find_recipe("masked"), options)
    outcome = train(run, text, device="cpu", progress=False)
    with ml.no_grad():
        model = run.model("cpu")
        loss, parts = run.task.evaluate_parts(model, text)
        assert loss == pytest.approx(run.task.evaluate(model, text, None), rel=1e-6)
    low, high, _ = ratio_interval(*blocks_of(parts))
    assert table_of(text_of(run))["validation loss, nats per masked token"] == (
        f"{outcome.validation_loss:.4f}", f"{low:.4f} to {high:.4f}")  # fmt: skip


def test_names_of_files_are_one_line(tmp_path):
    folder = tmp_path / "a\nb"
    folder.mkdir()
    run, _ = trained(folder)
    assert "a\\nb" in text_of(run)
